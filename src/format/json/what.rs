//! Recognition of a JSON that is no attribution graph.

/// Keys that identify an object, all of which have to be there, and its description. The first that fits counts.
const KNOWN: [(&[&str], &str); 21] = [
    (&["graphs"], "it lists graphs; open one of those, which lie beside it"),
    (&["directed", "multigraph"], "it is a graph of NetworkX"),
    (
        &["nodes", "edges"],
        "it has `edges`, as an early form and graphs of other kinds do, where an attribution graph has `links`",
    ),
    (&["elements"], "it is a graph of Cytoscape"),
    (&["examples_quantiles"], "it is the dashboard of a feature"),
    (&["modelId", "index"], "it is Neuronpedia's page of a feature"),
    (&["modelId", "slug"], "it is Neuronpedia's record of a graph; the graph is what its `url` leads to"),
    (&["bySource"], "it lists Neuronpedia's features"),
    (&["filename", "offsets"], "it is the index of feature dashboards"),
    (&["pinnedIds"], "it is what a person did to a graph, without the graph"),
    (&["version", "pins", "walk"], "it is a session, which lies beside its graph; open that"),
    (&["adjacency_matrix"], "it is a graph as a matrix"),
    (&["weight_map"], "it is the index of a model's weights"),
    (&["added_tokens", "model"], "it is a tokenizer"),
    (&["architectures"], "it is the configuration of a model"),
    (&["model_type"], "it is the configuration of a model"),
    (&["feature_input_hook"], "it is the configuration of transcoders"),
    (&["nbformat", "cells"], "it is a notebook"),
    (&["type", "features"], "it is a map"),
    (&["error"], "it is the answer of a server that failed"),
    (&["$schema"], "it is a schema"),
];

/// Keys named of an unknown object.
const NAMED: usize = 5;
/// Characters shown of a key.
const SHOWN: usize = 30;

/// Describes an object with these keys, which lacks `missing` for an attribution graph.
pub(super) fn of_object(keys: &[String], missing: &str) -> String {
    let has = |wanted: &&str| keys.iter().any(|key| key == wanted);
    if let Some((_, says)) = KNOWN.iter().find(|(wanted, _)| wanted.iter().all(has)) {
        return (*says).to_owned();
    }
    let shown = |key: &String| key.escape_debug().take(SHOWN).collect::<String>();
    let named: Vec<String> = keys.iter().take(NAMED).map(shown).collect();
    match keys.len() {
        0 => format!("its JSON has no {missing}, and nothing else"),
        n if n > NAMED => format!("its JSON has no {missing}, but {} and {} more", named.join(", "), n - NAMED),
        _ => format!("its JSON has no {missing}, but {}", named.join(", ")),
    }
}
