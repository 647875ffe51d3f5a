//! Frames around panes and dialogs, and what is written into their top lines.

use crate::text;
use crate::tui::screen::inner;
use crate::tui::ui::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Frames a pane with its title; returns the area within.
pub(in crate::tui) fn frame(area: Rect, title: &str, has_focus: bool, look: &Look, buf: &mut Buffer) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    frame_lines(area, if has_focus { look.theme.frame_focus } else { look.theme.frame }, look, buf);
    let title_style = if has_focus { look.theme.accent.add_modifier(Modifier::BOLD) } else { look.theme.quiet };
    note(area, End::Left, &[(title, title_style)], buf);
    inner(area)
}

/// Draws the lines around an area of two cells by two at least.
pub(in crate::tui) fn frame_lines(area: Rect, style: Style, look: &Look, buf: &mut Buffer) {
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

/// Returns the number of free cells at the right end of a frame's top line.
pub(in crate::tui) fn free(area: Rect, look: &Look, buf: &Buffer) -> usize {
    let line = look.glyphs.frame[4];
    let cells = (area.left() + 1..area.right().saturating_sub(1)).rev();
    cells.take_while(|x| buf[(*x, area.y)].symbol() == line).count().saturating_sub(3)
}

/// End of a frame's top line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum End {
    Left,
    Right,
}

/// Writes into a frame's top line, a space to either side.
pub(in crate::tui) fn note(area: Rect, side: End, parts: &[(&str, Style)], buf: &mut Buffer) {
    let width: usize = parts.iter().map(|(part, _)| text::width(part)).sum::<usize>() + 2;
    let room = usize::from(area.width.saturating_sub(4));
    if width > room || parts.iter().all(|(part, _)| part.is_empty()) {
        return;
    }
    let mut x = match side {
        End::Left => area.x + 1,
        End::Right => area.right() - 1 - width as u16,
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
