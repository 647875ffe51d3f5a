//! The full-screen program: started with a prompt to trace, or with graphs.

use crate::cli::appearance_args::AppearanceArgs;
use crate::cli::engine::{DeviceArgs, EngineArgs};
use crate::cli::features::library::NamedArgs;
use crate::cli::fetch;
use crate::cli::output::note;
use crate::cli::prompt::ChatArgs;
use crate::cli::trace::SettingsArgs;
use crate::config;
use crate::demo;
use crate::format;
use crate::service::models::LocalModels;
use crate::service::tracing::{LocalTracer, Tracer};
use crate::text::visible;
use crate::tui::{self, Left, Start};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::sync::Arc;

/// What the full-screen program works with.
#[derive(Clone, Debug, clap::Args)]
pub struct TuiArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    features: NamedArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    appearance: AppearanceArgs,
}

impl TuiArgs {
    fn tracer(&self) -> Result<Arc<dyn Tracer>> {
        Ok(Arc::new(LocalTracer::new(self.engine.open()?, self.settings.settings(""))))
    }

    fn models(&self) -> Arc<LocalModels> {
        models(&self.engine, &self.features, &self.settings)
    }
}

fn models(engine: &EngineArgs, features: &NamedArgs, settings: &SettingsArgs) -> Arc<LocalModels> {
    Arc::new(LocalModels {
        options: engine.options(),
        transcoder: engine.places_here().ok().map(|(_, transcoder)| transcoder),
        files: features.files(),
        settings: settings.settings(""),
        offline: engine.offline,
    })
}

/// Opens the full-screen program with what can be traced on this machine, and what could be downloaded, to choose from.
#[derive(Clone, Debug, clap::Args)]
pub struct StartArgs {
    #[command(flatten)]
    features: NamedArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Forbid the network, also where the user says yes to a download
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    appearance: AppearanceArgs,
}

/// Opens graphs in the full-screen program.
#[derive(Clone, Debug, clap::Args)]
pub struct OpenArgs {
    /// Raw graphs as trace wrote them, graph JSON (gzipped or not) of circuit-tracer, Neuronpedia and others, or
    /// circuit-tracer's .pt; or links to graphs on Neuronpedia
    #[arg(required = true, value_name = "FILE|LINK")]
    files: Vec<PathBuf>,
    /// Fetch what a link leads to without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub tui: TuiArgs,
}

/// Traces a prompt and shows its circuit.
///
/// # Errors
/// Fails where the model cannot be loaded, or the terminal cannot be claimed.
pub fn start(args: &TuiArgs, prompt: Option<&str>, chat: ChatArgs) -> Result<()> {
    tui::require_terminal()?;
    let start = match prompt {
        Some(message) if chat.chat => Start::Message(message.to_owned()),
        Some(prompt) => Start::Prompt(prompt.to_owned()),
        None if args.engine.is_demo() => Start::Prompt(demo::PROMPT.to_owned()),
        None => Start::Write,
    };
    let _log = config::log_to_file();
    finish(tui::run(start, Some(args.tracer()?), args.models(), args.appearance.options())?)
}

impl OpenArgs {
    /// Shows the graphs.
    ///
    /// # Errors
    /// Fails as [`open`] does.
    pub fn run(&self) -> Result<()> {
        open(&self.files, self.yes, &self.tui)
    }
}

/// Shows graphs of files or links; without `yes` the user is asked before a link is fetched. Without a model they can
/// be explored, but not traced further.
///
/// # Errors
/// Fails where a file cannot be had or read, the model cannot be loaded, or the terminal cannot be claimed.
pub fn open(files: &[PathBuf], yes: bool, args: &TuiArgs) -> Result<()> {
    let files = files.iter().map(|file| fetch::graph_file(file, yes, args.engine.offline));
    let files = files.collect::<Result<Vec<_>>>()?;
    // What is no graph at all is said at once, and not on a screen of its own.
    let models = files.iter().map(|file| format::model_of(file)).collect::<Result<Vec<_>, _>>()?;
    tui::require_terminal()?;
    // The demo model can say nothing of another model's graph.
    let is_demos = models.iter().all(|model| model.as_deref() == Some(demo::NAME));
    let tracer = if args.engine.is_demo() && !is_demos { None } else { Some(args.tracer()?) };
    let _log = config::log_to_file();
    finish(tui::run(Start::Opened(files), tracer, args.models(), args.appearance.options())?)
}

/// Shows the models that can be traced, to choose from.
///
/// # Errors
/// Fails where the environment cannot be understood, or the terminal cannot be claimed.
pub fn choose(args: &StartArgs) -> Result<()> {
    tui::require_terminal()?;
    let engine = EngineArgs { device: args.device.clone(), offline: args.offline, ..EngineArgs::default() };
    let models = models(&engine, &args.features, &args.settings);
    let _log = config::log_to_file();
    finish(tui::run(Start::Choose, None, models, args.appearance.options())?)
}

/// Prints what became of the sessions, and re-raises the signal that ended the program.
fn finish(left: Left) -> Result<()> {
    for path in &left.sessions.elsewhere {
        note!("circuitscope: what was done is saved in {}", visible(&path.display().to_string()));
    }
    let unsaved = left.sessions.unsaved.join("; ");
    if let Some(signal) = left.signal {
        if !unsaved.is_empty() {
            note!("circuitscope: what was done last is not saved: {}", visible(&unsaved));
        }
        signal_hook::low_level::emulate_default_handler(signal).context("the signal was not obeyed")?;
    }
    if unsaved.is_empty() { Ok(()) } else { bail!("what was done last is not saved: {unsaved}") }
}
