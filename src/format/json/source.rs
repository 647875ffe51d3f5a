//! Where Neuronpedia tells of a graph's features.

use super::fields::Metadata;
use crate::graph::SourceSet;

/// The set of sources that the metadata names: in a field of its own, or as the address of the set. The model is what
/// Neuronpedia calls it, which stands as `scan` in its graphs.
pub(super) fn set(metadata: &Metadata) -> Option<SourceSet> {
    let info = metadata.info.as_ref();
    let of_features = metadata.feature_details.as_ref().and_then(|details| details.neuronpedia_source_set.as_deref());
    let named = of_features.or_else(|| info.and_then(|info| info.neuronpedia_source_set.as_deref()));
    if let (Some(name), Some(model)) = (named, metadata.scan.as_deref())
        && is_name(name)
        && is_name(model)
    {
        return Some(SourceSet { model: model.to_owned(), name: name.to_owned() });
    }
    let addresses = info.and_then(|info| info.source_urls.as_deref()).unwrap_or_default();
    addresses.iter().find_map(|address| {
        let path = ["https://www.neuronpedia.org/", "https://neuronpedia.org/"]
            .iter()
            .find_map(|site| address.strip_prefix(site))?;
        let (model, name) = path.trim_end_matches('/').split_once('/')?;
        (is_name(model) && is_name(name)).then(|| SourceSet { model: model.to_owned(), name: name.to_owned() })
    })
}

/// Whether it can be the name of a model or of a set.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() < 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
