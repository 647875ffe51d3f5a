//! Requests for verification by the model, and the commands on their answers.

use crate::graph::Freeze;
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::tui::dialogs::explain::update::SEVERAL;
use crate::tui::dialogs::heads::Heads;
use crate::tui::dialogs::verify::Verify;
use crate::tui::dialogs::verify::panel::View;
use crate::tui::dialogs::{heads, verify};
use crate::tui::panes::connections::update::move_row;
use crate::tui::panes::{PaneId, tree};
use crate::tui::runtime::JobKey;
use crate::tui::runtime::jobs::{Services, Teller};
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::workspace::{Circuit, Link, Side, go_to, model_fits};
use crate::verify::{Answer, MOST, Question, sources};
use std::sync::Arc;

pub(in crate::tui) const CHECK: JobKey = JobKey::new("check").of_graph();

/// Number of features by which a key changes those that are ablated.
const STEP: isize = 5;

/// Opens the checks at the chosen connection; where it leads from no feature, at the strongest one that does: only
/// features can be ablated.
pub(in crate::tui) fn open_verification(state: &mut State) {
    let is_in_list = state.screen.focus != tree::PANE;
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.verification.view = View::Edge;
        let links = &circuit.connections.links().kept;
        let is_of_feature = |link: &Link| circuit.node(link.edge.source).is_feature();
        if is_in_list
            && !links.get(circuit.connections.row).is_some_and(is_of_feature)
            && let Some(row) = links.iter().position(is_of_feature)
        {
            circuit.connections.row = row;
        }
        state.dialogs.open(Verify);
    }
}

/// Opens the chosen connection's split by attention heads.
pub(in crate::tui) fn open_heads(state: &mut State) {
    if state.workspace.circuit.is_some() {
        state.dialogs.open(Heads);
    }
}

/// Closes either dialog, and stops the check under way.
pub(in crate::tui) fn close_verification(state: &mut State) {
    state.dialogs.close_all();
}

/// Turns to another of the three checks.
pub(in crate::tui) fn turn_verification(state: &mut State, by: isize) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let at = View::ALL.iter().position(|view| *view == circuit.verification.view).unwrap_or(0);
    circuit.verification.view = View::ALL[(at as isize + by).rem_euclid(View::ALL.len() as isize) as usize];
}

/// Turns to the next freeze mode; an edge is checked in all of them.
pub(in crate::tui) fn turn_verification_mode(state: &mut State) {
    let Some(circuit) = state.workspace.circuit.as_mut().filter(|circuit| circuit.verification.view != View::Edge)
    else {
        return;
    };
    let at = Freeze::ALL.iter().position(|freeze| *freeze == circuit.verification.freeze).unwrap_or(0);
    circuit.verification.freeze = Freeze::ALL[(at + 1) % Freeze::ALL.len()];
}

pub(in crate::tui) fn ablate_more(state: &mut State, steps: isize) {
    if let Some(circuit) = state.workspace.circuit.as_mut().filter(|circuit| circuit.verification.view != View::Edge) {
        circuit.verification.ablate_more(steps * STEP);
    }
}

pub(in crate::tui) fn toggle_plot(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.verification.draws = !circuit.verification.draws;
    }
}

pub(in crate::tui) fn check_again(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.verification.again();
    }
}

/// Moves through the pairs, or the lines.
pub(in crate::tui) fn move_in_verification(state: &mut State, by: isize) {
    let most = if state.dialogs.is::<Heads>() { heads::last_head(state) } else { verify::last_row(state) };
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.verification.row = circuit.verification.row.min(most).saturating_add_signed(by).min(most);
    }
}

/// Turns to another connection of the node, or branch of the tree.
pub(in crate::tui) fn turn_link(state: &mut State, by: isize) {
    let is_about_link = state.dialogs.is::<Heads>()
        || state.workspace.circuit.as_ref().is_some_and(|circuit| circuit.verification.view == View::Edge);
    match &mut state.workspace.circuit {
        Some(circuit) if is_about_link && state.screen.focus == tree::PANE => circuit.panes.tree.move_by(by),
        Some(_) if is_about_link => move_row(state, by),
        _ => {}
    }
}

/// Goes to the source of the edge, or of the pair under the cursor.
pub(in crate::tui) fn go_to_ablated(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let source = match circuit.verification.question() {
        Some(Question::Edge { source, .. }) => Some(*source),
        _ => verify::pairs(circuit).and_then(|pairs| pairs.all.get(circuit.verification.row)).map(|pair| pair.source),
    };
    if let Some(source) = source {
        go_to(state, source);
    }
}

/// Stops the check under way; returns true where there was one.
pub(in crate::tui) fn stop_check(state: &mut State) -> bool {
    state.jobs.forget(CHECK);
    state.workspace.circuit.as_mut().is_some_and(|circuit| circuit.verification.stop())
}

/// Requests the answer to the shown question, where it is not known. A question that is no longer shown is stopped.
pub(in crate::tui) fn request_check(state: &mut State) {
    let about = if state.dialogs.is::<Verify>() {
        wanted(state)
    } else if state.dialogs.is::<Heads>() {
        of_link(state, |source, target| Question::Heads { source, target })
    } else {
        stop_check(state);
        if let Some(circuit) = &mut state.workspace.circuit {
            circuit.verification.close();
        }
        return;
    };
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let Some(question) = circuit.verification.turn_to(about) else { return };
    let graph = Arc::clone(&circuit.traced.document.graph);
    circuit.verification.wait(question.clone());
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<Answer>| {
        services.ask(|tracer| tracer.check(&graph, &question, &mut |part| teller.tell(part), monitor))
    };
    let told = |state: &mut State, part| {
        if let Some(circuit) = &mut state.workspace.circuit {
            circuit.verification.take_part(part);
        }
    };
    let apply = |state: &mut State, answer| {
        if let Some(circuit) = &mut state.workspace.circuit {
            circuit.verification.take(answer);
        }
    };
    let id = state.jobs.next_request();
    state.jobs.submit_telling(id, CHECK, work, told, apply);
}

/// Returns the question of the shown check, or why it cannot be asked.
fn wanted(state: &State) -> Result<Question, String> {
    let Some(circuit) = &state.workspace.circuit else { return Err("There is no graph yet".to_owned()) };
    let freeze = circuit.verification.freeze;
    match circuit.verification.view {
        View::Edge => {
            let question = of_link(state, |source, target| Question::Edge { source, target })?;
            if let Question::Edge { source, target } = question
                && circuit.feature(source).is_none()
            {
                let [source, target] = [source, target].map(|id| circuit.name(id, &state.screen.look.glyphs));
                let (to, next) = (state.screen.look.glyphs.to_output, key_of("verify-next", state));
                return Err(format!(
                    "{source} {to} {target}: {source} is no feature, and only features can be ablated; {next} goes on to \
                     the next edge"
                ));
            }
            Ok(question)
        }
        which => {
            fits(state)?;
            let document = &circuit.traced.document;
            let sources = sources(document, &circuit.edits.now().pins, &circuit.pruning.kept, circuit.verification.top);
            if sources.is_empty() {
                return Err("No feature is kept at these thresholds, so that there is none to ablate".to_owned());
            }
            Ok(match which {
                View::Graph => Question::Graph { sources, most: MOST, freeze },
                _ => Question::Subgraph { sources, freeze },
            })
        }
    }
}

/// Returns a question about the chosen connection.
fn of_link(state: &State, question: impl FnOnce(NodeId, NodeId) -> Question) -> Result<Question, String> {
    let chosen = state.workspace.circuit.as_ref().and_then(|circuit| link(circuit, state.screen.focus));
    let Some(link) = chosen else {
        let side = state.workspace.circuit.as_ref().map_or(Side::Inputs, |circuit| circuit.connections.side).name();
        return Err(format!("No {side} of this node is kept, so that there is no edge to look at"));
    };
    fits(state)?;
    Ok(question(link.edge.source, link.edge.target))
}

/// Returns the connection under the cursor of the tree where that has the focus, else of the list.
fn link(circuit: &Circuit, focus: PaneId) -> Option<Link> {
    let of_tree = circuit.panes.tree.branch().and_then(|branch| branch.link).filter(|_| focus == tree::PANE);
    of_tree.or_else(|| circuit.connections.links().kept.get(circuit.connections.row).copied())
}

/// Fails where the model cannot be asked, and says why.
pub(in crate::tui) fn fits(state: &State) -> Result<(), String> {
    match (&state.jobs.services.tracer, &state.workspace.circuit) {
        (_, Some(circuit)) if circuit.traced.document.occurrences.is_some() => Err(SEVERAL.to_owned()),
        (None, _) => Err("This needs the model, which is not loaded".to_owned()),
        (Some(tracer), Some(circuit)) if !model_fits(state) => {
            let origin = &circuit.traced.document.origin;
            Err(format!(
                "The model at hand is {} with {}, and the graph is of {} with {}",
                tracer.model_name(),
                tracer.transcoder_name(),
                origin.model,
                origin.transcoder
            ))
        }
        _ => Ok(()),
    }
}
