//! A tracer without a model: small made-up graphs with the shape of real ones, the same at every run.

use circuitscope::attribution::{
    EdgeParts, HeadFlow, HeadFlows, HeadKind, HeadPart, HeadType, Inactive, Look, Promoted, QkSource, Source, Why,
};
use circuitscope::features::browse::{Entry, Fires, Hit, Near};
use circuitscope::graph::{
    Action, AttributionGraph, Document, Donor, FeatureAt, Freeze, Head, Intervention, InterventionSite, Kept,
    Provenance, RawTrace, RowTarget, Rows, Settings, Site, Sources, Target, TargetKind, Token,
};
use circuitscope::ids::{FeatureId, Layer, NodeId, Position};
use circuitscope::intervention::{ActivationEffect, Effects, Mode, Sweep, TokenEffect};
use circuitscope::job::Monitor;
use circuitscope::service::attention::{
    CircuitHeads, Contributor, EdgeHead, EdgeHeads, HeadView, LookAt, PositionReads, Read, SplitView,
};
use circuitscope::service::browse::{Ask, Browsed};
use circuitscope::service::explain::{ExplainReply, ExplainRequest, Search};
use circuitscope::service::interventions::{Experiment, Measured, ModelReply, ModelRequest};
use circuitscope::service::library::FeatureSource;
use circuitscope::service::tracing::{Reading, Tracer};
use circuitscope::tokens::UnknownWord;
use circuitscope::verify::{
    Agreement, Answer, Correlation, EdgeAnswer, EdgeCheck, Faithfulness, GraphAnswer, OutputChange, Pair, Pairs,
    Perturbations, Question, Reach, Replacements, predicted,
};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const DALLAS: &str = "fact : the capital of the state containing Dallas is";

/// The words that the fake tokenizer knows; a token's id is its index.
const WORDS: [&str; 24] = [
    "<bos>",
    "fact",
    ":",
    "the",
    "capital",
    "of",
    "state",
    "containing",
    "Dallas",
    "is",
    "Oakland",
    "Austin",
    "Texas",
    "Sacramento",
    "California",
    "city",
    "lies",
    "in",
    "code",
    "region",
    "Houston",
    "Albany",
    "where",
    "called",
];

/// Traces prompts of known words, in three stages.
pub struct Fake {
    /// How long a trace takes.
    slowly: Duration,
    /// Lets it go on from one stage to the next.
    gate: Option<Mutex<Receiver<()>>>,
    /// Features that get a row.
    wanted: Option<usize>,
    /// The check of a graph gives a part of its answer and goes on until it is stopped.
    dawdles: bool,
}

impl Fake {
    pub fn quick() -> Arc<Self> {
        Arc::new(Self { slowly: Duration::ZERO, gate: None, wanted: None, dawdles: false })
    }

    pub fn slow() -> Arc<Self> {
        Arc::new(Self { slowly: Duration::from_secs(60), gate: None, wanted: None, dawdles: false })
    }

    /// Never ends the check of a graph.
    pub fn dawdling() -> Arc<Self> {
        Arc::new(Self { slowly: Duration::ZERO, gate: None, wanted: None, dawdles: true })
    }

    /// Traces `wanted` features and goes on to the next stage when it is told to.
    pub fn stepwise(wanted: Option<usize>) -> (Arc<Self>, Sender<()>) {
        let (go_on, gate) = channel();
        (Arc::new(Self { slowly: Duration::ZERO, gate: Some(Mutex::new(gate)), wanted, dawdles: false }), go_on)
    }

    /// Shows the first rows of `whole`, a third more at each stage; those that `had` are there were shown before.
    fn run(
        &self,
        whole: &RawTrace,
        wanted: Option<usize>,
        had: usize,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> anyhow::Result<Document> {
        let wanted = wanted.unwrap_or(usize::MAX).min(whole.sources.features.len());
        let started = Instant::now();
        for stage in 0..3u32 {
            let there = whole.targets.len() + stage as usize * wanted / 3;
            if there < had {
                continue;
            }
            grown(Document::of_trace(&first_rows(whole, there, wanted))?);
            loop {
                if monitor.report("feature rows", there as u64, (whole.targets.len() + wanted) as u64).is_err() {
                    return Ok(Document::from_trace(Arc::new(first_rows(whole, there, wanted)))?);
                }
                let goes_on = match &self.gate {
                    Some(gate) => gate.lock().unwrap().try_recv().is_ok(),
                    None => started.elapsed() >= self.slowly * (stage + 1) / 3,
                };
                if goes_on {
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(Document::from_trace(Arc::new(first_rows(whole, whole.targets.len() + wanted, wanted)))?)
    }
}

/// A trace after its first `n_rows` rows.
fn first_rows(whole: &RawTrace, n_rows: usize, wanted: usize) -> RawTrace {
    let mut trace = whole.clone();
    let n_columns = trace.n_columns();
    trace.wanted_features = wanted;
    trace.settings.max_feature_nodes = Some(wanted);
    trace.row_targets.truncate(n_rows);
    trace.row_abs_sums.truncate(n_rows);
    trace.row_constants.truncate(n_rows);
    trace.row_values.truncate(n_rows);
    if let Rows::Dense { values } = &mut trace.rows {
        values.truncate(n_rows * n_columns);
    }
    trace
}

fn token(text: &str) -> Token {
    let id = WORDS.iter().position(|word| *word == text).unwrap_or(WORDS.len());
    Token { id: id as u32, text: text.to_owned() }
}

impl Tracer for Fake {
    fn model_name(&self) -> String {
        "demo-llama".to_owned()
    }

    fn transcoder_name(&self) -> String {
        "demo-clt".to_owned()
    }

    fn read_prompt(&self, prompt: &str) -> Result<Reading, String> {
        if prompt.trim().is_empty() {
            return Err("The prompt is empty: write at least one word".to_owned());
        }
        let tokens = std::iter::once("<bos>").chain(prompt.split_whitespace()).map(token).collect::<Vec<_>>();
        let unknown = prompt.split_whitespace().filter(|word| !WORDS.contains(word)).map(|word| UnknownWord {
            word: word.to_owned(),
            nearest: WORDS
                .iter()
                .filter(|known| known.chars().next() == word.chars().next())
                .map(|known| (*known).to_owned())
                .take(2)
                .collect(),
        });
        Ok(Reading { prompt: prompt.to_owned(), unknown: unknown.collect(), tokens })
    }

    fn has_chat(&self) -> bool {
        true
    }

    fn in_chat(&self, message: &str) -> Option<Result<String, String>> {
        Some(if message.contains("code") { Err("no code".to_owned()) } else { Ok(format!("fact : {message} is")) })
    }

    fn trace(&self, prompt: &str, grown: &mut dyn FnMut(Document), monitor: &Monitor) -> anyhow::Result<Document> {
        let reading = self.read_prompt(prompt).map_err(anyhow::Error::msg)?;
        self.run(&made_up(prompt, reading.tokens, 4, 2.2, 5), self.wanted, 0, grown, monitor)
    }

    fn resume(
        &self,
        from: &RawTrace,
        max_feature_nodes: Option<usize>,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> anyhow::Result<Document> {
        let whole = made_up(&from.settings.prompt, from.tokens.clone(), 4, 2.2, 5);
        self.run(&whole, max_feature_nodes, from.row_targets.len(), grown, monitor)
    }

    fn promoted(&self, layer: Layer, feature: FeatureId, _: &Monitor) -> anyhow::Result<Promoted> {
        let mut random = StdRng::seed_from_u64(u64::from(layer.0) << 32 | u64::from(feature.0));
        let mut list = |sign: f32| {
            let mut effects: Vec<f32> = (0..5).map(|_| random.random_range(0.1..3.0)).collect();
            effects.sort_by(|a, b| b.total_cmp(a));
            effects
                .into_iter()
                .map(|effect| (WORDS[random.random_range(3..WORDS.len())].to_owned(), sign * effect))
                .collect::<Vec<_>>()
        };
        Ok(Promoted { top: list(1.0), bottom: list(-1.0) })
    }

    fn browse(&self, ask: &Ask, _: &dyn FeatureSource, _: &Monitor) -> anyhow::Result<Browsed> {
        let entry = |layer: u32, feature: u32| Entry {
            layer: Layer(layer),
            feature: FeatureId(feature),
            density: Some(0.01 * feature as f32),
            maximum: Some(feature as f32),
            label: None,
        };
        Ok(match ask {
            Ask::List(_) => Browsed::List((0..30).map(|feature| entry(0, feature)).collect(), 2_000),
            Ask::Search(pattern) => Browsed::Hits(vec![Hit { entry: entry(0, 1), score: 1, text: pattern.clone() }], 1),
            Ask::Near(_) => Browsed::Near(vec![Near { entry: entry(0, 3), cosine: 0.75 }]),
            Ask::Fires(text) => {
                // On each token the feature with its number.
                let ids = (0u32..).map(|at| (Layer(1), FeatureId(at)));
                let fires = text.split(' ').zip(ids.clone()).map(|(token, (layer, feature))| Fires {
                    token: token.to_owned(),
                    features: vec![(layer, feature, 2.0)],
                });
                Browsed::Fires(fires.collect(), ids.take(9).map(|(l, f)| ((l, f), entry(l.0, f.0))).collect())
            }
        })
    }

    /// The answer is as probable as the mean dose says; what is set stays as it was written, and all else as it is.
    fn measure(&self, asked: &Experiment, _: &Monitor) -> anyhow::Result<Measured> {
        let list: Vec<_> = asked.interventions.list.iter().filter(|it| !it.muted).collect();
        let dose = list.iter().map(|it| it.action.dose()).sum::<f32>() / list.len() as f32;
        let effect = |text: &str, before: f64, after: f64| TokenEffect {
            id: token(text).id,
            logits: [1.0, 1.0 + after as f32 - before as f32],
            probabilities: [before, after],
        };
        let now = f64::from(dose.clamp(0.0, 1.0));
        let (answer, other) = (effect("Austin", 1.0, now), effect("Sacramento", 0.0, 1.0 - now));
        let of_feature = |at: &FeatureAt| {
            let is_it = |site: &InterventionSite| (site.layer, site.feature) == (at.layer(), at.feature);
            let set = list.iter().find(|it| it.sites.iter().any(is_it));
            ActivationEffect { feature: *at, before: 1.0, after: 1.0, written: set.map(|it| it.action.dose()) }
        };
        let effects = Effects {
            targets: vec![answer],
            before: vec![answer, other],
            after: vec![other, answer],
            rising: vec![other],
            falling: vec![answer],
            rising_logits: vec![other],
            falling_logits: vec![answer],
            features: asked.features.iter().map(of_feature).collect(),
        };
        let texts = WORDS.iter().enumerate().map(|(id, word)| (id as u32, (*word).to_owned())).collect();
        Ok(Measured { effects, texts })
    }

    /// Every layer holds a feature of the position's number that nearly fires; in another prompt the one after it does.
    fn explain(&self, asked: &ExplainRequest, _: &Monitor) -> anyhow::Result<ExplainReply> {
        let n = asked.tokens.len() as u32;
        let listed = match &asked.search {
            None => None,
            Some(Search { fires_in: Some(other), .. }) if other.is_empty() => anyhow::bail!("the prompt is empty"),
            Some(Search { position, fires_in }) => {
                let places = (1..n).filter(|at| position.is_none_or(|position| position.0 == *at));
                let features = places.flat_map(|at| (0..4u32).map(move |layer| (layer, at)));
                let inactive = features.enumerate().map(|(nth, (layer, at))| Inactive {
                    at: FeatureAt::mlp(Layer(layer), Position(at), FeatureId(at + u32::from(fires_in.is_some()))),
                    pre_activation: 0.5,
                    margin: -0.01 * (nth + 1) as f32,
                });
                Some(inactive.collect::<Vec<_>>())
            }
        };
        let first = listed.iter().flatten().next().map(|it| it.at);
        let why = |at: FeatureAt| {
            if at.position.0 >= n {
                anyhow::bail!("there is no position {}, only {n}", at.position);
            }
            let token = Source::Token(at.position);
            let effects = vec![(token, 1.25), (Source::Error(Site::mlp(Layer(0)), at.position), -0.5)];
            let margin = Inactive { at, pre_activation: 1.0, margin: -0.25 };
            Ok(Why { margin, active: false, constant: 0.25, effects })
        };
        Ok(ExplainReply { why: asked.about.or(first).map(why).transpose()?, listed, ..ExplainReply::default() })
    }

    fn trace_feature(
        &self,
        prompt: &str,
        tokens: &[Token],
        at: FeatureAt,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> anyhow::Result<Document> {
        let mut whole = made_up(prompt, tokens.to_vec(), 4, 2.2, 5);
        for target in &mut whole.targets {
            target.kind = TargetKind::Feature(at);
            target.text = format!("{}:{}:{}", at.layer(), at.position, at.feature);
        }
        self.run(&whole, self.wanted, 0, grown, monitor)
    }

    fn attempt(
        &self,
        tokens: &[Token],
        request: &ModelRequest,
        told: &mut dyn FnMut(ModelReply),
        _: &Monitor,
    ) -> anyhow::Result<ModelReply> {
        Ok(match request {
            ModelRequest::Sweep { doses, tokens, .. } => {
                let rows = tokens.iter().map(|_| doses.iter().map(|dose| f64::from(dose.clamp(0.0, 1.0))).collect());
                let sweep = Sweep { doses: doses.clone(), tokens: tokens.clone(), probabilities: rows.collect() };
                ModelReply::Sweep(sweep, tokens.iter().map(|id| (*id, WORDS[*id as usize].to_owned())).collect())
            }
            ModelRequest::Swap { position, prompt } => {
                if position.index() > prompt.split_whitespace().count() || tokens.is_empty() {
                    anyhow::bail!("position {position} is not there");
                }
                let at = FeatureAt::mlp(Layer(1), *position, FeatureId(7));
                let action = Action::Swap { features: vec![Donor { at, activation: 2.0 }], factor: 1.0 };
                let name = format!("swap {position}={prompt}");
                ModelReply::Swap(Box::new(Intervention { name, sites: Vec::new(), action, muted: false }))
            }
            ModelRequest::Continue { drawing, .. } => {
                told(ModelReply::Continued(["Austin".to_owned(), String::new()]));
                ModelReply::Continued([
                    format!("Austin lies in Texas, {}", drawing.text()),
                    "Sacramento lies in California".to_owned(),
                ])
            }
        })
    }

    /// The model does nine tenths of what the graph says, and answers otherwise where nothing is frozen.
    fn check(
        &self,
        graph: &AttributionGraph,
        question: &Question,
        told: &mut dyn FnMut(Answer),
        monitor: &Monitor,
    ) -> anyhow::Result<Answer> {
        let mode = |freeze: Freeze| Mode::over_all(freeze, graph.n_layers());
        let pair = |source: NodeId, target: NodeId, mode: &Mode| {
            let predicted = predicted(graph, &[source], mode)[target.index()];
            Pair { source, target, predicted, observed: 0.9 * predicted }
        };
        Ok(match question {
            Question::Edge { source, target } => Answer::Edge(
                Freeze::ALL
                    .map(|freeze| {
                        let of = |target| pair(*source, target, &mode(freeze));
                        let outputs =
                            graph.logit_nodes().map(|id| OutputChange { pair: of(id), before: 0.75, after: 0.25 });
                        let weight =
                            graph.outgoing(*source).find(|edge| edge.target == *target).map_or(0.0, |edge| edge.weight);
                        let now = if freeze == Freeze::Free { "Sacramento" } else { "Austin" };
                        let check = EdgeCheck {
                            weight,
                            pair: of(*target),
                            outputs: outputs.collect(),
                            divergence: 0.5,
                            likeliest: (token("Austin").id, token(now).id),
                        };
                        EdgeAnswer { freeze, check, likeliest: ["Austin".to_owned(), now.to_owned()] }
                    })
                    .to_vec(),
            ),
            Question::Subgraph { sources, freeze } => {
                let logits: Vec<NodeId> = graph.logit_nodes().collect();
                let pairs = |targets: &[NodeId]| -> Vec<Pair> {
                    let ends = sources.iter().flat_map(|source| targets.iter().map(move |target| (*source, *target)));
                    ends.map(|(source, target)| pair(source, target, &mode(*freeze))).collect()
                };
                let correlation = |pairs: &[Pair]| Correlation::of(pairs.iter().map(|it| (it.predicted, it.observed)));
                let (features, outputs) = (pairs(sources), pairs(&logits));
                let of = (correlation(&features), correlation(&outputs));
                let mut all = [features, outputs].concat();
                all.sort_by(|a, b| b.off().total_cmp(&a.off()));
                Answer::Subgraph(Pairs { all, features: of.0, outputs: of.1, divergences: Vec::new() })
            }
            Question::Graph { sources, .. } => {
                let faithfulness = Some(Faithfulness { features: Vec::new() });
                let mut found = GraphAnswer { faithfulness, ..GraphAnswer::default() };
                told(Answer::Graph(found.clone()));
                if self.dawdles {
                    loop {
                        monitor.report("replacements", 1, 4)?;
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
                let agreement =
                    Agreement { share: 0.875, divergence: 0.25, last_agrees: false, last_divergence: 0.125 };
                let layers = vec![agreement; graph.n_layers()];
                found.replacements = Some(Replacements { alone: layers.clone(), up_to: layers });
                let reach = Reach { layers: 1, n: sources.len(), cosine: 0.75, error: 0.5 };
                found.perturbations = Some(Perturbations { by_distance: vec![reach] });
                Answer::Graph(found)
            }
            Question::Heads { source, target } => {
                let weight =
                    graph.outgoing(*source).find(|edge| edge.target == *target).map_or(0.0, |edge| edge.weight);
                let part = |layer, head, first: f32, last: f32| HeadPart {
                    head: Head { layer: Layer(layer), head },
                    alone: 0.0,
                    first: first * weight,
                    last: last * weight,
                };
                let heads = vec![part(0, 0, 0.125, 0.25), part(0, 1, 0.5, 0.25), part(1, 0, 0.125, 0.25)];
                Answer::Heads(EdgeParts { total: weight, stays: 0.25 * weight, heads })
            }
        })
    }

    /// A head attends to the key before, but for a quarter, which goes to the first; each kept node at a position
    /// contributes its place in the graph.
    fn look(
        &self,
        graph: &AttributionGraph,
        at: LookAt,
        told: &mut dyn FnMut(HeadView),
        _: &Monitor,
    ) -> anyhow::Result<HeadView> {
        let LookAt { query, key, .. } = at;
        let looks = pattern(query).into_iter().enumerate();
        let looks = looks.map(|(key, pattern)| Look { key: key.into(), score: 4.0 * pattern, pattern }).collect();
        let mut view = HeadView { looks, types: vec![previous_token()], split: None };
        told(view.clone());
        let at_position = |position: Position| -> Vec<(Contributor, f64)> {
            let here = graph.node_ids().filter(|id| graph.node(*id).position() == position);
            let sources = here.filter_map(|id| Some((id, Source::of_node(graph, id)?)));
            let contributor = |(id, source)| Contributor { source: QkSource::Source(source), node: Some(id) };
            let all = sources.map(contributor).enumerate().map(|(nth, it)| (it, 1.0 / (nth + 1) as f64));
            all.chain([(Contributor { source: QkSource::Bias, node: None }, 0.0625)]).collect()
        };
        let (queries, keys) = (at_position(query), at_position(key));
        let sum = |all: &[(Contributor, f64)]| all.iter().map(|(_, x)| x).sum::<f64>();
        let pairs = queries.iter().zip(&keys).map(|((query, x), (key, y))| (*query, *key, x * y)).collect();
        let mut split = SplitView {
            score: 4.0 * view.looks[key.index()].pattern,
            pattern: view.looks[key.index()].pattern,
            scale: 0.125,
            softcap: None,
            value: 5.0,
            identity_error: 1e-7,
            totals: [sum(&queries), sum(&keys)],
            pairs: None,
            queries,
            keys,
        };
        view.split = Some(split.clone());
        told(view.clone());
        if self.dawdles {
            anyhow::bail!("it dawdles");
        }
        split.pairs = Some(pairs);
        view.split = Some(split);
        Ok(view)
    }

    /// Head 1.0 carries three quarters of the influence to a position, head 0.1 the rest, against it.
    fn reads(
        &self,
        _: (&AttributionGraph, &Kept),
        position: Position,
        told: &mut dyn FnMut(PositionReads),
        _: &Monitor,
    ) -> anyhow::Result<PositionReads> {
        let mut reads: Vec<Read> = heads()
            .flat_map(|head| {
                let keys = pattern(position).into_iter().enumerate().filter(|(_, pattern)| *pattern > 0.0);
                keys.map(move |(key, pattern)| Read { head, key: key.into(), pattern })
            })
            .collect();
        reads.sort_by(|a, b| b.pattern.total_cmp(&a.pattern));
        let types = heads().map(|head| (head, vec![previous_token()])).collect();
        let mut found = PositionReads { reads, types, flows: None };
        told(found.clone());
        found.flows = Some(flows(0.5));
        Ok(found)
    }

    fn edge_heads(
        &self,
        _: &AttributionGraph,
        edges: &[(NodeId, NodeId)],
        _: &mut dyn FnMut(EdgeHeads),
        _: &Monitor,
    ) -> anyhow::Result<EdgeHeads> {
        let head = |nth: usize| (nth > 0).then_some(EdgeHead { head: Head { layer: Layer(1), head: 0 }, share: 0.625 });
        Ok(edges.iter().enumerate().map(|(nth, ends)| (*ends, head(nth))).collect())
    }

    /// The longer the prompt, the more influence.
    fn circuit_heads(&self, (graph, _): (&AttributionGraph, &Kept), _: &Monitor) -> anyhow::Result<CircuitHeads> {
        let types = heads().map(|head| (head, vec![previous_token()])).collect();
        Ok(CircuitHeads { flows: flows(graph.tokens().len() as f64), types })
    }
}

/// The heads of the made-up model.
fn heads() -> impl Iterator<Item = Head> {
    (0..2u32).flat_map(|layer| (0..2u32).map(move |head| Head { layer: Layer(layer), head }))
}

/// The attention from a position, by key.
fn pattern(query: Position) -> Vec<f32> {
    let mut pattern = vec![0.0; query.index() + 1];
    pattern[query.index().saturating_sub(1)] += 0.75;
    pattern[0] += 0.25;
    pattern
}

fn previous_token() -> HeadType {
    HeadType { kind: HeadKind::PreviousToken, attention: 0.75, queries: 9 }
}

fn flows(influence: f64) -> HeadFlows {
    let of = |head: Head| match (head.layer.0, head.head) {
        (1, 0) => 1.5 * influence,
        (0, 1) => -0.5 * influence,
        _ => 0.0,
    };
    let heads = heads().map(|head| HeadFlow { head, first: of(head), last: of(head) }).collect();
    HeadFlows { edges: 3, influence, left_out: 0, heads }
}

/// A trace over `tokens`: features thin out with the layers, effects are strong within a position and towards the last.
pub fn made_up(prompt: &str, tokens: Vec<Token>, n_layers: usize, density: f64, seed: u64) -> RawTrace {
    let mut random = StdRng::seed_from_u64(seed);
    let n_positions = tokens.len();
    let mut active = Vec::new();
    for layer in 0..n_layers {
        for position in 1..n_positions {
            let count = density * (1.0 - 0.15 * layer as f64).max(0.3) * random.random_range(0.3..1.6);
            let mut features: Vec<u32> = (0..count.round() as usize).map(|_| random.random_range(0..512)).collect();
            features.sort_unstable();
            features.dedup();
            let at = |feature| FeatureAt::mlp(Layer::from(layer), position.into(), FeatureId(feature));
            active.extend(features.into_iter().map(at));
        }
    }
    let answers = [("Austin", 0.995), ("Dallas", 0.003), ("Texas", 0.001)];
    let targets: Vec<Target> = answers
        .iter()
        .map(|(text, probability)| Target {
            id: token(text).id,
            kind: TargetKind::Token,
            probability: *probability,
            text: (*text).to_owned(),
        })
        .collect();
    let n_active = active.len();
    let sources = Sources::new(active, (0..n_layers).map(|layer| Site::mlp(layer.into())), n_positions);
    let n_columns = sources.n_columns();
    let (mut values, mut row_targets) = (Vec::new(), Vec::new());
    let place = |column: usize| match sources.source(column).unwrap() {
        Source::Feature(at) => (at.layer().index() as f64, at.position.index(), 1.0),
        Source::Error(site, position) => (site.layer.index() as f64, position.index(), 0.25),
        Source::Token(position) => (-1.0, position.index(), 1.2),
    };
    let mut push_row = |layer: f64, position: usize, random: &mut StdRng| {
        for column in 0..n_columns {
            let (from_layer, from_position, scale) = place(column);
            let reach = (position as f64 - from_position as f64).abs();
            let near =
                if reach == 0.0 { 1.0 } else { 0.12 + 0.5 * f64::from(u8::from(from_position + 2 == n_positions)) };
            let weight: f64 = scale * near * random.random_range(-0.6..1.0f64).powi(3) * 2.0;
            let flows = from_layer < layer && from_position <= position && (column < n_active || from_position > 0);
            values.push(if flows && weight.abs() > 0.004 { weight as f32 } else { 0.0 });
        }
    };
    for at in 0..targets.len() {
        row_targets.push(RowTarget::Logit(at as u32));
        push_row(n_layers as f64, n_positions - 1, &mut random);
    }
    for (at, feature) in sources.features.iter().enumerate() {
        row_targets.push(RowTarget::Feature(at as u32));
        push_row(feature.layer().index() as f64, feature.position.index(), &mut random);
    }
    let n_rows = row_targets.len();
    let sums = values.chunks(n_columns).map(|row| row.iter().map(|value: &f32| f64::from(value.abs())).sum()).collect();
    RawTrace {
        n_layers,
        activations: (0..n_active).map(|_| random.random_range(0.1..6.0)).collect(),
        error_norms: (0..n_layers * n_positions).map(|_| random.random_range(0.0..2.0)).collect(),
        final_logits: (0..WORDS.len()).map(|_| random.random_range(-4.0..9.0)).collect(),
        target_vectors: vec![0.0; targets.len()],
        row_abs_sums: sums,
        row_constants: vec![0.0; n_rows],
        row_values: vec![0.0; n_rows],
        wanted_features: n_active,
        rows: Rows::Dense { values },
        row_targets,
        targets,
        sources,
        tokens,
        settings: Settings { prompt: prompt.to_owned(), max_feature_nodes: None, ..Settings::default() },
        cut: None,
        provenance: Provenance { model: "demo-llama".into(), transcoder: "demo-clt".into(), ..Provenance::default() },
    }
}
