//! `circuitscope fetch`, and the download of links in place of a graph's file.

use crate::cli::consent;
use crate::cli::output::tell;
use crate::cli::progress::{WhenStopped, watch};
use crate::config;
use crate::hub::{GraphLink, Published, SITE};
use crate::service::models::hub;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Fetch graphs from Neuronpedia by their links, keep them on this machine, and say where they lie. NEURONPEDIA_ENDPOINT
/// names another server in its place.
#[derive(Clone, Debug, clap::Args)]
pub struct FetchArgs {
    /// Links to graphs: https://www.neuronpedia.org/MODEL/graph?slug=…; pins, supernodes, labels and thresholds in them
    /// are kept with the graph
    #[arg(required = true, value_name = "LINK")]
    links: Vec<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Fetch also what is here already
    #[arg(long)]
    anew: bool,
    /// Forbid the network: say where what is here lies
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Fetches the graphs of the links.
///
/// # Errors
/// Fails where a link is not to a graph, or cannot be fetched.
pub fn run(args: &FetchArgs) -> Result<()> {
    let mut fetched = Vec::new();
    for link in &args.links {
        let published = published(link, args.offline)?;
        let was_here = published.is_here() && !args.anew;
        let file = file(&published, args.yes, args.offline, args.anew)?;
        fetched.push((published.link, file, was_here));
    }
    tell(
        args.json,
        || {
            let graph = |(link, file, was_here): &(GraphLink, PathBuf, bool)| json!({ "link": link.to_string(), "model": link.model, "slug": link.slug, "file": file, "was_here": was_here });
            json!({ "graphs": fetched.iter().map(graph).collect::<Vec<_>>() })
        },
        || fetched.iter().map(|(_, file, _)| file.display().to_string()).collect(),
    )
}

/// Returns the path of a graph's file. A link is fetched, with consent, if its file is not here.
///
/// # Errors
/// Fails where it is a link to something else, or cannot be fetched.
pub fn graph_file(named: &Path, yes: bool, offline: bool) -> Result<PathBuf> {
    match named.to_str().filter(|text| GraphLink::is_link(text)) {
        Some(link) => file(&published(link, offline)?, yes, offline, false),
        None => Ok(named.to_owned()),
    }
}

fn published(link: &str, offline: bool) -> Result<Published> {
    let hub = hub(offline);
    let Some(parsed) = GraphLink::parse(link, &hub.neuronpedia.endpoint) else {
        bail!("{link}: this link leads to no graph on Neuronpedia; one looks like {SITE}/MODEL/graph?slug=NAME");
    };
    let data = config::data_folder().context("graphs cannot be kept: no home directory is known; set HOME")?;
    Ok(Published::new(parsed, &data))
}

fn file(published: &Published, yes: bool, offline: bool, anew: bool) -> Result<PathBuf> {
    let hub = hub(offline);
    let GraphLink { model, slug, .. } = &published.link;
    if !published.is_here() || anew {
        hub.neuronpedia.allow(format!("graph {slug} of {model}"))?;
        let server = hub.neuronpedia.shown();
        let question = format!("fetch the graph {slug} of {model} from {server}, which is told these two names");
        consent::ask(&[question], yes)?;
    }
    let published = published.clone();
    watch(WhenStopped::Abandon, move |monitor| Ok(published.file(&hub, anew, monitor)?))
}
