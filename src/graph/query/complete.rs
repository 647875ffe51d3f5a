//! Completion of a query while it is typed.

use crate::graph::query::ast::{KINDS, SIGNS, STATES, Words, stands_alone};
use crate::graph::query::fields::{self, FIELDS, Field, Takes, TextField};
use crate::graph::query::lexer::{self, Kind as Lexeme, Token};
use std::ops::Range;

/// A completion at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Bytes that it replaces.
    pub span: Range<usize>,
    /// Text that it inserts; empty for a mere hint.
    pub insert: String,
    /// Description of the completion.
    pub doc: String,
}

/// Returns the completions at byte `cursor` of `text`, by the text in front of it. `known` gives the texts that a field
/// has in the graph, such as its labels.
pub fn complete(text: &str, cursor: usize, known: &dyn Fn(TextField) -> Vec<String>) -> Vec<Completion> {
    let cursor = (0..=cursor.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let before = &text[..cursor];
    // A quote that is still open is closed here to see what it is in.
    let tokens = lexer::tokens(before).or_else(|_| lexer::tokens(&format!("{before}\"")));
    let Ok(mut tokens) = tokens else { return Vec::new() };
    let typed = match tokens.last() {
        Some(Token { kind: Lexeme::Word(word) | Lexeme::Quoted(word), span }) if span.end >= cursor => {
            let typed = (word.clone(), span.start..cursor);
            tokens.pop();
            typed
        }
        _ => (String::new(), cursor..cursor),
    };
    let at = CursorContext { typed: &typed.0, span: typed.1 };
    match field_before(&tokens) {
        Some(field) => at.values(field, known),
        None => at.terms(&tokens),
    }
}

/// Returns the field whose value stands at the end of `tokens`, after an operator and maybe a list.
fn field_before(tokens: &[Token]) -> Option<&'static Field> {
    let mut rest = tokens;
    while let [front @ .., Token { kind: Lexeme::Word(_), .. }, Token { kind: Lexeme::Comma, .. }] = rest {
        rest = front;
    }
    match rest {
        [.., Token { kind: Lexeme::Word(name), .. }, Token { kind: Lexeme::Operator(_), .. }] => fields::find(name),
        _ => None,
    }
}

struct CursorContext<'a> {
    typed: &'a str,
    span: Range<usize>,
}

impl CursorContext<'_> {
    fn offer(&self, insert: impl Into<String>, doc: impl Into<String>) -> Completion {
        Completion { span: self.span.clone(), insert: insert.into(), doc: doc.into() }
    }

    fn starts(&self, name: &str) -> bool {
        name.to_lowercase().starts_with(&self.typed.to_lowercase())
    }

    /// Returns the completions that start a term, or go on after one.
    fn terms(&self, tokens: &[Token]) -> Vec<Completion> {
        let fields = FIELDS.iter().filter(|field| self.starts(field.name));
        let mut offers: Vec<_> = fields.map(|field| self.offer(lead(field), field.doc)).collect();
        let alone: Vec<_> = KINDS.iter().filter(|(kind, ..)| stands_alone(*kind)).copied().collect();
        offers.extend(self.words(&alone));
        let open = tokens.iter().fold(0usize, |open, token| match token.kind {
            Lexeme::Open => open + 1,
            Lexeme::Close => open.saturating_sub(1),
            _ => open,
        });
        let is_join = |word: &str| word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or");
        let follows_term = match tokens.last().map(|token| &token.kind) {
            None | Some(Lexeme::Open | Lexeme::Operator(_) | Lexeme::Comma) => false,
            Some(Lexeme::Word(word)) => !is_join(word) && !word.eq_ignore_ascii_case("not"),
            Some(Lexeme::Close | Lexeme::Quoted(_)) => true,
        };
        let words =
            [("not ", "the opposite of what follows", true), ("or ", "one of the two sides holds", follows_term)];
        let words = words.iter().filter(|(word, _, fits)| *fits && self.starts(word));
        offers.extend(words.map(|(word, doc, _)| self.offer(*word, *doc)));
        if self.typed.is_empty() {
            offers.push(self.offer("(", "a bracket"));
            offers.extend((open > 0 && follows_term).then(|| self.offer(")", "the bracket's end")));
        }
        offers
    }

    fn values(&self, field: &Field, known: &dyn Fn(TextField) -> Vec<String>) -> Vec<Completion> {
        match field.takes {
            Takes::Number(_) => {
                let doc = format!("a number; after : also a range or a list, as in `{}`", field.example);
                if self.typed.is_empty() { vec![self.offer("", doc)] } else { Vec::new() }
            }
            Takes::Text(text) => {
                let mut texts: Vec<String> = known(text).iter().map(|text| text.trim().to_owned()).collect();
                texts.sort();
                texts.dedup();
                let typed = self.typed.to_lowercase();
                texts.retain(|text| !text.is_empty() && text.to_lowercase().contains(&typed));
                texts.into_iter().map(|text| self.offer(lexer::quote(&text), field.doc)).collect()
            }
            Takes::Kinds => self.words(KINDS),
            Takes::Sign => self.words(SIGNS),
            Takes::State => self.words(STATES),
            Takes::From | Takes::To => {
                let mut offers = self.words(STATES);
                offers.extend(self.terms(&[]));
                offers
            }
        }
    }

    fn words<T>(&self, words: &Words<T>) -> Vec<Completion> {
        words.iter().filter(|(_, name, _)| self.starts(name)).map(|(_, name, doc)| self.offer(*name, *doc)).collect()
    }
}

/// Returns the name of a field with the operator of its example.
fn lead(field: &Field) -> &'static str {
    let rest = &field.example[field.name.len()..];
    let operator = if rest.starts_with("<=") || rest.starts_with(">=") { 2 } else { 1 };
    &field.example[..field.name.len() + operator]
}
