//! Choice of nodes, and the supernodes that they are grouped into.

use crate::graph::{CircuitOptions, Edit, ProposedCircuit, propose_circuit};
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::text;
use crate::text::glyph::Glyphs;
use crate::text::names::label_of;
use crate::tui::dialogs::picker::find::Haystack;
use crate::tui::dialogs::picker::{Picker, Purpose};
use crate::tui::dialogs::question::{Asks, Question};
use crate::tui::panes::subgraph;
use crate::tui::runtime::JobKey;
use crate::tui::runtime::jobs::Services;
use crate::tui::state::State;
use crate::tui::workspace::{Circuit, apply};

pub(in crate::tui) fn choose(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let node = circuit.selected();
    circuit.marks.toggle(node);
    let chosen = text::counted(circuit.marks.chosen.len(), "node");
    state.screen.say(format!("{chosen} chosen for the next edit"));
}

pub(in crate::tui) fn choose_none(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.marks.chosen.clear();
    }
}

/// Returns the nodes of the next edit: the chosen ones, else the selected one.
pub(in crate::tui) fn at_hand(circuit: &Circuit) -> Vec<NodeId> {
    if circuit.marks.chosen.is_empty() { vec![circuit.selected()] } else { circuit.marks.chosen.clone() }
}

pub(in crate::tui) fn ask_group(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let members = at_hand(circuit);
    let glyphs = &state.screen.look.glyphs;
    let names: Vec<String> = members.iter().map(|node| circuit.name(*node, glyphs)).collect();
    let name = name_for(circuit, &members, glyphs);
    let question = Question::new(Asks::Group(members), names.join("  "), name);
    state.dialogs.open(question);
}

/// Job that proposes the circuit of the graph.
const CIRCUIT: JobKey = JobKey::new("circuit").of_graph();

/// Starts to propose the circuit of the graph, which then takes the place of pins and supernodes.
pub(in crate::tui) fn request_circuit(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (document, kept) = (circuit.traced.document.clone(), circuit.traced.kept.clone());
    let edited = circuit.edits.now().clone();
    if document.graph.is_cyclic() {
        state
            .screen
            .warn("The links of this graph form a cycle, so that nothing can be said of what explains its outputs");
        return;
    }
    state.screen.say("Looking for the circuit");
    let work = move |_: &Services, monitor: &Monitor| {
        let (graph, options) = (&document.graph, CircuitOptions::default());
        propose_circuit(graph, &kept, &edited, &document.labels, options, monitor.cancel())
            .map_err(|stop| stop.to_string())
    };
    state.jobs.submit(CIRCUIT, work, take_circuit);
}

fn take_circuit(state: &mut State, found: Result<ProposedCircuit, String>) {
    match found {
        Ok(found) if found.groups.is_empty() => state.screen.say("There are no kept features to make a circuit of"),
        Ok(found) => {
            let features: usize = found.groups.iter().map(|group| group.members.len()).sum();
            let said = format!(
                "Proposed {} of {}: completeness {}; u takes it back",
                text::counted(found.groups.len(), "supernode"),
                text::counted(features, "feature"),
                text::percent(found.scores.completeness).trim_start(),
            );
            if apply(state, Edit::Circuit { groups: found.supernodes(), pins: found.pins() }, said) {
                state.screen.focus = subgraph::PANE;
            }
        }
        Err(why) => state.screen.warn(why),
    }
}

/// Returns a name to start from: the first label among the members, else the first member's own name.
pub(in crate::tui) fn name_for(circuit: &Circuit, members: &[NodeId], glyphs: &Glyphs) -> String {
    let label = |node: &NodeId| label_of(&circuit.traced.document, circuit.edits.now(), *node);
    let name = members.iter().find_map(label).map(|(label, _)| label.to_owned());
    name.or_else(|| members.first().map(|node| circuit.name(*node, glyphs))).unwrap_or_default()
}

/// Returns the index of the selected node's supernode; says so where it is in none.
fn group_here(state: &mut State) -> Option<usize> {
    let circuit = state.workspace.circuit.as_ref()?;
    let group = circuit.edits.now().group_of(circuit.selected());
    if group.is_none() {
        state.screen.say("The selected node is in no supernode");
    }
    group
}

pub(in crate::tui) fn ask_group_name(state: &mut State) {
    let Some(index) = group_here(state) else { return };
    let Some(circuit) = &state.workspace.circuit else { return };
    let group = &circuit.edits.now().groups[index];
    let about = text::counted(group.members.len(), "member");
    state.dialogs.open(Question::new(Asks::Rename(index), about, group.name.clone()));
}

pub(in crate::tui) fn pick_group(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    if circuit.edits.now().groups.is_empty() {
        state.screen.say("There is no supernode to add to yet");
        return;
    }
    let haystack = Haystack::of_groups(circuit, &state.screen.look.glyphs);
    state.dialogs.open(Picker::new(Purpose::Join, haystack));
}

/// Adds the nodes at hand to the supernode of this index.
pub(in crate::tui) fn join_group(state: &mut State, index: usize) {
    let Some(circuit) = &state.workspace.circuit else { return };
    state.dialogs.close_all();
    let members = at_hand(circuit);
    let said = format!("Added {} to {}", text::counted(members.len(), "node"), circuit.edits.now().groups[index].name);
    apply(state, Edit::AddToGroup(index, members), said);
    choose_none(state);
}

pub(in crate::tui) fn leave_group(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let members = at_hand(circuit);
    let said = format!("Took {} out of their supernode; they stay pinned", text::counted(members.len(), "node"));
    apply(state, Edit::Ungroup(members), said);
    choose_none(state);
}

pub(in crate::tui) fn dissolve(state: &mut State) {
    let Some(index) = group_here(state) else { return };
    let Some(circuit) = &state.workspace.circuit else { return };
    let group = circuit.edits.now().groups[index].clone();
    apply(state, Edit::Ungroup(group.members), format!("Dissolved {}; its nodes stay pinned", group.name));
}
