//! `circuitscope train merge`: puts folders together that were trained on some layers each.

use crate::cli::output::tell;
use crate::cli::train::report;
use crate::training;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Instant;

/// Put the folders that `train --layers` wrote together into one transcoder, after a check that they belong together.
#[derive(Clone, Debug, clap::Args)]
pub struct MergeArgs {
    /// The folders, which hold each layer of the model once
    #[arg(value_name = "DIRS", required = true)]
    folders: Vec<PathBuf>,
    /// The folder of the whole transcoder, which is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the outcome on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Puts the folders together.
///
/// # Errors
/// Fails where they do not belong together, a layer is missing or there twice, or a file cannot be read or written.
pub fn run(args: &MergeArgs) -> Result<()> {
    let begun = Instant::now();
    let record = training::merge(&args.folders, &args.out)?;
    tell(args.json, || report::json(&record, &args.out, begun.elapsed()), || report::text(&record, &args.out, None))
}
