//! Neuronpedia's page of a graph, and the source set of its features.

use crate::graph::{Page, SourceSet};
use crate::hub::{GraphLink, SITE};

/// Returns Neuronpedia's page of the graph, by the link to it in the metadata.
pub(super) fn page(link: &str) -> Option<Page> {
    GraphLink::parse(link, SITE).map(|GraphLink { model, slug, .. }| Page { model, slug })
}

/// Returns the source set that the metadata names, by its `name` in a field of its own, or else by one of `addresses`.
/// The model is Neuronpedia's name of it, which is the `scan` of its graphs.
pub(super) fn set(scan: &str, name: Option<&str>, addresses: &[String]) -> Option<SourceSet> {
    if let Some(name) = name
        && is_name(name)
        && is_name(scan)
    {
        return Some(SourceSet { model: scan.to_owned(), name: name.to_owned() });
    }
    addresses.iter().find_map(|address| {
        let path = ["https://www.neuronpedia.org/", "https://neuronpedia.org/"]
            .iter()
            .find_map(|site| address.strip_prefix(site))?;
        let (model, name) = path.trim_end_matches('/').split_once('/')?;
        (is_name(model) && is_name(name)).then(|| SourceSet { model: model.to_owned(), name: name.to_owned() })
    })
}

/// Returns true where it can be the name of a model or of a set.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() < 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
