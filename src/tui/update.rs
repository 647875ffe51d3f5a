//! What happens, and what it does to the state.

use crate::graph::{Kept, Paths, Proposal};
use crate::ids::{FeatureId, Layer};
use crate::job::Progress;
use crate::tui::act;
use crate::tui::app::{Pane, Popup, State};
use crate::tui::circuit::{Circuit, Writes};
use crate::tui::find::Found;
use crate::tui::keymap::{Context, Key, lookup};
use crate::tui::models::Brought;
use crate::tui::mouse::Mouse;
use crate::tui::sift::Sifted;
use crate::tui::subgraph::Subgraph;
use crate::tui::tracer::{Promoted, Traced};
use std::sync::Arc;
use tui_input::InputRequest;

/// Something that happened.
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Something was done with the mouse.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize(u16, u16),
    /// Time passed while work goes on; how far the trace is.
    Tick(Option<Progress>),
    /// A trace ended, or the graph of an opened one is made.
    Traced {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Traced, String>,
    },
    /// A pruning ended.
    Pruned {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Arc<Kept>, String>,
    },
    /// What is pinned was weighed.
    Weighed {
        /// Of the circuit that asked.
        generation: u64,
        /// The answer.
        result: Result<Arc<Subgraph>, String>,
    },
    /// What a filter lets through is found.
    Sifted {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Sifted, String>,
    },
    /// The paths between two nodes are found.
    Paths {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Paths, String>,
    },
    /// Features that could be supernodes are found.
    Proposed {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Vec<Proposal>, String>,
    },
    /// What fits what is typed is found.
    Found {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Found, String>,
    },
    /// The tokens that a feature writes are known.
    Promoted {
        /// Of the circuit that asked.
        generation: u64,
        /// The feature's layer.
        layer: Layer,
        /// The feature.
        feature: FeatureId,
        /// The answer.
        result: Result<Promoted, String>,
    },
    /// An errand ended.
    Errand {
        /// Of the question.
        generation: u64,
        /// The answer.
        result: Result<Brought, String>,
    },
}

/// Changes the state by what happened. Says through [`State::dirty`] whether the screen must follow.
pub fn update(state: &mut State, msg: Msg) {
    match msg {
        Msg::Key(key) => press(state, key),
        Msg::Mouse(mouse) => act::take_mouse(state, mouse),
        Msg::Paste(text) => {
            // A line break in what is pasted would otherwise become a token that nobody sees being typed.
            for c in text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').chars() {
                act::edit_text(state, InputRequest::InsertChar(c));
            }
        }
        Msg::Resize(width, height) => {
            state.size = (width, height);
            state.dirty = true;
        }
        Msg::Tick(progress) => {
            state.ticks = state.ticks.wrapping_add(1);
            match (&mut state.busy, &mut state.popup, progress) {
                (Some(busy), _, Some(progress)) => busy.progress = progress,
                (None, Some(Popup::Start(start)), Some(progress)) => start.progress = progress,
                _ => {}
            }
            state.dirty = true;
        }
        Msg::Traced { generation, result } => take_traced(state, generation, result),
        Msg::Pruned { generation, result } => take_pruned(state, generation, result),
        Msg::Weighed { generation, result } => act::take_weighed(state, generation, result),
        Msg::Sifted { generation, result } => act::take_sifted(state, generation, result),
        Msg::Paths { generation, result } => act::take_paths(state, generation, result),
        Msg::Proposed { generation, result } => act::take_proposals(state, generation, result),
        Msg::Found { generation, result } => act::take_found(state, generation, result),
        Msg::Errand { generation, result } => act::take_errand(state, generation, result),
        Msg::Promoted { generation, layer, feature, result } => {
            if generation == state.circuit_generation
                && let Some(circuit) = &mut state.circuit
            {
                let waited = matches!(circuit.writes.get(&(layer, feature)), Some(Writes::Pending));
                match result {
                    Ok(promoted) => _ = circuit.writes.insert((layer, feature), Writes::Known(Arc::new(promoted))),
                    Err(why) if waited => _ = circuit.writes.insert((layer, feature), Writes::Failed(why)),
                    // It was given up for another one.
                    Err(_) => {}
                }
                state.dirty = true;
            }
        }
    }
    settle(state);
}

fn press(state: &mut State, key: Key) {
    let context = state.context();
    state.dirty |= state.notice.take().is_some();
    state.dirty |= state.prefix.take().is_some();
    if let Some(command) = lookup(context, key) {
        (command.run)(state, key);
        state.dirty = true;
    } else if let Some(c) = key.typed()
        && context.chain().contains(&Context::Text)
    {
        act::edit_text(state, InputRequest::InsertChar(c));
        state.dirty = true;
    }
}

fn take_traced(state: &mut State, generation: u64, result: Result<Traced, String>) {
    let Some(busy) = state.busy.take_if(|busy| busy.generation == generation) else { return };
    state.dirty = true;
    match result {
        Ok(traced) => {
            let partial = traced.document.graph.is_partial();
            let warning = traced.document.trace.as_ref().and_then(|trace| trace.provenance.warnings.first().cloned());
            match Circuit::new(traced) {
                Some(circuit) => {
                    state.circuit = Some(circuit);
                    state.circuit_generation = generation;
                    state.pruning = None;
                    state.detail_scroll = 0;
                    if partial {
                        state.say("The trace was stopped early: the graph holds what there was, and is marked partial");
                    } else if let Some(warning) = warning {
                        state.warn(warning);
                    }
                }
                None => state.warn("The trace holds no node"),
            }
        }
        Err(_) if busy.stopping => state.say("The trace was stopped before there was anything to show"),
        Err(why) => state.warn(why),
    }
}

fn take_pruned(state: &mut State, generation: u64, result: Result<Arc<Kept>, String>) {
    if state.pruning.take_if(|waited| *waited == generation).is_none() {
        return;
    }
    state.dirty = true;
    match (result, &mut state.circuit) {
        (Ok(kept), Some(circuit)) => circuit.take_kept(kept, &state.look.glyphs),
        (Err(why), _) => state.warn(why),
        (Ok(_), None) => {}
    }
}

/// What follows from any change: the prompt is read as it is typed, the arrangement fits its pane, and the selected
/// feature's tokens are asked for.
fn settle(state: &mut State) {
    act::ask_picker(state);
    if let Some(Popup::Prompt(prompt)) = &mut state.popup {
        prompt.read(state.tracer.as_deref());
    }
    state.windows.note_focus(state.focus);
    act::weigh_pinned(state);
    let panes = state.panes().unwrap_or_default();
    let room = panes.graph_room();
    let Some(circuit) = &mut state.circuit else { return };
    if panes.of(Pane::Tree).is_some() {
        circuit.grow_tree();
    }
    if let Some(room) = room.map(|room| (room.width, room.height))
        && (circuit.arrangement.room != room || circuit.arrangement.rows.is_empty())
    {
        circuit.arrange(&state.look.glyphs, room);
    }
    act::learn(state);
    act::read_filter(state);
    act::ask_filter(state);
}
