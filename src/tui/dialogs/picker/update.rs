//! Search as text is typed, and the commands on what it found.

use crate::tui::dialogs::picker::find::{Haystack, Target};
use crate::tui::dialogs::picker::{Picker, Purpose};
use crate::tui::dialogs::question::update::open_file;
use crate::tui::keymap::{Command, Key};
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use crate::tui::workspace::marks::Search;
use crate::tui::workspace::supernodes::join_group;
use crate::tui::workspace::tabs::update::turn_by;
use crate::tui::workspace::{Circuit, go_to};

/// Name of the command that takes a file.
pub(in crate::tui) const OPEN: &str = "open";

const FIND: JobKey = JobKey::new("find");

pub(in crate::tui) fn open_palette(state: &mut State) {
    open(state, Purpose::Command, Haystack::of_commands(&state.screen.look.glyphs, &state.screen.keymap));
}

pub(in crate::tui) fn open_go_to(state: &mut State) {
    open(
        state,
        Purpose::Anything,
        Haystack::of_everything(
            state.workspace.circuit.as_ref(),
            &state.workspace.tabs,
            &state.screen.look.glyphs,
            &state.screen.keymap,
        ),
    );
}

pub(in crate::tui) fn open_search(state: &mut State) {
    match &state.workspace.circuit {
        Some(circuit) => open(state, Purpose::Search, Haystack::of_nodes(circuit, &state.screen.look.glyphs)),
        None => state.screen.say("There is no graph to search"),
    }
}

/// Lists the nodes that share the layer and the position of the selected one.
pub(in crate::tui) fn open_cell(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let nodes = circuit.cell_of(circuit.selected());
    if nodes.len() < 2 {
        state.screen.say("No other node stands at this layer and position");
        return;
    }
    let haystack = Haystack::of_these(circuit, nodes, &state.screen.look.glyphs);
    open(state, Purpose::Anything, haystack);
}

fn open(state: &mut State, purpose: Purpose, haystack: Haystack) {
    state.dialogs.open(Picker::new(purpose, haystack));
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
    let search = (picker.purpose == Purpose::Search).then(|| {
        let (nodes, at) = picker.nodes();
        Search { query: picker.typed().to_owned(), nodes, at }
    });
    match target {
        Target::Command(command) => run_by_name(state, command, argument),
        Target::Pane(pane) => {
            state.dialogs.close_all();
            state.screen.focus = pane;
        }
        Target::Graph(turns) => {
            state.dialogs.close_all();
            turn_by(state, turns);
        }
        Target::Group(index) if picker.purpose == Purpose::Join => join_group(state, index),
        Target::Group(index) => {
            let kept = |circuit: &Circuit| {
                let group = circuit.edits.now().groups.get(index)?;
                group.members.iter().copied().find(|node| circuit.kept().has_node(*node))
            };
            match state.workspace.circuit.as_ref().and_then(kept) {
                Some(node) => go_to(state, node),
                None => state.screen.say("No node of this supernode is kept at these thresholds"),
            }
        }
        Target::Node(node) => {
            if let (Some(circuit), Some(search)) = (&mut state.workspace.circuit, search) {
                circuit.marks.search = search;
            }
            go_to(state, node);
        }
    }
}

/// Runs a command from the list of them; one with a run of keys needs to be told which.
fn run_by_name(state: &mut State, command: &'static Command, argument: Option<String>) {
    if let Some(file) = argument.as_ref().filter(|file| command.name == OPEN && !file.is_empty()) {
        state.dialogs.close_all();
        if let Err(why) = open_file(state, file) {
            state.screen.warn(why);
        }
        return;
    }
    let given = argument.and_then(|key| Key::parse(&key));
    let given = given.filter(|key| state.screen.keymap.keys(command).contains(key));
    let key = if command.is_run() { given } else { Key::parse(command.keys[0]) };
    let Some(key) = key else {
        let keys = state.screen.keymap.own_labels(command, state.screen.look.glyphs.charset).join(" ");
        state.screen.say(format!("{} takes one of {keys}: write it behind the name", command.name));
        return;
    };
    state.dialogs.close_all();
    state.screen.focus = command.context.pane().unwrap_or(state.screen.focus);
    (command.run)(state, key);
}

pub(in crate::tui) fn next_found(state: &mut State, by: isize) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let Search { query, nodes, at } = &circuit.marks.search;
    let stands: Vec<usize> = (0..nodes.len()).filter(|at| circuit.kept().has_node(nodes[*at])).collect();
    if stands.is_empty() {
        let why = if nodes.is_empty() { "Nothing was searched for yet" } else { "Nothing that was found is kept" };
        state.screen.say(why);
        return;
    }
    let here = stands.iter().position(|stands| stands >= at).unwrap_or(0);
    let next = stands[(here as isize + by).rem_euclid(stands.len() as isize) as usize];
    let said = format!("{} of {} for {query}", next + 1, nodes.len());
    let node = nodes[next];
    circuit.marks.search.at = next;
    go_to(state, node);
    state.screen.say(said);
}
