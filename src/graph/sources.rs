//! Sources of direct effects, and the table that tells which column of a row is which source's.

use crate::graph::{AttributionGraph, FeatureAt, Site, Token};
use crate::ids::{NodeId, Position};
use std::fmt;

/// Source of a direct effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Active feature.
    Feature(FeatureAt),
    /// Error node: the part of a site's output at a position that its features do not reconstruct.
    Error(Site, Position),
    /// Embedding of a token.
    Token(Position),
}

impl Source {
    /// Returns the source that a node of a graph stands for; `None` where the node has no direct effects.
    ///
    /// # Panics
    /// Panics where `id` is not of this graph.
    pub fn of_node(graph: &AttributionGraph, id: NodeId) -> Option<Self> {
        let node = graph.node(id);
        let error = || Some(Self::Error(node.error_site()?, node.position));
        let token = || node.is_token().then_some(Self::Token(node.position));
        node.feature().map(Self::Feature).or_else(error).or_else(token)
    }

    /// Returns the source's id in graph JSON, on a prompt of `tokens`.
    ///
    /// # Panics
    /// Panics where the prompt is shorter.
    pub fn id(&self, tokens: &[Token]) -> String {
        match self {
            Self::Feature(FeatureAt { site, position, feature }) => format!("{}_{feature}_{position}", site.layer),
            Self::Error(site, position) => format!("{}_-1_{position}", site.layer),
            Self::Token(position) => format!("E_{}_{position}", tokens[position.index()].id),
        }
    }

    /// Returns the source's position in the prompt.
    pub fn position(&self) -> Position {
        match self {
            Self::Feature(at) => at.position,
            Self::Error(_, position) | Self::Token(position) => *position,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature(at) => write!(f, "feature {at}"),
            Self::Error(site, position) => write!(f, "the error of layer {} at position {position}", site.layer),
            Self::Token(position) => write!(f, "the token at position {position}"),
        }
    }
}

/// Sources of the rows of a trace: the first columns are those of the features, then come the errors, then the tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// Active features, ascending, `[A]`. Their columns are their indices.
    pub features: Vec<FeatureAt>,
    /// Sites and positions of the error nodes, ascending, `[E]`.
    pub errors: Vec<(Site, Position)>,
    /// Number of tokens, `P`, one a position.
    pub n_tokens: usize,
}

impl Sources {
    /// Makes the table of active features, of the errors of sites at every position, and of `n_tokens` tokens. Features
    /// and sites have to ascend.
    pub fn new(features: Vec<FeatureAt>, sites: impl IntoIterator<Item = Site>, n_tokens: usize) -> Self {
        let at = |site| (0..n_tokens).map(move |position| (site, Position::from(position)));
        Self { features, errors: sites.into_iter().flat_map(at).collect(), n_tokens }
    }

    /// Returns the number of columns, `A + E + P`.
    pub fn n_columns(&self) -> usize {
        self.features.len() + self.errors.len() + self.n_tokens
    }

    /// Returns the source that a column stands for; `None` where there is no such column.
    pub fn source(&self, column: usize) -> Option<Source> {
        let Some(rest) = column.checked_sub(self.features.len()) else {
            return Some(Source::Feature(self.features[column]));
        };
        let Some(token) = rest.checked_sub(self.errors.len()) else {
            let (site, position) = self.errors[rest];
            return Some(Source::Error(site, position));
        };
        (token < self.n_tokens).then(|| Source::Token(Position::from(token)))
    }

    /// Iterates over the sources, by column.
    pub fn iter(&self) -> impl Iterator<Item = Source> + '_ {
        (0..self.n_columns()).filter_map(|column| self.source(column))
    }

    /// Returns the column of a source; `None` where it has none, such as a feature that is not active.
    pub fn column(&self, source: Source) -> Option<usize> {
        match source {
            Source::Feature(at) => self.features.binary_search(&at).ok(),
            Source::Error(site, position) => Some(self.features.len() + self.error(site, position)?),
            Source::Token(position) => (position.index() < self.n_tokens).then(|| self.token_column(position.index())),
        }
    }

    /// Returns the index of an error among the errors; `None` where there is none.
    pub fn error(&self, site: Site, position: Position) -> Option<usize> {
        self.errors.binary_search(&(site, position)).ok()
    }

    /// Returns the column of the token at a position.
    pub fn token_column(&self, position: usize) -> usize {
        self.features.len() + self.errors.len() + position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Module;
    use crate::ids::{FeatureId, Layer};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_column_is_that_of_its_source(
            active in proptest::collection::btree_set((0..3u32, 0..4u32, 0..9u32), 0..12),
            attention in any::<[bool; 3]>(),
            n_tokens in 0..4usize,
        ) {
            let features = active.iter().map(|(l, p, f)| FeatureAt::mlp(Layer(*l), Position(*p), FeatureId(*f))).collect();
            // Attention has errors in some layers: no column follows from a layer and a position alone.
            let sites = (0..3).flat_map(|layer| {
                let mlp = Site::mlp(Layer(layer));
                let has = attention[layer as usize];
                has.then_some(Site { module: Module::Attention, ..mlp }).into_iter().chain([mlp])
            });
            let sources = Sources::new(features, sites, n_tokens);
            let all: Vec<Source> = sources.iter().collect();
            prop_assert_eq!(all.len(), sources.n_columns());
            for (column, source) in all.iter().enumerate() {
                prop_assert_eq!(sources.column(*source), Some(column));
            }
            let ids: BTreeSet<String> = all.iter().map(Source::to_string).collect();
            prop_assert_eq!(ids.len() + attention.iter().filter(|it| **it).count() * n_tokens, all.len());
            prop_assert_eq!(sources.source(all.len()), None);
            prop_assert_eq!(sources.column(Source::Token(Position::from(n_tokens))), None);
        }
    }
}
