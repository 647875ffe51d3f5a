//! `circuitscope attention`: attention of heads, and the sources of their scores.

mod report;

use crate::attribution::{Against, Engine, QkAttribution, QkListed, QkSource, Source};
use crate::cli::engine::EngineArgs;
use crate::cli::graph::{OpenGraph, place};
use crate::cli::graph_args::GraphOrPromptArgs;
use crate::cli::heads::tell_heads;
use crate::cli::out::ForceArgs;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::format::{self, Options};
use crate::graph::{FeatureAt, Head, Part, Token, label};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::job::Monitor;
use crate::service::attention::{Ablate, AttentionRequest, head_trace, sources_of};
use crate::service::interventions::CachedBaseline;
use crate::service::labels::shown;
use crate::service::library::{FeatureFiles, FeatureSource, KnownTranscoder};
use crate::service::models::hub;
use anyhow::{Result, bail};
use report::Told;
use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Tells where attention heads look, and why: which sources on the side of the query and on that of the key raise a score.
///
/// Without --head, the heads that carry the graph, or --edge. With --head alone, where that head looks. With --key too, its
/// score of that key is split: exactly, with norms and attention below frozen.
#[derive(Clone, Debug, clap::Args)]
pub struct AttentionArgs {
    #[command(flatten)]
    which: GraphOrPromptArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// The head; those that carry the graph are told where none is given
    #[arg(long, value_name = "LAYER.HEAD")]
    head: Option<Head>,
    /// The position that the head looks from, counted from 0, or from the end where negative
    #[arg(long, value_name = "POS", default_value_t = -1, allow_negative_numbers = true)]
    query: i64,
    /// The position that it looks at; all are told where none is given
    #[arg(long, value_name = "POS", allow_negative_numbers = true, requires = "head")]
    key: Option<i64>,
    /// What the key's score is held against: the scores of all keys as the pattern weighs them, or that of another position
    #[arg(long, value_name = "softmax|POS", default_value = "softmax", allow_negative_numbers = true)]
    against: AgainstArg,
    /// How many sources of either side, pairs and heads to list
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Tell the heads of this edge alone, by the ids of its source and target
    #[arg(long, num_args = 2, value_names = ["SOURCE", "TARGET"], conflicts_with = "head")]
    edge: Vec<String>,
    /// Ablate the features that contribute most on the side of the key, or a feature by its id, and compare the change of
    /// score and pattern with what the split predicts
    #[arg(long, value_name = "NODE", num_args = 0..=1, requires = "key")]
    verify: Option<Option<String>>,
    /// Write the graph as graph JSON, with the split among its nodes
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "prompt")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: ForceArgs,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Reference of the key's score, as it is typed.
#[derive(Clone, Copy, Debug)]
enum AgainstArg {
    Softmax,
    Position(i64),
}

impl FromStr for AgainstArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "softmax" => Ok(Self::Softmax),
            Ok(position) => Ok(Self::Position(position)),
            Err(_) => Err("it has to be softmax, or a position".to_owned()),
        }
    }
}

/// Runs the command: loads the graph and the model, traces the head, writes the graph where asked, and prints the
/// answer.
///
/// # Errors
/// Fails where the graph or the model cannot be read, they do not belong together, there is no such head or position,
/// or the query does not see the key.
pub fn run(args: &AttentionArgs) -> Result<()> {
    let Some(head) = args.head else {
        return tell_heads(&args.which, &args.engine, &args.edge, args.top, args.json);
    };
    if let Some(out) = &args.out {
        args.force.allow(out, args.which.file.as_deref())?;
    }
    let engine = args.engine.open()?;
    let wanted = args.clone();
    let told = watch(WhenStopped::Abandon, move |monitor| wanted.ask(&engine, head, monitor))?;
    tell(args.json, || told.json(), || told.lines())?;
    if let Some(out) = &args.out {
        note!("wrote {}", out.display());
    }
    Ok(())
}

impl AttentionArgs {
    fn ask(&self, engine: &Engine, head: Head, monitor: &Monitor) -> Result<Told> {
        let open = self.which.file.as_deref().map(|file| self.which.thresholds.open(file)).transpose()?;
        let tokens = match &open {
            Some(open) => {
                let ids: Vec<u32> = open.document.graph.tokens().iter().map(|token| token.id).collect();
                engine.tokens(&ids)?
            }
            None => engine.read(self.which.prompt.as_deref().unwrap_or_default())?,
        };
        let place = |option: &str, position: i64| place(option, position, tokens.len());
        let against = match self.against {
            AgainstArg::Softmax => Against::Softmax,
            AgainstArg::Position(position) => Against::Position(place("--against", position)?),
        };
        let key = self.key.map(|key| Ok::<_, anyhow::Error>((place("--key", key)?, against))).transpose()?;
        let request = AttentionRequest {
            head,
            query: place("--query", self.query)?,
            key,
            ablate: match &self.verify {
                None => Ablate::Nothing,
                Some(None) => Ablate::Strongest,
                Some(Some(id)) => Ablate::Feature(feature(id)?),
            },
            tokens,
        };
        let graph = open.as_ref().map(|open| &*open.document.graph);
        let reply = CachedBaseline::default().attention(engine, graph, &request, monitor)?;
        let nodes = graph.map(sources_of);
        let listed = reply.split.as_ref().map(|split| split.listed(self.top));
        let labels = match reply.split.as_ref().zip(listed.as_ref()) {
            Some(of) => labels(engine, of, open.as_ref(), nodes.as_ref(), monitor)?,
            None => HashMap::new(),
        };
        if let (Some(open), Some(split), Some(listed)) = (&open, &reply.split, &listed) {
            self.write(open, split, listed)?;
        }
        Ok(Told { request, reply, listed, nodes, labels, out: self.out.clone() })
    }

    /// Writes the graph with the split added.
    fn write(&self, open: &OpenGraph, split: &QkAttribution, listed: &QkListed) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let mut document = open.document.clone();
        let (trace, only) = head_trace(split, &document.graph, listed);
        Arc::make_mut(&mut document.foreign).attention.add(trace, only);
        let options = Options { part: Some(Part::Pruned), ..Options::default() };
        format::export(&document, &open.kept, &open.edited, &options, out)?;
        Ok(())
    }
}

/// Returns the feature that a node's id names.
fn feature(id: &str) -> Result<FeatureAt> {
    let numbers: Option<Vec<u32>> = id.split('_').map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some([layer, feature, position]) => Ok(FeatureAt::mlp(Layer(*layer), Position(*position), FeatureId(*feature))),
        _ => bail!("--verify {id}: only features can be ablated; give the id of one, LAYER_FEATURE_POSITION"),
    }
}

/// Returns the labels of the listed sources, by their index.
fn labels(
    engine: &Engine,
    (split, listed): (&QkAttribution, &QkListed),
    open: Option<&OpenGraph>,
    nodes: Option<&HashMap<Source, NodeId>>,
    monitor: &Monitor,
) -> Result<HashMap<usize, String>> {
    let known = KnownTranscoder::called(&engine.transcoder.name())?;
    let library = known.library(&FeatureFiles::default(), false, &hub(true), monitor)?;
    let pairs = listed.pairs.iter().flat_map(|pair| [pair.query, pair.key]);
    let marginals = listed.queries.iter().chain(&listed.keys);
    let mut found = HashMap::new();
    for at in pairs.chain(marginals.map(|(source, _)| *source)) {
        let QkSource::Source(source) = split.sources()[at] else { continue };
        let in_graph = open.zip(nodes).and_then(|(open, nodes)| {
            let (document, id) = (&open.document, nodes.get(&source)?);
            label(&document.graph, &open.edited, &document.labels, *id).map(str::to_owned)
        });
        let named = in_graph.or_else(|| {
            let Source::Feature(at) = source else { return None };
            let (layer, feature) = at.layer_and_feature();
            let here = FeatureSource::label(&library, (layer, feature));
            here.or_else(|| library.read_here(layer, feature).label).map(|label| shown(&label))
        });
        found.extend(named.filter(|label| !label.is_empty()).map(|label| (at, label)));
    }
    Ok(found)
}

/// Returns the text of the token at a position.
fn token(tokens: &[Token], position: Position) -> &str {
    &tokens[position.index()].text
}
