//! `circuitscope models`: models on this machine, and those that can be traced now.

use crate::cli::output::{print_json, print_lines};
use crate::demo;
use crate::hub::{Bytes, Pair, Part};
use crate::service::models::hub;
use anyhow::Result;

/// Lists what can be traced on this machine: the demo, presets, and what the hub cache holds.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelsArgs {
    /// Print the list on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Lists the models; the network is not touched.
///
/// # Errors
/// Fails where the cache cannot be listed, or stdout cannot be written to.
pub fn run(args: &ModelsArgs) -> Result<()> {
    let hub = hub(true);
    let inventory = hub.inventory()?;
    let (model, transcoder) = demo::places();
    let demo_bytes = model.bytes() + transcoder.bytes();
    if args.json {
        let demo = serde_json::json!({ "name": demo::NAME, "bytes": demo_bytes, "ready": true });
        let list = serde_json::json!({ "cache": hub.cache.root(), "demo": demo, "pairs": inventory.pairs });
        return print_json(&list);
    }
    let mut lines =
        vec![format!("ready    {:<17} {:>9}  part of the program", demo::NAME, Bytes(demo_bytes).to_string())];
    lines.extend(inventory.pairs.iter().flat_map(lines_of));
    lines.push(format!("hub cache: {}", hub.cache.root().display()));
    lines.push("`circuitscope pull NAME` fetches what is absent or here in part".to_owned());
    print_lines(lines)
}

fn lines_of(pair: &Pair) -> Vec<String> {
    let (state, size) = match (pair.ready, pair.bytes()) {
        (true, bytes) => ("ready", Bytes(bytes).to_string()),
        (false, 0) => ("absent", String::new()),
        (false, bytes) => ("partly", Bytes(bytes).to_string()),
    };
    let (model, transcoder) = (&pair.model.reference, &pair.transcoder.reference);
    let name = pair.preset.unwrap_or("");
    let mut lines = vec![format!("{state:<8} {name:<17} {size:>9}  {model} + {transcoder}")];
    if pair.bytes() > 0 {
        let parts = [&pair.model, &pair.transcoder].into_iter().filter(|part| !part.is_complete());
        lines.extend(parts.map(|part| format!("{:<38}{}", "", lacking(part))));
    }
    lines
}

fn lacking(part: &Part) -> String {
    let name = &part.reference;
    match part.missing.as_deref() {
        None | Some([]) => format!("{name} is not here: circuitscope pull {name}"),
        Some([one]) => format!("{name} lacks {one}: circuitscope pull {name}"),
        Some([one, rest @ ..]) => format!("{name} lacks {one} and {} more: circuitscope pull {name}", rest.len()),
    }
}
