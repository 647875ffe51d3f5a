//! The subgraph pane.

use crate::tui::panes::subgraph::boxes::Weighing;

pub mod boxes;
mod columns;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

/// State of the pane.
#[derive(Default)]
pub struct SubgraphState {
    /// Request for the weights of the pinned nodes that was made last.
    pub weighing: Option<Weighing>,
}
