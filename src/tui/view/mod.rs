//! Views of the state. A view changes nothing.

mod attention;
mod connections;
mod crumbs;
mod detail;
mod feature;
mod graph;
mod header;
mod hints;
mod lines;
mod minimap;
mod progress;
mod subgraph;
mod tree;
mod trust;
mod which_key;
mod window;

pub(super) use connections::link_at;
pub(super) use detail::overflow as detail_overflow;
pub(super) use feature::{
    browsed as browsed_rows, draw as draw_feature, overflow as feature_overflow, room as feature_room,
    rows as feature_rows,
};
pub(super) use graph::node_at;
pub(in crate::tui) use hints::key_of;
pub(super) use subgraph::{box_at, room as subgraph_room};
pub(super) use tree::branch_at;

use crate::graph::StabilityClass;
use crate::text;
use crate::tui::app::{Pane, State};
use crate::tui::layout::{self, LEAST, Slot};
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};

/// Draws everything; returns the place of the cursor, where there is one.
pub fn render(state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
    let Some(panes) = state.panes() else {
        too_small(state, screen, buf);
        return None;
    };
    header::render(state, panes.header, buf);
    trust::render(state, panes.trust, buf);
    for slot in &panes.slots {
        let inner = frame_tabs(state, slot, buf);
        match slot.shown {
            Pane::Graph => graph::render(state, slot.area, inner, buf),
            Pane::Connections => connections::render(state, slot.area, inner, buf),
            Pane::Detail => detail::render(state, slot.area, inner, buf),
            Pane::Tree => tree::render(state, slot.area, inner, buf),
            Pane::Subgraph => subgraph::render(state, slot.area, inner, buf),
            Pane::Feature => feature::render(state, slot.area, inner, buf),
        }
    }
    if let Some(area) = panes.crumbs {
        crumbs::render(state, area, buf);
    }
    hints::render(state, panes.hints, buf);
    if let Some(prefix) = state.prefix {
        which_key::render(state, prefix, buf);
    }
    state.dialogs.top()?.render(state, dialog_room(state.size), buf)
}

/// Returns the room for dialogs: they leave the hint line free, which shows their keys.
pub(super) fn dialog_room(size: (u16, u16)) -> Rect {
    Rect { x: 0, y: 0, width: size.0, height: size.1.saturating_sub(1) }
}

fn too_small(state: &State, screen: Rect, buf: &mut Buffer) {
    let lines = [
        "too small".to_owned(),
        format!("{}x{} at least", LEAST.0, LEAST.1),
        format!("this is {}x{}", screen.width, screen.height),
    ];
    let top = screen.y + screen.height.saturating_sub(lines.len() as u16) / 2;
    for (line, y) in lines.iter().zip(top..screen.bottom()) {
        let x = screen.x + screen.width.saturating_sub(text::width(line) as u16) / 2;
        buf.set_stringn(x, y, line, usize::from(screen.width), state.look.theme.text);
    }
}

/// Frames a pane with its title; returns the area within.
pub(super) fn frame(area: Rect, title: &str, has_focus: bool, look: &Look, buf: &mut Buffer) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    frame_lines(area, if has_focus { look.theme.frame_focus } else { look.theme.frame }, look, buf);
    let title_style = if has_focus { look.theme.accent.add_modifier(Modifier::BOLD) } else { look.theme.quiet };
    note(area, Side::Left, &[(title, title_style)], buf);
    layout::inner(area)
}

/// Draws the lines around an area of two cells by two at least.
fn frame_lines(area: Rect, style: Style, look: &Look, buf: &mut Buffer) {
    let [top_left, top_right, bottom_left, bottom_right, horizontal, vertical] = look.glyphs.frame;
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.left() + 1..right {
        buf[(x, area.y)].set_symbol(horizontal).set_style(style);
        buf[(x, bottom)].set_symbol(horizontal).set_style(style);
    }
    for y in area.top() + 1..bottom {
        buf[(area.x, y)].set_symbol(vertical).set_style(style);
        buf[(right, y)].set_symbol(vertical).set_style(style);
    }
    for (x, y, sign) in [
        (area.x, area.y, top_left),
        (right, area.y, top_right),
        (area.x, bottom, bottom_left),
        (right, bottom, bottom_right),
    ] {
        buf[(x, y)].set_symbol(sign).set_style(style);
    }
}

/// Frames a pane under its title, and those of the panes that share its place; returns the area within.
fn frame_tabs(state: &State, slot: &Slot, buf: &mut Buffer) -> Rect {
    let theme = &state.look.theme;
    let focused = has_focus(state, slot.shown);
    let inner = frame(slot.area, slot.shown.title(), focused, &state.look, buf);
    let style = |pane: Pane| match (pane == slot.shown, focused) {
        (true, true) => theme.accent.add_modifier(Modifier::BOLD),
        (true, false) => theme.strong,
        (false, _) => theme.faint,
    };
    if slot.tabs.len() > 1 {
        let mut parts = Vec::new();
        for pane in slot.tabs {
            parts.extend([(pane.title(), style(*pane)), (" ", theme.faint)]);
        }
        parts.pop();
        note(slot.area, Side::Left, &parts, buf);
    }
    inner
}

/// Returns the pane whose title is at a cell of a slot's frame.
pub(super) fn tab_at(slot: &Slot, cell: Position) -> Option<Pane> {
    let mut x = slot.area.x + 2;
    slot.tabs.iter().copied().filter(|_| cell.y == slot.area.y).find(|pane| {
        let from = x;
        x += pane.title().len() as u16 + 1;
        (from..x).contains(&cell.x)
    })
}

/// Returns the number of free cells at the right end of a frame's top line.
fn free(area: Rect, look: &Look, buf: &Buffer) -> usize {
    let line = look.glyphs.frame[4];
    let cells = (area.left() + 1..area.right().saturating_sub(1)).rev();
    cells.take_while(|x| buf[(*x, area.y)].symbol() == line).count().saturating_sub(3)
}

/// End of a frame's top line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Writes into a frame's top line, a space to either side.
pub(super) fn note(area: Rect, side: Side, parts: &[(&str, Style)], buf: &mut Buffer) {
    let width: usize = parts.iter().map(|(part, _)| text::width(part)).sum::<usize>() + 2;
    let room = usize::from(area.width.saturating_sub(4));
    if width > room || parts.iter().all(|(part, _)| part.is_empty()) {
        return;
    }
    let mut x = match side {
        Side::Left => area.x + 1,
        Side::Right => area.right() - 1 - width as u16,
    };
    buf.set_string(x, area.y, " ", Style::new());
    x += 1;
    for (part, style) in parts {
        // The frame's own style would shine through where a part leaves a colour open.
        for cell in x..x + text::width(part) as u16 {
            buf[(cell, area.y)].reset();
        }
        buf.set_string(x, area.y, part, *style);
        x += text::width(part) as u16;
    }
    buf.set_string(x, area.y, " ", Style::new());
}

/// Returns the first of `n` rows that is shown on `lines` lines, so that row `at` is among them. In steps of half a
/// page, as a list that scrolls is written anew.
pub(super) fn first_line(at: usize, lines: usize, n: usize) -> usize {
    let step = (lines / 2).max(1);
    (at.saturating_sub(lines / 4) / step * step).min(n.saturating_sub(lines))
}

/// Returns the style of the mark of a standing.
fn of_standing(standing: StabilityClass, look: &Look) -> Style {
    if standing == StabilityClass::Noise { look.theme.faint } else { look.theme.text }
}

fn has_focus(state: &State, pane: Pane) -> bool {
    state.focus == pane && state.dialogs.is_empty()
}

/// Pen that writes a line piece by piece from left to right, cut off at its end.
struct Pen<'a> {
    buf: &'a mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    fn new(buf: &'a mut Buffer, area: Rect, line: u16) -> Self {
        Self { buf, x: area.x, y: area.y + line, end: area.right() }
    }

    fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    fn put(&mut self, text: &str, style: Style) {
        if self.room() > 0 {
            (self.x, _) = self.buf.set_stringn(self.x, self.y, text, self.room(), style);
        }
    }

    fn skip(&mut self, cells: u16) {
        self.x = self.x.saturating_add(cells).min(self.end);
    }
}
