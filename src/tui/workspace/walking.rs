//! Commands that walk from node to node.

use crate::ids::NodeId;
use crate::tui::keymap::Key;
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::workspace::Side;
use crate::tui::workspace::heads::back_to_head;

/// Selects a node from wherever the walk is; going back leads there again.
pub(in crate::tui) fn go_to(state: &mut State, node: NodeId) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    if !circuit.kept().has_node(node) {
        state.screen.say("This node is not kept at these thresholds: keep more nodes to go there");
        return;
    }
    circuit.leap(node);
    state.dialogs.close_all();
    state.panes.detail.scroll = 0;
}

/// Follows the connection under the cursor of the pane with the focus.
pub(in crate::tui) fn follow(state: &mut State) {
    let pane = state.screen.focus;
    pane.follow(state);
}

pub(in crate::tui) fn jump(state: &mut State, key: Key) {
    if let Some(index) = key.digit().and_then(|digit| digit.checked_sub(1)) {
        go_along(state, index);
    }
}

/// Follows the connection with this index on the followed side, or says why there is none.
pub(in crate::tui) fn go_along(state: &mut State, index: usize) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let dropped = circuit.connections.links().kept.get(index).filter(|link| !circuit.kept().has_node(link.other));
    if let Some(link) = dropped {
        let name = circuit.name(link.other, &state.screen.look.glyphs);
        let more = key_of("nodes-more", state);
        state.screen.say(format!("Pruning dropped {name}: {more} keeps more nodes"));
        return;
    }
    if circuit.follow(index) {
        state.panes.detail.scroll = 0;
    } else {
        let side = circuit.connections.side.name();
        match circuit.connections.links().kept.len() {
            0 if circuit.connections.side == Side::Inhibitors => state.screen.say("Nothing restrains this node"),
            0 => state.screen.say(format!("No {side} of this node is kept")),
            n if circuit.connections.side == Side::Inhibitors => {
                state.screen.say(format!("There is no {side} {}: {n} listed", index + 1))
            }
            n => state.screen.say(format!("There is no {side} {}: {n} kept", index + 1)),
        }
    }
}

pub(in crate::tui) fn back(state: &mut State) {
    if back_to_head(state) {
        return;
    }
    if state.workspace.circuit.as_mut().is_some_and(|circuit| !circuit.back()) {
        state.screen.say("This is where the walk began");
    }
    state.panes.detail.scroll = 0;
}

pub(in crate::tui) fn forward(state: &mut State) {
    if state.workspace.circuit.as_mut().is_some_and(|circuit| !circuit.forward()) {
        state.screen.say("This is where the walk ended");
    }
    state.panes.detail.scroll = 0;
}
