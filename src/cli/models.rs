//! `circuitscope models`: models on this machine that can be traced now, and published ones.

use crate::cli::output::{print_json, print_lines};
use crate::demo;
use crate::hub::{Bytes, PRESETS, Pair, Part, Preset};
use crate::service::models::hub;
use anyhow::Result;

/// Lists what can be traced on this machine: the demo, presets, and what the hub cache holds.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelsArgs {
    /// The published pairs that have a name: their repositories, and how large the transcoder's was when it was last looked
    /// at, where that is known
    #[arg(long)]
    published: bool,
    /// Print the list on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Lists the models; the network is not touched.
///
/// # Errors
/// Fails where the cache cannot be listed, or stdout cannot be written to.
pub fn run(args: &ModelsArgs) -> Result<()> {
    if args.published {
        return published(args.json);
    }
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

/// Lists the presets, without use of the network.
fn published(json: bool) -> Result<()> {
    if json {
        let preset = |preset: &Preset| {
            serde_json::json!({
                "name": preset.name,
                "model": preset.model,
                "transcoder": preset.transcoder,
                "transcoder_gib": preset.transcoder_gib,
                "note": preset.note,
            })
        };
        return print_json(&serde_json::json!({ "published": PRESETS.iter().map(preset).collect::<Vec<_>>() }));
    }
    let line = |preset: &Preset| {
        let size = preset.transcoder_gib.map_or_else(|| "size unknown".to_owned(), |gib| format!("{gib:.1} GiB"));
        let note = if preset.note.is_empty() { String::new() } else { format!("  ({})", preset.note) };
        format!("{:<17} {size:>12}  {} + {}{note}", preset.name, preset.model, preset.transcoder)
    };
    let mut lines: Vec<String> = PRESETS.iter().map(line).collect();
    lines.push("sizes are those of the transcoders' repositories when they were last looked at".to_owned());
    lines.push("`circuitscope pull --dry-run NAME` asks the hub what would come, and how large it is".to_owned());
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
