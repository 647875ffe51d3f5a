//! Tokens of a context as they are shown: those that are no text by themselves are joined.

use crate::features::{Dashboard, Example};
use std::ops::Range;

/// Most tokens that a character of four bytes is spread over, and one more.
const LONGEST: usize = 5;

/// Tokens of a context, one or several, that are shown as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Text.
    pub text: String,
    /// Largest activation among its tokens.
    pub activation: f32,
    /// Range of its tokens.
    pub tokens: Range<usize>,
}

impl Dashboard {
    /// Returns the separator of two tokens in running text: nothing where tokens include their spaces, and a space
    /// where none of them does, as of a tokenizer that splits at spaces.
    pub fn spacer(&self) -> &'static str {
        let has_space = |token: &String| token.starts_with([' ', '\u{2581}', '\u{120}']) || token.ends_with(' ');
        let spaced = self.examples().flat_map(|example| &example.tokens).any(has_space);
        if spaced { "" } else { " " }
    }
}

impl Example {
    /// Returns the context as it is shown: where tokens hold bytes that are no text by themselves, written as `\xNN`,
    /// those that form a text together are one piece. Escapes below 0x80 are text by themselves, as in source code.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.tokens.len());
        let mut start = 0;
        while start < self.tokens.len() {
            let (text, end) = self.joined(start).unwrap_or_else(|| (self.tokens[start].clone(), start + 1));
            let activations = self.activations.get(start..end).unwrap_or_default();
            let activation = activations.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let activation = if activations.is_empty() { 0.0 } else { activation };
            pieces.push(Piece { text, activation, tokens: start..end });
            start = end;
        }
        pieces
    }

    /// Returns the text that begins at a token with such bytes, and the end of its tokens.
    fn joined(&self, start: usize) -> Option<(String, usize)> {
        let mut bytes = Vec::new();
        let has_bytes = unescape(&self.tokens[start], &mut bytes);
        if !has_bytes {
            return None;
        }
        for end in start + 1..=(start + LONGEST).min(self.tokens.len()) {
            if end > start + 1 {
                unescape(&self.tokens[end - 1], &mut bytes);
            }
            if let Ok(text) = std::str::from_utf8(&bytes) {
                return Some((text.to_owned(), end));
            }
        }
        None
    }
}

/// Appends the bytes of a token's text; returns true where any of them was escaped.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> bool {
    let mut rest = text;
    let mut has_bytes = false;
    while let Some(at) = rest.find("\\x") {
        let escaped = rest.get(at + 2..at + 4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|byte| *byte >= 0x80);
        let length = if byte.is_some() { 4 } else { 2 };
        match byte {
            Some(byte) => {
                bytes.extend_from_slice(&rest.as_bytes()[..at]);
                bytes.push(byte);
                has_bytes = true;
            }
            None => bytes.extend_from_slice(&rest.as_bytes()[..at + 2]),
        }
        rest = &rest[at + length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    has_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Quantile;

    fn shown(tokens: &[&str]) -> Vec<(String, f32, Range<usize>)> {
        let example = Example {
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            activations: (0..tokens.len()).map(|at| at as f32).collect(),
            ..Example::default()
        };
        example.pieces().into_iter().map(|piece| (piece.text, piece.activation, piece.tokens)).collect()
    }

    #[test]
    fn bytes_that_make_a_text_together_are_joined() {
        let euro = shown(&["a", " \\xe2", "\\x82", "\\xac!", "b"]);
        assert_eq!(euro, [("a".into(), 0.0, 0..1), (" €!".into(), 3.0, 1..4), ("b".into(), 4.0, 4..5)]);
        assert_eq!(shown(&["\\xe2\\x82\\xac"]), [("€".into(), 0.0, 0..1)]);
    }

    #[test]
    fn tokens_without_spaces_are_words() {
        let spacer = |contexts: &[&[&str]]| {
            let example = |tokens: &&[&str]| Example {
                tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
                ..Example::default()
            };
            let examples = contexts.iter().map(example).collect();
            Dashboard { quantiles: vec![Quantile { name: String::new(), examples }], ..Dashboard::default() }.spacer()
        };
        assert_eq!(spacer(&[&["lies", "in"], &["Texas"]]), " ");
        assert_eq!(spacer(&[&["lies", "in"], &[" Texas"]]), "");
        assert_eq!(spacer(&[&["\u{2581}lies"]]), "");
    }

    #[test]
    fn what_makes_none_stays_as_it_is() {
        let as_it_is = |tokens: &[&str]| {
            let texts: Vec<_> = shown(tokens).into_iter().map(|(text, ..)| text).collect();
            assert_eq!(texts, tokens);
        };
        as_it_is(&["\\x41", "\\x", "\\xzz", "\\xe", "é\\x7f", "\\xé"]);
        as_it_is(&["\\xe2", "a", "b", "c", "d", "\\x82\\x82", "\\xac"]);
        as_it_is(&[]);
    }
}
