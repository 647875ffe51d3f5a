//! Lines of a dialog that are more than fit, and what they are made of.

use super::wrap;
use crate::text;
use crate::tui::act::CHECK;
use crate::tui::app::State;
use crate::tui::theme::Look;
use crate::tui::view::key_of;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Pieces of text, one after the other.
pub type Line = Vec<(String, Style)>;

/// Cells of the bar of what is done.
const BAR: usize = 16;

/// Draws the lines from `from` on.
pub fn draw(lines: &[Line], from: usize, area: Rect, look: &Look, buf: &mut Buffer) {
    for (line, y) in lines.iter().skip(from).zip(area.top()..area.bottom()) {
        let mut x = area.x;
        for (text, style) in line {
            let room = usize::from(area.right().saturating_sub(x));
            (x, _) = buf.set_stringn(x, y, look.glyphs.fit(text, room), room, *style);
        }
    }
}

/// A text in as many lines as it takes.
pub fn wrapped(text: &str, room: usize, style: Style) -> Vec<Line> {
    wrap(text, room.max(1)).into_iter().map(|line| vec![(line, style)]).collect()
}

/// A text at the left of a column, cut off where it is too long.
pub fn left(text: &str, room: usize, look: &Look) -> String {
    let text = look.glyphs.fit(text, room);
    let rest = room.saturating_sub(text::width(&text));
    text + &" ".repeat(rest)
}

/// A text at the right of a column.
pub fn right(text: &str, room: usize) -> String {
    " ".repeat(room.saturating_sub(text::width(text))) + text
}

/// A signed number at the right of a column.
pub fn number(value: f64, room: usize, look: &Look) -> (String, Style) {
    (right(&text::weight(value as f32), room), look.theme.sign(value as f32))
}

/// What is being worked on, how far that is, and what stops it.
pub fn progress(state: &State) -> Line {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let progress = state.jobs.progress(CHECK).cloned().unwrap_or_default();
    let phase = if progress.phase.is_empty() { "running the model" } else { progress.phase };
    let mut line = vec![
        (format!("{} ", glyphs.spinner[state.ticks % glyphs.spinner.len()]), theme.accent),
        (phase.to_owned(), theme.text),
    ];
    if progress.total > 0 {
        let filled = glyphs.bar(progress.done as f64 / progress.total as f64, BAR);
        let rest = glyphs.bar_rest.repeat(BAR.saturating_sub(text::width(&filled)));
        line.push((format!(" {} of {} ", progress.done, progress.total), theme.text));
        line.extend([(filled, theme.accent), (rest, theme.faint)]);
    }
    line.extend([(format!("   {}", key_of("cancel", state)), theme.accent), (" stops".to_owned(), theme.quiet)]);
    line
}
