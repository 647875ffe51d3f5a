//! Tokenizer and chat template: prompts to tokens, and messages to prompts.

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
