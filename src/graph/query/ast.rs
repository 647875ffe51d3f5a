//! Syntax tree of a query, and its written form.

use crate::graph::query::fields::{self, FIELDS, NumberField, Takes, TextField};
use crate::graph::query::lexer;
use std::fmt;

/// A query or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Conjunction of at least two parts.
    And(Vec<Expr>),
    /// Disjunction of at least two parts.
    Or(Vec<Expr>),
    /// Negation.
    Not(Box<Expr>),
    /// A single term.
    Term(Term),
}

/// A single term.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Text that is part of the label, the token or the id.
    Anywhere(String),
    /// Number that is less or more than another.
    Compare(NumberField, Compare, f64),
    /// Number in one of the ranges; at least one.
    Within(NumberField, Vec<Range>),
    /// Text that is, or holds, another.
    Text(TextField, TextTest, String),
    /// Node of one of the kinds; at least one.
    Kind(Vec<Kind>),
    /// Edge of this sign.
    Sign(Sign),
    /// Node in this state.
    State(State),
    /// Condition on the edge's source.
    From(Box<Expr>),
    /// Condition on the edge's target.
    To(Box<Expr>),
}

/// Comparison of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// Range from one number to another, both included, without a bound where an end is left out. Both ends are the same
/// for a single number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Least number.
    pub from: Option<f64>,
    /// Largest number.
    pub to: Option<f64>,
}

/// Comparison of two texts; case does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// `:`
    Is,
    /// `~`
    Contains,
}

/// A kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A feature.
    Feature,
    /// An error node.
    Error,
    /// A token's embedding.
    Token,
    /// A logit node.
    Logit,
    /// Any kind that only other programs' files hold.
    Other,
    /// A feature of a sparse attention layer.
    Attention,
    /// An error node of a sparse attention layer.
    AttentionError,
    /// A bias node.
    Bias,
    /// Any other of the kinds that only other programs' files hold.
    Unknown,
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Above zero.
    Positive,
    /// Below zero.
    Negative,
}

/// State of a node in the user's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The selected node.
    Selected,
    /// A pinned node.
    Pinned,
    /// A node in a supernode.
    Grouped,
    /// A labelled node.
    Labelled,
}

/// Words of a closed list, each with its written form and its meaning.
pub(super) type Words<T> = [(T, &'static str, &'static str)];

pub(super) const KINDS: &Words<Kind> = &[
    (Kind::Feature, "feature", "a transcoder feature"),
    (Kind::Error, "error", "what the transcoder misses"),
    (Kind::Token, "token", "a token's embedding"),
    (Kind::Token, "E", "the same, in short"),
    (Kind::Logit, "logit", "an output"),
    (Kind::Other, "other", "a kind that only other programs have, any of the following"),
    (Kind::Attention, "lorsa", "a feature of a sparse attention layer"),
    (Kind::AttentionError, "lorsa-error", "what such a layer misses"),
    (Kind::Bias, "bias", "what a bias adds"),
    (Kind::Unknown, "unknown", "any other of them"),
];

/// Returns true where a kind's name alone means the kind: the others may be texts to look for.
pub(super) fn stands_alone(kind: Kind) -> bool {
    !matches!(kind, Kind::Bias | Kind::Unknown)
}

pub(super) const SIGNS: &Words<Sign> = &[(Sign::Positive, "+", "excites"), (Sign::Negative, "-", "inhibits")];

pub(super) const STATES: &Words<State> = &[
    (State::Selected, "selected", "the node that the walk stands on"),
    (State::Pinned, "pinned", "what you pinned"),
    (State::Grouped, "grouped", "what is in a supernode"),
    (State::Labelled, "labelled", "what has a label"),
];

pub(super) const COMPARES: [(Compare, &str); 4] =
    [(Compare::AtMost, "<="), (Compare::AtLeast, ">="), (Compare::Less, "<"), (Compare::More, ">")];

/// Words that are texts only in quotes.
pub(super) const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// Returns the name of the field that takes this. Every field stands in the table.
fn name(takes: Takes) -> &'static str {
    FIELDS.iter().find(|field| field.takes == takes).map_or("", |field| field.name)
}

fn word<T: PartialEq>(words: &Words<T>, value: &T) -> &'static str {
    words.iter().find(|(word, ..)| word == value).map_or("", |(_, name, _)| name)
}

/// Returns a text in its written form, in quotes where it could be read as something else.
fn text(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || c == '_') && !text.is_empty();
    let mut words = KEYWORDS.iter().chain(KINDS.iter().map(|(_, name, _)| name));
    let is_word = words.any(|word| word.eq_ignore_ascii_case(text)) || fields::find(text).is_some();
    if is_plain && !is_word { text.to_owned() } else { lexer::quote(text) }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], by: &str, bracket: fn(&Self) -> bool| {
            for (at, part) in parts.iter().enumerate() {
                let lead = if at > 0 { by } else { "" };
                if bracket(part) { write!(f, "{lead}({part})")? } else { write!(f, "{lead}{part}")? }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => joined(f, parts, " ", |part| matches!(part, Self::And(_) | Self::Or(_))),
            Self::Or(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::Not(part) if matches!(**part, Self::And(_) | Self::Or(_)) => write!(f, "not ({part})"),
            Self::Not(part) => write!(f, "not {part}"),
            Self::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere(part) => f.write_str(&text(part)),
            Self::Compare(field, compare, value) => {
                let sign = COMPARES.iter().find(|(known, _)| known == compare).map_or("", |(_, sign)| sign);
                write!(f, "{}{sign}{value}", name(Takes::Number(*field)))
            }
            Self::Within(field, ranges) => {
                let ranges: Vec<String> = ranges.iter().map(Range::to_string).collect();
                write!(f, "{}:{}", name(Takes::Number(*field)), ranges.join(","))
            }
            Self::Text(field, test, value) => {
                let sign = if *test == TextTest::Is { ":" } else { "~" };
                write!(f, "{}{sign}{}", name(Takes::Text(*field)), text(value))
            }
            Self::Kind(kinds) => {
                let kinds: Vec<&str> = kinds.iter().map(|kind| word(KINDS, kind)).collect();
                write!(f, "{}:{}", name(Takes::Kinds), kinds.join(","))
            }
            Self::Sign(sign) => write!(f, "{}:{}", name(Takes::Sign), word(SIGNS, sign)),
            Self::State(state) => write!(f, "{}:{}", name(Takes::State), word(STATES, state)),
            Self::From(part) => end(f, name(Takes::From), part),
            Self::To(part) => end(f, name(Takes::To), part),
        }
    }
}

/// Writes `from:` or `to:` and its condition. A text on its own could be read as a kind or an id there.
fn end(f: &mut fmt::Formatter<'_>, name: &str, part: &Expr) -> fmt::Result {
    match part {
        Expr::Term(Term::Anywhere(_)) | Expr::And(_) | Expr::Or(_) | Expr::Not(_) => write!(f, "{name}:({part})"),
        Expr::Term(term) => write!(f, "{name}:{term}"),
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from == to => write!(f, "{from}"),
            (from, to) => {
                let end = |end: Option<f64>| end.map_or(String::new(), |end| end.to_string());
                write!(f, "{}..{}", end(from), end(to))
            }
        }
    }
}
