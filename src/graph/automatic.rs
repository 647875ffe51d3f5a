//! Labels that nobody gave, but that were made from what a feature fires on, are marked wherever they stand.

/// What an automatic label begins with.
pub const MARK: char = '~';

/// An automatic label of this text.
pub fn mark(text: &str) -> String {
    format!("{MARK}{text}")
}

/// Whether a label that a graph holds was made automatically.
pub fn is_marked(label: &str) -> bool {
    label.starts_with(MARK)
}
