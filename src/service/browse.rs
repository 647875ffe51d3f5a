//! Features without a graph: what is asked of whoever has the transcoder, and what is answered.

use crate::attribution::Engine;
use crate::features::Library;
use crate::features::browse::{Catalogue, Entry, Fires, Hit, Near, Order, fires};
use crate::features::build::{Selection, n_features};
use crate::job::Monitor;
use crate::service::library::Feature;
use crate::transcoder::Transcoder;
use anyhow::{Result, bail};
use std::collections::{HashMap, HashSet};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The first features in an order.
    List(Order),
    /// Those whose labels, contexts or promoted tokens fit.
    Search(String),
    /// Those that write most nearly as one does.
    Near(Feature),
    /// Those that fire on a text.
    Fires(String),
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Browsed {
    /// The first features, and how many there are.
    List(Vec<Entry>, usize),
    /// What fits, the best first, and how many there are.
    Hits(Vec<Hit>, usize),
    /// The nearest, the nearest first.
    Near(Vec<Near>),
    /// What fires on each token, and what these features are called.
    Fires(Vec<Fires>, HashMap<Feature, Entry>),
}

/// Looks through the features `only` of the transcoder of `engine`, beside what `library` knows of them; gives at most
/// `most`, of a text as many of each token.
///
/// # Errors
/// The pattern or the text cannot be read, there is no such feature, or the work was stopped.
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

/// [`browse`], for what a transcoder alone can answer.
///
/// # Errors
/// As there; and a text, which a model has to read.
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

/// A line of the list.
pub struct Item<'a> {
    /// The feature.
    pub entry: &'a Entry,
    /// What it is listed by: an activation or a cosine.
    pub number: Option<f32>,
    /// What fits.
    pub text: Option<&'a str>,
}

impl Browsed {
    /// The lines of the list; of a text those of its token `at`.
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

    /// The tokens of a text, where one was asked about.
    pub fn tokens(&self) -> &[Fires] {
        match self {
            Self::Fires(tokens, _) => tokens,
            Self::List(..) | Self::Hits(..) | Self::Near(_) => &[],
        }
    }

    /// How strongly a feature fires on each token, as far as it is listed there.
    pub fn activations(&self, feature: Feature) -> Vec<f32> {
        let is_it = |(layer, number, _): &&(_, _, f32)| (*layer, *number) == feature;
        self.tokens().iter().map(|token| token.features.iter().find(is_it).map_or(0.0, |found| found.2)).collect()
    }
}
