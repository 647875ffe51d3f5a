//! Parser of queries.

use crate::graph::query::ast::{
    COMPARES, Expr, KEYWORDS, KINDS, Range, SIGNS, STATES, Term, TextTest, Words, stands_alone,
};
use crate::graph::query::fields::{self, FIELDS, Field, NumberField, Takes, TextField};
use crate::graph::query::lexer::{self, Kind as Lexeme, Token};
use std::fmt;

/// Deepest nesting of brackets and nots: more is no filter but an accident.
const DEEPEST: usize = 64;

/// Error of a text that is no query, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Wrong bytes of the text; empty where something is missing.
    pub span: std::ops::Range<usize>,
    /// Description of the error, and the remedy.
    pub message: String,
}

impl QueryError {
    pub(super) fn new(span: std::ops::Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    expr: Expr,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// Fails with [`QueryError`] at the place of the first thing that does not belong.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let tokens = lexer::tokens(text)?;
        let mut parser = Parser { tokens: &tokens, end: text.len(), at: 0, depth: 0 };
        let expr = parser.any_of()?;
        match parser.tokens.get(parser.at) {
            None => Ok(Self { expr }),
            Some(token) if token.kind == Lexeme::Close => {
                Err(QueryError::new(token.span.clone(), "there is no bracket that this one closes"))
            }
            Some(token) => Err(unexpected(token)),
        }
    }

    /// Returns its syntax tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }
}

impl From<Expr> for Query {
    fn from(expr: Expr) -> Self {
        Self { expr }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    /// Length of the text.
    end: usize,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn operator_follows(&self, at: usize) -> bool {
        matches!(self.tokens.get(at).map(|token| &token.kind), Some(Lexeme::Operator(_)))
    }

    /// Takes the next token and returns true if it is this keyword.
    fn takes_word(&mut self, word: &str) -> bool {
        let is_word = self.peek().is_some_and(|token| is_keyword(token, word)) && !self.operator_follows(self.at + 1);
        self.at += usize::from(is_word);
        is_word
    }

    /// Returns an error at the next token, or at the end of the text.
    fn expected(&self, what: impl fmt::Display) -> QueryError {
        let span = self.peek().map_or(self.end..self.end, |token| token.span.clone());
        QueryError::new(span, format!("expected {what}"))
    }

    fn any_of(&mut self) -> Result<Expr, QueryError> {
        let first = self.all_of()?;
        let mut parts = vec![first];
        while self.takes_word("or") {
            parts.push(self.all_of()?);
        }
        Ok(joined(parts, Expr::Or))
    }

    fn all_of(&mut self) -> Result<Expr, QueryError> {
        let first = self.negated()?;
        let mut parts = vec![first];
        while self.takes_word("and") || self.term_follows() {
            parts.push(self.negated()?);
        }
        Ok(joined(parts, Expr::And))
    }

    fn term_follows(&self) -> bool {
        self.peek().is_some_and(|token| match token.kind {
            Lexeme::Open | Lexeme::Quoted(_) => true,
            Lexeme::Word(_) => !is_keyword(token, "or"),
            Lexeme::Close | Lexeme::Comma | Lexeme::Operator(_) => false,
        })
    }

    fn negated(&mut self) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let message = format!("there are more than {DEEPEST} brackets in each other; write it flatter");
            return Err(QueryError { message, ..self.expected("") });
        }
        let part = if self.takes_word("not") { Expr::Not(Box::new(self.negated()?)) } else { self.single()? };
        self.depth -= 1;
        Ok(part)
    }

    fn single(&mut self) -> Result<Expr, QueryError> {
        let Some(token) = self.peek() else {
            return Err(self.expected("a term, such as `layer:10..20`"));
        };
        match &token.kind {
            Lexeme::Open => {
                self.at += 1;
                let inside = self.any_of()?;
                match self.peek() {
                    Some(Token { kind: Lexeme::Close, .. }) => self.at += 1,
                    Some(other) => return Err(unexpected(other)),
                    None => return Err(QueryError::new(token.span.clone(), "this bracket is not closed")),
                }
                Ok(inside)
            }
            Lexeme::Quoted(text) => {
                self.at += 1;
                Ok(Expr::Term(Term::Anywhere(text.clone())))
            }
            Lexeme::Word(word) => {
                if self.operator_follows(self.at + 1) {
                    return self.term(word, token).map(Expr::Term);
                }
                if KEYWORDS.iter().any(|keyword| is_keyword(token, keyword)) {
                    return Err(self.expected(format!("a term before `{word}`; as a text it stands in quotes")));
                }
                let is_named = |name: &str| name.eq_ignore_ascii_case(word);
                if let Some((kind, ..)) = KINDS.iter().find(|(kind, name, _)| stands_alone(*kind) && is_named(name)) {
                    self.at += 1;
                    return Ok(Expr::Term(Term::Kind(vec![*kind])));
                }
                if let Some(field) = fields::find(word) {
                    let after = token.span.end..token.span.end;
                    let operators = operators(field.takes);
                    return Err(QueryError::new(
                        after,
                        format!("expected {operators} after `{}`, as in `{}`", field.name, field.example),
                    ));
                }
                self.at += 1;
                Ok(Expr::Term(Term::Anywhere(word.clone())))
            }
            _ => Err(unexpected(token)),
        }
    }

    /// Reads a field, an operator and a value.
    fn term(&mut self, word: &str, token: &Token) -> Result<Term, QueryError> {
        let field = fields::find(word).ok_or_else(|| unknown_field(word, token))?;
        let Some(Token { kind: Lexeme::Operator(operator), span }) = self.tokens.get(self.at + 1) else {
            return Err(self.expected("a term"));
        };
        self.at += 2;
        let is = matches!(*operator, ":" | "=");
        let compare = COMPARES.iter().find(|(_, sign)| sign == operator);
        let lead = format!("`{}{operator}`", field.name);
        match field.takes {
            Takes::Number(number) => match compare {
                Some((compare, _)) => Ok(Term::Compare(number, *compare, self.number(number, &lead)?)),
                None if is => Ok(Term::Within(number, self.list(|parser| parser.range(number, &lead))?)),
                None => Err(wrong_operator(field, span)),
            },
            Takes::Text(text) if is => Ok(Term::Text(text, TextTest::Is, self.text(text, &lead)?)),
            Takes::Text(text) if *operator == "~" => Ok(Term::Text(text, TextTest::Contains, self.text(text, &lead)?)),
            Takes::Kinds if is => Ok(Term::Kind(self.list(|parser| parser.word(KINDS, &lead))?)),
            Takes::Sign if is => Ok(Term::Sign(self.word(SIGNS, &lead)?)),
            Takes::State if is => Ok(Term::State(self.word(STATES, &lead)?)),
            Takes::From if is => Ok(Term::From(Box::new(self.end(&lead)?))),
            Takes::To if is => Ok(Term::To(Box::new(self.end(&lead)?))),
            _ => Err(wrong_operator(field, span)),
        }
    }

    /// Reads the condition after `from:` or `to:`.
    fn end(&mut self, lead: &str) -> Result<Expr, QueryError> {
        let Some(Token { kind: Lexeme::Word(word), .. }) = self.peek() else {
            return match self.peek().map(|token| &token.kind) {
                Some(Lexeme::Open | Lexeme::Quoted(_)) => self.negated(),
                _ => Err(self.expected(format!("a kind of node, an id, a term or a bracket after {lead}"))),
            };
        };
        if self.operator_follows(self.at + 1) || is_keyword(&self.tokens[self.at], "not") {
            return self.negated();
        }
        let listed = |name: &str| name.eq_ignore_ascii_case(word);
        if KINDS.iter().any(|(kind, name, _)| stands_alone(*kind) && listed(name)) {
            return Ok(Expr::Term(Term::Kind(self.list(|parser| parser.word(KINDS, lead))?)));
        }
        if STATES.iter().any(|(_, name, _)| listed(name)) {
            return Ok(Expr::Term(Term::State(self.word(STATES, lead)?)));
        }
        if is_node_name(word) {
            self.at += 1;
            return Ok(Expr::Term(Term::Text(TextField::Name, TextTest::Is, word.clone())));
        }
        self.negated()
    }

    /// Reads values with commas between them.
    fn list<T>(&mut self, value: impl Fn(&mut Self) -> Result<T, QueryError>) -> Result<Vec<T>, QueryError> {
        let mut values = vec![value(self)?];
        while matches!(self.peek(), Some(Token { kind: Lexeme::Comma, .. })) {
            self.at += 1;
            values.push(value(self)?);
        }
        Ok(values)
    }

    fn number(&mut self, field: NumberField, lead: &str) -> Result<f64, QueryError> {
        let wanted = || self.expected(format!("a number after {lead}"));
        let Some(Token { kind: Lexeme::Word(word), span }) = self.peek() else { return Err(wanted()) };
        let number = number(word).ok_or_else(wanted)?;
        check(field, number, span)?;
        self.at += 1;
        Ok(number)
    }

    fn range(&mut self, field: NumberField, lead: &str) -> Result<Range, QueryError> {
        let wanted = || self.expected(format!("a number or a range such as `10..20` after {lead}"));
        let Some(Token { kind: Lexeme::Word(word), span }) = self.peek() else { return Err(wanted()) };
        let end = |text: &str| match text {
            "" => Ok(None),
            text => number(text).ok_or_else(wanted).map(Some),
        };
        let range = match word.split_once("..") {
            Some((from, to)) => Range { from: end(from)?, to: end(to)? },
            None => Range { from: end(word)?, to: end(word)? },
        };
        if range.from.is_none() && range.to.is_none() {
            return Err(wanted());
        }
        for end in [range.from, range.to].into_iter().flatten() {
            check(field, end, span)?;
        }
        // Numbers that are counted from different ends are compared once the ends are known.
        if let (Some(from), Some(to)) = (range.from, range.to)
            && from > to
            && (!counts_from_end(field) || (from < 0.0) == (to < 0.0))
        {
            let message = format!("nothing lies in {from}..{to}; the smaller number comes first");
            return Err(QueryError::new(span.clone(), message));
        }
        self.at += 1;
        Ok(range)
    }

    fn text(&mut self, field: TextField, lead: &str) -> Result<String, QueryError> {
        let example = if field == TextField::Name { "an id" } else { "a text" };
        let text = match self.peek() {
            Some(Token { kind: Lexeme::Quoted(text), .. }) => text,
            Some(token @ Token { kind: Lexeme::Word(text), .. })
                if !KEYWORDS.iter().any(|word| is_keyword(token, word)) =>
            {
                text
            }
            _ => {
                return Err(
                    self.expected(format!("{example} after {lead}; what could be read otherwise stands in quotes"))
                );
            }
        };
        self.at += 1;
        Ok(text.clone())
    }

    fn word<T: Copy>(&mut self, words: &Words<T>, lead: &str) -> Result<T, QueryError> {
        let found = match self.peek() {
            Some(Token { kind: Lexeme::Word(word), .. }) => {
                words.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(word))
            }
            _ => None,
        };
        let Some((value, ..)) = found else {
            let names: Vec<&str> = words.iter().map(|(_, name, _)| *name).collect();
            return Err(self.expected(format!("one of {} after {lead}", names.join(", "))));
        };
        self.at += 1;
        Ok(*value)
    }
}

fn joined(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(part) if parts.is_empty() => part,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

fn is_keyword(token: &Token, keyword: &str) -> bool {
    matches!(&token.kind, Lexeme::Word(word) if word.eq_ignore_ascii_case(keyword))
}

/// Returns true where negative numbers of the field count from the end.
pub(super) fn counts_from_end(field: NumberField) -> bool {
    matches!(field, NumberField::Layer | NumberField::Position)
}

/// Checks that a number can be a value of the field at all.
fn check(field: NumberField, number: f64, span: &std::ops::Range<usize>) -> Result<(), QueryError> {
    let is_count = matches!(field, NumberField::Layer | NumberField::Position | NumberField::Feature);
    if is_count && number.fract() != 0.0 {
        return Err(QueryError::new(span.clone(), format!("{number} lies between two; give a whole number")));
    }
    Ok(())
}

/// Reads a number as the user writes it; no words such as `inf`.
fn number(text: &str) -> Option<f64> {
    let is_numeral = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '+' | '-' | 'e' | 'E'));
    text.parse().ok().filter(|number: &f64| is_numeral && number.is_finite())
}

/// Returns true where a word has the form of a node's id in graph JSON.
fn is_node_name(word: &str) -> bool {
    let is_count = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = word.split('_').collect();
    let [layer, index, position] = parts[..] else { return false };
    (layer == "E" || is_count(layer)) && (index == "-1" || is_count(index)) && is_count(position)
}

fn operators(takes: Takes) -> &'static str {
    match takes {
        Takes::Number(_) => "one of : < <= > >=",
        Takes::Text(_) => "~ or :",
        Takes::Kinds | Takes::Sign | Takes::State | Takes::From | Takes::To => ":",
    }
}

fn wrong_operator(field: &Field, span: &std::ops::Range<usize>) -> QueryError {
    let operators = operators(field.takes);
    QueryError::new(span.clone(), format!("`{}` takes {operators}, as in `{}`", field.name, field.example))
}

fn unknown_field(word: &str, token: &Token) -> QueryError {
    let near = FIELDS.iter().map(|field| (strsim::damerau_levenshtein(field.name, word), field.name)).min();
    let advice = match near {
        Some((distance, name)) if distance <= 2 => format!("did you mean `{name}`?"),
        _ => "the help lists them".into(),
    };
    QueryError::new(token.span.clone(), format!("there is no term `{word}`; {advice}"))
}

fn unexpected(token: &Token) -> QueryError {
    let what = match &token.kind {
        Lexeme::Comma => "a comma stands between values, as in `layer:1,3`",
        Lexeme::Operator(_) => "expected a term in front of it; a text with signs in it stands in quotes",
        Lexeme::Close => "expected a term before the bracket closes",
        Lexeme::Open | Lexeme::Word(_) | Lexeme::Quoted(_) => "expected `and`, `or` or the end of the bracket here",
    };
    QueryError::new(token.span.clone(), what)
}
