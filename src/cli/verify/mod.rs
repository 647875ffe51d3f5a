//! `circuitscope verify`: checks a graph against its model.

mod checks;
mod report;

use crate::cli::engine::EngineArgs;
use crate::cli::graph::{OpenGraph, node_named};
use crate::cli::graph_args::GraphOrPromptArgs;
use crate::cli::intervention_args::ModeName;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::graph::Freeze;
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::verify::{self, Bench};
use anyhow::Result;
use report::Section;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Checks a graph against the model: ablates features and compares what the graph predicts with what happens.
///
/// Without a choice of checks it makes all but --edge.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    which: GraphOrPromptArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// Ablate a feature, and compare at another node: the ids of an edge's source and target
    #[arg(long, num_args = 2, value_names = ["SOURCE", "TARGET"])]
    edge: Vec<String>,
    /// Ablate each pinned feature, or the --top most influential ones, and compare at the others and the outputs
    #[arg(long)]
    subgraph: bool,
    /// Ablate features and compare the effects with influence, direct edges and activations
    #[arg(long)]
    faithfulness: bool,
    /// Put transcoders in place of the MLPs and compare next-token distributions
    #[arg(long)]
    replacement: bool,
    /// Take features away in the local replacement model and in the model, and compare what changes downstream
    #[arg(long)]
    perturbation: bool,
    /// Prune at 25 pairs of thresholds and tell which edges stay
    #[arg(long)]
    stability: bool,
    /// What stays frozen where features are ablated; an edge is checked in all three where this is not given
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// Features that are ablated where none is pinned, and lines of a table
    #[arg(long, value_name = "K", default_value_t = verify::TOP)]
    top: usize,
    /// At most this many features are ablated for --faithfulness, spread evenly over their order by influence
    #[arg(long, value_name = "N", default_value_t = verify::MOST)]
    most: usize,
    /// Write a report in Markdown with its figures into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Opens the graph, makes the checks, writes the report, and prints the results.
///
/// # Errors
/// Fails where the graph or the model cannot be read, they do not belong together, there is no such node, or the report
/// cannot be written.
pub fn run(args: &VerifyArgs) -> Result<()> {
    let (head, sections) = match (&args.which.file, args.is_about_thresholds_alone()) {
        // The graph alone tells.
        (Some(file), true) => {
            let open = args.which.thresholds.open(file)?;
            let args = args.clone();
            watch(WhenStopped::Abandon, move |monitor| {
                Ok((report::head(&open), vec![checks::stability(&open, args.top, monitor)?]))
            })?
        }
        _ => {
            let (engine, args) = (args.engine.open()?, args.clone());
            watch(WhenStopped::Abandon, move |monitor| {
                let open = args.which.graph(&engine, monitor)?;
                let bench = Bench::new(&engine, &open.document.graph, monitor)?;
                let sections = args.sections(&Checked { open: &open, bench: &bench, engine: &engine }, monitor)?;
                Ok((report::head(&open), sections))
            })?
        }
    };
    if let Some(folder) = &args.report {
        report::write(folder, &head, &sections)?;
        note!("wrote {}", folder.join(report::FILE).display());
    }
    tell(
        args.json,
        || Value::Object(sections.iter().map(|it| (it.key.to_owned(), it.json.clone())).collect::<Map<_, _>>()),
        || sections.iter().flat_map(Section::lines).collect(),
    )
}

/// Graph, and the model that it is checked against.
struct Checked<'a> {
    open: &'a OpenGraph,
    bench: &'a Bench<'a>,
    engine: &'a crate::attribution::Engine,
}

impl VerifyArgs {
    fn chosen(&self) -> [bool; 5] {
        [self.subgraph, self.faithfulness, self.replacement, self.perturbation, self.stability]
    }

    fn is_about_thresholds_alone(&self) -> bool {
        self.chosen() == [false, false, false, false, true] && self.edge.is_empty()
    }

    fn sections(&self, checked: &Checked<'_>, monitor: &Monitor) -> Result<Vec<Section>> {
        let all = self.edge.is_empty() && self.chosen() == [false; 5];
        let [subgraph, faithfulness, replacement, perturbation, stability] = self.chosen().map(|it| it || all);
        let mode = self.mode.map(Freeze::from);
        let freeze = mode.unwrap_or_default();
        let mut sections = Vec::new();
        if let [source, target] = &self.edge[..] {
            let document = &checked.open.document;
            let ends = (node_named(document, source)?, node_named(document, target)?);
            let modes = mode.map_or(Freeze::ALL.to_vec(), |mode| vec![mode]);
            sections.push(checks::edge(checked, ends, &modes, monitor)?);
        }
        if subgraph {
            sections.push(checks::subgraph(checked, &self.sources(checked.open), freeze, self.top, monitor)?);
        }
        if faithfulness {
            sections.push(checks::faithfulness(checked, self.most, freeze, monitor)?);
        }
        if replacement {
            sections.push(checks::replacement(checked, monitor)?);
        }
        if perturbation {
            sections.push(checks::perturbation(checked, &self.sources(checked.open), monitor)?);
        }
        if stability {
            sections.push(checks::stability(checked.open, self.top, monitor)?);
        }
        Ok(sections)
    }

    /// Returns the pinned features, or the most influential ones that are kept.
    fn sources(&self, open: &OpenGraph) -> Vec<NodeId> {
        verify::sources(&open.document, &open.edited.pins, &open.kept, self.top)
    }
}
