//! The mark of automatic labels: those that were made from what a feature fires on, shown wherever the label stands.

/// First character of an automatic label.
pub const MARK: char = '~';

/// Returns the automatic label of this text.
pub fn mark(text: &str) -> String {
    format!("{MARK}{text}")
}

/// Returns true where a label of a graph is an automatic one.
pub fn is_marked(label: &str) -> bool {
    label.starts_with(MARK)
}
