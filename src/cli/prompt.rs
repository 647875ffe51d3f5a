//! Which prompt a command works on, and `circuitscope tokens`: how it is read.

use crate::attribution::Engine;
use crate::cli::engine::EngineArgs;
use crate::graph::Token;
use anyhow::{Context, Result, bail};
use std::io::{self, Write};

/// A prompt, as text or as token ids.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct PromptArgs {
    /// The prompt
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, required_unless_present = "tokens")]
    prompt: Option<String>,
    /// The prompt as token ids, taken as they are: nothing is put in front
    #[arg(long, value_name = "ID,ID,...", value_delimiter = ',', conflicts_with = "prompt")]
    tokens: Vec<u32>,
    /// Cuts the prompt after this position, counted from 0 with the leading special token
    #[arg(long, value_name = "N")]
    target_position: Option<usize>,
}

impl PromptArgs {
    /// The tokens, and on stderr what may not be as it was meant.
    ///
    /// # Errors
    /// They cannot be read, or there is no such position.
    pub fn read(&self, engine: &Engine) -> Result<Vec<Token>> {
        let mut tokens = match &self.prompt {
            None => engine.tokens(&self.tokens)?,
            Some(prompt) => {
                if !engine.tokenizer.has_lead() {
                    eprintln!("the tokenizer has no special token: nothing is put in front of the prompt");
                }
                for word in engine.tokenizer.unknown_words(prompt)? {
                    let nearest = word.nearest.join(", ");
                    eprintln!("the tokenizer does not know {:?}; the nearest it knows: {nearest}", word.word);
                }
                engine.read(prompt)?
            }
        };
        if let Some(position) = self.target_position {
            if position >= tokens.len() {
                bail!("--target-position {position}: the prompt's last position is {}", tokens.len() - 1);
            }
            tokens.truncate(position + 1);
        }
        Ok(tokens)
    }

    /// The prompt as it was typed, or what its tokens say.
    pub fn text(&self, tokens: &[Token]) -> String {
        match &self.prompt {
            Some(prompt) if self.target_position.is_none() => prompt.clone(),
            _ => tokens.iter().map(|token| token.text.as_str()).collect(),
        }
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

/// Loads and shows.
///
/// # Errors
/// The model cannot be loaded or the prompt cannot be read.
pub fn run(args: &TokensArgs) -> Result<()> {
    let tokens = args.prompt.read(&args.engine.open()?)?;
    let mut out = io::stdout().lock();
    let written = if args.json {
        writeln!(out, "{:#}", serde_json::json!({ "tokens": tokens }))
    } else {
        tokens.iter().enumerate().try_for_each(|(position, token)| {
            // Debug form: control characters of a token never reach the terminal.
            writeln!(out, "{position:>4} {:>8} {:?}", token.id, token.text)
        })
    };
    written.context("the tokens cannot be written on stdout")
}
