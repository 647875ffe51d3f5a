//! Texts of files for a terminal, for JSON and for messages.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Characters of a file's text quoted in a message, at most.
pub const EXCERPT: usize = 120;

/// Returns true for characters that take no room and change those around them: joiners, direction marks, selectors,
/// fillers.
pub fn is_hidden(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x34f
            | 0x61c
            | 0x115f..=0x1160
            | 0x17b4..=0x17b5
            | 0x180b..=0x180f
            | 0x200b..=0x200f
            | 0x2028..=0x202e
            | 0x2060..=0x206f
            | 0x3164
            | 0xfe00..=0xfe0f
            | 0xfeff
            | 0xffa0
            | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3
            | 0x1d173..=0x1d17a
            | 0xe0000..=0xe0fff
    )
}

/// Returns true for characters that a terminal obeys instead of showing them.
fn is_obeyed(c: char) -> bool {
    c.is_control() || is_hidden(c)
}

/// Returns `text` for a terminal, line ends and tabs as they are: characters that it would obey, or show in another
/// order, are written as escapes, `\u{1b}`.
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !matches!(c, '\n' | '\t') && is_obeyed(c), |c, out| out.extend(c.escape_default()))
}

/// Returns JSON for a terminal: characters that it would obey, or show in another order, are escaped. They all stand
/// within texts, so that the value is the same.
pub fn for_json(json: &str) -> Cow<'_, str> {
    let units = |c: char, out: &mut String| {
        c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
            // Writing into a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        });
    };
    escaped(json, |c| !c.is_ascii_whitespace() && is_obeyed(c), units)
}

fn escaped(text: &str, is_wrong: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(&is_wrong) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_wrong(c) { escape(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Returns the part of a file's text that a message quotes, on one line, with `…` where it is cut.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    let (text, more) = match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => (&text[..end], "…"),
        None => (text, ""),
    };
    let line = escaped(text, is_obeyed, |c, out| out.extend(c.escape_default()));
    if more.is_empty() { line } else { Cow::Owned(line.into_owned() + more) }
}

/// Combining marks kept on one letter: more than any script stacks.
const MARKS: usize = 8;

/// Shortens `text` to at most `most` characters, with few marks on each letter; `…` where something was left out.
pub fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
    let mut marks = 0;
    let is_kept = |c: &char| {
        let is_mark = c.width() == Some(0) && !is_obeyed(*c);
        marks = if is_mark { marks + 1 } else { 0 };
        marks <= MARKS
    };
    let mut out: String = text[..end].chars().filter(is_kept).collect();
    if out.len() == text.len() {
        return Cow::Borrowed(text);
    }
    out.push('…');
    Cow::Owned(out)
}

/// Writer that passes JSON on as [`for_json`] makes it.
pub struct JsonOut<W> {
    inner: W,
    /// First bytes of a character that is not whole yet.
    begun: Vec<u8>,
}

impl<W: Write> JsonOut<W> {
    /// Creates a writer that passes JSON on to `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, begun: Vec::new() }
    }
}

impl<W: Write> Write for JsonOut<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let (valid, rest) = match std::str::from_utf8(&self.begun) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_some() => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) => {
                let (valid, rest) = self.begun.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), rest)
            }
        };
        let rest = rest.to_vec();
        self.inner.write_all(for_json(valid).as_bytes())?;
        self.begun = rest;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_character() -> impl Iterator<Item = char> {
        (0..=u32::from(char::MAX)).filter_map(char::from_u32)
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(for_terminal("a\x1b[2J\u{9b}31m\r\u{202e}b\u{7}\nc"), "a\\u{1b}[2J\\u{9b}31m\\r\\u{202e}b\\u{7}\nc");
        assert_eq!(for_terminal("né 東京 e\u{301}"), "né 東京 e\u{301}");
        for c in every_character() {
            let text = c.to_string();
            let shown = for_terminal(&text).into_owned() + &excerpt(&text);
            assert!(shown.chars().all(|c| matches!(c, '\n' | '\t') || !is_obeyed(c)), "{shown:?}");
        }
    }

    #[test]
    fn json_keeps_its_value() {
        for c in every_character() {
            let plain = serde_json::to_string(&[format!("a{c}b")]).unwrap();
            let shown = for_json(&plain);
            assert!(!shown.chars().any(is_obeyed), "{shown:?}");
            let [back]: [String; 1] = serde_json::from_str(&shown).unwrap();
            assert_eq!(back, format!("a{c}b"));
        }
    }

    #[test]
    fn a_long_text_is_cut_and_marks_are_not_piled_up() {
        assert_eq!(shorten("née e\u{301}", 10), "née e\u{301}");
        assert_eq!(shorten(&"ab".repeat(1 << 20), 3), "aba…");
        let piled = format!("a{}b", "\u{301}".repeat(100_000));
        assert_eq!(shorten(&piled, 1 << 20), format!("a{}b…", "\u{301}".repeat(MARKS)));
        assert!(shorten(&piled, 100).chars().count() <= 101);
    }

    #[test]
    fn a_quote_is_short_and_one_line() {
        assert_eq!(excerpt("plain"), "plain");
        assert_eq!(excerpt("a\nb\u{9b}"), "a\\nb\\u{9b}");
        assert_eq!(excerpt(&"é".repeat(EXCERPT)).chars().count(), EXCERPT);
        assert_eq!(excerpt(&"é".repeat(100_000)), "é".repeat(EXCERPT) + "…");
        // Each character becomes at most ten: \u{10ffff}.
        assert!(excerpt(&"\x1b".repeat(100_000)).chars().count() <= EXCERPT * 10 + 1);
    }

    proptest! {
        #[test]
        fn json_may_come_in_pieces_cut_anywhere(text: String, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let json = serde_json::to_string_pretty(&[&text]).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(json.len() + 1)).collect();
            cuts.extend([0, json.len()]);
            cuts.sort_unstable();
            let mut out = JsonOut::new(Vec::new());
            for ends in cuts.windows(2) {
                out.write_all(&json.as_bytes()[ends[0]..ends[1]]).unwrap();
            }
            prop_assert_eq!(String::from_utf8(out.inner).unwrap(), for_json(&json));
        }
    }
}
