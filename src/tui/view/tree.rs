//! Circuit of a node, unrolled.

use super::{Side as End, free, has_focus, note};
use crate::ids::NodeId;
use crate::text;
use crate::text::names::Called;
use crate::tui::app::{Pane, State};
use crate::tui::circuit::Circuit;
use crate::tui::theme::Look;
use crate::tui::tree::{Branch, Fold};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::StatefulWidget;
use std::iter::Peekable;
use tui_tree_widget::{Tree as Widget, TreeItem, TreeState};

/// Cells of indentation a level.
const INDENT: usize = 2;

pub(super) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let tree = &circuit.tree;
    let side = tree.side().title();
    let held = if tree.is_held() { "held, " } else { "" };
    let note_text = glyphs.fit(&format!("{held}{side}, {} a node", tree.top), free(area, &state.look, buf));
    note(area, End::Right, &[(&note_text, if tree.is_held() { theme.accent } else { theme.faint })], buf);
    let rows = tree.rows();
    if inner.is_empty() || rows.is_empty() {
        return;
    }

    // The widget keeps its scroll in a state of its own. A view changes nothing, so each picture gets a new one; it
    // learns how far it can scroll from a first picture that is not shown.
    let mut seen = TreeState::default();
    for row in rows.iter().filter(|row| row.fold == Fold::Open) {
        seen.open(row.path.clone());
    }
    let lines = usize::from(inner.height);
    let shift = shift(tree.branch().map_or(0, Branch::depth) * INDENT, usize::from(inner.width));
    let wide = Rect { x: 0, y: 0, width: inner.width.saturating_add(shift), height: inner.height };
    let Some(item) = item(circuit, &state.look, usize::from(wide.width), &mut rows.iter().peekable()) else { return };
    let items = [item];
    // One item cannot stand there twice.
    let Ok(widget) = Widget::new(&items) else { return };
    let widget = widget.node_closed_symbol(glyphs.folds[0]).node_open_symbol(glyphs.folds[1]);
    let mut picture = Buffer::empty(wide);
    widget.clone().render(wide, &mut picture, &mut seen);
    picture.reset();
    let at = tree.at();
    seen.scroll_down(super::first_line(at, lines, rows.len()));
    if has_focus(state, Pane::Tree) {
        seen.select(rows[at].path.clone());
    }
    widget.highlight_style(theme.selection).render(wide, &mut picture, &mut seen);
    for y in 0..inner.height {
        for x in 0..inner.width {
            buf[(inner.x + x, inner.y + y)] = picture[(x + shift, y)].clone();
        }
    }
}

/// Returns the index of the branch at a cell of a tree that is drawn in `inner`.
pub(in crate::tui) fn branch_at(circuit: &Circuit, inner: Rect, cell: Position) -> Option<usize> {
    let tree = &circuit.tree;
    let from = super::first_line(tree.at(), usize::from(inner.height), tree.rows().len());
    let at = from + usize::from(cell.y.checked_sub(inner.y)?);
    (inner.contains(cell) && at < tree.rows().len()).then_some(at)
}

/// Returns the cells by which the picture is moved to the left for a branch indented by `indent` cells to be read.
fn shift(indent: usize, width: usize) -> u16 {
    // In steps of a third: a shift changes every cell.
    let step = (width / 3).max(1);
    u16::try_from(indent.saturating_sub(step) / step * step).unwrap_or(u16::MAX / 2)
}

/// Takes the next row with everything that grows from it, for a picture of so many cells.
fn item<'a>(
    circuit: &Circuit,
    look: &Look,
    width: usize,
    rows: &mut Peekable<impl Iterator<Item = &'a Branch>>,
) -> Option<TreeItem<'static, NodeId>> {
    let branch = rows.next()?;
    let text = line(circuit, look, width.saturating_sub((branch.depth() + 1) * INDENT), branch);
    if branch.fold == Fold::Closed {
        // Its twigs are made when it is opened.
        return TreeItem::new(branch.node(), text, vec![TreeItem::new_leaf(branch.node(), "")]).ok();
    }
    let mut twigs = Vec::new();
    while rows.peek().is_some_and(|next| next.depth() > branch.depth()) {
        twigs.extend(item(circuit, look, width, rows));
    }
    TreeItem::new(branch.node(), text, twigs).ok()
}

/// Returns a row of at most `room` cells. A number stands there whole: a summed-up part gives way first, then the
/// node's place, and the name is cut off last.
fn line(circuit: &Circuit, look: &Look, room: usize, branch: &Branch) -> Line<'static> {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    let node = branch.node();
    let style = if node == circuit.selected() {
        theme.accent
    } else if circuit.node(node).is_error() {
        theme.quiet
    } else {
        theme.text
    };
    let mark = branch.repeated.then(|| Span::styled(format!(" {}", glyphs.repeated), theme.accent));
    let mut tail = Vec::new();
    if let Some(link) = branch.link {
        let sign = if link.edge.weight < 0.0 { '-' } else { '+' };
        let share = format!("  {sign}{}", text::percent(link.share).trim_start());
        tail.push(Span::styled(share, theme.sign(link.edge.weight)));
        if let Some(standing) = circuit.standings.of_edge(link.edge.id) {
            let style = super::of_standing(standing, look);
            tail.push(Span::styled(format!(" {}", glyphs.standings[standing as usize]), style));
        }
    }
    let (all, shown) = branch.twigs;
    if branch.fold == Fold::Open && shown < all {
        tail.push(Span::styled(format!("  {shown} of {}", text::thousands(all)), theme.faint));
    }
    let cells = |spans: &[Span]| spans.iter().map(|span| text::width(&span.content)).sum::<usize>();
    let room = room.saturating_sub(cells(&tail) + cells(mark.as_slice()));
    let called = Called { number: String::new(), ..circuit.called(node, glyphs) };
    let [what, place, _] = called.fit(room, glyphs);
    if branch.depth() > 1 {
        let sign = if branch.reach < 0.0 { '-' } else { '+' };
        let reach = format!("  {sign}{} in all", text::percent(branch.reach.abs()).trim_start());
        if text::width(&what) + text::width(&place) + text::width(&reach) <= room {
            tail.push(Span::styled(reach, theme.faint));
        }
    }
    let head = [Some(Span::styled(what, style)), mark, Some(Span::styled(place, theme.quiet))];
    Line::from(head.into_iter().flatten().chain(tail).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_deep_a_branch_is_it_begins_in_the_left_two_thirds() {
        for width in 1..120 {
            for indent in 0usize..300 {
                let begins =
                    indent.checked_sub(usize::from(shift(indent, width))).expect("it is not moved out of view");
                assert!(begins < 2 * (width / 3).max(1), "{indent} in {width}");
            }
        }
    }
}
