//! The feature pane.

pub(in crate::tui) mod lookup;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
