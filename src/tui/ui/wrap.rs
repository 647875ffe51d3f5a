//! Lines broken between words.

use crate::text;

/// Breaks a text into lines of at most `room` cells, between words where that is possible.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
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

/// Breaks a word into pieces of at most `room` cells.
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
