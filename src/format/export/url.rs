//! The state of Neuronpedia's viewer, as its URL holds it.

use super::sheet::Sheet;
use crate::format::json;
use crate::graph::Part;
use std::io::{self, Write};

/// One line: the address at which Neuronpedia shows the graph of this slug with these pins, groups, labels and
/// threshold, once the graph is there. Where neither `scan` nor the graph's file gives Neuronpedia's name of the model,
/// it is taken to be the model's, without who published it.
pub(super) fn write(out: &mut dyn Write, sheet: &Sheet<'_>, scan: Option<&str>) -> io::Result<()> {
    let (graph, edited) = (&sheet.document.graph, sheet.edited);
    let names: Vec<String> = graph.node_ids().map(|id| graph.node_name(id)).collect();
    let name = |id: &crate::ids::NodeId| names[id.index()].as_str();
    let pins: Vec<_> = edited.pins.iter().map(name).collect();
    let groups: Vec<Vec<&str>> = edited
        .groups
        .iter()
        .map(|group| std::iter::once(group.name.as_str()).chain(group.members.iter().map(name)).collect())
        .collect();
    let mut state = vec![("slug", sheet.slug.clone())];
    if !pins.is_empty() {
        state.push(("pinnedIds", pins.join(",")));
    }
    if !groups.is_empty() {
        state.push(("supernodes", serde_json::json!(groups).to_string()));
    }
    let labels = json::labels(graph, edited, &sheet.document.foreign.unread, &names);
    if !labels.is_empty() {
        state.push(("clerps", serde_json::json!(labels).to_string()));
    }
    if sheet.part != Part::All {
        state.push(("pruningThreshold", edited.thresholds.node.to_string()));
        if edited.thresholds.density < 1.0 {
            state.push(("densityThreshold", edited.thresholds.density.to_string()));
        }
    }
    if let Some(first) = pins.first() {
        state.push(("clickedId", (*first).to_owned()));
    }
    let state: Vec<_> = state.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    let origin = &sheet.document.origin;
    let named = if origin.model.is_empty() { &origin.transcoder } else { &origin.model };
    let guessed = || named.rsplit('/').next().unwrap_or_default().to_lowercase();
    let of_file = origin.source_set.as_ref().map(|set| set.model.clone());
    let model = scan.map(str::to_owned).or(of_file).unwrap_or_else(guessed);
    writeln!(out, "https://www.neuronpedia.org/{}/graph?{}", encoded(&model), state.join("&"))
}

/// Percent-encoded, but for what stands for itself anywhere in a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' => out.push(byte.into()),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
