//! The full-screen program: on a prompt that it traces, or on a graph that is there.

use crate::attribution::{Engine, Request, TargetChoice, TraceOptions};
use crate::cli::engine::{DeviceArgs, EngineArgs};
use crate::cli::features::library::NamedArgs;
use crate::cli::fetch;
use crate::cli::growth::grow;
use crate::cli::lab::Bench;
use crate::cli::look::LookArgs;
use crate::cli::models::LocalModels;
use crate::cli::output::note;
use crate::cli::prompt::ChatArgs;
use crate::cli::trace::SettingsArgs;
use crate::config;
use crate::demo;
use crate::features::browse::{Catalogue, fires};
use crate::features::build::{Selection, n_features};
use crate::format;
use crate::graph::{AttributionGraph, Document, FeatureAt, RawTrace, Token};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::tui::browse::{Ask, Browsed, LISTED, OF_TOKEN};
use crate::tui::features::Knows;
use crate::tui::inquiry::{Inquiry, Reply};
use crate::tui::lab::{Experiment, Measured, Trial, Tried};
use crate::tui::text::visible;
use crate::tui::{self, Left, Models, Promoted, Reading, Start, Tracer};
use crate::verify::{self, Answer, Question};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::sync::Arc;

/// What the full-screen program works with.
#[derive(Clone, Debug, clap::Args)]
pub struct WalkArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    features: NamedArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    look: LookArgs,
}

impl WalkArgs {
    fn tracer(&self) -> Result<Arc<dyn Tracer>> {
        Ok(LocalTracer::open(&self.engine, &self.settings)?)
    }

    fn models(&self) -> Result<Arc<dyn Models>> {
        Ok(Arc::new(LocalModels::new(&self.engine, &self.features, &self.settings)))
    }
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
    /// Forbid the network, also where the person says yes to a download
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    look: LookArgs,
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
    pub walk: WalkArgs,
}

/// Traces a prompt and walks its circuit.
///
/// # Errors
/// The model cannot be loaded, or the terminal cannot be claimed.
pub fn start(args: &WalkArgs, prompt: Option<&str>, chat: ChatArgs) -> Result<()> {
    tui::require_terminal()?;
    let start = match prompt {
        Some(message) if chat.chat => Start::Message(message.to_owned()),
        Some(prompt) => Start::Prompt(prompt.to_owned()),
        None if args.engine.is_demo() => Start::Prompt(demo::PROMPT.to_owned()),
        None => Start::Write,
    };
    let _log = config::log_to_file();
    finish(tui::run(start, Some(args.tracer()?), args.models()?, args.look.options())?)
}

impl OpenArgs {
    /// Walks the graphs.
    ///
    /// # Errors
    /// As [`open`].
    pub fn run(&self) -> Result<()> {
        open(&self.files, self.yes, &self.walk)
    }
}

/// Walks graphs that are there, or that links lead to; without `yes` the person is asked before one is fetched. Without a
/// model they can be walked, but not traced further.
///
/// # Errors
/// A file cannot be had or read, the model cannot be loaded, or the terminal cannot be claimed.
pub fn open(files: &[PathBuf], yes: bool, walk: &WalkArgs) -> Result<()> {
    let files = files.iter().map(|file| fetch::graph_file(file, yes, walk.engine.offline));
    let files = files.collect::<Result<Vec<_>>>()?;
    // What is no graph at all is said at once, and not on a screen of its own.
    let models = files.iter().map(|file| format::model_of(file)).collect::<Result<Vec<_>, _>>()?;
    tui::require_terminal()?;
    // The demo model can say nothing of another model's graph.
    let is_demos = models.iter().all(|model| model.as_deref() == Some(demo::NAME));
    let tracer = if walk.engine.is_demo() && !is_demos { None } else { Some(walk.tracer()?) };
    let _log = config::log_to_file();
    finish(tui::run(Start::Opened(files), tracer, walk.models()?, walk.look.options())?)
}

/// Shows what can be traced, to choose from.
///
/// # Errors
/// The environment cannot be understood, or the terminal cannot be claimed.
pub fn choose(args: &StartArgs) -> Result<()> {
    tui::require_terminal()?;
    let engine = EngineArgs { device: args.device.clone(), offline: args.offline, ..EngineArgs::default() };
    let models = Arc::new(LocalModels::new(&engine, &args.features, &args.settings));
    let _log = config::log_to_file();
    finish(tui::run(Start::Choose, None, models, args.look.options())?)
}

/// Says what has come of the sessions, and obeys the signal that ended the program.
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

/// Traces on this machine.
pub(super) struct LocalTracer {
    engine: Engine,
    settings: SettingsArgs,
    bench: Bench,
}

impl LocalTracer {
    /// Loads the model that `engine` names.
    pub fn open(engine: &EngineArgs, settings: &SettingsArgs) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { engine: engine.open()?, settings: settings.clone(), bench: Bench::default() }))
    }
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
        Ok(Reading { prompt: prompt.to_owned(), tokens, unknown })
    }

    fn has_chat(&self) -> bool {
        self.engine.tokenizer.has_chat()
    }

    fn in_chat(&self, message: &str) -> Option<Result<String, String>> {
        let tokenizer = &self.engine.tokenizer;
        tokenizer.has_chat().then(|| tokenizer.in_chat(message).map_err(|error| error.to_string()))
    }

    fn trace(&self, prompt: &str, grown: &mut dyn FnMut(Document), monitor: &Monitor) -> Result<Document> {
        let (settings, targets) = (self.settings.settings(prompt), self.settings.likeliest());
        let options = TraceOptions { settings, targets, cut: None };
        let tracing = self.engine.begin(self.engine.read(prompt)?, &options, |_| {}, monitor)?;
        grow(tracing, Vec::new(), grown, monitor)
    }

    fn resume(
        &self,
        from: &RawTrace,
        max_feature_nodes: Option<usize>,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> Result<Document> {
        let had = from.visit_order().collect();
        let tracing = self.engine.resume(from.clone(), max_feature_nodes, |_| {}, monitor)?;
        grow(tracing, had, grown, monitor)
    }

    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Promoted> {
        Ok(self.engine.promoted(layer.index(), feature.index(), monitor)?)
    }

    fn browse(&self, ask: &Ask, knows: &dyn Knows, monitor: &Monitor) -> Result<Browsed> {
        let library = knows.library().context("what is known of these features cannot be looked through")?;
        let (engine, sizes) = (&self.engine, n_features(&self.engine));
        let catalogue = Catalogue { library, sizes: &sizes };
        Ok(match ask {
            Ask::List(order) => {
                let (entries, all) = catalogue.list(&Selection::ALL, *order, LISTED, monitor)?;
                Browsed::List(entries, all)
            }
            Ask::Search(pattern) => {
                let mut hits = catalogue.search(&Selection::ALL, pattern, monitor)?;
                let all = hits.len();
                hits.truncate(LISTED);
                Browsed::Hits(hits, all)
            }
            Ask::Near(feature) => Browsed::Near(catalogue.near(engine, *feature, &Selection::ALL, LISTED, monitor)?),
            Ask::Fires(text) => {
                let tokens = fires(engine, text, &Selection::ALL, OF_TOKEN, monitor)?;
                let features = tokens.iter().flat_map(|token| &token.features).map(|(l, f, _)| (*l, *f));
                let entries = features.map(|(l, f)| ((l, f), catalogue.entry(l, f))).collect();
                Browsed::Fires(tokens, entries)
            }
        })
    }

    fn measure(&self, asked: &Experiment, monitor: &Monitor) -> Result<Measured> {
        self.bench.measure(&self.engine, asked, monitor)
    }

    fn attempt(
        &self,
        tokens: &[Token],
        trial: &Trial,
        told: &mut dyn FnMut(Tried),
        monitor: &Monitor,
    ) -> Result<Tried> {
        self.bench.attempt(&self.engine, tokens, trial, told, monitor)
    }

    fn inquire(&self, asked: &Inquiry, monitor: &Monitor) -> Result<Reply> {
        self.bench.inquire(&self.engine, asked, monitor)
    }

    fn trace_feature(
        &self,
        prompt: &str,
        tokens: &[Token],
        at: FeatureAt,
        grown: &mut dyn FnMut(Document),
        monitor: &Monitor,
    ) -> Result<Document> {
        let targets = TargetChoice::Given(vec![Request::Feature(at)]);
        let options = TraceOptions { settings: self.settings.settings(prompt), targets, cut: None };
        let tracing = self.engine.begin(tokens.to_vec(), &options, |_| {}, monitor)?;
        grow(tracing, Vec::new(), grown, monitor)
    }

    fn check(
        &self,
        graph: &AttributionGraph,
        question: &Question,
        told: &mut dyn FnMut(Answer),
        monitor: &Monitor,
    ) -> Result<Answer> {
        Ok(verify::answer(&self.engine, graph, question, told, monitor)?)
    }
}
