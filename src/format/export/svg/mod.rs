//! A figure fit for a paper: text as text, and nothing that only colour tells.

mod layout;
mod paint;

use super::Theme;
use super::sheet::Sheet;
use crate::graph::Part;

/// What is still told apart on a page.
const MOST_NODES: usize = 5000;

/// The figure of a sheet: of what is pinned boxes with their texts, else signs in columns of token positions and rows of
/// layers, as the screen has them.
///
/// # Errors
/// What is too much to draw.
pub(super) fn figure(sheet: &Sheet<'_>, theme: Theme) -> Result<String, String> {
    let n_nodes = sheet.drawn.nodes.len();
    if n_nodes > MOST_NODES {
        return Err(format!(
            "{n_nodes} nodes are more than a figure shows ({MOST_NODES}); export what pruning keeps, or what is pinned"
        ));
    }
    let layout = if sheet.part == Part::Pinned { layout::boxes(sheet) } else { layout::grid(sheet) };
    Ok(paint::paint(sheet, &layout, theme))
}
