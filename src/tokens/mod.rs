//! The tokenizer, how a prompt is read, and how a message becomes one.

mod chat;
mod chat_fuel;
mod clock;
mod error;
mod gguf;
mod growth;
mod settings;
#[cfg(test)]
mod tests;
mod tokenizer;

pub use chat::ChatTemplate;
pub use error::TokenError;
pub use settings::Settings;
pub use tokenizer::{MOST_TEXT, Tokenizer, UnknownWord};
