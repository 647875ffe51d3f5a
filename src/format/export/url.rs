//! Link to a graph on Neuronpedia, with the state of its viewer.

use super::sheet::Sheet;
use crate::format::export::formats::{Exported, Spec, Writing};
use crate::format::export::unexportable;
use crate::format::{FormatError, json};
use crate::graph::Part;
use crate::hub::GraphLink;
use std::io::{self, Write};

pub(super) static FORMAT: Spec = Spec {
    name: "url",
    extension: "txt",
    about: "The link at which Neuronpedia shows the graph with pins, groups and thresholds, where it has it",
    drawing: None,
    prepare,
};

fn prepare(mut exported: Exported<'_>) -> Result<Writing<'_>, FormatError> {
    if exported.options.slug.is_empty()
        && let Some(page) = exported.document.origin.page.as_ref().filter(|page| !page.slug.is_empty())
    {
        exported.slug.clone_from(&page.slug);
    }
    if exported.slug.is_empty() {
        return Err(unexportable(
            "a link names the graph, and this one has no name; give it one, or write a file of its name",
        ));
    }
    let sheet = exported.sheet();
    Ok(Writing::stream(move |out| write(out, &sheet, exported.options.scan.as_deref())))
}

/// Writes one line: the address at which Neuronpedia shows the graph of this slug with these pins, groups, labels and
/// threshold, once the graph is there. Where neither `scan` nor the graph's file gives Neuronpedia's name of the model,
/// it is taken to be the model's name without its organisation.
fn write(out: &mut dyn Write, sheet: &Sheet<'_>, scan: Option<&str>) -> io::Result<()> {
    let (graph, edited) = (&sheet.document.graph, sheet.edited);
    let names: Vec<String> = graph.node_ids().map(|id| graph.node_name(id)).collect();
    let name = |id: &crate::ids::NodeId| names[id.index()].as_str();
    let pins: Vec<_> = edited.pins.iter().map(name).collect();
    let groups: Vec<Vec<&str>> = edited
        .groups
        .iter()
        .map(|group| std::iter::once(group.name.as_str()).chain(group.members.iter().map(name)).collect())
        .collect();
    let mut state = Vec::new();
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
    let origin = &sheet.document.origin;
    let named = if origin.model.is_empty() { &origin.transcoder } else { &origin.model };
    let guessed = || named.rsplit('/').next().unwrap_or_default().to_lowercase();
    let of_page = origin.page.as_ref().map(|page| page.model.clone());
    let of_file = || origin.source_set.as_ref().map(|set| set.model.clone());
    let model = scan.map(str::to_owned).or(of_page).or_else(of_file).unwrap_or_else(guessed);
    let state = state.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    writeln!(out, "{}", GraphLink { model, slug: sheet.slug.clone(), state })
}
