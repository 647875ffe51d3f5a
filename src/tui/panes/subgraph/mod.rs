//! The subgraph pane.

pub mod boxes;
mod columns;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
