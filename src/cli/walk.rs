//! The full-screen program: on a prompt that it traces, or on a graph that is there.

use crate::attribution::{Engine, TraceOptions};
use crate::cli::engine::EngineArgs;
use crate::cli::trace::SettingsArgs;
use crate::config;
use crate::demo;
use crate::format;
use crate::graph::Document;
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::tui::{self, Options, Promoted, Reading, Start, ThemeChoice, Traced, Tracer};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::sync::Arc;

/// What the full-screen program works with.
#[derive(Clone, Debug, clap::Args)]
pub struct WalkArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Colours for a dark or a light terminal, or none; by what the environment says if not given
    #[arg(long, value_enum, default_value = "auto")]
    theme: Theme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Theme {
    Auto,
    Dark,
    Light,
    Mono,
}

impl WalkArgs {
    fn options(&self) -> Options {
        let theme = match self.theme {
            Theme::Auto => ThemeChoice::Auto,
            Theme::Dark => ThemeChoice::Dark,
            Theme::Light => ThemeChoice::Light,
            Theme::Mono => ThemeChoice::Mono,
        };
        Options { theme }
    }

    fn tracer(&self) -> Result<Arc<dyn Tracer>> {
        Ok(Arc::new(LocalTracer { engine: self.engine.open()?, settings: self.settings.clone() }))
    }
}

/// Opens graphs in the full-screen program.
#[derive(Clone, Debug, clap::Args)]
pub struct OpenArgs {
    /// Raw graphs as trace wrote them, graph JSON (gzipped or not) of circuit-tracer, Neuronpedia and others, or
    /// circuit-tracer's .pt
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    walk: WalkArgs,
}

/// Traces a prompt and walks its circuit.
///
/// # Errors
/// The model cannot be loaded, or the terminal cannot be claimed.
pub fn start(args: &WalkArgs, prompt: Option<&str>) -> Result<()> {
    let prompt = match prompt {
        Some(prompt) => prompt,
        None if args.engine.is_demo() => demo::PROMPT,
        None => bail!("give --prompt, the text whose continuation is traced"),
    };
    let _log = config::log_to_file();
    tui::run(Start::Prompt(prompt.to_owned()), Some(args.tracer()?), args.options())
}

/// Walks a graph that is there. Without a model it can be walked, but not traced further.
///
/// # Errors
/// The file cannot be read, the model cannot be loaded, or the terminal cannot be claimed.
pub fn open(args: &OpenArgs) -> Result<()> {
    // What is no graph at all is said at once, and not on a screen of its own.
    let models = args.files.iter().map(|file| format::model_of(file)).collect::<Result<Vec<_>, _>>()?;
    // The demo model can say nothing of another model's graph.
    let is_demos = models.iter().all(|model| model.as_deref() == Some(demo::NAME));
    let tracer = if args.walk.engine.is_demo() && !is_demos { None } else { Some(args.walk.tracer()?) };
    let _log = config::log_to_file();
    tui::run(Start::Opened(args.files.clone()), tracer, args.walk.options())
}

/// Traces on this machine.
struct LocalTracer {
    engine: Engine,
    settings: SettingsArgs,
}

impl Tracer for LocalTracer {
    fn model_name(&self) -> String {
        self.engine.model.spec.name.clone()
    }

    fn transcoder_name(&self) -> String {
        self.engine.transcoder.name()
    }

    fn read_prompt(&self, prompt: &str) -> Result<Reading, String> {
        let tokens = self.engine.read(prompt).map_err(|error| error.to_string())?;
        let unknown = self.engine.tokenizer.unknown_words(prompt).map_err(|error| error.to_string())?;
        Ok(Reading { tokens, unknown })
    }

    fn trace(&self, prompt: &str, monitor: &Monitor) -> Result<Traced> {
        let (settings, targets) = (self.settings.settings(prompt), self.settings.likeliest());
        let options = TraceOptions { settings, targets, cut: None };
        let trace = self.engine.trace(&options, |_| {}, monitor)?;
        Ok(Traced::new(Document::from_trace(Arc::new(trace))?))
    }

    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Promoted> {
        Ok(self.engine.promoted(layer.index(), feature.index(), monitor)?)
    }
}
