//! Commands on several nodes: choosing them, and grouping them into supernodes.

use super::edits::apply;
use crate::graph::{Edit, SimilarityBounds, proposals};
use crate::ids::NodeId;
use crate::text;
use crate::text::glyph::Glyphs;
use crate::text::names::label_of;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::dialogs::picker::{Picker, Quest};
use crate::tui::dialogs::proposals::Proposals;
use crate::tui::dialogs::question::{Asks, Question};
use crate::tui::find::Haystack;
use crate::tui::runtime::jobs::JobKey;

const PROPOSALS: JobKey = JobKey::new("proposals").of_graph();

pub(in crate::tui) fn choose(state: &mut State) {
    let Some(circuit) = &mut state.circuit else { return };
    let node = circuit.selected();
    circuit.marks.toggle(node);
    let chosen = text::counted(circuit.marks.chosen.len(), "node");
    state.say(format!("{chosen} chosen for the next edit"));
}

pub(in crate::tui) fn choose_none(state: &mut State) {
    if let Some(circuit) = &mut state.circuit {
        circuit.marks.chosen.clear();
    }
}

/// Returns the nodes of the next edit: the chosen ones, else the selected one.
pub(super) fn at_hand(circuit: &Circuit) -> Vec<NodeId> {
    if circuit.marks.chosen.is_empty() { vec![circuit.selected()] } else { circuit.marks.chosen.clone() }
}

pub(in crate::tui) fn ask_group(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let members = at_hand(circuit);
    let glyphs = &state.look.glyphs;
    let names: Vec<String> = members.iter().map(|node| circuit.name(*node, glyphs)).collect();
    let name = name_for(circuit, &members, glyphs);
    let question = Question::new(Asks::Group(members), names.join("  "), name);
    state.dialogs.open(question);
}

/// Returns a name to start from: the first label among the members, else the first member's own name.
fn name_for(circuit: &Circuit, members: &[NodeId], glyphs: &Glyphs) -> String {
    let label = |node: &NodeId| label_of(&circuit.traced.document, circuit.edits.now(), *node);
    let name = members.iter().find_map(label).map(|(label, _)| label.to_owned());
    name.or_else(|| members.first().map(|node| circuit.name(*node, glyphs))).unwrap_or_default()
}

/// Returns the index of the selected node's supernode; says so where it is in none.
fn group_here(state: &mut State) -> Option<usize> {
    let circuit = state.circuit.as_ref()?;
    let group = circuit.edits.now().group_of(circuit.selected());
    if group.is_none() {
        state.say("The selected node is in no supernode");
    }
    group
}

pub(in crate::tui) fn ask_group_name(state: &mut State) {
    let Some(index) = group_here(state) else { return };
    let Some(circuit) = &state.circuit else { return };
    let group = &circuit.edits.now().groups[index];
    let about = text::counted(group.members.len(), "member");
    state.dialogs.open(Question::new(Asks::Rename(index), about, group.name.clone()));
}

pub(in crate::tui) fn pick_group(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    if circuit.edits.now().groups.is_empty() {
        state.say("There is no supernode to add to yet");
        return;
    }
    let haystack = Haystack::of_groups(circuit, &state.look.glyphs);
    state.dialogs.open(Picker::new(Quest::Join, haystack));
}

/// Adds the nodes at hand to the supernode of this index.
pub(super) fn join_group(state: &mut State, index: usize) {
    let Some(circuit) = &state.circuit else { return };
    state.dialogs.close_all();
    let members = at_hand(circuit);
    let said = format!("Added {} to {}", text::counted(members.len(), "node"), circuit.edits.now().groups[index].name);
    apply(state, Edit::AddToGroup(index, members), said);
    choose_none(state);
}

pub(in crate::tui) fn leave_group(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let members = at_hand(circuit);
    let said = format!("Took {} out of their supernode; they stay pinned", text::counted(members.len(), "node"));
    apply(state, Edit::Ungroup(members), said);
    choose_none(state);
}

pub(in crate::tui) fn dissolve(state: &mut State) {
    let Some(index) = group_here(state) else { return };
    let Some(circuit) = &state.circuit else { return };
    let group = circuit.edits.now().groups[index].clone();
    apply(state, Edit::Ungroup(group.members), format!("Dissolved {}; its nodes stay pinned", group.name));
}

pub(in crate::tui) fn open_proposals(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let (graph, kept) = (circuit.traced.document.graph.clone(), circuit.traced.kept.clone());
    let (edited, refused) = (circuit.edits.now().clone(), circuit.marks.refused.clone());
    state.dialogs.open(Proposals::default());
    state.jobs.submit(
        PROPOSALS,
        move |_, monitor| {
            let found = proposals(&graph, &kept, &edited, &refused, SimilarityBounds::default(), monitor.cancel());
            found.map_err(|stop| stop.to_string())
        },
        |state, found| {
            if let (Some(proposals), Ok(found)) = (state.dialogs.get_mut::<Proposals>(), found) {
                proposals.take(found);
            }
        },
    );
}

pub(in crate::tui) fn move_in_proposals(state: &mut State, by: isize) {
    if let Some(proposals) = state.dialogs.get_mut::<Proposals>() {
        proposals.move_by(by);
    }
}

pub(in crate::tui) fn accept_proposal(state: &mut State) {
    let Some(proposals) = state.dialogs.get_mut::<Proposals>() else { return };
    let (Some(members), Some(circuit)) = (proposals.pop(), &state.circuit) else { return };
    let name = name_for(circuit, &members, &state.look.glyphs);
    let said = format!("Made the supernode {name} of {}", text::counted(members.len(), "node"));
    apply(state, Edit::Group { name, members }, said);
}

pub(in crate::tui) fn refuse_proposal(state: &mut State) {
    let Some(proposals) = state.dialogs.get_mut::<Proposals>() else { return };
    if let (Some(members), Some(circuit)) = (proposals.pop(), &mut state.circuit) {
        circuit.marks.refused.push(members);
    }
}
