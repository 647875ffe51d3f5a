//! Browsing of features without a graph: requests and replies.

use crate::attribution::Engine;
use crate::features::Library;
use crate::features::browse::{Catalogue, Entry, Fires, Hit, Near, Order, fires};
use crate::features::build::{Selection, n_features};
use crate::job::Monitor;
use crate::service::library::Feature;
use crate::transcoder::Transcoder;
use anyhow::{Result, bail};
use std::collections::{HashMap, HashSet};

/// Request for features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// First features in an order.
    List(Order),
    /// Features whose labels, contexts or promoted tokens match.
    Search(String),
    /// Features whose decoders are most similar to those of one.
    Near(Feature),
    /// Features that fire on a text.
    Fires(String),
}

/// Reply with features.
#[derive(Clone, Debug)]
pub enum Browsed {
    /// First features, and the number of all.
    List(Vec<Entry>, usize),
    /// Matches, the best first, and the number of all.
    Hits(Vec<Hit>, usize),
    /// Most similar features, the most similar first.
    Near(Vec<Near>),
    /// Features that fire on each token, and their entries.
    Fires(Vec<Fires>, HashMap<Feature, Entry>),
}

/// Browses the features `only` of the transcoder of `engine`, with their dashboards and labels in `library`; returns at
/// most `most`, of a text as many for each token.
///
/// # Errors
/// Fails where the pattern or the text cannot be read, there is no such feature, or the work was stopped.
pub fn browse(
    engine: &Engine,
    library: &Library,
    ask: &Ask,
    only: &Selection,
    most: usize,
    monitor: &Monitor,
) -> Result<Browsed> {
    let sizes = n_features(engine);
    match ask {
        Ask::Fires(text) => {
            let catalogue = Catalogue { library, sizes: &sizes };
            let tokens = fires(engine, text, only, most, monitor)?;
            let features = tokens.iter().flat_map(|token| &token.features).map(|(l, f, _)| (*l, *f));
            let features: HashSet<Feature> = features.collect();
            let entries = features.into_iter().map(|(l, f)| ((l, f), catalogue.entry(l, f))).collect();
            Ok(Browsed::Fires(tokens, entries))
        }
        Ask::List(_) | Ask::Search(_) | Ask::Near(_) => look(&engine.transcoder, library, ask, only, most, monitor),
    }
}

/// Browses as [`browse`] does, with a transcoder alone.
///
/// # Errors
/// Fails as [`browse`] does, and for a text, which a model has to read.
pub fn look(
    transcoder: &Transcoder,
    library: &Library,
    ask: &Ask,
    only: &Selection,
    most: usize,
    monitor: &Monitor,
) -> Result<Browsed> {
    let sizes = (0..transcoder.n_layers()).map(|layer| transcoder.n_features(layer)).collect();
    let catalogue = Catalogue { library, sizes: &sizes };
    Ok(match ask {
        Ask::List(order) => {
            let (entries, all) = catalogue.list(only, *order, most, monitor)?;
            Browsed::List(entries, all)
        }
        Ask::Search(pattern) => {
            let mut hits = catalogue.search(only, pattern, monitor)?;
            let all = hits.len();
            hits.truncate(most);
            Browsed::Hits(hits, all)
        }
        Ask::Near(feature) => Browsed::Near(catalogue.near(transcoder, *feature, only, most, monitor)?),
        Ask::Fires(_) => bail!("what fires on a text is the model's to say; give --model"),
    })
}

/// Line of the list.
pub struct Item<'a> {
    /// Feature.
    pub entry: &'a Entry,
    /// Number that the list is ordered by: an activation or a cosine.
    pub number: Option<f32>,
    /// Matching text.
    pub text: Option<&'a str>,
}

impl Browsed {
    /// Returns the lines of the list; for a text those of its token `at`.
    pub fn items(&self, at: usize) -> Vec<Item<'_>> {
        let item = |entry, number, text| Item { entry, number, text };
        match self {
            Self::List(entries, _) => entries.iter().map(|entry| item(entry, None, None)).collect(),
            Self::Hits(hits, _) => hits.iter().map(|hit| item(&hit.entry, None, Some(hit.text.as_str()))).collect(),
            Self::Near(near) => near.iter().map(|near| item(&near.entry, Some(near.cosine), None)).collect(),
            Self::Fires(tokens, entries) => {
                let of = |(layer, feature, activation): &(_, _, f32)| {
                    Some(item(entries.get(&(*layer, *feature))?, Some(*activation), None))
                };
                tokens.get(at).map_or_else(Vec::new, |token| token.features.iter().filter_map(of).collect())
            }
        }
    }

    /// Returns the tokens of a text, if the request was for one.
    pub fn tokens(&self) -> &[Fires] {
        match self {
            Self::Fires(tokens, _) => tokens,
            Self::List(..) | Self::Hits(..) | Self::Near(_) => &[],
        }
    }

    /// Returns a feature's activation on each token, as far as it is listed there.
    pub fn activations(&self, feature: Feature) -> Vec<f32> {
        let is_it = |(layer, number, _): &&(_, _, f32)| (*layer, *number) == feature;
        self.tokens().iter().map(|token| token.features.iter().find(is_it).map_or(0.0, |found| found.2)).collect()
    }
}
