//! The filter language, in which the user says which nodes and edges to show.
//!
//! ```text
//! layer:10..20 type:feature (label~texas or promotes~Austin) not sign:-
//! ```
//!
//! A query is read by [`Query::parse`] and applied by [`Query::matches`]. Its logic has three values: a term that needs
//! unknown facts neither matches nor fails to, and is reported. [`grammar`] is the text that help and documentation
//! print; it is made from the table of [`FIELDS`] that the parser reads and completion offers.

mod ast;
mod block;
mod complete;
mod eval;
mod fields;
mod lexer;
mod number;
mod parser;
mod plan;
#[cfg(test)]
mod tests;

pub use ast::{Compare, Expr, Kind, Range, Sign, State, Term, TextTest};
pub use complete::{Completion, complete};
pub use eval::{Features, Lacking, Matches, NothingKnown, Subject};
pub use fields::{FIELDS, Field, NumberField, Takes, TextField, grammar};
pub use parser::{Query, QueryError};
