//! A figure fit for a paper: text as text, and nothing told by colour alone.

mod layout;
mod paint;

use super::sheet::Sheet;
use super::{Theme, unexportable};
use crate::format::export::formats::{DrawingKind, Spec, Writing};
use crate::graph::Part;

pub(super) static FORMAT: Spec = Spec {
    name: "svg",
    extension: "svg",
    about: "A figure",
    drawing: Some(DrawingKind::Figure),
    prepare: |exported| {
        let drawing = exported.options.drawing;
        let sheet = exported.sheet().with_strongest_edges(&drawing);
        let figure = figure(&sheet, drawing.theme).map_err(unexportable)?;
        Ok(Writing::stream(move |out| out.write_all(figure.as_bytes())).with_edges(sheet.drawn_edges()))
    },
};

/// Nodes in a figure, at most: more cannot be told apart on a page.
const MOST_NODES: usize = 5000;

/// Draws the figure of a sheet: of the pinned part boxes with their texts, else signs in columns of token positions and
/// rows of layers, as on the screen.
///
/// # Errors
/// Fails where there is too much to draw, and says what.
fn figure(sheet: &Sheet<'_>, theme: Theme) -> Result<String, String> {
    let n_nodes = sheet.drawn.nodes.len();
    if n_nodes > MOST_NODES {
        return Err(format!(
            "{n_nodes} nodes are more than a figure shows ({MOST_NODES}); export what pruning keeps, or what is pinned"
        ));
    }
    let layout = if sheet.part == Part::Pinned { layout::boxes(sheet) } else { layout::grid(sheet) };
    Ok(paint::paint(sheet, &layout, theme))
}
