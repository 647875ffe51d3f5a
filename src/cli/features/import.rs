//! `circuitscope features import`: imports Neuronpedia's exports into a store.

use crate::cli::features::library::SetArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::config;
use crate::features::import::{Imported, import};
use crate::features::{Sizes, imported_folder};
use crate::text::visible;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Make a store of Neuronpedia's bulk exports, labels included.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    /// Files of rows (batch-N.jsonl.gz of features, activations and explanations, in any order), or folders of them
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// The folder of the store [default: where it is found for --transcoder without being named]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    set: SetArgs,
    /// Print what came as JSON
    #[arg(long)]
    json: bool,
}

/// Reads the rows and writes the store.
///
/// # Errors
/// Fails where a file cannot be read, no row could be used, or the store cannot be written.
pub fn run(args: &ImportArgs) -> Result<()> {
    let (out, sizes) = target(args)?;
    let files = rows(&args.files)?;
    let folder = out.clone();
    let outcome = watch(WhenStopped::Abandon, move |monitor| Ok(import(&files, &folder, sizes.as_ref(), monitor)?))?;
    let Imported { features, contexts, labels, skipped, problems } = &outcome;
    for problem in problems {
        note!("circuitscope: {}", visible(problem));
    }
    tell(
        args.json,
        || json!({ "out": out, "outcome": outcome }),
        || {
            let skipped = if *skipped == 0 { String::new() } else { format!("; {skipped} rows made no sense") };
            vec![format!("{}: {features} features, {contexts} contexts, {labels} labels{skipped}", out.display())]
        },
    )
}

/// Returns the folder of the store, and the numbers of features that it may have.
fn target(args: &ImportArgs) -> Result<(PathBuf, Option<Sizes>)> {
    let is_named = args.set.transcoder.is_some() || args.set.preset.is_some();
    let set = args.set.set(!is_named)?;
    let own = || {
        let data = config::data_folder().filter(|_| is_named)?;
        Some(imported_folder(&data, &set.name))
    };
    match args.out.clone().or_else(own) {
        Some(out) => Ok((out, set.sizes)),
        None => bail!("say where the store goes by --out, or for which --transcoder it is"),
    }
}

/// Returns the files, and those of rows below the folders, sorted within each.
fn rows(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        collect(path, &mut files)?;
        if files.len() == before {
            bail!("{} holds no .jsonl and no .jsonl.gz", path.display());
        }
        files[before..].sort();
    }
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry.with_context(|| folder.display().to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A folder that is a link could lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), files)?;
        } else if name.ends_with(".jsonl") || name.ends_with(".jsonl.gz") {
            files.push(entry.path());
        }
    }
    Ok(())
}
