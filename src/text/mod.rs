//! Text on its way to a terminal: made harmless, visible, and as wide as there is room; signs, and names of nodes.

pub mod glyph;
pub mod names;

use crate::untrusted::{is_hidden, shorten};
use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns `text` with everything shown that a terminal would swallow or obey: control characters as their pictures,
/// spaces at either end as dots, invisible characters by their code point.
pub fn visible(text: &str) -> String {
    visible_between(text, &edge_spaces(text))
}

/// Returns the same for a part of a longer text, whose spaces at the ends are left as they are.
pub fn visible_within(text: &str) -> String {
    visible_between(text, &EdgeSpaces { leading: 0, trailing: text.len() })
}

/// Characters of one text shown at most, far more than any pane has room for.
const MOST_SHOWN: usize = 4000;

fn visible_between(text: &str, edges: &EdgeSpaces) -> String {
    let text = &*shorten(text, MOST_SHOWN);
    let mut out = String::with_capacity(text.len());
    let mut has_base = false;
    for (at, c) in text.char_indices() {
        match c {
            ' ' if edges.contains(at) => out.push('·'),
            '\n' => out.push('⏎'),
            '\t' => out.push('⇥'),
            '\u{7f}' => out.push('␡'),
            // The pictures of the C0 controls stand in their order from U+2400.
            c if u32::from(c) < 0x20 => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␀')),
            c if c.is_control() || is_hidden(c) => push_code(&mut out, c),
            // A combining mark belongs to the letter before it; alone it would join whatever the screen shows there.
            c if c.width() == Some(0) => {
                if !has_base {
                    out.push('◌');
                }
                out.push(c);
            }
            c => out.push(c),
        }
        has_base = true;
    }
    out
}

/// Returns the same as [`visible`] in ASCII alone, for terminals that show nothing else.
pub fn visible_ascii(text: &str) -> String {
    visible_ascii_between(text, &edge_spaces(text))
}

/// Returns the same for a part of a longer text, whose spaces at the ends are left as they are.
pub fn visible_ascii_within(text: &str) -> String {
    visible_ascii_between(text, &EdgeSpaces { leading: 0, trailing: text.len() })
}

fn visible_ascii_between(text: &str, edges: &EdgeSpaces) -> String {
    let text = &*shorten(text, MOST_SHOWN);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            ' ' if edges.contains(at) => out.push('_'),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // They stand in labels.
            '→' => out.push_str("->"),
            '≠' => out.push_str("!="),
            ' '..='~' => out.push(c),
            c => push_code(&mut out, c),
        }
    }
    out
}

/// Returns the number of cells that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Returns the start of `text` that fits into `room` cells, `mark` at its end where something was left out.
pub fn truncate(text: &str, room: usize, mark: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let Some(room) = room.checked_sub(width(mark)) else {
        return String::new();
    };
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room {
            break;
        }
        used += wide;
        out.push(c);
    }
    out + mark
}

/// Returns the end of `text` that fits into `room` cells, `mark` at its start where something was left out.
pub fn truncate_start(text: &str, room: usize, mark: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let Some(room) = room.checked_sub(width(mark)) else {
        return String::new();
    };
    let mut start = text.len();
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        start = at;
    }
    format!("{mark}{}", &text[start..])
}

/// Formats a whole number with its thousands set apart: `22,410`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a span of time, roughly: `9 s`, `4 min`, `3 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 99.5 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

/// Formats a count of things: `1 node`, `1,200 nodes`.
pub fn counted(number: usize, thing: &str) -> String {
    format!("{} {thing}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Formats a whole number in at most four characters: `412`, `22k`, `4.1M`.
pub fn compact(number: usize) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..10_000_000 => format!("{}.{}M", number / 1_000_000, number / 100_000 % 10),
        _ => format!("{}M", number / 1_000_000),
    }
}

/// Formats a signed weight in seven cells: `+0.4123`, `-12.31`, `+1.2e-5`.
pub fn weight(value: f32) -> String {
    let sign = if value < 0.0 { '-' } else { '+' };
    let size = value.abs();
    match size {
        0.0 => format!("{sign}0.0000"),
        s if s < 0.001 => format!("{sign}{s:.1e}"),
        s if s < 10.0 => format!("{sign}{s:.4}"),
        s if s < 100.0 => format!("{sign}{s:.3}"),
        s if s < 10_000.0 => format!("{sign}{s:.1}"),
        s => format!("{sign}{s:.1e}"),
    }
}

/// Formats a share in percent, in five cells: `18.2%`, ` 0.4%`, ` 100%`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 99.95 { format!("{percent:>4.0}%") } else { format!("{percent:>4.1}%") }
}

struct EdgeSpaces {
    leading: usize,
    trailing: usize,
}

impl EdgeSpaces {
    fn contains(&self, at: usize) -> bool {
        at < self.leading || at >= self.trailing
    }
}

fn edge_spaces(text: &str) -> EdgeSpaces {
    EdgeSpaces { leading: text.len() - text.trim_start_matches(' ').len(), trailing: text.trim_end_matches(' ').len() }
}

fn push_code(out: &mut String, c: char) {
    // Writing into a string does not fail.
    let _ = write!(out, "<{:x}>", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_would_obey_is_left() {
        assert_eq!(visible("a\nb\tc\r"), "a⏎b⇥c␍");
        assert_eq!(visible("\x1b[2J\x07\x7f"), "␛[2J␇␡");
        assert_eq!(visible("\u{9b}31m"), "<9b>31m");
        assert_eq!(visible(" is "), "·is·");
        assert_eq!(visible("  "), "··");
        assert_eq!(visible("a b"), "a b");
        assert_eq!(visible("a\u{200b}b\u{202e}"), "a<200b>b<202e>");
        assert_eq!(visible("e\u{301}"), "e\u{301}");
        assert_eq!(visible("\u{301}"), "◌\u{301}");
        assert_eq!(visible("東京"), "東京");
    }

    #[test]
    fn a_monstrous_text_is_cut() {
        let marks = format!(" a{}", "\u{301}".repeat(100_000));
        for text in ["x".repeat(10 << 20), marks, " ".repeat(1 << 20)] {
            assert!(visible(&text).chars().count() <= MOST_SHOWN + 1);
            assert!(visible_ascii(&text).len() <= 8 * (MOST_SHOWN + 1));
        }
    }

    #[test]
    fn ascii_is_ascii() {
        assert_eq!(visible_ascii(" né\n\x1b"), "_n<e9>\\n<1b>");
        for c in (0..0x3000).filter_map(char::from_u32) {
            assert!(visible_ascii(&c.to_string()).chars().all(|c| (' '..='~').contains(&c)));
            assert!(!visible(&c.to_string()).chars().any(char::is_control));
        }
    }

    #[test]
    fn truncation_counts_cells() {
        assert_eq!(truncate("containing", 6, "…"), "conta…");
        assert_eq!(truncate("東京都", 5, "…"), "東京…");
        assert_eq!(truncate("東京都", 4, "…"), "東…");
        assert_eq!(truncate("ab", 2, "…"), "ab");
        assert_eq!(truncate("abc", 0, "…"), "");
        assert_eq!(truncate_start("containing", 6, "…"), "…ining");
        assert_eq!(truncate_start("東京都", 4, "…"), "…都");
    }

    #[test]
    fn numbers_stay_in_their_columns() {
        assert_eq!(thousands(22_410), "22,410");
        assert_eq!(thousands(412), "412");
        assert_eq!((compact(9_999), compact(22_410), compact(5_123_000)), ("9999".into(), "22k".into(), "5.1M".into()));
        for value in [0.0, 1e-9, 0.4123, -3.2, 12.3, -456.7, 9999.9, 123_456.0, -1e30] {
            assert!(width(&weight(value)) <= 8, "{}", weight(value));
        }
        for share in [0.0, 0.004, 0.182, 0.9999, 1.0] {
            assert_eq!(width(&percent(share)), 5);
        }
    }
}
