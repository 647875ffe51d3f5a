//! The tokenizer, how a prompt is read, and how a message becomes one.

mod chat;
mod clock;
mod error;
mod tokenizer;

pub use chat::ChatTemplate;
pub use error::TokenError;
pub use tokenizer::{Tokenizer, UnknownWord};
