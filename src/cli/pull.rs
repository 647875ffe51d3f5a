//! `circuitscope pull`: downloads a model or a transcoder from the hub into the shared cache of this machine.

use crate::cli::output::{note, print_json};
use crate::cli::progress::{WhenStopped, watch};
use crate::cli::set_args::ChoiceArgs;
use crate::hub::{Bytes, Hub, Offer, Preset, Reference, Request, Source};
use crate::service::models::hub;
use anyhow::{Result, bail};

/// Downloads models and transcoders from the hub, into the cache that Python's tools use too.
#[derive(Clone, Debug, clap::Args)]
pub struct PullArgs {
    /// ORG/REPO or ORG/REPO/FOLDER, each with @REVISION, or the name of a preset for its model and transcoder
    #[arg(required = true, value_name = "REF")]
    references: Vec<String>,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Say what would be downloaded and how large it is, and leave it at that
    #[arg(long)]
    dry_run: bool,
    /// Print what was downloaded on stdout as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the files and their size, downloads them, and prints their place.
///
/// # Errors
/// Fails where a reference does not exist, or the download failed; what has come is kept.
pub fn run(args: &PullArgs) -> Result<()> {
    let hub = hub(false);
    let mut references = Vec::new();
    for text in &args.references {
        references.extend(named(text)?);
    }
    let request = Request::Each(references, args.choice.options());
    let offer = if args.dry_run { look(&hub, &request, true)? } else { fetch(&hub, &request, true)? };
    if args.json {
        let cache = hub.cache.root();
        let result = serde_json::json!({ "cache": cache, "downloaded": !args.dry_run, "repositories": repos(&offer) });
        print_json(&result)?;
    }
    Ok(())
}

fn named(text: &str) -> Result<Vec<Reference>> {
    if let Some(preset) = Preset::named(text) {
        return Ok([preset.model, preset.transcoder].into_iter().filter_map(Reference::parse).collect());
    }
    match Source::parse(text.as_ref())? {
        Source::Hub(reference) => Ok(vec![reference]),
        Source::Directory(path) => match Reference::parse(text) {
            // A folder of that name beside is no reason not to fetch.
            Some(reference) => Ok(vec![reference]),
            None => bail!("{} is a directory; there is nothing to download", path.display()),
        },
    }
}

/// Asks the hub for the files of a request, prints them on stderr, and fetches them.
///
/// # Errors
/// Fails where the network is forbidden or fails, or the files cannot be had.
pub fn fetch(hub: &Hub, request: &Request, anew: bool) -> Result<Offer> {
    let offer = look(hub, request, anew)?;
    let (inside, offered) = (hub.clone(), offer.clone());
    watch(WhenStopped::Resume, move |monitor| Ok(inside.fetch(&offered, monitor)?))?;
    note!("in {}", hub.cache.root().display());
    Ok(offer)
}

fn look(hub: &Hub, request: &Request, anew: bool) -> Result<Offer> {
    let (inside, asked) = (hub.clone(), request.clone());
    let offer = watch(WhenStopped::Resume, move |monitor| Ok(inside.offer(&asked, anew, monitor)?))?;
    offer.lines().iter().for_each(|line| note!("{line}"));
    note!("{} to download", Bytes(offer.to_come()));
    Ok(offer)
}

fn repos(offer: &Offer) -> Vec<serde_json::Value> {
    let repo = |repo: &crate::hub::RepoOffer| {
        let files: Vec<_> = repo
            .files
            .iter()
            .map(|file| serde_json::json!({ "name": file.name, "bytes": file.size, "here_before": file.here }))
            .collect();
        serde_json::json!({
            "repository": repo.repo,
            "revision": repo.revision,
            "commit": repo.commit,
            "bytes": repo.bytes(),
            "here_before": repo.bytes() - repo.to_come(),
            "files": files,
        })
    };
    offer.repos.iter().map(repo).collect()
}
