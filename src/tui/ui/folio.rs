//! Scrolled lines of a dialog, and the pieces that they are made of.

use crate::text;
use crate::tui::runtime::JobKey;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::{Look, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Line of a dialog: pieces of text, one after the other.
pub type Line = Vec<(String, Style)>;

/// Cells of the progress bar.
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

/// Wraps a text into lines of at most `room` cells.
pub fn wrapped(text: &str, room: usize, style: Style) -> Vec<Line> {
    wrap(text, room.max(1)).into_iter().map(|line| vec![(line, style)]).collect()
}

/// Pads a text on the right to `room` cells; cuts it off where it is too long.
pub fn left(text: &str, room: usize, look: &Look) -> String {
    let text = look.glyphs.fit(text, room);
    let rest = room.saturating_sub(text::width(&text));
    text + &" ".repeat(rest)
}

/// Pads a text on the left to `room` cells.
pub fn right(text: &str, room: usize) -> String {
    " ".repeat(room.saturating_sub(text::width(text))) + text
}

/// Formats a signed number, padded on the left to `room` cells.
pub fn number(value: f64, room: usize, look: &Look) -> (String, Style) {
    (right(&text::weight(value as f32), room), look.theme.sign(value as f32))
}

/// Builds the progress line of work: its phase, its share done, and the key that stops it.
pub fn progress(key: JobKey, state: &State) -> Line {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let progress = state.jobs.progress(key).cloned().unwrap_or_default();
    let phase = if progress.phase.is_empty() { "running the model" } else { progress.phase };
    let mut line = vec![
        (format!("{} ", glyphs.spinner[state.screen.ticks % glyphs.spinner.len()]), theme.accent),
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
