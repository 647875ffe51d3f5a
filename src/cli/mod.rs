//! The command line: one file a subcommand.

mod appearance_args;
mod attention;
mod batch;
mod checkpoint;
mod circuit;
mod consent;
mod cost;
mod diff_heads;
mod edit;
mod engine;
mod examples;
mod export;
mod features;
mod fetch;
mod filter;
mod find;
mod generate;
mod graph;
mod graph_args;
mod groups;
mod guide;
mod heads;
mod intervene;
mod intervention_args;
mod keys;
mod lines;
mod manual;
mod models;
mod out;
pub mod output;
mod overlay;
mod pager;
mod paths;
mod plan;
mod progress;
mod prompt;
mod pull;
mod qk_trace;
mod set_args;
mod show;
mod status;
mod submit;
mod trace;
mod train;
mod tui;
mod verify;
mod why;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::path::PathBuf;

/// Similarity above which a word may be a misspelling of another.
const LIKE: f64 = 0.8;

/// Trace the circuit behind a language model's answer and walk it, in the terminal.
#[derive(Debug, Parser)]
///
/// Without a subcommand it opens the full-screen program: on graphs that are named, else on the embedded demo model, or on
/// --model and --transcoder.
#[command(version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Graphs to open: files, or links to graphs on Neuronpedia
    #[arg(value_name = "FILE|LINK", conflicts_with = "prompt")]
    files: Vec<PathBuf>,
    /// Fetch what a link leads to without asking
    #[arg(long, requires = "files")]
    yes: bool,
    /// The prompt to trace
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    #[command(flatten)]
    chat: prompt::ChatArgs,
    #[command(flatten)]
    tui: tui::TuiArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Trace(trace::TraceArgs),
    Open(tui::OpenArgs),
    Tokens(prompt::TokensArgs),
    Export(export::ExportArgs),
    Features(features::FeaturesArgs),
    Fetch(fetch::FetchArgs),
    Intervene(intervene::InterveneArgs),
    Generate(generate::GenerateArgs),
    Show(show::ShowArgs),
    Find(find::FindArgs),
    Paths(paths::PathsArgs),
    Filter(filter::FilterArgs),
    Groups(groups::GroupsArgs),
    Circuit(circuit::CircuitArgs),
    Edit(edit::EditArgs),
    Verify(verify::VerifyArgs),
    Why(why::WhyArgs),
    Diff(overlay::DiffArgs),
    Union(overlay::UnionArgs),
    Heads(heads::HeadsArgs),
    Attention(attention::AttentionArgs),
    Guide(guide::GuideArgs),
    Keys(keys::KeysArgs),
    Manual(manual::ManualArgs),
    Completions(manual::CompletionsArgs),
    Start(tui::StartArgs),
    Tour(tui::TourArgs),
    Models(models::ModelsArgs),
    Pull(pull::PullArgs),
    Status(status::StatusArgs),
    Submit(submit::SubmitArgs),
    Train(train::TrainArgs),
}

impl Cli {
    /// Reads the process's command line, and the number of threads that it sets.
    ///
    /// # Errors
    /// Fails where it is not valid, or asks for help.
    pub fn read() -> Result<(Self, Option<u16>), clap::Error> {
        let mut matches = command().try_get_matches()?;
        let threads = threads(&matches);
        let cli = Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command()))?;
        Ok((cli, threads))
    }
}

/// Returns the command line: its options and subcommands, each with an example at the end of its help.
pub fn command() -> clap::Command {
    examples::add(Cli::command(), "")
}

/// Returns `--threads` of whichever subcommand was given.
fn threads(matches: &ArgMatches) -> Option<u16> {
    let own = matches.try_get_one("threads").ok().flatten().copied();
    own.or_else(|| threads(matches.subcommand()?.1))
}

/// Runs the command line.
///
/// # Errors
/// Returns the error of the command, in a sentence.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        None if !cli.files.is_empty() => tui::open(&known(&cli.files)?, cli.yes, &cli.tui),
        None => tui::start(&cli.tui, cli.prompt.as_deref(), cli.chat),
        Some(Command::Trace(args)) => trace::run(args),
        Some(Command::Open(args)) => args.run(),
        Some(Command::Tokens(args)) => prompt::run(args),
        Some(Command::Export(args)) => export::run(args),
        Some(Command::Features(args)) => features::run(args),
        Some(Command::Fetch(args)) => fetch::run(args),
        Some(Command::Intervene(args)) => intervene::run(args),
        Some(Command::Generate(args)) => generate::run(args),
        Some(Command::Show(args)) => show::run(args),
        Some(Command::Find(args)) => find::run(args),
        Some(Command::Paths(args)) => paths::run(args),
        Some(Command::Filter(args)) => filter::run(args),
        Some(Command::Groups(args)) => groups::run(args),
        Some(Command::Circuit(args)) => circuit::run(args),
        Some(Command::Edit(args)) => edit::run(args),
        Some(Command::Verify(args)) => verify::run(args),
        Some(Command::Why(args)) => why::run(args),
        Some(Command::Diff(args)) => overlay::diff(args),
        Some(Command::Union(args)) => overlay::union(args),
        Some(Command::Heads(args)) => heads::run(args),
        Some(Command::Attention(args)) => attention::run(args),
        Some(Command::Guide(args)) => guide::run(args),
        Some(Command::Keys(args)) => keys::run(args),
        Some(Command::Manual(args)) => manual::manual(args),
        Some(Command::Completions(args)) => manual::completions(args),
        Some(Command::Start(args)) => tui::choose(args),
        Some(Command::Tour(args)) => tui::tour(args),
        Some(Command::Models(args)) => models::run(args),
        Some(Command::Pull(args)) => pull::run(args),
        Some(Command::Status(args)) => status::run(args),
        Some(Command::Submit(args)) => submit::run(args),
        Some(Command::Train(args)) => train::run(args),
    }
}

/// Returns the files, unless the first of them is a misspelt subcommand.
fn known(files: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let Some(word) = files.first().filter(|file| !file.exists()).and_then(|file| file.to_str()) else {
        return Ok(files.to_vec());
    };
    let command = command();
    let alike = |name: &str| strsim::jaro_winkler(name, word);
    let nearest = command.get_subcommands().map(clap::Command::get_name).max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match nearest.filter(|name| alike(name) > LIKE) {
        Some(name) => anyhow::bail!("there is no subcommand and no file {word:?}; is `circuitscope {name}` meant?"),
        None => Ok(files.to_vec()),
    }
}
