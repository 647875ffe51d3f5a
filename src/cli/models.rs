//! `circuitscope models`: what is on this machine, and can be traced now.

use crate::cli::engine::hub;
use crate::demo;
use crate::hub::{Bytes, Pair, Part};
use anyhow::{Context, Result};
use std::io::{self, Write};

/// Lists what can be traced on this machine: the demo, presets, and what the hub cache holds.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelsArgs {
    /// Print the list on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Looks and lists; the network is not touched.
///
/// # Errors
/// The cache cannot be listed, or stdout cannot be written.
pub fn run(args: &ModelsArgs) -> Result<()> {
    let hub = hub(true)?;
    let inventory = hub.inventory()?;
    let (model, transcoder) = demo::places();
    let demo_bytes = model.bytes() + transcoder.bytes();
    let mut out = io::stdout().lock();
    let written = if args.json {
        let demo = serde_json::json!({ "name": demo::NAME, "bytes": demo_bytes, "ready": true });
        let list = serde_json::json!({ "cache": hub.cache.root(), "demo": demo, "pairs": inventory.pairs });
        writeln!(out, "{list:#}")
    } else {
        writeln!(out, "ready    {:<14} {:>9}  part of the program", demo::NAME, Bytes(demo_bytes).to_string())
            .and_then(|()| inventory.pairs.iter().try_for_each(|pair| show(&mut out, pair)))
            .and_then(|()| writeln!(out, "hub cache: {}", hub.cache.root().display()))
    };
    written.context("the list cannot be written on stdout")
}

fn show(out: &mut impl Write, pair: &Pair) -> io::Result<()> {
    let state = if pair.ready {
        "ready"
    } else if pair.bytes() > 0 {
        "partly"
    } else {
        "-"
    };
    let (model, transcoder) = (&pair.model.reference, &pair.transcoder.reference);
    let name = pair.preset.unwrap_or("");
    writeln!(out, "{state:<8} {name:<14} {:>9}  {model} + {transcoder}", Bytes(pair.bytes()).to_string())?;
    if pair.bytes() > 0 {
        for part in [&pair.model, &pair.transcoder].into_iter().filter(|part| !part.is_complete()) {
            writeln!(out, "{:<34} {}", "", lacking(part))?;
        }
    }
    Ok(())
}

fn lacking(part: &Part) -> String {
    let name = &part.reference;
    match part.missing.as_deref() {
        None | Some([]) => format!("{name} is not here: circuitscope pull {name}"),
        Some([one]) => format!("{name} lacks {one}: circuitscope pull {name}"),
        Some([one, rest @ ..]) => format!("{name} lacks {one} and {} more: circuitscope pull {name}", rest.len()),
    }
}
