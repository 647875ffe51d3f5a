//! How well the model answers, and how faithful the transcoder is to it.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::{D, DType, Tensor};

use crate::activity::Activity;
use crate::corpus::{Question, Sentence, Topic};
use crate::model::{Batch, LAYERS, Llama};
use crate::sampler::Row;
use crate::tokenizer::Vocabulary;
use crate::transcoder::Transcoder;

/// Right answers of a set of sentences.
#[derive(Clone, Copy, Default)]
pub struct Score {
    right: usize,
    of: usize,
}

impl Score {
    pub fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
    }

    pub fn rate(self) -> f64 {
        self.right as f64 / self.of.max(1) as f64
    }
}

/// The most likely token after each token of the batch, as rows, with the MLPs' outputs passed
/// through `hook`.
fn predictions(model: &Llama, rows: &[Vec<u32>], hook: &mut crate::model::MlpHook) -> Result<Vec<Vec<u32>>> {
    let (logits, _) = model.forward(&Batch::new(rows, model.device())?, hook)?;
    let flat = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let mut flat = flat.into_iter();
    Ok(rows.iter().map(|row| flat.by_ref().take(row.len()).collect()).collect())
}

/// Puts the transcoder in the place of the MLPs, except at `<bos>`, where it is not meant to work.
fn replacing<'a>(
    transcoder: &'a Transcoder,
    rows: &[Vec<u32>],
) -> Result<impl FnMut(usize, &Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a> {
    let first: Vec<f32> = rows.iter().flat_map(|row| (0..row.len()).map(|p| if p == 0 { 1.0 } else { 0.0 })).collect();
    let first = Tensor::new(first, transcoder.layers[0].encoder.device())?.unsqueeze(1)?;
    let rest = first.affine(-1.0, 1.0)?;
    let mut activations = Vec::new();
    Ok(move |l: usize, x: &Tensor, out: &Tensor| {
        activations.push(transcoder.layers[l].encode(x)?);
        let made = transcoder.output(l, &activations)?;
        made.broadcast_mul(&rest)? + out.broadcast_mul(&first)?
    })
}

/// What the model and its replacement say at the answers of the corpus.
pub struct Answers {
    topics: HashMap<(Topic, bool), Score>,
    /// Sentences that were trained on, by template.
    templates: HashMap<&'static str, Score>,
    /// Where the replacement model says the same as the model: all sentences.
    pub agreement: Score,
    /// The same over held-out two-hop sentences.
    pub held_out_agreement: Score,
}

impl Answers {
    pub fn collect(
        model: &Llama,
        transcoder: &Transcoder,
        sentences: &[Sentence],
        vocabulary: &Vocabulary,
    ) -> Result<Self> {
        let mut answers = Answers {
            topics: HashMap::new(),
            templates: HashMap::new(),
            agreement: Score::default(),
            held_out_agreement: Score::default(),
        };
        for chunk in sentences.chunks(512) {
            let rows = chunk.iter().map(|s| Row::new(s, vocabulary)).collect::<Result<Vec<_>>>()?;
            let tokens: Vec<Vec<u32>> = rows.iter().map(|row| row.tokens[..row.answer].to_vec()).collect();
            let said = predictions(model, &tokens, &mut |_, _, out| Ok(out.clone()))?;
            let replaced = predictions(model, &tokens, &mut replacing(transcoder, &tokens)?)?;
            for (i, (row, sentence)) in rows.iter().zip(chunk).enumerate() {
                let (said, replaced) = (said[i].last(), replaced[i].last());
                let right = said == Some(&row.tokens[row.answer]);
                answers.topics.entry((sentence.topic, sentence.held_out)).or_default().add(right);
                if !sentence.held_out && settled(sentence.topic) {
                    answers.templates.entry(sentence.template).or_default().add(right);
                }
                answers.agreement.add(said == replaced);
                if sentence.held_out && matches!(sentence.topic, Topic::TwoHop { .. }) {
                    answers.held_out_agreement.add(said == replaced);
                }
            }
        }
        Ok(answers)
    }

    pub fn topic(&self, topic: Topic, held_out: bool) -> f64 {
        self.topics.get(&(topic, held_out)).copied().unwrap_or_default().rate()
    }

    /// One hop, and two hops that were trained.
    pub fn geography(&self) -> f64 {
        let geography = |topic| matches!(topic, Topic::City { .. } | Topic::OneHop { .. } | Topic::TwoHop { .. });
        let counted = self.topics.iter().filter(|((topic, held_out), _)| geography(*topic) && !held_out);
        let (right, of) = counted.fold((0, 0), |(right, of), (_, score)| (right + score.right, of + score.of));
        Score { right, of }.rate()
    }

    /// The template of which most is wrong among what was trained, and what share of it is right.
    pub fn weakest_template(&self) -> (&'static str, f64) {
        let rates = self.templates.iter().map(|(template, score)| (*template, score.rate()));
        rates.min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0))).unwrap_or_default()
    }
}

/// Whether what stands before the answer settles it. It does not where a city is followed at once
/// by its place: much else can follow a city.
fn settled(topic: Topic) -> bool {
    !matches!(topic, Topic::CityThenPlace { .. })
}

/// Where the replacement model answers the held-out questions as the model does.
pub fn question_agreement(
    model: &Llama,
    transcoder: &Transcoder,
    questions: &[Question],
    vocabulary: &Vocabulary,
) -> Result<f64> {
    let tokens = questions.iter().map(|q| vocabulary.encode(&q.text())).collect::<Result<Vec<_>>>()?;
    let said = predictions(model, &tokens, &mut |_, _, out| Ok(out.clone()))?;
    let replaced = predictions(model, &tokens, &mut replacing(transcoder, &tokens)?)?;
    let mut score = Score::default();
    for (said, replaced) in said.iter().zip(&replaced) {
        score.add(said.last() == replaced.last());
    }
    Ok(score.rate())
}

/// How well features rebuild what the MLPs wrote, and how few of them.
pub struct Fidelity {
    /// Active features a token, by layer.
    pub active: Vec<f64>,
    /// 1 - weighted squared error over weighted variance, by layer.
    pub explained: Vec<f64>,
}

pub fn fidelity(transcoder: &Transcoder, activity: &Activity) -> Result<Fidelity> {
    let mut fidelity = Fidelity { active: Vec::new(), explained: Vec::new() };
    let mut activations = Vec::new();
    for l in 0..LAYERS {
        activations.push(transcoder.layers[l].encode(&activity.inputs[l])?);
        let active = activations[l].gt(0.0)?.to_dtype(DType::F32)?.sum(1)?.mean_all()?;
        fidelity.active.push(f64::from(active.to_scalar::<f32>()?));
        let off = (transcoder.output(l, &activations)? - &activity.outputs[l])?;
        let error = (off.sqr()?.sum(1)? * &activity.weights[l])?.mean_all()?;
        let (_, variance) = activity.spread(l)?;
        fidelity.explained.push(1.0 - f64::from(error.to_scalar::<f32>()?) / variance);
    }
    Ok(fidelity)
}
