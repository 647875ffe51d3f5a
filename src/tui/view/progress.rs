//! Progress of a trace, and the key that stops it.

use super::{Side as End, hints, note};
use crate::text;
use crate::tui::app::{Busy, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the progress in the frame of the graph that is shown meanwhile.
pub(super) fn in_frame(state: &State, busy: &Busy, area: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let spinner = glyphs.spinner[state.ticks % glyphs.spinner.len()];
    let what = what(state, busy);
    let pace = pace(state, busy);
    let stops = format!("   {} ", hints::key_of("cancel", state));
    let bar = bar(state, busy, 12);
    let mut parts = vec![
        (spinner, theme.accent),
        (" ", theme.text),
        (&what, theme.text),
        (" ", theme.text),
        (&bar.0, theme.accent),
        (&bar.1, theme.faint),
        (&pace, theme.quiet),
        (&stops, theme.accent),
        ("stops", theme.quiet),
    ];
    // The title of the pane needs its room too.
    let width: usize = parts.iter().map(|(part, _)| text::width(part)).sum();
    if width + 14 > usize::from(area.width) {
        parts.retain(|(part, _)| *part != pace);
    }
    note(area, End::Right, &parts, buf);
}

/// Returns the speed and the remaining time: ` 310/s, 9 s left`.
fn pace(state: &State, busy: &Busy) -> String {
    let Some(rate) = busy.rate.filter(|_| !busy.stopping) else { return String::new() };
    let left = busy.progress.total.saturating_sub(busy.progress.done) as f64 / rate;
    let rate = if rate < 10.0 { format!("{rate:.1}") } else { text::thousands(rate as usize) };
    format!(" {rate}/s {} {} left", state.look.glyphs.dot, text::duration(left))
}

fn what(state: &State, busy: &Busy) -> String {
    let progress = &busy.progress;
    let phase = match (busy.stopping, progress.phase) {
        (true, _) => "stopping",
        (false, "") if busy.prompt.is_empty() => "fetching",
        (false, "") => "tracing",
        (false, phase) => phase,
    };
    match progress.total {
        0 => format!("{phase}{}", if busy.stopping { "" } else { state.look.glyphs.ellipsis }),
        total => format!("{phase} {}/{}", text::thousands(progress.done as usize), text::thousands(total as usize)),
    }
}

fn bar(state: &State, busy: &Busy, room: usize) -> (String, String) {
    let glyphs = &state.look.glyphs;
    let progress = &busy.progress;
    if progress.total == 0 {
        return (String::new(), String::new());
    }
    let filled = glyphs.bar(progress.done as f64 / progress.total as f64, room);
    let rest = glyphs.bar_rest.repeat(room.saturating_sub(text::width(&filled)));
    (filled, rest)
}

/// Draws the progress in the middle of the pane, where there is no graph yet.
pub(super) fn alone(state: &State, inner: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let lines: Vec<Vec<(String, Style)>> = match &state.busy {
        Some(busy) => {
            let spinner = glyphs.spinner[state.ticks % glyphs.spinner.len()];
            let (filled, rest) = bar(state, busy, 24);
            vec![
                vec![(format!("{spinner} "), theme.accent), (what(state, busy), theme.text)],
                vec![(filled, theme.accent), (rest, theme.faint), (pace(state, busy), theme.quiet)],
                vec![(hints::key_of("cancel", state), theme.accent), (" stops".to_owned(), theme.quiet)],
            ]
        }
        None => vec![
            vec![("There is no graph yet".to_owned(), theme.text)],
            vec![
                (hints::key_of("prompt", state), theme.accent),
                (" writes a prompt and traces it".to_owned(), theme.quiet),
            ],
        ],
    };
    let top = inner.y + inner.height.saturating_sub(lines.len() as u16) / 2;
    for (line, y) in lines.into_iter().zip(top..inner.bottom()) {
        let width: usize = line.iter().map(|(text, _)| text::width(text)).sum();
        let mut x = inner.x + inner.width.saturating_sub(width as u16) / 2;
        for (text, style) in line {
            let room = usize::from(inner.right().saturating_sub(x));
            (x, _) = buf.set_stringn(x, y, text, room, style);
        }
    }
}
