//! A question to the person, or what is waited for, over another popup.

use crate::text;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws `lines`, and a bar of the share that is done; a sign turns while it goes on.
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
    let area = super::open(screen, width, height.min(screen.height), title, look, buf);
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

/// Lines of at most `room` cells, broken between words where that is possible.
pub(in crate::tui) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        for piece in pieces(word, room) {
            // There is always a line: the list begins with one.
            let Some(line) = lines.last_mut() else { continue };
            let gap = usize::from(!line.is_empty());
            if text::width(line) + gap + text::width(&piece) > room && !line.is_empty() {
                lines.push(piece);
            } else {
                line.push_str(if gap == 1 { " " } else { "" });
                line.push_str(&piece);
            }
        }
    }
    lines
}

/// A word in pieces that fit.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in word.chars() {
        let wide = text::width(c.encode_utf8(&mut [0; 4]));
        if let Some(piece) = pieces.last_mut() {
            if text::width(piece) + wide > room && !piece.is_empty() {
                pieces.push(c.to_string());
            } else {
                piece.push(c);
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_within_long_ones() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("https://hub.example/x y", 8), ["https://", "hub.exam", "ple/x y"]);
        assert_eq!(wrap("", 4), [""]);
        for line in wrap("東京 is a 東京東京東京", 5) {
            assert!(text::width(&line) <= 5, "{line}");
        }
    }
}
