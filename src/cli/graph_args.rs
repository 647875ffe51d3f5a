//! Options of the graphs of a command that needs the model too: files, or prompts to trace.

use crate::attribution::{Engine, TargetChoice, TraceOptions};
use crate::cli::graph::{OpenGraph, open_session, share};
use crate::graph::{Document, Edited, Settings, Thresholds, Token};
use crate::job::Monitor;
use crate::service::library::FeatureFiles;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A graph's file or a prompt, and how much of the graph to keep.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
#[group(skip)]
pub struct GraphOrPromptArgs {
    /// A graph: raw as `trace` wrote it, graph JSON, or circuit-tracer's .pt; its model has to be given as it was then
    #[arg(group = "which", value_name = "GRAPH")]
    pub file: Option<PathBuf>,
    /// A prompt to trace, instead of a graph
    #[arg(long, value_name = "TEXT", group = "which", allow_hyphen_values = true)]
    pub prompt: Option<String>,
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
}

/// How much of a graph to keep.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ThresholdArgs {
    /// The share of the nodes' influence that the kept nodes are to hold, 0 to 1; of a file that gives influence, the
    /// largest that a kept node has [default: as it was last looked at]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    node_threshold: Option<f64>,
    /// The share of the edges' influence that the kept edges are to hold, 0 to 1 [default: as it was last looked at]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    edge_threshold: Option<f64>,
}

impl ThresholdArgs {
    /// Returns these thresholds, or else those of the session.
    pub fn over(self, left: Thresholds) -> Thresholds {
        Thresholds {
            node: self.node_threshold.unwrap_or(left.node),
            edge: self.edge_threshold.unwrap_or(left.edge),
            ..left
        }
    }

    /// Opens a graph's file with its session.
    ///
    /// # Errors
    /// Fails as [`open_session`] does.
    pub fn open(self, file: &Path) -> Result<OpenGraph> {
        let (document, opened) = open_session(file)?;
        self.pruned(document, opened.session.edited)
    }

    /// Traces a prompt, with rows of all features.
    ///
    /// # Errors
    /// Fails where it cannot be traced, or the work was stopped.
    pub fn trace(self, engine: &Engine, prompt: &str, monitor: &Monitor) -> Result<OpenGraph> {
        let settings = Settings { prompt: prompt.to_owned(), ..Settings::default() };
        let likeliest = TargetChoice::likeliest(&settings);
        let document = traced(engine, settings, engine.read(prompt)?, likeliest, monitor)?;
        self.pruned(document, Edited::default())
    }

    /// The graph, pruned, with what is known of its features.
    ///
    /// # Errors
    /// As [`OpenGraph::new`].
    pub fn pruned(self, document: Document, mut edited: Edited) -> Result<OpenGraph> {
        edited.thresholds = self.over(edited.thresholds);
        OpenGraph::new(document, edited, &FeatureFiles::default())
    }
}

/// Traces a prompt of these tokens.
///
/// # Errors
/// Fails where it cannot be traced, or the work was stopped.
pub fn traced(
    engine: &Engine,
    settings: Settings,
    tokens: Vec<Token>,
    targets: TargetChoice,
    monitor: &Monitor,
) -> Result<Document> {
    let options = TraceOptions { settings, targets, cut: None };
    let mut tracing = engine.begin(tokens, &options, |_| {}, monitor)?;
    tracing.run(|_| {}, monitor)?;
    monitor.cancel().check()?;
    Ok(Document::from_trace(Arc::new(tracing.into_trace()))?)
}

impl GraphOrPromptArgs {
    /// Returns the graph, from its file or traced.
    ///
    /// # Errors
    /// Fails where the file cannot be read, or the prompt cannot be traced.
    pub fn graph(&self, engine: &Engine, monitor: &Monitor) -> Result<OpenGraph> {
        match (&self.file, &self.prompt) {
            (Some(file), _) => self.thresholds.open(file),
            (None, prompt) => self.thresholds.trace(engine, prompt.as_deref().unwrap_or_default(), monitor),
        }
    }
}
