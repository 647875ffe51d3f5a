//! The detail pane.

mod attention;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
