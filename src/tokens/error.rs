//! What can be wrong with a tokenizer or with what it is to read.

use crate::graph::Token;
use crate::hub::FileSourceError;
use crate::untrusted::excerpt;
use thiserror::Error;

/// A prompt or a tokenizer that cannot be used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// A file is damaged.
    #[error("{path}: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// What the reader says.
        what: String,
    },
    /// Nothing to trace.
    #[error("the prompt is empty; type at least one word")]
    Empty,
    /// The model cannot read that much.
    #[error("the prompt has {tokens} tokens, the model reads at most {limit}; shorten it")]
    TooLong {
        /// Tokens, leading special token included.
        tokens: usize,
        /// The model's context length.
        limit: usize,
    },
    /// Nobody means so much.
    #[error("the prompt has {bytes} bytes, and at most {most} are read; shorten it")]
    TooMuch {
        /// Bytes.
        bytes: usize,
        /// As many are read.
        most: usize,
    },
    /// An id is past the vocabulary.
    #[error("there is no token {id}: the vocabulary ends at {last}")]
    NoSuchToken {
        /// The id.
        id: u32,
        /// The last there is.
        last: usize,
    },
    /// The tokenizer gave up on a text.
    #[error("the tokenizer cannot read {text:?}: {what}")]
    Unreadable {
        /// The text.
        text: String,
        /// What it says.
        what: String,
    },
    /// The model was not trained on chats.
    #[error(
        "the model has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json); leave --chat out"
    )]
    NoChat,
    /// The chat template gave up on a message.
    #[error("the chat template of {path} cannot be applied: {what}")]
    Chat {
        /// The file that holds it.
        path: String,
        /// What it says.
        what: String,
    },
    /// A target is more than one token.
    #[error(
        "target {:?} is {} tokens ({}), and a target is one; write it as the model would, or id:N",
        excerpt(text), pieces.len(), show(pieces)
    )]
    NotOneToken {
        /// The target.
        text: String,
        /// What it was cut into.
        pieces: Vec<Token>,
    },
    /// A target's id is past the vocabulary.
    #[error("target {text:?} is not understood: {what}")]
    Target {
        /// The target.
        text: String,
        /// What is wrong.
        what: String,
    },
}

/// The first few tokens, and how many more there are.
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
