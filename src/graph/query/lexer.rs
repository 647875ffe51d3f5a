//! Lexer of queries.

use crate::graph::query::QueryError;
use std::ops::Range;

/// Kind of a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Open,
    Close,
    Comma,
    /// `:`, `=`, `~`, `<`, `<=`, `>` or `>=`.
    Operator(&'static str),
    /// A run of other characters.
    Word(String),
    /// Text in quotes, without them.
    Quoted(String),
}

/// A token and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    /// Range in bytes.
    pub span: Range<usize>,
}

/// Operators, the longer ones first.
const OPERATORS: [&str; 7] = ["<=", ">=", "<", ">", "=", ":", "~"];

/// Returns true where a character ends a word.
fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"' | '<' | '>' | '=' | ':' | '~')
}

/// Cuts `text` into tokens.
///
/// # Errors
/// Fails with [`QueryError`] where a quote is not closed.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        let (kind, length) = match (c, operator) {
            ('(', _) => (Kind::Open, 1),
            (')', _) => (Kind::Close, 1),
            (',', _) => (Kind::Comma, 1),
            (_, Some(operator)) => (Kind::Operator(operator), operator.len()),
            ('"', _) => {
                let (quoted, length) = quoted(rest).ok_or_else(|| {
                    QueryError::new(at..text.len(), "the quote is not closed; put a \" at the text's end")
                })?;
                (Kind::Quoted(quoted), length)
            }
            _ => {
                let length = rest.find(ends_word).unwrap_or(rest.len());
                (Kind::Word(rest[..length].to_owned()), length)
            }
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

/// Returns the text in quotes at the start of `rest`, and the bytes that it takes with them. `\"` and `\\` stand for
/// the character behind the backslash.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, at + 1)),
            '\\' => text.push(chars.next()?.1),
            _ => text.push(c),
        }
    }
    None
}

/// Returns a text in quotes, so that it is read as a text.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
