//! Functions common to the subcommands on a graph's file: opening it with its session, naming and printing its nodes.

use crate::cli::features::library::NamedArgs;
use crate::cli::graph_args::ThresholdArgs;
use crate::cli::output::note;
use crate::config;
use crate::features::Library;
use crate::format;
use crate::graph::query::{Query, QueryError, Subject};
use crate::graph::{AttributionGraph, Document, Edge, Edited, Kept, Scores, Thresholds, automatic, label};
use crate::ids::{NodeId, Position};
use crate::job::Monitor;
use crate::service::labels::LabelLookup;
use crate::service::library::{FeatureFiles, FeatureSource, KnownTranscoder};
use crate::service::models::hub;
use crate::session::{self, Opened, SessionPlace};
use crate::text::glyph::{Charset, Glyphs};
use crate::text::names::{Called, Names};
use crate::text::{visible, width};
use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A graph's file, and how much of it to keep.
#[derive(Clone, Debug, clap::Args)]
pub struct GraphArgs {
    /// A graph: raw as `trace` wrote it, graph JSON (gzipped or not), or circuit-tracer's .pt
    pub file: PathBuf,
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
    /// The largest share of all tokens on which a kept feature may fire, 0 to 1, where a feature store knows how often
    /// features do [default: as it was last looked at]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub density: Option<f64>,
    #[command(flatten)]
    pub named: NamedArgs,
}

/// Graph with the user's edits.
pub struct OpenGraph {
    /// Graph.
    pub document: Document,
    /// Pins, groups, labels, and the thresholds of the command line.
    pub edited: Edited,
    /// Kept nodes.
    pub kept: Arc<Kept>,
}

/// Reads a share.
///
/// # Errors
/// Fails where the text is none.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it has to be a number from 0 to 1".into()),
    }
}

/// Opens a graph's file and its session. Notices of the session go to stderr.
///
/// # Errors
/// Fails where the file cannot be read, or holds no graph.
pub fn open_session(file: &Path) -> Result<(Document, Opened)> {
    let document = format::open(file)?;
    let place = SessionPlace::beside(file, config::data_folder().as_deref());
    let opened = session::open(place, &document);
    for notice in document.foreign.warnings.iter().chain(&opened.notices) {
        note!("circuitscope: {}", visible(notice));
    }
    Ok((document, opened))
}

impl GraphArgs {
    /// Returns the thresholds of the options, where given, else `left`, those of the session.
    pub fn thresholds(&self, left: Thresholds, graph: &AttributionGraph) -> Thresholds {
        Thresholds { density: self.density.unwrap_or(left.density), ..self.thresholds.over(left, graph) }
    }

    /// Opens the graph, prunes it, and labels its features as the screen does.
    ///
    /// # Errors
    /// Fails as [`open_session`] does, and where named dashboards or labels cannot be used.
    pub fn open(&self) -> Result<OpenGraph> {
        let (document, opened) = open_session(&self.file)?;
        let mut edited = opened.session.edited;
        edited.thresholds = self.thresholds(edited.thresholds, &document.graph);
        OpenGraph::new(document, edited, &self.named.files())
    }
}

fn library(document: &Document, named: &FeatureFiles, monitor: &Monitor) -> Result<Library> {
    KnownTranscoder::of_graph(&document.origin)?.library(named, false, &hub(true), monitor)
}

/// Returns the node of this id.
///
/// # Errors
/// Fails where there is none.
pub fn node_named(document: &Document, name: &str) -> Result<NodeId> {
    document
        .graph
        .node_named(name)
        .ok_or_else(|| anyhow!("the graph has no node {name}; `circuitscope find FILE TEXT` lists ids"))
}

impl OpenGraph {
    /// Prunes a graph at its thresholds and adds densities and labels of its features, as on the screen: from the
    /// user's named files, and from what this machine has of its transcoder.
    ///
    /// # Errors
    /// Fails where a named file cannot be used.
    pub fn new(mut document: Document, edited: Edited, named: &FeatureFiles) -> Result<Self> {
        let monitor = Monitor::default();
        let library = match library(&document, named, &monitor) {
            Ok(library) => library,
            Err(error) if named.is_empty() => {
                note!("circuitscope: nothing is known of the graph's features: {error:#}");
                Library::default()
            }
            Err(error) => return Err(error),
        };
        for notice in library.notices() {
            note!("circuitscope: {}", visible(notice));
        }
        if edited.thresholds.density < 1.0 {
            library.inform(&mut document, &monitor)?;
            if document.densities.is_empty() {
                note!("circuitscope: how often features fire is not known here, so that none is left out for it");
            }
        }
        let kept = Arc::new(document.prune(edited.thresholds));
        let knows: Arc<dyn FeatureSource> = Arc::new(library);
        let found = LabelLookup::whole(&knows, &document.graph, &kept, &document.labels, &monitor)?;
        document.labels = found.merged;
        if document.densities.is_empty() {
            document.densities = found.densities;
        }
        Ok(Self { document, edited, kept })
    }

    /// Returns a node's id in graph JSON.
    pub fn name(&self, id: NodeId) -> String {
        self.document.graph.node_name(id)
    }

    /// Returns an edge's share of everything that flows into its target.
    pub fn share(&self, edge: Edge) -> f64 {
        f64::from(edge.weight) / self.document.graph.input_total(edge.target)
    }

    /// Returns the kept nodes, the most influential ones first.
    pub fn ranked(&self) -> Vec<NodeId> {
        self.kept.ranked()
    }

    /// Returns the subject of a query.
    pub fn subject(&self, selected: Option<NodeId>) -> Subject<'_> {
        Subject {
            graph: &self.document.graph,
            kept: &self.kept,
            labels: &self.document.labels,
            edited: &self.edited,
            selected,
            features: &*self.document.densities,
        }
    }

    /// Returns a node as JSON, with all its properties.
    pub fn node_json(&self, id: NodeId) -> Value {
        let (graph, node) = (&self.document.graph, self.document.graph.node(id));
        let label = label(graph, &self.edited, &self.document.labels, id);
        let mut all = json!({
            "id": self.name(id),
            "kind": node.kind_name(),
            "position": node.position(),
            "token": graph.token_text(id),
            "influence": self.kept.influence_of(id),
            "recomputed_influence": self.kept.recomputed(id),
            "label": label,
            "label_is_automatic": label.is_some_and(automatic::is_marked),
            "kept": self.kept.has_node(id),
            "pinned": self.edited.is_pinned(id),
        });
        if let Some(layer) = node.layer() {
            all["layer"] = json!(layer);
        }
        if let Some(number) = graph.feature_number(id) {
            all["feature"] = number_json(number);
        }
        if let Some(dictionary) = graph.dictionary_of(id).and_then(|at| graph.dictionaries().get(at)) {
            all["dictionary"] = json!(dictionary);
        }
        if node.is_feature() || node.activation.is_some() {
            all["activation"] = json!(node.activation);
        }
        if let Some(id) = node.token_id() {
            all["vocabulary_id"] = json!(id);
        }
        if let Some(logit) = node.logit() {
            all["vocabulary_id"] = json!(logit.id);
            all["probability"] = json!(logit.probability);
        }
        all
    }

    /// Returns an edge as JSON, with its share.
    pub fn edge_json(&self, edge: Edge) -> Value {
        json!({
            "source": self.name(edge.source),
            "target": self.name(edge.target),
            "weight": edge.weight,
            "share": self.share(edge),
        })
    }

    /// Returns a node's label, place and id: `Texas cities L16 @Dallas (16_2268_9)`.
    pub fn node_title(&self, id: NodeId) -> String {
        title(&self.document, &self.edited, id)
    }

    /// Returns a line on a node: its label, place and id.
    pub fn node_line(&self, id: NodeId) -> String {
        line(&self.document, &self.edited, id)
    }
}

fn called(document: &Document, edited: &Edited, id: NodeId) -> Called {
    let label = label(&document.graph, edited, &document.labels, id).filter(|label| !label.is_empty());
    Names::new(Arc::clone(&document.graph)).called(id, label, &Glyphs::new(Charset::Unicode))
}

/// Returns a node's label, place and id: `Texas cities L16 @Dallas (16_2268_9)`.
pub fn title(document: &Document, edited: &Edited, id: NodeId) -> String {
    format!("{} ({})", called(document, edited, id).short(), visible(&document.graph.node_name(id)))
}

/// Returns a line on a node: its label, place and id.
pub fn line(document: &Document, edited: &Edited, id: NodeId) -> String {
    let Called { what, place, .. } = called(document, edited, id);
    format!("{}  {}  {}", padded(&what, 32), padded(&place, 18), visible(&document.graph.node_name(id)))
}

/// Pads a text to so many cells; a longer one keeps its width.
pub fn padded(text: &str, cells: usize) -> String {
    format!("{text}{}", " ".repeat(cells.saturating_sub(width(text))))
}

/// Returns a number as JSON; as a text where it has more bits than JSON readers keep.
fn number_json(number: u128) -> Value {
    u64::try_from(number).map_or_else(|_| json!(number.to_string()), |number| json!(number))
}

/// Reads a query, marking the place of an error.
///
/// # Errors
/// Fails where the text is not a query.
pub fn query(text: &str) -> Result<Query> {
    Query::parse(text).map_err(|QueryError { span, message }| {
        let lead = visible(&text[..span.start]).chars().count();
        let marks = "^".repeat(text[span].chars().count().max(1));
        anyhow!("{message}\n  {}\n  {:lead$}{marks}", visible(text), "")
    })
}

/// Adds scores under their names; those of a graph that was pruned before have names of their own. `of` is the prefix
/// of the names of scores that are not the whole graph's.
pub fn add_scores(all: &mut Value, graph: &AttributionGraph, of: &str, scores: Option<Scores>) {
    let is_whole = graph.is_whole();
    for (computed_of, fits) in [("", is_whole), ("recomputed_", !is_whole)] {
        let scores = scores.filter(|_| fits);
        all[format!("{computed_of}{of}replacement_score")] = json!(scores.map(|scores| scores.replacement));
        all[format!("{computed_of}{of}completeness_score")] = json!(scores.map(|scores| scores.completeness));
    }
}

/// Returns the position that an option gives, in a prompt of `n` tokens.
///
/// # Errors
/// Fails where the prompt has no such position.
pub fn place(option: &str, position: i64, n: usize) -> Result<Position> {
    let counted = if position < 0 { position + n as i64 } else { position };
    match usize::try_from(counted).ok().filter(|at| *at < n) {
        Some(at) => Ok(Position::from(at)),
        None => bail!("{option} {position}: the prompt has {n} tokens, at positions 0 to {}", n - 1),
    }
}
