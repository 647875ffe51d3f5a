//! Keys that wait for another, and marks, which are set by such keys.

use super::find::go_to;
use crate::tui::app::State;
use crate::tui::keymap::{Code, Context, Key};

/// Waits for the next key, to be looked up in `context`.
pub(in crate::tui) fn await_key(state: &mut State, context: Context) {
    state.prefix = Some(context);
}

pub(in crate::tui) fn set_mark(state: &mut State, key: Key) {
    let (Some(circuit), Code::Char(letter)) = (&mut state.circuit, key.code) else { return };
    let node = circuit.selected();
    circuit.marks.letters.insert(letter, node);
    let name = circuit.name(node, &state.look.glyphs);
    state.say(format!("{name} is marked {letter}"));
}

pub(in crate::tui) fn to_mark(state: &mut State, key: Key) {
    let (Some(circuit), Code::Char(letter)) = (&state.circuit, key.code) else { return };
    match circuit.marks.letters.get(&letter).copied() {
        Some(node) => go_to(state, node),
        None => state.say(format!("No node is marked {letter}")),
    }
}
