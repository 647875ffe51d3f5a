//! Panes of the screen. Each is a file or a folder here, with what it alone keeps, its keys and its drawing, and has its
//! lines among the modules and in [`PANES`].

pub mod attention;
pub mod connections;
pub mod detail;
pub mod feature;
pub mod graph;
pub mod subgraph;
pub mod tree;

use crate::ids::NodeId;
use crate::tui::keymap::{Command, Context};
use crate::tui::panes::graph::layout::GraphLayout;
use crate::tui::panes::subgraph::boxes::Subgraph;
use crate::tui::panes::tree::branches::Tree;
use crate::tui::state::State;
use crate::tui::workspace::go_along;
use crate::tui::workspace::preview::{Pointer, Preview};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// All panes, in the order in which Tab visits them.
pub static PANES: &[PaneId] =
    &[graph::PANE, connections::PANE, detail::PANE, tree::PANE, subgraph::PANE, feature::PANE, attention::PANE];

/// Region of the screen that shows one pane at a time. Where there is little room, several regions are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The large one on the left.
    Main,
    /// On the right, above.
    Lists,
    /// On the right, in the middle.
    Detail,
    /// On the right, below.
    Contexts,
    /// Under the large one, on the left.
    LowerLeft,
    /// Under the large one, on the right.
    LowerRight,
}

/// Pane of the screen.
pub trait Pane: Sync {
    /// Returns the title in its frame, which is unique.
    fn title(&self) -> &'static str;

    /// Returns the context in which its own keys work.
    fn context(&self) -> Context;

    /// Returns the region in which it is shown.
    fn region(&self) -> Region;

    /// Returns its commands that the help and the hint line name first.
    fn bindings(&self) -> &'static [Command] {
        &[]
    }

    /// Starts the work that follows from any change of the state. `room` is that within its frame; `None` where it is
    /// not seen.
    fn update(&self, _state: &mut State, _room: Option<Rect>) {}

    /// Draws it in `room`, within its frame.
    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer);

    /// Takes a click on a cell of its room. `had_focus` is true where it had the focus before.
    fn click(&self, _state: &mut State, _room: Rect, _cell: Position, _had_focus: bool) {}

    /// Returns the node at a cell of its room.
    fn node_at(&self, _state: &State, _room: Rect, _cell: Position) -> Option<NodeId> {
        None
    }

    /// Scrolls by so many rows.
    fn scroll(&self, _state: &mut State, _by: isize) {}

    /// Follows the connection under its cursor; without a cursor, the strongest one.
    fn follow(&self, state: &mut State) {
        go_along(state, 0);
    }
}

/// One of the panes. Two are equal where their titles are.
#[derive(Clone, Copy)]
pub struct PaneId(&'static dyn Pane);

impl PaneId {
    /// Creates the id of a pane.
    pub const fn new(pane: &'static dyn Pane) -> Self {
        Self(pane)
    }
}

impl Deref for PaneId {
    type Target = dyn Pane;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl PartialEq for PaneId {
    fn eq(&self, other: &Self) -> bool {
        self.title() == other.title()
    }
}

impl Eq for PaneId {}

impl fmt::Debug for PaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// State of the panes that is not of one graph. A pane that keeps something of its own has a field here.
#[derive(Default)]
pub struct PaneStates {
    /// State of the attention pane.
    pub attention: attention::AttentionState,
    /// State of the connections pane.
    pub connections: connections::ConnectionsState,
    /// State of the detail pane.
    pub detail: detail::DetailState,
    /// State of the subgraph pane.
    pub subgraph: subgraph::SubgraphState,
    /// State of the feature pane.
    pub feature: feature::FeatureState,
}

/// State of the panes that is of one graph, and goes with it from tab to tab.
pub struct GraphPanes {
    /// Place of every kept node in the link graph.
    pub layout: GraphLayout,
    /// Tree of a node's circuit, unrolled.
    pub tree: Tree,
    /// Subgraph of the pinned nodes as it was last weighed.
    pub subgraph: Arc<Subgraph>,
    /// Box under the cursor in the drawing of the pinned nodes.
    pub box_at: usize,
    /// Node that a key or the mouse points at.
    pub pointed: Option<(NodeId, Pointer)>,
    /// Node that is looked at while another is selected.
    pub preview: Option<Preview>,
}

impl GraphPanes {
    /// Creates the panes of a graph of which this node is selected first.
    pub fn new(first: NodeId) -> Self {
        Self {
            layout: GraphLayout::default(),
            tree: Tree::new(first),
            subgraph: Arc::default(),
            box_at: 0,
            pointed: None,
            preview: None,
        }
    }
}
