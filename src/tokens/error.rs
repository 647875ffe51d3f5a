//! Errors of tokenizers and of their input.

use crate::graph::Token;
use crate::hub::FileSourceError;
use crate::untrusted::excerpt;
use thiserror::Error;

/// Error of a prompt or a tokenizer.
#[derive(Debug, Error)]
pub enum TokenError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// A file is damaged.
    #[error("{path}: {what}")]
    Damaged {
        /// Path of the file.
        path: String,
        /// Message of the reader.
        what: String,
    },
    /// The prompt is empty.
    #[error("the prompt is empty; type at least one word")]
    Empty,
    /// The prompt has more tokens than the model reads.
    #[error("the prompt has {tokens} tokens, the model reads at most {limit}; shorten it")]
    TooLong {
        /// Number of tokens, leading special token included.
        tokens: usize,
        /// Context length of the model.
        limit: usize,
    },
    /// The prompt has more bytes than are read.
    #[error("the prompt has {bytes} bytes, and at most {most} are read; shorten it")]
    TooMuch {
        /// Number of bytes.
        bytes: usize,
        /// Most bytes.
        most: usize,
    },
    /// An id is past the vocabulary.
    #[error("there is no token {id}: the vocabulary ends at {last}")]
    NoSuchToken {
        /// Id.
        id: u32,
        /// Last id of the vocabulary.
        last: usize,
    },
    /// The tokenizer failed on a text.
    #[error("the tokenizer cannot read {text:?}: {what}")]
    Unreadable {
        /// Text.
        text: String,
        /// Message of the tokenizer.
        what: String,
    },
    /// The model has no chat template.
    #[error(
        "the model has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json); leave --chat out"
    )]
    NoChat,
    /// The chat template failed on a message.
    #[error("the chat template of {path} cannot be applied: {what}")]
    Chat {
        /// File that holds the template.
        path: String,
        /// Message of the template.
        what: String,
    },
    /// A target is more than one token.
    #[error(
        "target {:?} is {} tokens ({}), and a target is one; write it as the model would, or id:N",
        excerpt(text), pieces.len(), show(pieces)
    )]
    NotOneToken {
        /// Text of the target.
        text: String,
        /// Tokens of the text.
        pieces: Vec<Token>,
    },
    /// A target is not understood, or its id is past the vocabulary.
    #[error("target {text:?} is not understood: {what}")]
    Target {
        /// Text of the target.
        text: String,
        /// Fault of the target.
        what: String,
    },
}

/// Formats the first few tokens, and the number of the others.
fn show(pieces: &[Token]) -> String {
    const SHOWN: usize = 8;
    let show = |piece: &Token| format!("{:?} = id:{}", excerpt(&piece.text), piece.id);
    let shown = pieces.iter().take(SHOWN).map(show).collect::<Vec<_>>().join(", ");
    match pieces.len() {
        0 => "nothing".to_owned(),
        n if n > SHOWN => format!("{shown} and {} more", n - SHOWN),
        _ => shown,
    }
}
