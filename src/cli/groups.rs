//! `circuitscope groups`: supernodes, and proposals of new ones.

use crate::cli::graph::{GraphArgs, OpenGraph, add_scores};
use crate::cli::output::tell;
use crate::graph::{SimilarityBounds, SupernodeGraph, proposals, subgraph_scores, supernodes};
use crate::ids::NodeId;
use crate::job::Cancel;
use crate::text::visible;
use anyhow::Result;
use serde_json::json;

/// Shows pinned nodes and supernodes with the edges between them, and features that could be supernodes.
#[derive(Debug, clap::Args)]
pub struct GroupsArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// How alike the inputs and the outputs of features have to be to be proposed as one: their least cosine
    #[arg(long, value_name = "COSINE", default_value_t = SimilarityBounds::default().cosine)]
    alike: f64,
    /// How many tokens a proposal may span
    #[arg(long, value_name = "TOKENS", default_value_t = SimilarityBounds::default().span)]
    span: usize,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Opens the graph, and prints its supernodes, their edges and proposals.
///
/// # Errors
/// Fails where the file cannot be read.
pub fn run(args: &GroupsArgs) -> Result<()> {
    let open = args.graph.open()?;
    let graph = &open.document.graph;
    let groups = supernodes(graph, &open.edited);
    let scores = subgraph_scores(graph, &open.edited.pins);
    let likeness = SimilarityBounds { cosine: args.alike, span: args.span };
    let proposals = proposals(graph, &open.kept, &open.edited, &[], likeness, &Cancel::default())?;
    let names = |members: &[NodeId]| members.iter().map(|id| open.name(*id)).collect::<Vec<_>>();
    let title = |at: usize| title(&open, &groups, at);
    tell(
        args.json,
        || {
            let mut all = json!({
                "supernodes": groups.nodes.iter().enumerate().map(|(at, node)| json!({
                    "name": title(at),
                    "is_group": node.group.is_some(),
                    "members": names(&node.members),
                })).collect::<Vec<_>>(),
                "edges": groups.edges.iter().map(|edge| json!({
                    "source": edge.source, "target": edge.target, "weight": edge.weight,
                })).collect::<Vec<_>>(),
                "proposals": proposals.iter().map(|proposal| json!({
                    "members": names(&proposal.members), "likeness": proposal.likeness,
                })).collect::<Vec<_>>(),
            });
            add_scores(&mut all, graph, "", Some(scores));
            all
        },
        || {
            let mut lines = Vec::new();
            let titles =
                |members: &[NodeId]| members.iter().map(|id| open.node_title(*id)).collect::<Vec<_>>().join(", ");
            let called = |at: usize| match groups.nodes[at].group {
                Some(_) => visible(&title(at)),
                None => open.node_title(groups.nodes[at].members[0]),
            };
            for (at, node) in groups.nodes.iter().enumerate().filter(|(_, node)| node.group.is_some()) {
                lines.push(format!("{}: {}", called(at), titles(&node.members)));
            }
            for edge in &groups.edges {
                lines.push(format!("{} -> {}  {:+.4}", called(edge.source), called(edge.target), edge.weight));
            }
            for proposal in &proposals {
                lines.push(format!("{}  could be one ({:.2})", titles(&proposal.members), proposal.likeness));
            }
            lines
        },
    )
}

/// Returns the name of a supernode; for a lone node its id.
fn title(open: &OpenGraph, groups: &SupernodeGraph, at: usize) -> String {
    let node = &groups.nodes[at];
    node.group.map_or_else(|| open.name(node.members[0]), |group| open.edited.groups[group].name.clone())
}
