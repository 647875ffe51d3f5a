//! The connections pane.

pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
