//! Taking up a session where it was left, and saving it as it changes.

use crate::session::Session;
use crate::tui::app::State;
use crate::tui::effect::Effect;
use crate::tui::message::Msg;
use crate::tui::remember::{Remembered, restore, session_of};
use crate::tui::update::update;

/// Reads the session of the graph on the screen, once all of it is there and unless it was read before. Keys wait until
/// it is: they would otherwise act on what it is about to replace.
pub(in crate::tui) fn open_session(state: &mut State) {
    let generation = state.circuit_generation;
    let file = state.files.get(&generation).cloned();
    if let (true, Some(circuit)) = (state.remembers, &state.circuit)
        && circuit.kit.saved.is_none()
    {
        state.remembering = Some(generation);
        state.effects.push(Effect::Remember { generation, document: circuit.traced.document.clone(), file });
    }
}

pub(in crate::tui) fn take_session(state: &mut State, generation: u64, result: Result<Box<Remembered>, String>) {
    if state.remembering.take_if(|waited| *waited == generation).is_none() {
        return;
    }
    // What was done to a graph that was still being traced is not saved yet.
    let touched = state.circuit.as_ref().is_some_and(|circuit| {
        circuit.edits.made().next().is_some() || !circuit.kit.marks.is_empty() || !circuit.kit.chosen.is_empty()
    });
    match result {
        Ok(remembered) => {
            let notices = remembered.notices.join("; ");
            restore(state, *remembered);
            if !notices.is_empty() {
                state.warn(notices);
            }
        }
        Err(why) => state.warn(why),
    }
    state.dirty = true;
    let session = state.circuit.as_ref().map(|circuit| session_of(state, circuit));
    if let Some(circuit) = &mut state.circuit {
        circuit.kit.saved = if touched { Some(Session::default()) } else { session };
        circuit.kit.session = Some(generation);
    }
    for key in std::mem::take(&mut state.held) {
        update(state, Msg::Key(key));
    }
}

/// Has the session saved where it changed since it was read.
pub(in crate::tui) fn save_session(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let Some(generation) = circuit.kit.session else { return };
    let Some(saved) = circuit.kit.saved.as_ref().filter(|_| state.remembering.is_none()) else { return };
    let session = session_of(state, circuit);
    if *saved != session {
        let graph = circuit.traced.document.graph.clone();
        state.effects.push(Effect::Save { generation, session: Box::new(session.clone()), graph });
        if let Some(circuit) = &mut state.circuit {
            circuit.kit.saved = Some(session);
        }
    }
}
