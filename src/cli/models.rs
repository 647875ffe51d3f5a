//! `circuitscope models`: what is on this machine, and can be traced now; and the same for the full-screen program.

use crate::cli::engine::{EngineArgs, hub};
use crate::cli::features::library::{NamedArgs, Set};
use crate::cli::output::{print_json, print_lines};
use crate::cli::trace::SettingsArgs;
use crate::cli::walk::LocalTracer;
use crate::demo;
use crate::hub::{Bytes, Hub, Offer, Pair, Part, Reference, Request, Source};
use crate::job::Monitor;
use crate::tui::features::{FeatureSet, Knows};
use crate::tui::{Choice, Here, Models, Tracer};
use anyhow::{Context, Result};
use std::sync::Arc;

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

/// What this machine and the hub offer to the full-screen program.
pub struct LocalModels {
    hub: Hub,
    engine: EngineArgs,
    named: NamedArgs,
    settings: SettingsArgs,
}

impl LocalModels {
    /// By what the environment says. What is loaded computes as `engine` says, whose transcoder's features are known by
    /// its own files; `named` are dashboards and labels that the person named.
    pub fn new(engine: &EngineArgs, named: &NamedArgs, settings: &SettingsArgs) -> Self {
        let (engine, named, settings) = (engine.clone(), named.clone(), settings.clone());
        Self { hub: hub(engine.offline), engine, named, settings }
    }

    /// The transcoder that graphs call `name`: the one that was named, else what the name says.
    fn set(&self, name: &str) -> Result<Set> {
        let named = self.engine.places_here().ok().map(|(_, transcoder)| Set::of(transcoder));
        named.filter(|set| set.name == name).map_or_else(|| Set::called(name), Ok)
    }
}

impl Models for LocalModels {
    fn list(&self) -> Result<Vec<Choice>> {
        let (model, transcoder) = demo::places();
        let demo = Choice {
            name: demo::NAME.to_owned(),
            model: "part of the program".to_owned(),
            transcoder: String::new(),
            bytes: model.bytes() + transcoder.bytes(),
            here: Here::Whole,
        };
        let choice = |pair: Pair| Choice {
            name: pair.preset.unwrap_or_default().to_owned(),
            bytes: pair.bytes(),
            here: match (pair.ready, pair.bytes()) {
                (true, _) => Here::Whole,
                (false, 0) => Here::Nothing,
                (false, _) => Here::Partly,
            },
            model: pair.model.reference,
            transcoder: pair.transcoder.reference,
        };
        let mut choices: Vec<Choice> = self.hub.inventory()?.pairs.into_iter().map(choice).collect();
        // What can be traced now stands first.
        choices.sort_by_key(|choice| choice.here != Here::Whole);
        choices.insert(0, demo);
        Ok(choices)
    }

    fn server(&self) -> String {
        self.hub.access.shown()
    }

    fn offer(&self, choice: &Choice, monitor: &Monitor) -> Result<Offer> {
        let source = |text: &str| Reference::parse(text).map(Source::Hub).context("this pair has no place on the hub");
        let request = Request::Pair { model: Some(source(&choice.model)?), transcoder: source(&choice.transcoder)? };
        Ok(self.hub.offer(&request, false, monitor)?)
    }

    fn download(&self, offer: &Offer, monitor: &Monitor) -> Result<()> {
        Ok(self.hub.fetch(offer, monitor)?)
    }

    fn load(&self, choice: &Choice) -> Result<Arc<dyn Tracer>> {
        let (device, strict) = (self.engine.device.clone(), self.engine.strict);
        let mut engine = EngineArgs { device, strict, ..EngineArgs::default() };
        if !choice.transcoder.is_empty() {
            let (model, transcoder) = (choice.model.clone().into(), choice.transcoder.clone().into());
            engine = EngineArgs { model: Some(model), transcoder: Some(transcoder), offline: true, ..engine };
        }
        Ok(LocalTracer::open(&engine, &self.settings)?)
    }

    fn library(&self, features: &FeatureSet, monitor: &Monitor) -> Result<Arc<dyn Knows>> {
        let set = Set { source_set: features.source_set.clone(), ..self.set(&features.transcoder)? };
        let library = set.library(&self.named, false, self.engine.offline, monitor)?;
        Ok(Arc::new(library))
    }
}
