//! `circuitscope features`: dashboards and labels of features.

mod browse;
pub(super) mod build;
mod fetch;
mod import;
pub(super) mod library;
mod merge;
mod show;

use anyhow::Result;
use clap::Subcommand;

/// Make and read feature stores: what each feature of a transcoder fires on.
#[derive(Clone, Debug, clap::Args)]
pub struct FeaturesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Browse(browse::BrowseArgs),
    Build(build::BuildArgs),
    Fetch(fetch::FetchArgs),
    Merge(merge::MergeArgs),
    Import(import::ImportArgs),
    Show(show::ShowArgs),
}

impl FeaturesArgs {
    /// Returns the arguments of `features build`, if that is the subcommand.
    pub fn build(&self) -> Option<&build::BuildArgs> {
        match &self.command {
            Command::Build(args) => Some(args),
            _ => None,
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Returns the error of the subcommand, in a sentence.
pub fn run(args: &FeaturesArgs) -> Result<()> {
    match &args.command {
        Command::Browse(args) => browse::run(args),
        Command::Build(args) => build::run(args),
        Command::Fetch(args) => fetch::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Import(args) => import::run(args),
        Command::Show(args) => show::run(args),
    }
}
