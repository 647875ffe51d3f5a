//! The detail pane.

mod attention;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

/// State of the pane.
#[derive(Default)]
pub struct DetailState {
    /// First line that is shown.
    pub scroll: usize,
}
