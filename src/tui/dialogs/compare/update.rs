//! Several graphs together: two beside each other, and any number merged into one.

use crate::service::attention::compared_heads;
use crate::tui::dialogs::compare::comparison::{Comparison, Leaf, Sheet};
use crate::tui::dialogs::compare::heads::{ComparedHeads, HeadTable};
use crate::tui::dialogs::compare::{Compare, Stage};
use crate::tui::dialogs::question::{Asks, Question};
use crate::tui::dialogs::verify::update::fits;
use crate::tui::runtime::{JobKey, RequestId};
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::workspace::tabs::name_of;
use crate::tui::workspace::tabs::update::{set_beside, turn_by};
use crate::tui::workspace::tracing::{submit_opening, submit_prompt};
use crate::tui::workspace::{Busy, Opening, Tab, TabContent, go_to};
use std::sync::Arc;

const COMPARE: JobKey = JobKey::new("compare").of_graph();
pub(super) const COMPARE_HEADS: JobKey = JobKey::new("compare-heads").of_graph();

/// Lists the graphs with which the one on the screen can be compared.
pub(in crate::tui) fn open_compare(state: &mut State) {
    if state.workspace.circuit.is_none() {
        state.screen.say("There is no graph to compare");
    } else {
        state.dialogs.open(Compare::default());
    }
}

fn compare(state: &mut State) -> Option<&mut Compare> {
    state.dialogs.get_mut()
}

pub(in crate::tui) fn move_in_compare(state: &mut State, by: isize) {
    let choices = state.workspace.tabs.others().count() + 1;
    if let Some(compare) = compare(state) {
        compare.move_by(by, choices);
    }
}

pub(in crate::tui) fn turn_compared_kind(state: &mut State) {
    if let Some(compare) = compare(state) {
        compare.turn_kind();
    }
}

/// Turns to the other of the two graphs: Enter leads there.
pub(in crate::tui) fn turn_compared_side(state: &mut State) {
    if let Some(compare) = compare(state) {
        compare.side = 1 - compare.side;
    }
}

/// Compares with the chosen graph, or goes to the chosen node.
pub(in crate::tui) fn take_compared(state: &mut State) {
    let Some(compare) = compare(state) else { return };
    let row = compare.row();
    let turned = compare.toggle_shared();
    match &compare.stage {
        Stage::Choose => choose(state, row),
        Stage::Shown(_) if turned => {}
        Stage::Shown(_) => go(state),
        Stage::Wait(_) | Stage::Lay | Stage::Failed(_) => {}
    }
}

fn choose(state: &mut State, row: usize) {
    // A graph that is still traced could not be taken over until the comparison is left.
    if state.workspace.busy.is_some() {
        state.screen.warn("This graph is still being traced: compare it once that has ended");
        return;
    }
    // The rows are the other graphs, by the turns that lead there, and a prompt.
    let Some(other) = state.workspace.tabs.get_mut(row + 1) else {
        ask_prompt(state);
        return;
    };
    let file = match (&other.graph, &other.busy) {
        (TabContent::Circuit { id, .. }, _) => {
            let id = *id;
            lay(state, id);
            return;
        }
        (_, Some(busy)) => {
            let id = busy.id;
            wait(state, id);
            return;
        }
        (TabContent::File(path), None) => path.clone(),
        (TabContent::Nothing, None) => {
            state.screen.say("There is no graph in that place");
            return;
        }
    };
    let id = state.jobs.next_request();
    other.busy = Some(Busy::new(id, name_of(&file)));
    state.workspace.files.insert(id, file.clone());
    submit_opening(state, id, Opening::File(file));
    wait(state, id);
}

fn wait(state: &mut State, id: RequestId) {
    if let Some(compare) = compare(state) {
        compare.stage = Stage::Wait(id);
    }
}

fn ask_prompt(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    if state.jobs.services.tracer.is_none() {
        state.screen.warn("There is no model to trace a prompt with: this graph was opened from a file");
    } else if state.workspace.tabs.is_busy() {
        state.screen.warn("A trace of another graph is under way: this one would stop it");
    } else {
        let answer = circuit.traced.document.origin.prompt.clone();
        let about = "the prompt to compare with; its graph stays open beside this one".to_owned();
        state.dialogs.open(Question::new(Asks::Compare, about, answer));
    }
}

/// Traces the prompt that was typed, beside the graph on the screen, and compares the two once it is there.
pub(in crate::tui) fn answer_compare(state: &mut State) {
    let (Some(question), Some(tracer)) = (state.dialogs.get_mut::<Question>(), &state.jobs.services.tracer) else {
        return;
    };
    let prompt = question.answer().to_owned();
    match tracer.read_prompt(&prompt) {
        Err(why) => question.complain(why),
        Ok(reading) if !reading.unknown.is_empty() => {
            question.complain(format!("\"{}\" is not in the vocabulary", reading.unknown[0].word));
        }
        Ok(_) => {
            let id = state.jobs.next_request();
            state.workspace.tabs.add(Tab { graph: TabContent::Nothing, busy: Some(Busy::new(id, prompt.clone())) });
            submit_prompt(state, id, prompt);
            state.dialogs.open(Compare::default());
            wait(state, id);
        }
    }
}

/// Takes the end of a trace or opening of a graph that is not on the screen: where it was waited for, the two are
/// compared.
pub(in crate::tui) fn compare_arrived(state: &mut State, id: RequestId, failed: Option<String>) {
    let waits = compare(state).filter(|compare| matches!(compare.stage, Stage::Wait(waited) if waited == id));
    match (waits, failed) {
        (Some(compare), Some(why)) => compare.stage = Stage::Failed(why),
        (Some(_), None) => {
            state.screen.notice = None;
            lay(state, id);
        }
        (None, _) => {}
    }
}

/// Lays the graph on the screen and the one of this id over each other.
fn lay(state: &mut State, id: RequestId) {
    let (Some(a), Some((_, b))) = (&state.workspace.circuit, state.workspace.tabs.circuit(id)) else { return };
    let mut sheets = [a, b].map(|circuit| Sheet::of(circuit, &state.features));
    if let Some(compare) = compare(state) {
        (compare.stage, compare.other) = (Stage::Lay, Some(id));
    }
    state.jobs.submit(
        COMPARE,
        move |_, monitor| Comparison::new(&mut sheets, monitor).map(Arc::new),
        |state, comparison| {
            if let Some(compare) = compare(state) {
                compare.take(comparison);
            }
        },
    );
}

/// Puts the attention heads of the two graphs in place of their nodes, or the nodes back.
pub(in crate::tui) fn turn_compared_heads(state: &mut State) {
    let fits = fits(state);
    let (Some(a), Some(open)) = (&state.workspace.circuit, state.dialogs.get_mut::<Compare>()) else { return };
    let other = open.other.filter(|_| matches!(open.stage, Stage::Shown(_)));
    let Some((_, b)) = other.and_then(|id| state.workspace.tabs.circuit(id)) else { return };
    if !open.turn_heads() {
        state.jobs.forget(COMPARE_HEADS);
        return;
    }
    if let Err(why) = fits {
        open.heads = Some(ComparedHeads::Failed(why));
        return;
    }
    let graphs = [a, b].map(|it| (Arc::clone(&it.traced.document.graph), Arc::clone(&it.pruning.kept)));
    state.jobs.submit(
        COMPARE_HEADS,
        move |services, monitor| {
            let heads =
                |(graph, kept): &(Arc<_>, Arc<_>)| services.ask(|tracer| tracer.circuit_heads((graph, kept), monitor));
            Ok(HeadTable::new(compared_heads(&heads(&graphs[0])?, &heads(&graphs[1])?)))
        },
        |state, table| {
            if let Some(compare) = compare(state).filter(|compare| compare.heads.is_some()) {
                compare.heads = Some(table.map_or_else(ComparedHeads::Failed, ComparedHeads::Known));
            }
        },
    );
}

/// Goes to the chosen node in the graph of the chosen side.
fn go(state: &mut State) {
    let Some(Compare { stage: Stage::Shown(laid), other, side, heads: None, .. }) = compare(state) else { return };
    let (comparison, other, side) = (Arc::clone(&laid.comparison), *other, *side);
    let Some(chosen) = compare(state).and_then(|compare| compare.chosen()) else { return };
    let Some(node) = comparison.node(chosen, side) else {
        let turns = key_of("compare-side", state);
        state.screen.say(format!("It is only in the other graph: {turns} goes over there"));
        return;
    };
    if side == 1 {
        let Some((turns, _)) = other.and_then(|number| state.workspace.tabs.circuit(number)) else { return };
        state.dialogs.close_all();
        turn_by(state, turns);
    }
    let is_same = |graph: &Arc<_>| {
        state.workspace.circuit.as_ref().is_some_and(|it| Arc::ptr_eq(&it.traced.document.graph, graph))
    };
    if is_same(&comparison.graphs[side]) {
        go_to(state, node);
    }
}

/// Opens the merged graph of the two that are compared, beside them.
pub(in crate::tui) fn open_merged(state: &mut State) {
    let Some(Compare { stage: Stage::Shown(_), other: Some(number), .. }) = compare(state) else { return };
    let number = *number;
    let (Some(a), Some((_, b))) = (&state.workspace.circuit, state.workspace.tabs.circuit(number)) else { return };
    let leaves = [a, b].map(|circuit| Leaf::Sheet(Box::new(Sheet::of(circuit, &state.features)))).to_vec();
    let titles = [a, b].map(|circuit| circuit.traced.document.origin.prompt.clone()).join(" / ");
    merge(state, leaves, titles);
}

/// Opens the merged graph of all open graphs, beside them, leaving out those that were merged themselves.
pub(in crate::tui) fn open_union(state: &mut State) {
    let here = state
        .workspace
        .circuit
        .as_ref()
        .map(|circuit| (Sheet::of(circuit, &state.features), state.workspace.tabs.at()));
    let mut leaves: Vec<(usize, Leaf, String)> = Vec::new();
    let mut push = |place: usize, sheet: Sheet| {
        if sheet.document.occurrences.is_none() {
            let title = sheet.document.origin.prompt.clone();
            leaves.push((place, Leaf::Sheet(Box::new(sheet)), title));
        }
    };
    here.into_iter().for_each(|(sheet, place)| push(place, sheet));
    for (_, place, other) in state.workspace.tabs.others() {
        match &other.graph {
            TabContent::Circuit { circuit, .. } => push(place, Sheet::of(circuit, &state.features)),
            TabContent::File(_) | TabContent::Nothing => {}
        }
    }
    let files = state.workspace.tabs.others().filter_map(|(_, place, other)| match &other.graph {
        TabContent::File(path) => Some((place, Leaf::File(path.clone()), name_of(path))),
        _ => None,
    });
    leaves.extend(files);
    if leaves.len() < 2 {
        let (prompt, compare) = (key_of("prompt", state), key_of("compare", state));
        state.screen.say(format!(
            "It takes two open graphs at least: {prompt} traces a prompt, {compare} compares with another"
        ));
        return;
    }
    leaves.sort_by_key(|(place, ..)| *place);
    let titles: Vec<String> = leaves.iter().map(|(.., title)| title.clone()).collect();
    merge(state, leaves.into_iter().map(|(_, leaf, _)| leaf).collect(), titles.join(" / "));
}

fn merge(state: &mut State, leaves: Vec<Leaf>, title: String) {
    if !set_beside(state) {
        return;
    }
    let id = state.jobs.next_request();
    submit_opening(state, id, Opening::Merged(leaves));
    let mut busy = Busy::new(id, title);
    busy.progress.phase = "merging";
    state.workspace.busy = Some(busy);
}

/// Closes the comparison; a trace that was started for it is given up.
pub(in crate::tui) fn close_compare(state: &mut State) {
    if let Some(Compare { stage: Stage::Wait(waited), .. }) = compare(state) {
        let id = *waited;
        state.jobs.stop_request(id);
        state.workspace.tabs.give_up(id);
    }
    state.jobs.forget(COMPARE);
    state.jobs.forget(COMPARE_HEADS);
    state.dialogs.close_all();
}
