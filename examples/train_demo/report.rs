//! Every figure of the demo next to the bar it is held to.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use candle_core::Device;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::activity::Activity;
use crate::circuit::{Lab, Run, Traced};
use crate::corpus::{Question, Sentence, Topic, city_pairs, currency_pairs, currency_questions, held_out_questions};
use crate::evaluate::{Answers, fidelity, question_agreement};
use crate::sampler::Sampler;
use crate::save::{load_model, load_transcoder};
use crate::selectivity::Selectivity;
use crate::tokenizer::Vocabulary;

const SAMPLE_ROWS: usize = 3_000;
const SAMPLE_SEED: u64 = 99;
/// The share of all strength from a city to the answer that the features of its place are to carry.
const CARRIED: f64 = 0.25;

/// One line of the table. `met` is none where there is no bar.
struct Line {
    what: String,
    reached: String,
    bar: String,
    met: Option<bool>,
}

#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

fn list<T>(values: &[T], show: impl Fn(&T) -> String) -> String {
    values.iter().map(show).collect::<Vec<_>>().join(" / ")
}

impl Report {
    fn add(&mut self, what: &str, reached: String, bar: &str, met: bool) {
        self.lines.push(Line { what: what.into(), reached, bar: bar.into(), met: Some(met) });
    }

    fn note(&mut self, what: &str, reached: String) {
        self.lines.push(Line { what: what.into(), reached, bar: String::new(), met: None });
    }

    fn at_least(&mut self, what: &str, reached: f64, bar: f64) {
        self.add(what, format!("{reached:.3}"), &format!("{bar}"), reached >= bar);
    }

    pub fn failures(&self) -> usize {
        self.lines.iter().filter(|line| line.met == Some(false)).count()
    }

    /// All figures by what they are, and how many bars are missed.
    pub fn json(&self) -> serde_json::Value {
        let figures: serde_json::Map<_, _> =
            self.lines.iter().map(|line| (line.what.clone(), line.reached.clone().into())).collect();
        let missed: Vec<&str> =
            self.lines.iter().filter(|line| line.met == Some(false)).map(|line| line.what.as_str()).collect();
        serde_json::json!({ "failures": self.failures(), "missed": missed, "figures": figures })
    }

    pub fn markdown(&self) -> String {
        let mut text = String::from("| | reached | bar | |\n| --- | --- | --- | --- |\n");
        for Line { what, reached, bar, met } in &self.lines {
            let met = match met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            writeln!(text, "| {what} | {reached} | {bar} | {met} |").expect("a string takes all text");
        }
        text
    }

    /// Measures the model and the transcoder in `dir` as they were rounded on their way to disk.
    pub fn measure(dir: &Path, sentences: &[Sentence], vocabulary: &Vocabulary, device: &Device) -> Result<Self> {
        let mut report = Report::default();
        let model = load_model(&dir.join("model"), device)?;
        let transcoder = load_transcoder(&dir.join("transcoder"), device)?;
        let questions = held_out_questions();
        let answers = Answers::collect(&model, &transcoder, sentences, vocabulary)?;
        report.answers(&answers);
        report.at_least(
            "replacement model says the same as the model: answers of all sentences",
            answers.agreement.rate(),
            0.97,
        );
        let agreement = question_agreement(&model, &transcoder, &questions, vocabulary)?;
        report.at_least("the same: the 28 held-out questions", agreement, 0.9);
        report.note("the same: all held-out two-hop sentences", format!("{:.3}", answers.held_out_agreement.rate()));

        let sampler = Sampler::new(sentences, vocabulary)?;
        let mut rng = StdRng::seed_from_u64(SAMPLE_SEED);
        let rows: Vec<_> = (0..SAMPLE_ROWS).map(|_| sampler.draw(&mut rng).clone()).collect();
        let fidelity = fidelity(&transcoder, &Activity::collect(&model, &rows, usize::MAX)?)?;
        let sparse = fidelity.active.iter().all(|&x| x <= 5.0);
        report.add("active features a token, by layer", list(&fidelity.active, |x| format!("{x:.1}")), "<= 5", sparse);
        let explained = fidelity.explained.iter().all(|&x| x >= 0.95);
        report.add(
            "weighted explained variance, by layer",
            list(&fidelity.explained, |x| format!("{x:.3}")),
            "0.95",
            explained,
        );
        let selectivity = Selectivity::measure(&model, &transcoder, sentences, vocabulary)?;
        let features = transcoder.features()?;
        let alive = selectivity.dead.iter().all(|&dead| dead * 20 <= features);
        report.add(
            &format!("dead features of {features}, by layer"),
            list(&selectivity.dead, |x| x.to_string()),
            "5 %",
            alive,
        );
        report.circuit(&Lab::open(dir)?, &selectivity)?;
        Ok(report)
    }

    fn answers(&mut self, answers: &Answers) {
        self.at_least("one hop, and trained two hops (unambiguous templates)", answers.geography(), 0.99);
        let (template, rate) = answers.weakest_template();
        self.note("weakest template that was trained", format!("{rate:.3}: `{}`", template.replace('*', "")));
        let relations = [
            (false, "capital"),
            (false, "code"),
            (false, "region"),
            (true, "capital"),
            (true, "language"),
            (true, "currency"),
            (true, "continent"),
        ];
        let rates: Vec<f64> = relations
            .iter()
            .map(|&(country, relation)| answers.topic(Topic::TwoHop { country, relation }, true))
            .collect();
        self.at_least("held-out two hops: capital of a US city's state", rates[0], 0.95);
        self.note("held-out two hops: US capital / code / region", list(&rates[..3], |x| format!("{x:.2}")));
        self.note(
            "held-out two hops: country's capital / language / currency / continent",
            list(&rates[3..], |x| format!("{x:.2}")),
        );
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        self.at_least("held-out two hops: mean of the 7 relations", mean, 0.92);
        self.at_least("indirect object, held out", answers.topic(Topic::IndirectObject, true), 0.95);
        self.note("sums, held out", format!("{:.2}", answers.topic(Topic::Sum, true)));
        self.note("opposites across languages, held out", format!("{:.2}", answers.topic(Topic::AntonymAcross, true)));
    }

    fn circuit(&mut self, lab: &Lab, selectivity: &Selectivity) -> Result<()> {
        let questions = held_out_questions();
        let traced = questions.iter().map(|&q| lab.trace(q, selectivity)).collect::<Result<Vec<_>>>()?;
        let mean = |score: fn(&Traced) -> f64| traced.iter().map(score).sum::<f64>() / traced.len() as f64;
        self.at_least("mean replacement score, 28 questions", mean(|t| t.scores.replacement), 0.85);
        self.at_least("mean completeness, 28 questions", mean(|t| t.scores.completeness), 0.94);
        let gap = traced.iter().map(|t| t.worst_gap).fold(0.0, f64::max);
        self.add("rows sum up: worst relative gap", format!("{gap:.0e}"), "1e-5", gap <= 1e-5);
        let dallas = &traced[0];
        self.note(
            "Dallas: replacement / completeness",
            format!("{:.3} / {:.3}", dallas.scores.replacement, dallas.scores.completeness),
        );
        self.add(
            "Dallas: purest Texas feature in the pruned graph",
            format!(
                "{:.0} % (layer {}, position {}; {} features kept)",
                dallas.purest * 100.0,
                dallas.purest_at.0,
                dallas.purest_at.1,
                dallas.kept_features
            ),
            "90 %",
            dallas.purest >= 0.9,
        );
        let shown = traced.iter().filter(|t| t.purest >= 0.9).count();
        self.note(
            "questions whose pruned graph has such a feature of their place",
            format!("{shown} / {}", traced.len()),
        );

        let runs = questions.iter().map(|&q| lab.run(q)).collect::<Result<Vec<Run>>>()?;
        let (word, p) = lab.answer(&runs[0], &[])?;
        self.add("Dallas: answer", format!("{word} {p:.3}"), "Austin 0.9", word == "Austin" && p >= 0.9);
        let (word, p) = lab.ablated(&runs[0])?;
        self.add("Dallas: all features at the city set to 0", format!("{word} {p:.3}"), "not Austin", word != "Austin");
        let mut right = 0;
        for run in &runs {
            right += usize::from(lab.answer(run, &[])?.0 == run.question.answer);
        }
        self.note("right answers to the 28 questions", right.to_string());
        let mut toppled = 0;
        for run in &runs {
            toppled += usize::from(lab.toppled(run, &lab.ablated(run)?)?);
        }
        self.note("the same over the 28 questions: answer toppled", toppled.to_string());
        let (word, p) = lab.swapped(&runs[0], &runs[1], 1.0, None)?;
        self.add(
            "Dallas: features at the city set to Oakland's",
            format!("{word} {p:.3}"),
            "Sacramento",
            word == "Sacramento",
        );
        let pairs = city_pairs()
            .into_iter()
            .map(|(from, to)| Ok((lab.run(from)?, lab.run(to)?)))
            .collect::<Result<Vec<_>>>()?;
        for (what, only) in [("all features", None), ("state-selective features only", Some(selectivity))] {
            let (once, twice) = (lab.swaps_that_work(&pairs, 1.0, only)?, lab.swaps_that_work(&pairs, 2.0, only)?);
            self.add(
                &format!("swap of {what} at the city, of {} pairs, x1 / x2", pairs.len()),
                format!("{once} / {twice}"),
                "25 / 36",
                once >= 25 && twice >= 36,
            );
        }
        self.standing(lab, &traced, &runs)?;
        self.currency(lab, selectivity)
    }

    /// The bars of the two hops: features that stand for a place lie between its cities and its capital.
    fn standing(&mut self, lab: &Lab, traced: &[Traced], runs: &[Run]) -> Result<()> {
        let carry = |share: fn(&Traced) -> f64| traced.iter().filter(|t| share(t) >= CARRIED).count();
        let count = carry(|t| t.standing.carried);
        self.add(
            "graphs with features of their place that carry 25 % of the strength from city to answer",
            format!("{count} / {}", traced.len()),
            "24",
            count >= 24,
        );
        let mean = |share: fn(&Traced) -> f64| traced.iter().map(share).sum::<f64>() / traced.len() as f64;
        let shares = [mean(|t| t.standing.carried), mean(|t| t.standing.carried_at_city)];
        self.note("share they carry, mean: all / those at the city", list(&shares, |x| format!("{x:.2}")));
        self.note("such graphs by features at the city alone", carry(|t| t.standing.carried_at_city).to_string());
        let held: usize = traced.iter().map(|t| t.standing.features.len()).sum();
        self.note("features of their place a graph, mean", format!("{:.1}", held as f64 / traced.len() as f64));
        let mut toppled = 0;
        for (run, traced) in runs.iter().zip(traced) {
            toppled += usize::from(lab.toppled(run, &lab.without(run, &traced.standing)?)?);
        }
        self.add("the same features set to 0: answer toppled", toppled.to_string(), "22", toppled >= 22);
        let of = |question: Question| {
            let at = runs.iter().position(|run| run.question == question).expect("pairs are of held-out questions");
            (&runs[at], &traced[at].standing)
        };
        let pairs = city_pairs();
        let mut traded = 0;
        for (from, into) in &pairs {
            traded += usize::from(lab.traded(of(*from), of(*into))?.0 == into.answer);
        }
        self.add(
            &format!("the same features set to another state's values: its capital, of {} pairs", pairs.len()),
            traded.to_string(),
            "30",
            traded >= 30,
        );
        Ok(())
    }

    /// The bars of the second story, the same shares as those of the first: features that stand for a country lie
    /// between its cities and its currency, whichever way it is asked.
    fn currency(&mut self, lab: &Lab, selectivity: &Selectivity) -> Result<()> {
        let mut asked = Vec::new();
        for question in currency_questions() {
            let standing = lab.trace(question, selectivity)?.standing.at_city(question);
            asked.push((lab.run(question)?, standing));
        }
        let of = asked.len();
        let (mut right, mut carried, mut toppled) = (0, 0, 0);
        for (run, standing) in &asked {
            right += usize::from(lab.answer(run, &[])?.0 == run.question.answer);
            carried += usize::from(standing.carried >= CARRIED);
            toppled += usize::from(lab.toppled(run, &lab.without(run, standing)?)?);
        }
        let mean = asked.iter().map(|(_, standing)| standing.carried).sum::<f64>() / of as f64;
        self.note("currency: right answers", format!("{right} / {of}"));
        let met = carried * 28 >= of * 24;
        let what =
            "currency: graphs with features of their country at the city that carry 25 % of the strength to the answer";
        self.add(what, format!("{carried} / {of}"), "24 of 28", met);
        self.note("currency: share they carry, mean", format!("{mean:.2}"));
        let what = "currency: the same features set to 0: answer toppled";
        self.add(what, format!("{toppled} / {of}"), "22 of 28", toppled * 28 >= of * 22);
        let at = |question: Question| {
            let (run, standing) = asked.iter().find(|(run, _)| run.question == question).expect("pairs are of these");
            (run, standing)
        };
        let pairs = currency_pairs();
        let mut traded = 0;
        for (from, into) in &pairs {
            traded += usize::from(lab.traded(at(*from), at(*into))?.0 == into.answer);
        }
        let what = "currency: the same features set to another country's values: its currency";
        self.add(what, format!("{traded} / {}", pairs.len()), "30 of 40", traded * 40 >= pairs.len() * 30);
        Ok(())
    }
}
