//! The held-out questions seen through the program itself: its engine reads the files from disk,
//! traces graphs and changes features, as it does for anyone who opens the demo.

use anyhow::Result;
use candle_core::Device;
use circuitscope::attribution::{Capture, TargetChoice, TraceOptions, trace};
use circuitscope::graph::{
    AttributionGraph, FeatureAt, RawTrace, Rows, Scores, Settings, Thresholds, influence, prune, scores,
};
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;
use circuitscope::model::Transformer;
use circuitscope::tokens::Tokenizer;
use circuitscope::transcoder::{Active, Transcoder};
use std::path::Path;

use crate::corpus::Question;
use crate::selectivity::Selectivity;
use crate::standing::Standing;

/// Model, transcoder and tokenizer, as the program opens them.
pub struct Lab {
    pub model: Transformer,
    pub transcoder: Transcoder,
    pub tokenizer: Tokenizer,
}

/// A question, run once.
pub struct Run {
    pub question: Question,
    pub capture: Capture,
    /// Active features at the city, by layer.
    pub at_city: Vec<Vec<Active>>,
}

/// What the pruned graph of a question shows.
pub struct Traced {
    pub scores: Scores,
    /// The largest share of a kept feature's mass that falls on the question's place.
    pub purest: f32,
    /// Where that feature is: layer and position.
    pub purest_at: (usize, usize),
    pub kept_features: usize,
    /// The kept features that stand for the question's place.
    pub standing: Standing,
    /// The worst relative gap between a feature's pre-activation and its row plus constants.
    pub worst_gap: f64,
}

impl Run {
    /// The activation of a feature; 0 where it is not active.
    pub fn activation(&self, at: FeatureAt) -> f32 {
        let is_it = |active: &&Active| active.position == at.position.0 && active.feature == at.feature.0;
        self.capture.layers[at.layer().index()].active.iter().find(is_it).map_or(0.0, |active| active.activation)
    }
}

impl Lab {
    pub fn open(dir: &Path) -> Result<Self> {
        let place = FileSource::directory(&dir.join("model"))?;
        let model = Transformer::open(&place, &Device::Cpu)?;
        let transcoder = Transcoder::open(&FileSource::directory(&dir.join("transcoder"))?, &model.spec)?;
        Ok(Lab { transcoder, tokenizer: Tokenizer::open(&place)?, model })
    }

    pub fn run(&self, question: Question) -> Result<Run> {
        let tokens = self.tokenizer.read(&question.text())?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let capture = Capture::run(&self.model, &self.transcoder, &ids, &Monitor::default())?;
        let here = |active: &&Active| active.position as usize == Question::CITY_POSITION;
        let at_city = capture.layers.iter().map(|layer| layer.active.iter().filter(here).copied().collect());
        Ok(Run { question, at_city: at_city.collect(), capture })
    }

    /// Traces a question with the program's default settings and prunes its graph.
    pub fn trace(&self, question: Question, selectivity: &Selectivity) -> Result<Traced> {
        let prompt = question.text();
        let tokens = self.tokenizer.read(&prompt)?;
        let settings = Settings { prompt, max_feature_nodes: None, batch_size: 128, ..Settings::default() };
        let targets = TargetChoice::likeliest(&settings);
        let options = TraceOptions { settings, targets, cut: None };
        let text = |id| self.tokenizer.text(id);
        let raw = trace(&self.model, &self.transcoder, tokens, &options, text, |_| {}, &Monitor::default())?;
        let graph = AttributionGraph::from_trace(&raw)?;
        let kept = prune(&graph, Thresholds::default());
        let mut traced = Traced {
            scores: scores(&graph, &influence(&graph)),
            purest: 0.0,
            purest_at: (0, 0),
            kept_features: 0,
            standing: Standing::find(&graph, &kept, question, selectivity)?,
            worst_gap: worst_gap(&raw),
        };
        for id in kept.node_ids() {
            if let Some(at) = graph.node(id).feature() {
                traced.kept_features += 1;
                let share = selectivity.share(at.layer().index(), at.feature.index(), question.place);
                if share > traced.purest {
                    traced.purest = share;
                    traced.purest_at = (at.layer().index(), at.position.index());
                }
            }
        }
        Ok(traced)
    }
}

/// The identity that every row must hold: direct effects and constants sum up to the value that
/// the target had in the forward pass. Gaps are relative to the sum of absolute terms.
fn worst_gap(raw: &RawTrace) -> f64 {
    let sums: Vec<f64> = match &raw.rows {
        Rows::Dense { values } => {
            values.chunks(raw.n_columns()).map(|row| row.iter().copied().map(f64::from).sum()).collect()
        }
        Rows::Sparse { starts, values, .. } => starts
            .windows(2)
            .map(|ends| values[ends[0] as usize..ends[1] as usize].iter().copied().map(f64::from).sum())
            .collect(),
    };
    let gaps = sums.iter().enumerate().map(|(row, sum)| {
        let constant = f64::from(raw.row_constants[row]);
        let terms = raw.row_abs_sums[row] + constant.abs();
        (sum + constant - f64::from(raw.row_values[row])).abs() / terms
    });
    gaps.fold(0.0, f64::max)
}
