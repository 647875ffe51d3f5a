//! Commands on the filter that is being written.

use crate::graph::query::{Query, TextField};
use crate::tui::dialogs::filter::FilterPrompt;
use crate::tui::dialogs::question::{Asks, Question};
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use crate::tui::workspace::filter::update::{change_filter, filter_job};
use crate::tui::workspace::{Circuit, Filter};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Job that counts the matches of a filter that is being written.
const COUNT: JobKey = JobKey::new("count").of_graph();

pub(in crate::tui) fn open_filter(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (text, hides) =
        circuit.marks.filter.as_ref().map_or((String::new(), true), |filter| (filter.text.clone(), filter.hides));
    state.dialogs.open(FilterPrompt::new(text, hides));
}

/// Parses the filter as it is typed, where it changed, and counts its matches.
pub(in crate::tui) fn read_filter(state: &mut State) {
    let (Some(prompt), Some(circuit)) = (state.dialogs.get_mut::<FilterPrompt>(), &state.workspace.circuit) else {
        return;
    };
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
        // There are as many names as nodes: too many to complete from.
        TextField::Name => BTreeSet::new(),
    };
    texts.into_iter().cloned().collect()
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
        state.workspace.filter_history.retain(|other| *other != text);
        state.workspace.filter_history.push(text.clone());
        set_filter(state, Filter::new(text, query, hides));
    }
}

fn set_filter(state: &mut State, filter: Filter) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.marks.filter = Some(filter);
    }
}

fn drop_filter(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit
        && circuit.marks.filter.take().is_some()
    {
        circuit.show(&state.screen.look.glyphs);
        state.screen.say("The filter is gone");
    }
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

pub(in crate::tui) fn complete_filter(state: &mut State) {
    if let Some(prompt) = state.dialogs.get_mut::<FilterPrompt>() {
        prompt.complete();
    }
}

pub(in crate::tui) fn move_in_filter(state: &mut State, by: isize) {
    let screen = state.screen.dialog_room();
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
        prompt.recall(&state.workspace.filter_history, by);
    }
}

pub(in crate::tui) fn ask_filter_name(state: &mut State) {
    let Some(prompt) = state.dialogs.get::<FilterPrompt>() else { return };
    let text = prompt.text().to_owned();
    if Query::parse(&text).is_ok() {
        let about = state.screen.look.glyphs.visible(&text);
        state.dialogs.open(Question::new(Asks::FilterName(text), about, String::new()));
    }
}
