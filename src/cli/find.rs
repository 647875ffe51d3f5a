//! `circuitscope find`: nodes by their labels.

use crate::cli::graph::{GraphArgs, OpenGraph};
use crate::cli::output::tell;
use crate::graph::label;
use crate::ids::NodeId;
use anyhow::Result;
use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use serde_json::json;
use std::cmp::Reverse;

/// Finds nodes by their labels, tokens and ids; letters may be left out.
#[derive(Debug, clap::Args)]
pub struct FindArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// What to look for; of several words each has to be found
    text: String,
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Look among all nodes, not only those that are kept
    #[arg(long)]
    all: bool,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Opens and searches the graph, and prints the matches, the best first.
///
/// # Errors
/// Fails where the file cannot be read.
pub fn run(args: &FindArgs) -> Result<()> {
    let open = args.graph.open()?;
    let found = find(&open, &args.text, args.all);
    let listed = || found.iter().take(args.top);
    tell(
        args.json,
        || json!({ "found": found.len(), "nodes": listed().map(|id| open.node_json(*id)).collect::<Vec<_>>() }),
        || listed().map(|id| open.node_line(*id)).collect(),
    )
}

fn find(open: &OpenGraph, text: &str, all: bool) -> Vec<NodeId> {
    let graph = &open.document.graph;
    let matcher = SkimMatcherV2::default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found: Vec<_> = graph
        .node_ids()
        .filter(|id| all || open.kept.has_node(*id))
        .filter_map(|id| {
            let name = open.name(id);
            let label = label(graph, &open.edited, &open.document.labels, id).unwrap_or_default();
            let texts = [label, graph.token_text(id), name.as_str()];
            // Of texts that fit equally well the shortest says little else.
            let fit = |text: &&str, word: &str| Some((matcher.fuzzy_match(text, word)?, Reverse(text.chars().count())));
            let best = |word: &&str| texts.iter().filter_map(|text| fit(text, word)).max();
            let fits: Vec<_> = words.iter().map(best).collect::<Option<_>>()?;
            let (score, length) = fits.iter().fold((0, 0), |(score, length), fit| (score + fit.0, length + fit.1.0));
            Some((Reverse(score), length, id))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(.., id)| id).collect()
}
