//! Tabs of open graphs. A trace that is under way goes on for the graph that it belongs to.

use super::edits::{PRUNE, prune_anew};
use super::interventions::MEASURE;
use super::prompt::start_open;
use super::remember::open_session;
use super::trace::let_go;
use crate::tui::app::{Busy, Pane, State};
use crate::tui::circuit::PromotedTokens;
use crate::tui::runtime::jobs::RequestId;
use crate::tui::tabs::{Tab, TabContent, Tabs};
use std::fs;
use std::path::{Path, PathBuf};

pub(in crate::tui) fn turn_graph(state: &mut State, forward: bool) {
    if state.tabs.place().is_none() {
        state.say("No other graph is open");
    } else {
        let here = take_off(state);
        let next = state.tabs.turn(here, forward);
        put_on(state, next);
    }
}

/// Turns forward so many times at once.
pub(super) fn turn_by(state: &mut State, turns: usize) {
    let mut here = take_off(state);
    for _ in 0..turns {
        here = state.tabs.turn(here, true);
    }
    put_on(state, here);
}

pub(in crate::tui) fn close_graph(state: &mut State) {
    if state.tabs.place().is_none() {
        state.say("This is the only graph; q leaves");
        return;
    }
    let Tab { graph, busy } = take_off(state);
    if let Some(busy) = busy {
        state.jobs.stop_request(busy.id);
    }
    if let TabContent::Circuit { circuit, .. } = graph {
        let_go(*circuit, &mut state.sessions);
    }
    if let Some(next) = state.tabs.close() {
        put_on(state, next);
    }
}

/// Opens the first of several files; the others are opened when they are turned to.
pub fn open_files(state: &mut State, files: Vec<PathBuf>) {
    let mut files = files.into_iter();
    if let Some(first) = files.next() {
        state.tabs = Tabs::new(files.map(Tab::file));
        put_on(state, Tab::file(first));
    }
}

/// Opens a file in a tab beside the others, or turns to its tab where it is open already: two of the same would save
/// the same session.
pub(in crate::tui) fn open_beside(state: &mut State, path: PathBuf) {
    let whole = fs::canonicalize(&path);
    let is_it = |other: &Path| {
        other == path || whole.as_ref().is_ok_and(|whole| fs::canonicalize(other).is_ok_and(|other| other == *whole))
    };
    let file_of = |id: &RequestId| state.files.get(id);
    let is_here = state.circuit.is_some() && file_of(&state.graph_id).is_some_and(|file| is_it(file));
    if is_here {
        return;
    }
    let is_there = |other: &Tab| match &other.graph {
        TabContent::Circuit { id, .. } => file_of(id).is_some_and(|file| is_it(file)),
        TabContent::File(file) => is_it(file),
        TabContent::Nothing => false,
    };
    let there = state.tabs.others().find(|(.., other)| is_there(other)).map(|(turns, ..)| turns);
    if let Some(turns) = there {
        turn_by(state, turns);
        return;
    }
    if state.circuit.is_some() || state.busy.is_some() {
        let here = take_off(state);
        state.tabs.insert(here);
    }
    put_on(state, Tab::file(path));
    state.picked.extend(state.busy.as_ref().map(Busy::graph));
}

/// Puts the graph on the screen aside for a new one that is traced or made next to it; returns false where that would
/// stop work under way.
pub(super) fn set_beside(state: &mut State) -> bool {
    if state.busy.is_some() || state.tabs.is_busy() {
        state.warn("A trace is under way: wait for its end, or stop it");
        return false;
    }
    state.dialogs.close_all();
    state.focus = Pane::Graph;
    state.detail_scroll = 0;
    let here = take_off(state);
    state.tabs.insert(here);
    true
}

fn take_off(state: &mut State) -> Tab {
    let prunes = state.jobs.is_waiting(PRUNE);
    let measures = state.jobs.is_waiting(MEASURE);
    state.jobs.forget_graph();
    let file = state.file.take();
    let busy = match (&state.circuit, &file) {
        // The file is opened again when it is turned to.
        (None, Some(_)) => {
            if let Some(busy) = state.busy.take() {
                state.jobs.stop_request(busy.id);
            }
            None
        }
        _ => state.busy.take(),
    };
    let graph = match state.circuit.take() {
        Some(mut circuit) => {
            // Requests about the graph are made again when it is back.
            circuit.promoted.retain(|_, promoted| !matches!(promoted, PromotedTokens::Pending));
            circuit.look_up_labels_anew();
            if let Some(filter) = &mut circuit.marks.filter {
                filter.ask_anew();
            }
            if measures {
                circuit.panel.asked = None;
            }
            TabContent::Circuit { circuit: Box::new(circuit), id: state.graph_id, prunes }
        }
        None => file.map_or(TabContent::Nothing, TabContent::File),
    };
    Tab { graph, busy }
}

fn put_on(state: &mut State, next: Tab) {
    state.detail_scroll = 0;
    state.busy = next.busy;
    match next.graph {
        TabContent::Circuit { circuit, id, prunes } => {
            state.circuit = Some(*circuit);
            state.graph_id = id;
            if prunes {
                prune_anew(state);
            }
            if state.busy.is_none() {
                // Its trace may have ended meanwhile.
                open_session(state);
            }
        }
        TabContent::File(path) => {
            state.focus = Pane::Graph;
            state.file = Some(path.clone());
            start_open(state, path);
        }
        TabContent::Nothing => {}
    }
}
