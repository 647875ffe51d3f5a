//! Box over another dialog, with a question or the progress of a job.

use crate::text;
use crate::tui::act;
use crate::tui::command::commands;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use crate::tui::ui::wrap;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws `lines`, and a bar of the share that is done; the spinner turns while the job runs.
pub(super) fn render(
    title: &str,
    lines: &[String],
    share: Option<f64>,
    screen: Rect,
    look: &Look,
    ticks: usize,
    buf: &mut Buffer,
) {
    if lines.is_empty() {
        return;
    }
    let width = screen.width.saturating_sub(8).min(84);
    let room = usize::from(width.saturating_sub(4)).max(1);
    let glyphs = &look.glyphs;
    let lines: Vec<String> = lines.iter().flat_map(|line| wrap(&glyphs.visible(line), room)).collect();
    let height = lines.len() as u16 + u16::from(share.is_some()) + 2;
    let area = crate::tui::ui::open(screen, width, height.min(screen.height), title, look, buf);
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        buf.set_stringn(area.x, y, line, usize::from(area.width), look.theme.text);
    }
    let y = area.y.saturating_add(lines.len() as u16);
    if let Some(share) = share
        && y < area.bottom()
    {
        let spinner = glyphs.spinner[ticks % glyphs.spinner.len()];
        let (x, _) = buf.set_stringn(area.x, y, format!("{spinner} "), usize::from(area.width), look.theme.accent);
        let room = usize::from(area.right().saturating_sub(x));
        let filled = glyphs.bar(share.clamp(0.0, 1.0), room);
        let rest = glyphs.bar_rest.repeat(room.saturating_sub(text::width(&filled)));
        let (x, _) = buf.set_stringn(x, y, filled, room, look.theme.accent);
        buf.set_stringn(x, y, rest, usize::from(area.right().saturating_sub(x)), look.theme.faint);
    }
}

/// Context of yes-or-no questions and of waiting for a job.
pub const ASK: Context = Context::dialog("ask");

commands! {
    /// Commands for yes and no.
    pub const BINDINGS;
    "yes", Models, ASK, ["y"], Some("yes"), |s, _| act::say_yes(s), "Yes: ask, download, or leave with work that is not saved";
    "no", Models, ASK, ["n", "Esc"], Some("no, or stop"), |s, _| act::say_no(s), "No; stop what is under way, or stay";
}
