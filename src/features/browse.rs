//! Browsing of a transcoder's features without a graph: lists, fuzzy search, features of similar decoders, and the
//! features that fire on a text.

use crate::attribution::{Engine, TraceError};
use crate::features::build::pass::Reader;
use crate::features::build::{Features, Selection, piece};
use crate::features::{Dashboard, Label, Library, Sizes};
use crate::ids::{FeatureId, Layer};
use crate::job::{Cancelled, Monitor};
use crate::parallel;
use crate::transcoder::Transcoder;
use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use std::sync::Arc;

/// Tokens on either side of a context's strongest one that are searched.
const SEARCHED: usize = 8;

/// Features that one thread processes between two reports.
const BLOCK: usize = 256;

/// Order of a list of features; the largest first, except for layers and labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By layer and index.
    #[default]
    Layer,
    /// By the share of tokens on which a feature fires.
    Density,
    /// By largest activation.
    Maximum,
    /// By label; features without one come last.
    Label,
}

/// Feature in a list.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Layer.
    pub layer: Layer,
    /// Index within the layer.
    pub feature: FeatureId,
    /// Share of tokens on which it fires, where known.
    pub density: Option<f32>,
    /// Largest activation, where known.
    pub maximum: Option<f32>,
    /// Label.
    pub label: Option<Label>,
}

/// Feature found by a search.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Found feature.
    pub entry: Entry,
    /// Score of the match; the higher the better.
    pub score: i64,
    /// Text that matches best: its label, a promoted token, or a part of a context.
    pub text: String,
}

/// Feature whose decoder is similar to another one's.
#[derive(Clone, Debug)]
pub struct Near {
    /// Similar feature.
    pub entry: Entry,
    /// Cosine between the two decoders.
    pub cosine: f32,
}

/// Token of a text, and the features that fire on it.
#[derive(Clone, Debug)]
pub struct Fires {
    /// Text of the token.
    pub token: String,
    /// Features and their activations, the strongest first.
    pub features: Vec<(Layer, FeatureId, f32)>,
}

/// Features of a transcoder with their library.
#[derive(Debug)]
pub struct Catalogue<'a> {
    /// Library of dashboards and labels.
    pub library: &'a Library,
    /// Number of features of each layer.
    pub sizes: &'a Sizes,
}

impl Catalogue<'_> {
    /// Returns the features of a selection.
    fn ids(&self, selection: &Selection) -> Vec<(Layer, FeatureId)> {
        let of_layer = |(layer, n): (usize, &usize)| -> Vec<(Layer, FeatureId)> {
            let id = |feature: usize| (Layer::from(layer), FeatureId::from(feature));
            match selection.of_layer(layer) {
                None => Vec::new(),
                Some(Features::All) => (0..*n).map(id).collect(),
                Some(Features::Some(some)) => some.iter().map(|f| *f as usize).filter(|f| f < n).map(id).collect(),
            }
        };
        self.sizes.iter().enumerate().flat_map(of_layer).collect()
    }

    /// Returns the entry of a feature without reading its dashboard.
    fn brief(&self, layer: Layer, feature: FeatureId) -> Entry {
        Entry {
            layer,
            feature,
            density: self.library.density(layer, feature),
            maximum: self.library.maximum(layer, feature),
            label: self.library.label(layer, feature),
        }
    }

    /// Returns the entry of a feature, with a label made from its contexts if it has no other.
    pub fn entry(&self, layer: Layer, feature: FeatureId) -> Entry {
        self.read(layer, feature).0
    }

    fn read(&self, layer: Layer, feature: FeatureId) -> (Entry, Option<Dashboard>) {
        let found = self.library.read_here(layer, feature);
        let mut entry = self.brief(layer, feature);
        entry.label = found.label;
        let dashboard = found.dashboard.map(|(dashboard, _)| dashboard);
        if let Some(dashboard) = &dashboard {
            entry.density = entry.density.or(dashboard.density);
            entry.maximum = entry.maximum.or(Some(dashboard.max));
        }
        (entry, dashboard)
    }

    /// Calls `work` on every feature of a selection, a block at a time on all cores.
    fn each<T: Send>(
        &self,
        selection: &Selection,
        phase: &'static str,
        monitor: &Monitor,
        work: impl Fn(Layer, FeatureId) -> Option<T> + Sync,
    ) -> Result<Vec<T>, Cancelled> {
        let (ids, mut all) = (self.ids(selection), Vec::new());
        for (nth, block) in ids.chunks(BLOCK).enumerate() {
            monitor.report(phase, (nth * BLOCK) as u64, ids.len() as u64)?;
            let some = parallel::map(block.len(), |nth| {
                monitor.cancel().check()?;
                Ok(work(block[nth].0, block[nth].1))
            })?;
            all.extend(some.into_iter().flatten());
        }
        Ok(all)
    }

    /// Returns the first `limit` features of a selection in an order, and their number.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn list(
        &self,
        selection: &Selection,
        order: Order,
        limit: usize,
        monitor: &Monitor,
    ) -> Result<(Vec<Entry>, usize), Cancelled> {
        // Names made from contexts take every dashboard; the rest is known without.
        let whole = order == Order::Label;
        let mut entries = self.each(selection, "reading", monitor, |layer, feature| {
            Some(if whole { self.entry(layer, feature) } else { self.brief(layer, feature) })
        })?;
        let largest = |of: fn(&Entry) -> Option<f32>| move |entry: &Entry| std::cmp::Reverse(Sortable(of(entry)));
        match order {
            Order::Layer => {}
            Order::Density => entries.sort_by_key(largest(|entry| entry.density)),
            Order::Maximum => entries.sort_by_key(largest(|entry| entry.maximum)),
            Order::Label => entries.sort_by_cached_key(|entry| {
                let name = entry.label.as_ref().map(|label| label.text.to_lowercase());
                (name.is_none(), name)
            }),
        }
        let count = entries.len();
        entries.truncate(limit);
        if !whole {
            entries = entries.iter().map(|entry| self.entry(entry.layer, entry.feature)).collect();
        }
        Ok((entries, count))
    }

    /// Returns the features of a selection whose label, promoted tokens or contexts match every word of a pattern, the
    /// best first.
    ///
    /// # Errors
    /// Fails where the work was stopped.
    pub fn search(&self, selection: &Selection, pattern: &str, monitor: &Monitor) -> Result<Vec<Hit>, Cancelled> {
        let matcher = SkimMatcherV2::default();
        let words: Vec<&str> = pattern.split_whitespace().collect();
        let score = |text: &str| -> Option<i64> {
            let scores = words.iter().map(|word| matcher.fuzzy_match(text, word));
            scores.sum::<Option<i64>>()
        };
        let mut hits = self.each(selection, "searching", monitor, |layer, feature| {
            let (entry, dashboard) = self.read(layer, feature);
            let label = entry.label.iter().map(|label| label.text.clone());
            let texts = label.chain(dashboard.iter().flat_map(texts));
            let best = texts.filter_map(|text| Some((score(&text)?, text))).max_by_key(|(score, _)| *score);
            best.map(|(score, text)| Hit { entry, score, text })
        })?;
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.score));
        Ok(hits)
    }

    /// Returns the `limit` features of a selection whose decoders, summed over the layers that they write into, have
    /// the largest cosine with those of `of`.
    ///
    /// # Errors
    /// Fails where there is no such feature, a decoder cannot be read, or the work was stopped.
    pub fn near(
        &self,
        transcoder: &Transcoder,
        of: (Layer, FeatureId),
        selection: &Selection,
        limit: usize,
        monitor: &Monitor,
    ) -> Result<Vec<Near>, TraceError> {
        let (layer, feature) = (of.0.index(), of.1.index());
        if self.sizes.get(layer).is_none_or(|n| feature >= *n) {
            let what = "the transcoder has no such feature".to_owned();
            return Err(TraceError::Target { name: format!("feature {feature} of layer {layer}"), what });
        }
        let direction = transcoder.written(layer, &[feature])?;
        let ids: Vec<_> = self.ids(selection).into_iter().filter(|id| *id != of).collect();
        let mut cosines = Vec::with_capacity(ids.len());
        for block in ids.chunk_by(|a, b| a.0 == b.0).flat_map(|layer| layer.chunks(BLOCK)) {
            monitor.report("decoders", cosines.len() as u64, ids.len() as u64)?;
            let features: Vec<usize> = block.iter().map(|(_, feature)| feature.index()).collect();
            let rows = transcoder.written(block[0].0.index(), &features)?;
            let own = rows.chunks(direction.len()).map(|row| cosine(&direction, row));
            cosines.extend(block.iter().copied().zip(own));
        }
        cosines.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        cosines.truncate(limit);
        let near = |((layer, feature), cosine)| Near { entry: self.entry(layer, feature), cosine };
        Ok(cosines.into_iter().map(near).collect())
    }
}

/// Returns the texts of a dashboard that are searched, without the label.
fn texts(dashboard: &Dashboard) -> impl Iterator<Item = String> {
    let around = |example: &crate::features::Example| {
        let at = example.strongest().unwrap_or(0);
        let end = example.tokens.len().min(at + SEARCHED);
        example.tokens[at.saturating_sub(SEARCHED)..end].iter().map(|token| token.trim()).collect::<Vec<_>>().join(" ")
    };
    dashboard.promoted.iter().map(|token| token.trim().to_owned()).chain(dashboard.examples().map(around))
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let size = (dot(a, a) * dot(b, b)).sqrt();
    if size > 0.0 { (dot(a, b) / size) as f32 } else { 0.0 }
}

/// Number to sort by; an unknown one is the least.
#[derive(Clone, Copy, PartialEq)]
struct Sortable(Option<f32>);

impl Eq for Sortable {}

impl PartialOrd for Sortable {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sortable {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |x: &Self| x.0.unwrap_or(f32::NEG_INFINITY);
        key(self).total_cmp(&key(other))
    }
}

/// Returns the features of a selection that fire on a text, token by token; the `most` strongest for each.
///
/// # Errors
/// Fails where the tokenizer cannot read the text, weights cannot be read, or the work was stopped.
pub fn fires(
    engine: &Engine,
    text: &str,
    selection: &Selection,
    most: usize,
    monitor: &Monitor,
) -> Result<Vec<Fires>, TraceError> {
    let reader = Reader::at_a_glance(engine);
    let n_layers = engine.transcoder.n_layers() as u64;
    let mut tokens = Vec::new();
    for piece in reader.pieces(piece::identity(&piece::digest(text)), text)? {
        let batch = [Arc::clone(&piece)];
        let placed = reader.place(&batch);
        let mut fires: Vec<Fires> = piece
            .tokens
            .iter()
            .map(|token| Fires { token: engine.tokenizer.text(*token), features: Vec::new() })
            .collect();
        let add = |layer: usize, activations: Vec<f32>| {
            let Some(wanted) = selection.of_layer(layer) else { return };
            // A request to stop is honoured within the pass.
            let _ = monitor.report("forward pass", layer as u64, n_layers);
            let width = engine.transcoder.n_features(layer);
            for (at, token) in fires.iter_mut().enumerate().skip(placed[0].counted_from) {
                let row = &activations[(placed[0].first + at) * width..][..width];
                let firing = row.iter().enumerate().filter(|(feature, x)| **x != 0.0 && wanted.has(*feature));
                token.features.extend(firing.map(|(f, x)| (Layer::from(layer), FeatureId::from(f), *x)));
            }
        };
        reader.run(&batch, add, monitor.cancel())?;
        for token in &mut fires {
            token.features.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
            token.features.truncate(most);
        }
        tokens.extend(fires);
    }
    Ok(tokens)
}
