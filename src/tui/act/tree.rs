//! Commands in the tree.

use crate::tui::app::State;
use crate::tui::circuit::Link;
use crate::tui::history::Reached;
use crate::tui::tree::Tree;

/// Changes the tree, and grows its rows at once.
pub(in crate::tui) fn tree(state: &mut State, change: impl FnOnce(&mut Tree)) {
    if let Some(circuit) = &mut state.circuit {
        change(&mut circuit.tree);
    }
}

/// Selects the node under the tree's cursor. Where the selected node is on its branch, the walk follows the branch.
pub(in crate::tui) fn go_to_branch(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    let Some(branch) = circuit.tree.branch() else { return };
    let (path, node) = (branch.path.clone(), branch.node());
    let way: Option<Vec<Link>> = path.iter().position(|on_way| *on_way == circuit.selected()).and_then(|from| {
        (from + 2..=path.len())
            .map(|end| circuit.tree.rows().iter().find(|row| row.path == path[..end])?.link)
            .collect()
    });
    match way {
        Some(way) => circuit.walk(&way, circuit.tree.side()),
        None => circuit.go(node, Reached::Freely),
    }
    state.detail_scroll = 0;
}

/// Holds the tree's root while the walk goes on, or lets it follow again.
pub(in crate::tui) fn hold_tree(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    circuit.tree.toggle_hold();
    let says = if circuit.tree.is_held() { "The tree stays at this root" } else { "The tree follows the walk" };
    state.say(says);
}
