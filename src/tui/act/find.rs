//! Search, and the commands on its results.

use crate::ids::NodeId;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::command::Command;
use crate::tui::dialogs::picker::{Picker, Quest};
use crate::tui::find::{Haystack, Target};
use crate::tui::keymap::Key;
use crate::tui::marks::Search;
use crate::tui::runtime::jobs::JobKey;

const FIND: JobKey = JobKey::new("find");

pub(in crate::tui) fn open_palette(state: &mut State) {
    open(state, Quest::Command, Haystack::of_commands(&state.look.glyphs));
}

pub(in crate::tui) fn open_go_to(state: &mut State) {
    open(state, Quest::Anything, Haystack::of_everything(state.circuit.as_ref(), &state.tabs, &state.look.glyphs));
}

pub(in crate::tui) fn open_search(state: &mut State) {
    match &state.circuit {
        Some(circuit) => open(state, Quest::Search, Haystack::of_nodes(circuit, &state.look.glyphs)),
        None => state.say("There is no graph to search"),
    }
}

/// Lists the nodes that share the layer and the position of the selected one.
pub(in crate::tui) fn open_cell(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let nodes = circuit.cell_of(circuit.selected());
    if nodes.len() < 2 {
        state.say("No other node stands at this layer and position");
        return;
    }
    let haystack = Haystack::of_these(circuit, nodes, &state.look.glyphs);
    open(state, Quest::Anything, haystack);
}

fn open(state: &mut State, quest: Quest, haystack: Haystack) {
    state.dialogs.open(Picker::new(quest, haystack));
}

/// Searches for the typed text, where it changed.
pub(in crate::tui) fn ask_picker(state: &mut State) {
    let Some(picker) = state.dialogs.get_mut::<Picker>() else { return };
    let Some((haystack, query)) = picker.ask() else { return };
    state.jobs.submit(
        FIND,
        move |_, monitor| haystack.find(&query, monitor).map_err(|stop| stop.to_string()),
        |state, found| {
            if let (Some(picker), Ok(found)) = (state.dialogs.get_mut::<Picker>(), found)
                && picker.take(found)
            {
                accept_picked(state);
            }
        },
    );
}

pub(in crate::tui) fn move_in_picker(state: &mut State, by: isize) {
    if let Some(picker) = state.dialogs.get_mut::<Picker>() {
        picker.move_by(by);
    }
}

pub(in crate::tui) fn complete_picked(state: &mut State) {
    if let Some(picker) = state.dialogs.get_mut::<Picker>() {
        picker.complete();
    }
}

pub(in crate::tui) fn accept_picked(state: &mut State) {
    let Some(picker) = state.dialogs.get_mut::<Picker>() else { return };
    if !picker.accept() {
        return;
    }
    let Some(target) = picker.chosen().map(|entry| entry.target) else { return };
    let argument = picker.argument();
    let search = (picker.quest == Quest::Search).then(|| {
        let (nodes, at) = picker.nodes();
        Search { query: picker.typed().to_owned(), nodes, at }
    });
    match target {
        Target::Command(command) => run_by_name(state, command, argument),
        Target::Pane(pane) => {
            state.dialogs.close_all();
            state.focus = pane;
        }
        Target::Graph(turns) => {
            state.dialogs.close_all();
            super::tabs::turn_by(state, turns);
        }
        Target::Group(index) if picker.quest == Quest::Join => super::group::join_group(state, index),
        Target::Group(index) => {
            let kept = |circuit: &Circuit| {
                let group = circuit.edits.now().groups.get(index)?;
                group.members.iter().copied().find(|node| circuit.kept().has_node(*node))
            };
            match state.circuit.as_ref().and_then(kept) {
                Some(node) => go_to(state, node),
                None => state.say("No node of this supernode is kept at these thresholds"),
            }
        }
        Target::Node(node) => {
            if let (Some(circuit), Some(search)) = (&mut state.circuit, search) {
                circuit.marks.search = search;
            }
            go_to(state, node);
        }
    }
}

/// Runs a command from the list of them; one with a run of keys needs to be told which.
fn run_by_name(state: &mut State, command: &'static Command, argument: Option<Key>) {
    let given = argument.filter(|key| command.bound_to(*key));
    let key = if command.is_run() { given } else { Key::parse(command.keys[0]) };
    let Some(key) = key else {
        let keys = command.own_key_labels(state.look.glyphs.charset).join(" ");
        state.say(format!("{} takes one of {keys}: write it behind the name", command.name));
        return;
    };
    state.dialogs.close_all();
    state.focus = command.context.pane().unwrap_or(state.focus);
    (command.run)(state, key);
}

pub(in crate::tui) fn next_found(state: &mut State, by: isize) {
    let Some(circuit) = &mut state.circuit else { return };
    let Search { query, nodes, at } = &circuit.marks.search;
    let stands: Vec<usize> = (0..nodes.len()).filter(|at| circuit.kept().has_node(nodes[*at])).collect();
    if stands.is_empty() {
        let why = if nodes.is_empty() { "Nothing was searched for yet" } else { "Nothing that was found is kept" };
        state.say(why);
        return;
    }
    let here = stands.iter().position(|stands| stands >= at).unwrap_or(0);
    let next = stands[(here as isize + by).rem_euclid(stands.len() as isize) as usize];
    let said = format!("{} of {} for {query}", next + 1, nodes.len());
    let node = nodes[next];
    circuit.marks.search.at = next;
    go_to(state, node);
    state.say(said);
}

/// Selects a node from wherever the walk is; going back leads there again.
pub(super) fn go_to(state: &mut State, node: NodeId) {
    let Some(circuit) = &mut state.circuit else { return };
    if !circuit.kept().has_node(node) {
        state.say("This node is not kept at these thresholds: keep more nodes to go there");
        return;
    }
    circuit.leap(node);
    state.dialogs.close_all();
    state.detail_scroll = 0;
}
