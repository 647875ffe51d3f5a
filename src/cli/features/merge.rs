//! `circuitscope features merge`: merges the parts of all shards into the store that one run would have written.

use crate::cli::engine::EngineArgs;
use crate::cli::features::build::{built_json, folder, say};
use crate::cli::output::print_json_line;
use crate::cli::progress::{WhenStopped, watch};
use crate::features::build;
use anyhow::Result;
use std::path::PathBuf;

/// Put the parts that `features build --shard` wrote together, into the very store that one run would have written.
#[derive(Clone, Debug, clap::Args)]
pub struct MergeArgs {
    /// The parts of all shards
    #[arg(value_name = "PARTS", required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
    /// The folder of the store [default: where it is found for this transcoder without being named]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the outcome on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Merges the parts, and writes the store.
///
/// # Errors
/// Fails where a part cannot be read, is missing or is of another task, the store cannot be written, or it was stopped.
pub fn run(args: &MergeArgs) -> Result<()> {
    let engine = args.engine.open()?;
    let folder = folder(args.out.as_deref(), &args.engine)?;
    let (parts, out) = (args.parts.clone(), folder.clone());
    let built = watch(WhenStopped::Abandon, move |monitor| {
        let part = build::merge(&parts, monitor)?;
        Ok(build::finish(&engine, &part, &out, monitor)?)
    })?;
    say(&built, &folder);
    if args.json {
        let mut outcome = built_json(&built);
        outcome["out"] = serde_json::json!(folder);
        print_json_line(&outcome)?;
    }
    Ok(())
}
