//! Sessions: read for the graph on the screen, and saved as it changes.

use crate::job::Monitor;
use crate::session::{Session, SessionFile};
use crate::tui::app::State;
use crate::tui::message::Msg;
use crate::tui::remember::{self, Remembered, restore, session_of};
use crate::tui::runtime::jobs::{JobKey, Services};
use crate::tui::runtime::sessions::Saving;
use crate::tui::update::update;

/// Job that reads the session of the graph on the screen.
pub const SESSION: JobKey = JobKey::new("session").writing();

/// Reads the session of the graph on the screen, once that is complete and unless it was read before. Keys wait for it:
/// they would otherwise act on the state that it is about to replace.
pub(in crate::tui) fn open_session(state: &mut State) {
    let id = state.graph_id;
    let file = state.files.get(&id).cloned();
    let Some(circuit) = state.circuit.as_ref().filter(|circuit| state.remembers && circuit.marks.saved.is_none())
    else {
        return;
    };
    let document = circuit.traced.document.clone();
    let parted = state.sessions.parted();
    let work = move |services: &Services, _: &Monitor| {
        // It may be the session of a graph that was just closed: its unsaved changes are saved first.
        parted.iter().for_each(|tried| _ = tried.recv());
        Ok(remember::read(&document, file.as_deref(), services.data.as_deref()))
    };
    state.jobs.submit(SESSION, work, move |state, result| {
        if id == state.graph_id {
            take_session(state, result);
        }
        for key in std::mem::take(&mut state.held) {
            update(state, Msg::Key(key));
        }
    });
}

fn take_session(state: &mut State, result: Result<(Remembered, SessionFile), String>) {
    let id = state.graph_id;
    let result = result.and_then(|(remembered, file)| {
        state.sessions.begin(id, file)?;
        Ok(remembered)
    });
    // Edits of a graph that was still being traced are not saved yet.
    let touched = state.circuit.as_ref().is_some_and(|circuit| {
        circuit.edits.made().next().is_some() || !circuit.marks.letters.is_empty() || !circuit.marks.chosen.is_empty()
    });
    match result {
        Ok(remembered) => {
            let notices = remembered.notices.join("; ");
            restore(state, remembered);
            if !notices.is_empty() {
                state.warn(notices);
            }
        }
        Err(why) => state.warn(why),
    }
    let session = state.circuit.as_ref().map(|circuit| session_of(state, circuit));
    if let Some(circuit) = &mut state.circuit {
        circuit.marks.saved = if touched { Some(Session::default()) } else { session };
        circuit.marks.session = Some(id);
    }
}

/// Saves the session where it changed since it was read.
pub(in crate::tui) fn save_session(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let Some(saver) = circuit.marks.session.and_then(|id| state.sessions.of(id)) else { return };
    let Some(saved) = circuit.marks.saved.as_ref().filter(|_| !state.jobs.is_waiting(SESSION)) else { return };
    let session = session_of(state, circuit);
    if *saved != session {
        let graph = circuit.traced.document.graph.clone();
        saver.save(session.clone(), graph);
        if let Some(circuit) = &mut state.circuit {
            circuit.marks.saved = Some(session);
        }
    }
}

/// Takes the outcome of saving.
pub(in crate::tui) fn take_saving(state: &mut State, news: Saving) {
    match news {
        Saving::Notice(text) => state.warn(text),
        Saving::Unsaved(unsaved) => super::program::take_unsaved(state, unsaved),
        Saving::Tried => super::program::leave(state),
    }
}
