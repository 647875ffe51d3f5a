//! The command line: one file a subcommand.

mod engine;
mod export;
mod intervene;
mod progress;
mod trace;

use clap::{Parser, Subcommand};

/// Trace the circuit behind a language model's answer and walk it, in the terminal.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Trace(trace::TraceArgs),
    Export(export::ExportArgs),
    Intervene(intervene::InterveneArgs),
}

/// Does what the command line asks for.
///
/// # Errors
/// What went wrong, in a sentence.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        Command::Trace(args) => trace::run(args),
        Command::Export(args) => export::run(args),
        Command::Intervene(args) => intervene::run(args),
    }
}
