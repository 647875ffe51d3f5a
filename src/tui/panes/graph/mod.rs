//! The graph pane.

pub mod layout;
mod minimap;
mod progress;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;
mod window;
