//! Turning from one open graph to another.

use super::edits::prune_anew;
use super::prompt::start_open;
use crate::tui::app::{Effect, Pane, State};
use crate::tui::circuit::Writes;
use crate::tui::shelf::{Shelf, Shelved};
use std::path::PathBuf;

/// Whether the graph on the screen can be put aside; says why not.
fn can_turn(state: &mut State) -> bool {
    if state.busy.is_some() {
        state.say("What is under way comes onto this screen: wait for it, or stop it");
    }
    state.busy.is_none()
}

pub(in crate::tui) fn turn_graph(state: &mut State, forward: bool) {
    if state.shelf.place().is_none() {
        state.say("No other graph is open");
    } else if can_turn(state) {
        let here = take_off(state);
        let next = state.shelf.turn(here, forward);
        put_on(state, next);
    }
}

pub(in crate::tui) fn close_graph(state: &mut State) {
    if state.shelf.place().is_none() {
        state.say("This is the only graph; q leaves");
    } else if can_turn(state) {
        if let Shelved::Circuit { circuit, .. } = take_off(state)
            && let Some(generation) = circuit.kit.session
        {
            state.effects.push(Effect::Forget { generation });
        }
        if let Some(next) = state.shelf.close() {
            put_on(state, next);
        }
    }
}

/// Opens the first of several files; the others are opened when they are turned to.
pub fn open_files(state: &mut State, files: Vec<PathBuf>) {
    let mut files = files.into_iter();
    if let Some(first) = files.next() {
        state.shelf = Shelf::new(files.map(Shelved::File));
        put_on(state, Shelved::File(first));
    }
}

fn take_off(state: &mut State) -> Shelved {
    let prunes = state.pruning.take().is_some();
    match state.circuit.take() {
        Some(mut circuit) => {
            // Answers about it will find another one on the screen: they are asked for again.
            circuit.writes.retain(|_, writes| !matches!(writes, Writes::Pending));
            if let Some(filter) = &mut circuit.kit.filter {
                filter.ask_anew();
            }
            Shelved::Circuit { circuit: Box::new(circuit), generation: state.circuit_generation, prunes }
        }
        None => state.file.take().map_or(Shelved::Nothing, Shelved::File),
    }
}

fn put_on(state: &mut State, next: Shelved) {
    state.detail_scroll = 0;
    match next {
        Shelved::Circuit { circuit, generation, prunes } => {
            state.circuit = Some(*circuit);
            state.circuit_generation = generation;
            if prunes {
                prune_anew(state);
            }
        }
        Shelved::File(path) => {
            state.focus = Pane::Graph;
            state.file = Some(path.clone());
            start_open(state, path);
        }
        Shelved::Nothing => {}
    }
}
