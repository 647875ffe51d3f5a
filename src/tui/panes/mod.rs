//! Panes of the screen.

use crate::ids::NodeId;
use crate::tui::keymap::Context;
use crate::tui::panes::graph::layout::GraphLayout;
use crate::tui::panes::subgraph::boxes::Subgraph;
use crate::tui::panes::tree::branches::Tree;
use std::sync::Arc;

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

/// State of the panes that is of one graph.
pub struct GraphPanes {
    /// Place of every kept node in the link graph.
    pub layout: GraphLayout,
    /// Tree of a node's circuit, unrolled.
    pub tree: Tree,
    /// Subgraph of the pinned nodes as it was last weighed.
    pub subgraph: Arc<Subgraph>,
    /// Box under the cursor in the drawing of the pinned nodes.
    pub box_at: usize,
}

impl GraphPanes {
    /// Creates the panes of a graph of which this node is selected first.
    pub fn new(first: NodeId) -> Self {
        Self { layout: GraphLayout::default(), tree: Tree::new(first), subgraph: Arc::default(), box_at: 0 }
    }
}
