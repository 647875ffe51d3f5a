//! `circuitscope features fetch`: labels and contexts of a graph's features.

use crate::cli::consent;
use crate::cli::graph::{open_session, share};
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::features::{Asking, Fetched, Library};
use crate::graph::{Document, NodeKind, Thresholds};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::service::library::{FeatureFiles, KnownTranscoder};
use crate::service::models::hub;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Fetch labels and contexts of the features that a graph keeps: from Neuronpedia, where the graph's file names its
/// source set there, and from the transcoder's own feature store on the hub. What comes is kept on this machine; what was
/// interrupted goes on there the next time.
#[derive(Clone, Debug, clap::Args)]
pub struct FetchArgs {
    /// Graphs
    #[arg(required = true, value_name = "GRAPH")]
    files: Vec<PathBuf>,
    /// The share of the nodes' influence that the kept nodes are to hold, 0 to 1 [default: as it was last looked at]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    node_threshold: Option<f64>,
    /// Of all features, not only those that are kept
    #[arg(long)]
    all: bool,
    /// Do not ask: the sites that are asked learn which features are looked at
    #[arg(long)]
    yes: bool,
    /// Forbid the network: say what is missing
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Features of a graph, and the library that may have them.
struct Graph {
    file: PathBuf,
    features: Vec<(Layer, FeatureId)>,
    library: Arc<Library>,
    asking: Asking,
}

/// Asks once for consent for all graphs, and fetches.
///
/// # Errors
/// Fails where a graph cannot be read, the user declines, not everything came, or it was stopped.
pub fn run(args: &FetchArgs) -> Result<()> {
    let graphs = args.files.iter().map(|file| open(args, file.clone())).collect::<Result<Vec<_>>>()?;
    let missing: usize = graphs.iter().map(|graph| graph.asking.missing.len()).sum();
    let forbidden = graphs.iter().find_map(|graph| graph.asking.forbidden);
    if missing == 0
        && let Some(because) = forbidden
    {
        note!("not all features are known here, and {because} forbids the network");
    } else if missing > 0 {
        let told: BTreeSet<&String> = graphs.iter().flat_map(|graph| &graph.asking.told).collect();
        let head = "fetch labels and contexts; the prompt and the graph are sent nowhere".to_owned();
        let lines: Vec<String> = std::iter::once(head).chain(told.into_iter().cloned()).collect();
        consent::ask(&lines, args.yes)?;
    }
    let mut outcomes = Vec::new();
    for graph in graphs {
        let (library, features) = (Arc::clone(&graph.library), graph.features.clone());
        let fetched = if graph.asking.missing.is_empty() {
            Fetched::default()
        } else {
            watch(WhenStopped::Resume, move |monitor| Ok(library.fetch(&features, &|_| {}, monitor)?))?
        };
        outcomes.push((graph, fetched));
    }
    tell(args.json, || json!({ "graphs": outcomes.iter().map(as_json).collect::<Vec<_>>() }), || lines(&outcomes))?;
    let problems: BTreeSet<&String> = outcomes.iter().flat_map(|(_, fetched)| &fetched.problems).collect();
    if !problems.is_empty() {
        let problems: Vec<&str> = problems.into_iter().map(String::as_str).collect();
        bail!("not all of it came: {}", problems.join("; "));
    }
    Ok(())
}

fn open(args: &FetchArgs, file: PathBuf) -> Result<Graph> {
    let (document, opened) = open_session(&file)?;
    let left = opened.session.edited.thresholds;
    let thresholds = Thresholds { node: args.node_threshold.unwrap_or(left.node), ..left };
    let features = features(&document, (!args.all).then_some(thresholds));
    let set = KnownTranscoder::of_graph(&document.origin)?;
    let library = set.library(&FeatureFiles::default(), false, &hub(args.offline), &Monitor::default())?;
    for notice in library.notices() {
        note!("circuitscope: {notice}");
    }
    let asking = library.asking(&features);
    Ok(Graph { file, features, library: Arc::new(library), asking })
}

/// Returns the features of a graph, of those that are kept at thresholds, each once.
fn features(document: &Document, thresholds: Option<Thresholds>) -> Vec<(Layer, FeatureId)> {
    let kept = thresholds.map(|thresholds| document.prune(thresholds));
    let nodes = document.graph.node_ids().filter(|id| kept.as_ref().is_none_or(|kept| kept.has_node(*id)));
    let features: BTreeSet<_> = nodes
        .filter_map(|id| match document.graph.node(id).kind {
            NodeKind::Feature { layer, feature, .. } => Some((layer, feature)),
            _ => None,
        })
        .collect();
    features.into_iter().collect()
}

/// Returns how many of the features have a label, and how many have a dashboard or a label.
fn counts(graph: &Graph) -> (usize, usize) {
    let found = graph.features.iter().map(|(layer, feature)| graph.library.read_here(*layer, *feature));
    found.fold((0, 0), |(named, known), found| {
        let is_named = found.label.is_some();
        (named + usize::from(is_named), known + usize::from(is_named || found.dashboard.is_some()))
    })
}

fn as_json((graph, fetched): &(Graph, Fetched)) -> Value {
    let (named, known) = counts(graph);
    json!({
        "graph": graph.file,
        "features": graph.features.len(),
        "known": known,
        "named": named,
        "fetched": fetched,
    })
}

fn lines(outcomes: &[(Graph, Fetched)]) -> Vec<String> {
    let line = |(graph, fetched): &(Graph, Fetched)| {
        let (named, known) = counts(graph);
        let n = graph.features.len();
        let asked =
            if fetched.asked > 0 { format!(", {} of them asked for now", fetched.asked) } else { String::new() };
        format!("{}: of {n} features {known} are known and {named} have a name{asked}", graph.file.display())
    };
    outcomes.iter().map(line).collect()
}
