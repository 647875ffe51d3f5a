//! The tree pane.

pub mod branches;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
