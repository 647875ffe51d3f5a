//! Options of a command's prompt, and `circuitscope tokens`, which shows its tokens.

use crate::cli::engine::EngineArgs;
use crate::cli::output::{note, tell};
use crate::graph::Token;
use crate::service::engine::Reads;
use anyhow::{Result, bail};

/// A prompt, as text or as token ids.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
#[group(skip)]
pub struct PromptArgs {
    /// The prompt
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, group = "source")]
    pub prompt: Option<String>,
    /// The prompt as token ids, taken as they are: nothing is put in front
    #[arg(long, value_name = "ID,ID,...", value_delimiter = ',', group = "source", conflicts_with = "chat")]
    pub tokens: Vec<u32>,
    #[command(flatten)]
    pub chat: ChatArgs,
    /// Cuts the prompt after this position, counted from 0 with the leading special token
    #[arg(long, value_name = "N")]
    pub target_position: Option<usize>,
}

/// Whether a prompt is a message.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[group(skip)]
pub struct ChatArgs {
    /// Takes the prompt as a user's message and puts it into the model's chat template
    #[arg(long)]
    pub chat: bool,
}

impl PromptArgs {
    /// Returns the prompt's text, in the chat template if requested, and its tokens; prints warnings about it on
    /// stderr.
    ///
    /// # Errors
    /// Fails where they cannot be read, or there is no such position.
    pub fn read(&self, engine: &impl Reads) -> Result<(String, Vec<Token>)> {
        let (text, mut tokens) = match &self.prompt {
            None => (None, engine.tokens(&self.tokens)?),
            Some(prompt) => {
                for word in engine.tokenizer().unknown_words(prompt)? {
                    let nearest = word.nearest.join(", ");
                    note!("the tokenizer does not know {:?}; the nearest it knows: {nearest}", word.word);
                }
                let text = if self.chat.chat { engine.tokenizer().in_chat(prompt)? } else { prompt.clone() };
                let tokens = engine.read(&text)?;
                (Some(text), tokens)
            }
        };
        if let Some(position) = self.target_position {
            if position >= tokens.len() {
                bail!("--target-position {position}: the prompt's last position is {}", tokens.len() - 1);
            }
            tokens.truncate(position + 1);
        }
        let whole = text.filter(|_| self.target_position.is_none());
        let text = whole.unwrap_or_else(|| tokens.iter().map(|token| token.text.as_str()).collect());
        Ok((text, tokens))
    }
}

/// Shows how a prompt is read: positions, ids, texts.
#[derive(Clone, Debug, clap::Args)]
pub struct TokensArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Print them on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Loads the tokenizer and prints the tokens.
///
/// # Errors
/// Fails where the model cannot be loaded, or the prompt cannot be read.
pub fn run(args: &TokensArgs) -> Result<()> {
    let ((text, tokens), warnings) = match args.engine.open_model()? {
        Some(alone) => (args.prompt.read(&alone)?, alone.warnings),
        None => {
            let engine = args.engine.open()?;
            (args.prompt.read(&engine)?, engine.warnings)
        }
    };
    tell(
        args.json,
        || serde_json::json!({ "prompt": text, "tokens": tokens, "warnings": warnings }),
        || {
            let line = |(position, token): (usize, &Token)| format!("{position:>4} {:>8} {:?}", token.id, token.text);
            tokens.iter().enumerate().map(line).collect()
        },
    )
}
