//! Names of the rows, signs of the layers that have none, and which of them are seen.

use crate::ids::Layer;
use crate::text;
use crate::tui::panes::graph::layout::{Column, GraphLayout, Level};
use crate::tui::panes::graph::window::Window;
use crate::tui::ui::{End, Look, free, note};
use crate::tui::workspace::Circuit;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Writes the layers' names left of the rows, that of the selected node marked.
pub(in crate::tui) fn names(circuit: &Circuit, window: &Window, look: &Look, buf: &mut Buffer) {
    let layout = &circuit.panes.layout;
    let here = layout.place(circuit.selected()).map(|place| place.row);
    for (at, row) in (0..=u16::MAX).zip(&layout.rows) {
        let Level::Layer(layer) = row.level else { continue };
        let y = window.y(at, row.y);
        if window.shows_row(at, y) {
            let style = if here == Some(at) { look.theme.accent } else { look.theme.faint };
            buf.set_stringn(window.inner.x, y as u16, format!("L{layer}"), usize::from(window.gutter), style);
        }
    }
    folds(layout, window, look, buf);
}

/// Writes how many layers have no row: between the rows where there is a line, else behind the name of the one above.
fn folds(layout: &GraphLayout, window: &Window, look: &Look, buf: &mut Buffer) {
    let sign = look.glyphs.layers_left_out;
    for fold in &layout.folds {
        let rows = layout.rows.get(usize::from(fold.below)..).and_then(|rows| rows.first_chunk());
        let Some([above, below]) = rows else { continue };
        let (y, next) = (window.y(fold.below, above.y), window.y(fold.below.saturating_add(1), below.y));
        if !window.shows_row(fold.below, y) {
            continue;
        }
        let name = match above.level {
            Level::Layer(layer) => text::width(&format!("L{layer}")) as u16,
            Level::Logits | Level::Tokens => 0,
        };
        let (x, y, says) = if next - y > 1 {
            (0, i32::midpoint(y, next), format!("{sign}{}", fold.n_layers))
        } else {
            (name, y, sign.to_owned())
        };
        if window.has_line(y) {
            let room = usize::from(window.gutter.saturating_sub(x));
            buf.set_stringn(window.inner.x + x, y as u16, says, room, look.theme.faint);
        }
    }
}

/// Writes into the frame which layers and positions are seen, where these are not all.
pub(in crate::tui) fn say_what_is_seen(
    layout: &GraphLayout,
    window: &Window,
    frame: Rect,
    look: &Look,
    buf: &mut Buffer,
) {
    let rows = (0..=u16::MAX).zip(&layout.rows).filter(|(at, row)| window.shows_row(*at, window.y(*at, row.y)));
    let layers: Vec<Layer> = rows
        .filter_map(|(_, row)| match row.level {
            Level::Layer(layer) => Some(layer),
            Level::Logits | Level::Tokens => None,
        })
        .collect();
    let is_seen = |column: &Column| window.has_column(window.x(column.x + column.width / 2));
    let columns: Vec<usize> = (0..layout.columns.len()).filter(|at| is_seen(&layout.columns[*at])).collect();
    let mut says = Vec::new();
    if let (Some(first), Some(last)) = (layers.last(), layers.first())
        && layers.len() + 2 < layout.rows.len()
    {
        says.push(format!("layers {first}-{last}"));
    }
    if let (Some(first), Some(last)) = (columns.first(), columns.last())
        && columns.len() < layout.columns.len()
    {
        says.push(format!("positions {first}-{last} of {}", layout.columns.len()));
    }
    let says = says.join(", ");
    if text::width(&says) <= free(frame, look, buf) {
        note(frame, End::Right, &[(&says, look.theme.faint)], buf);
    }
}
