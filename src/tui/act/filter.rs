//! Filters that the circuit is seen through.

use crate::graph::query::{Lacking, Query, TextField};
use crate::ids::{FeatureId, Layer};
use crate::text;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::dialogs::filter::FilterPrompt;
use crate::tui::dialogs::question::{Asks, Question};
use crate::tui::filter::{About, Filter};
use crate::tui::filter_job::{FilterJob, Filtered, Written};
use crate::tui::runtime::jobs::JobKey;
use crate::tui::view;
use std::collections::BTreeSet;
use std::sync::Arc;

const FILTER: JobKey = JobKey::new("filter").of_graph();

/// Job that counts the matches of a filter that is being written.
const COUNT: JobKey = JobKey::new("count").of_graph();

pub(in crate::tui) fn open_filter(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let (text, hides) =
        circuit.marks.filter.as_ref().map_or((String::new(), true), |filter| (filter.text.clone(), filter.hides));
    state.dialogs.open(FilterPrompt::new(text, hides));
}

/// Parses the filter as it is typed, where it changed, and counts its matches.
pub(in crate::tui) fn read_filter(state: &mut State) {
    let (Some(prompt), Some(circuit)) = (state.dialogs.get_mut::<FilterPrompt>(), &state.circuit) else { return };
    if let Some(query) = prompt.read(&circuit.marks.filters, &|field| known(circuit, field)) {
        let filter_job = filter_job(circuit, Arc::new(query));
        state.jobs.submit(
            COUNT,
            move |_, _| Ok(filter_job.run().matches),
            |state, matches| {
                if let (Some(prompt), Ok(matches)) = (state.dialogs.get_mut::<FilterPrompt>(), matches) {
                    prompt.take(&matches);
                }
            },
        );
    }
}

/// Returns the texts that a field has in the graph, for completion.
fn known(circuit: &Circuit, field: TextField) -> Vec<String> {
    let document = &circuit.traced.document;
    let edited = circuit.edits.now();
    let texts: BTreeSet<&String> = match field {
        TextField::Label => document.labels.values().chain(edited.labels.values()).collect(),
        TextField::Token => document.graph.tokens().iter().map(|token| &token.text).collect(),
        TextField::Group => edited.groups.iter().map(|group| &group.name).collect(),
        TextField::Promotes => {
            circuit.written().flat_map(|(_, written)| &written.top).map(|(token, _)| token).collect()
        }
        TextField::Suppresses => {
            circuit.written().flat_map(|(_, written)| &written.bottom).map(|(token, _)| token).collect()
        }
        // There are as many names as nodes, and nobody types one by its beginning.
        TextField::Name => BTreeSet::new(),
    };
    texts.into_iter().cloned().collect()
}

fn filter_job(circuit: &Circuit, query: Arc<Query>) -> FilterJob {
    FilterJob {
        query,
        document: circuit.traced.document.clone(),
        kept: Arc::clone(&circuit.pruned),
        edited: circuit.edits.now().clone(),
        selected: circuit.selected(),
        written: circuit.written().map(|(feature, written)| (feature, Arc::clone(written))).collect::<Written>(),
    }
}

/// Applies the typed filter; an empty one removes the filter.
pub(in crate::tui) fn apply_filter(state: &mut State) {
    let Some(prompt) = state.dialogs.get::<FilterPrompt>() else { return };
    let text = prompt.text().to_owned();
    let hides = prompt.hides;
    if text.is_empty() {
        state.dialogs.close_all();
        drop_filter(state);
    } else if let Ok(query) = Query::parse(&text) {
        state.dialogs.close_all();
        state.filter_history.retain(|other| *other != text);
        state.filter_history.push(text.clone());
        set_filter(state, Filter::new(text, query, hides));
    }
}

fn set_filter(state: &mut State, filter: Filter) {
    if let Some(circuit) = &mut state.circuit {
        circuit.marks.filter = Some(filter);
    }
}

fn drop_filter(state: &mut State) {
    if let Some(circuit) = &mut state.circuit
        && circuit.marks.filter.take().is_some()
    {
        circuit.show(&state.look.glyphs);
        state.say("The filter is gone");
    }
}

/// Puts the filter aside, or takes it up again.
pub(in crate::tui) fn toggle_filter(state: &mut State) {
    change_filter(state, |filter| {
        filter.is_off = !filter.is_off;
        if filter.is_off { "The filter is put aside" } else { "The filter is taken up again" }
    });
}

pub(in crate::tui) fn toggle_hiding(state: &mut State) {
    if let Some(prompt) = state.dialogs.get_mut::<FilterPrompt>() {
        prompt.hides = !prompt.hides;
        return;
    }
    change_filter(state, |filter| {
        filter.hides = !filter.hides;
        if filter.hides { "What does not match is hidden" } else { "What does not match stands back" }
    });
}

fn change_filter(state: &mut State, change: impl FnOnce(&mut Filter) -> &'static str) {
    let Some(circuit) = &mut state.circuit else { return };
    let Some(filter) = &mut circuit.marks.filter else {
        state.say("There is no filter yet");
        return;
    };
    let said = change(filter);
    circuit.show(&state.look.glyphs);
    state.say(said);
}

pub(in crate::tui) fn complete_filter(state: &mut State) {
    if let Some(prompt) = state.dialogs.get_mut::<FilterPrompt>() {
        prompt.complete();
    }
}

pub(in crate::tui) fn move_in_filter(state: &mut State, by: isize) {
    let screen = view::dialog_room(state.size);
    if let Some(prompt) = state.dialogs.get_mut::<FilterPrompt>() {
        prompt.move_by(by, screen);
    }
}

pub(in crate::tui) fn toggle_grammar(state: &mut State) {
    if let Some(prompt) = state.dialogs.get_mut::<FilterPrompt>() {
        prompt.toggle_grammar();
    }
}

pub(in crate::tui) fn recall_filter(state: &mut State, by: isize) {
    if let Some(prompt) = state.dialogs.get_mut::<FilterPrompt>() {
        prompt.recall(&state.filter_history, by);
    }
}

pub(in crate::tui) fn ask_filter_name(state: &mut State) {
    let Some(prompt) = state.dialogs.get::<FilterPrompt>() else { return };
    let text = prompt.text().to_owned();
    if Query::parse(&text).is_ok() {
        let about = state.look.glyphs.visible(&text);
        state.dialogs.open(Question::new(Asks::FilterName(text), about, String::new()));
    }
}

/// Asks for the filter's result, where its inputs changed.
pub(in crate::tui) fn ask_filter(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    if circuit.marks.filter.as_ref().is_none_or(|filter| filter.is_off) {
        return;
    }
    let about = About {
        kept: Arc::clone(&circuit.pruned),
        labels: Arc::clone(&circuit.traced.document.labels),
        edited: circuit.edits.now().clone(),
        selected: circuit.selected(),
        written: circuit.written().count(),
    };
    let Some(filter) = circuit.marks.filter.as_mut().filter(|filter| !filter.is_off) else { return };
    if filter.ask(&about) {
        let query = Arc::clone(&filter.query);
        let filter_job = filter_job(circuit, query);
        state.jobs.submit(FILTER, move |_, _| Ok(Arc::new(filter_job.run())), take_filtered);
    }
}

fn take_filtered(state: &mut State, result: Result<Arc<Filtered>, String>) {
    let (Ok(filtered), Some(circuit)) = (result, &mut state.circuit) else { return };
    let Some(filter) = &mut circuit.marks.filter else { return };
    if filter.take(&filtered) {
        let is_first = !std::mem::replace(&mut filter.told, true);
        circuit.show(&state.look.glyphs);
        if is_first {
            state.say(found(&filtered, state.jobs.services.tracer.is_some()));
        }
    }
}

/// Returns the counts of matches, and of nodes that are undecided.
fn found(filtered: &Filtered, can_learn: bool) -> String {
    let matches = &filtered.matches;
    let (nodes, edges) = (text::counted(matches.n_nodes, "node"), text::counted(matches.n_edges, "edge"));
    let mut said = format!("{nodes} and {edges} match");
    for what in &matches.lacking {
        let undecided = text::counted(matches.undecided_nodes, "node");
        said.push_str(&match (what, can_learn) {
            (Lacking::PromotedTokens, true) => {
                format!("; {undecided} more wait for promoted tokens, which are being computed")
            }
            (Lacking::PromotedTokens, false) => format!("; {undecided} need promoted tokens, and no model is loaded"),
            (other, _) => format!("; {undecided} need {other}"),
        });
    }
    said
}

/// Returns the next feature whose promoted tokens the filter needs: the most influential one that is kept.
pub(super) fn needed_by_filter(circuit: &Circuit) -> Option<(Layer, FeatureId)> {
    let filter = circuit.marks.filter.as_ref()?;
    if filter.is_off || !filter.lacks(Lacking::PromotedTokens) {
        return None;
    }
    let features = circuit.pruned.node_ids().filter_map(|node| Some((node, circuit.feature(node)?)));
    let unknown = features.filter(|(_, feature)| !circuit.promoted.contains_key(feature));
    unknown.min_by(|(a, _), (b, _)| circuit.pruned.by_influence(*a, *b)).map(|(_, feature)| feature)
}
