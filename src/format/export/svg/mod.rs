//! A figure fit for a paper: text as text, and nothing told by colour alone.

mod layout;
mod paint;

use super::Theme;
use super::sheet::Sheet;
use crate::graph::Part;

/// Nodes in a figure, at most: more cannot be told apart on a page.
const MOST_NODES: usize = 5000;

/// Draws the figure of a sheet: of the pinned part boxes with their texts, else signs in columns of token positions and
/// rows of layers, as on the screen.
///
/// # Errors
/// Fails where there is too much to draw, and says what.
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
