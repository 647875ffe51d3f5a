//! Panes of the screen.

use crate::tui::keymap::Context;

pub mod connections;
pub mod detail;
pub mod feature;
pub mod graph;
pub mod subgraph;
pub mod tree;

/// Panes that can have the focus, in the order in which Tab visits them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The link graph.
    #[default]
    Graph,
    /// The list of connections.
    Connections,
    /// Description of the selected node.
    Detail,
    /// Tree of a node's circuit, unrolled.
    Tree,
    /// Drawing of the pinned nodes.
    Subgraph,
    /// Activations and contexts of the selected feature.
    Feature,
}

impl Pane {
    /// All panes.
    pub const ALL: [Self; 6] =
        [Self::Graph, Self::Connections, Self::Detail, Self::Tree, Self::Subgraph, Self::Feature];

    /// Returns the context in which the pane's own keys work.
    pub fn context(self) -> Context {
        match self {
            Self::Graph => Context::GRAPH,
            Self::Connections => Context::CONNECTIONS,
            Self::Detail => Context::DETAIL,
            Self::Tree => Context::TREE,
            Self::Subgraph => Context::SUBGRAPH,
            Self::Feature => Context::FEATURE,
        }
    }

    /// Returns the title in the pane's frame.
    pub fn title(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Connections => "connections",
            Self::Detail => "detail",
            Self::Tree => "tree",
            Self::Subgraph => "subgraph",
            Self::Feature => "contexts",
        }
    }
}

/// State of the panes that is not of one graph.
#[derive(Default)]
pub struct PaneStates {
    /// State of the detail pane.
    pub detail: detail::DetailState,
    /// State of the subgraph pane.
    pub subgraph: subgraph::SubgraphState,
    /// State of the feature pane.
    pub feature: feature::FeatureState,
}
