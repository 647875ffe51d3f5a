//! Interventions: made of the features at hand, changed by keys, and measured as they change.

use crate::graph::{Action, Donor, Edit, FeatureAt, Freeze, Intervention, InterventionSite, Interventions, Node};
use crate::ids::NodeId;
use crate::job::Monitor;
use crate::service::interventions::{Experiment, Measured, ModelReply, ModelRequest};
use crate::tui::dialogs::explain::update::SEVERAL;
use crate::tui::dialogs::intervene::Intervene;
use crate::tui::dialogs::intervene::panel::{InterventionPanel, View};
use crate::tui::runtime::JobKey;
use crate::tui::runtime::jobs::{Services, Teller};
use crate::tui::state::State;
use crate::tui::workspace::{Circuit, apply, at_hand, model_fits};

pub(in crate::tui) const MEASURE: JobKey = JobKey::new("measure").of_graph();
const ATTEMPT: JobKey = JobKey::new("attempt").of_graph();

/// Number of doses in a sweep.
const DOSES: usize = 13;

/// Number of tokens whose probabilities a sweep draws.
const DRAWN: usize = 4;

/// Opens the panel, with an intervention on the features at hand: the chosen ones, else the selected one with its
/// supernode.
pub(in crate::tui) fn open_interventions(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    if circuit.traced.document.occurrences.is_some() {
        state.screen.say(SEVERAL);
        return;
    }
    let edited = circuit.edits.now();
    let group = edited.group_of(circuit.selected()).filter(|_| circuit.marks.chosen.is_empty());
    let nodes = group.map_or_else(|| at_hand(circuit), |at| edited.groups[at].members.clone());
    let sites: Vec<InterventionSite> =
        nodes.iter().filter_map(|node| feature_at(circuit, *node)).map(InterventionSite::from).collect();
    let mut set = edited.interventions.clone();
    let same = set.list.iter().position(|it| it.sites == sites || sites.iter().any(|site| sets(it, site)));
    if let Some(at) = same {
        circuit.panel.row = at;
    } else if let (Some(first), false) = (nodes.first(), sites.is_empty()) {
        let named = || circuit.label(*first).map(|(label, _)| label.to_owned());
        let name = group.map(|at| edited.groups[at].name.clone()).or_else(named);
        let name = name.unwrap_or_else(|| circuit.name(*first, &state.screen.look.glyphs));
        set.list.push(Intervention { name, sites, action: Action::Ablate, muted: false });
        circuit.panel.row = set.list.len() - 1;
        circuit.edits.apply(Edit::SetInterventions(set));
    }
    circuit.marks.chosen.clear();
    state.dialogs.open(Intervene);
}

/// Returns true where an intervention sets a feature, or swaps it in.
fn sets(it: &Intervention, site: &InterventionSite) -> bool {
    let is_donor = |donor: &Donor| InterventionSite::from(donor.at) == *site;
    it.sites.contains(site) || matches!(&it.action, Action::Swap { features, .. } if features.iter().any(is_donor))
}

/// Returns the feature of a node, where that is a feature.
pub(in crate::tui) fn feature_at(circuit: &Circuit, node: NodeId) -> Option<FeatureAt> {
    circuit.node(node).feature()
}

pub(in crate::tui) fn move_in_interventions(state: &mut State, by: isize) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let last = circuit.edits.now().interventions.list.len().saturating_sub(1);
    circuit.panel.row = circuit.panel.row.saturating_add_signed(by).min(last);
    circuit.panel.dismiss();
}

/// Changes the set of interventions.
pub(in crate::tui) fn change_set(state: &mut State, change: impl FnOnce(&mut Interventions)) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let mut set = circuit.edits.now().interventions.clone();
    change(&mut set);
    circuit.edits.apply(Edit::SetInterventions(set));
    circuit.panel.dismiss();
}

/// Changes the chosen intervention.
pub(in crate::tui) fn change_chosen(state: &mut State, change: impl FnOnce(&mut Intervention)) {
    let Some(row) = state.workspace.circuit.as_ref().map(|circuit| circuit.panel.row) else { return };
    change_set(state, |set| {
        if let Some(chosen) = set.list.get_mut(row) {
            change(chosen);
        }
    });
}

/// Moves the dose by tenths.
pub(in crate::tui) fn nudge_dose(state: &mut State, tenths: i32) {
    change_chosen(state, |chosen| {
        // Rounded to tenths, so that going there and back ends where it began.
        let dose = ((chosen.action.dose() * 10.0).round() + tenths as f32) / 10.0;
        chosen.action = chosen.action.at_dose(dose);
    });
}

pub(in crate::tui) fn mute_intervention(state: &mut State) {
    change_chosen(state, |chosen| chosen.muted = !chosen.muted);
}

pub(in crate::tui) fn remove_intervention(state: &mut State) {
    let Some(row) = state.workspace.circuit.as_ref().map(|circuit| circuit.panel.row) else { return };
    change_set(state, |set| {
        if row < set.list.len() {
            set.list.remove(row);
        }
    });
    move_in_interventions(state, 0);
}

/// Turns to the next freeze mode.
pub(in crate::tui) fn turn_freeze(state: &mut State) {
    change_set(state, |set| {
        let at = Freeze::ALL.iter().position(|freeze| *freeze == set.freeze).unwrap_or(0);
        set.freeze = Freeze::ALL[(at + 1) % Freeze::ALL.len()];
    });
}

/// Shows this view below the list, or the effects again.
pub(in crate::tui) fn turn_panel(state: &mut State, view: View) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    circuit.panel.view = if circuit.panel.view == view { View::Effects } else { view };
    circuit.panel.request = None;
    circuit.panel.reply = None;
    state.jobs.forget(ATTEMPT);
}

pub(in crate::tui) fn close_interventions(state: &mut State) {
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.panel.view = View::Effects;
        circuit.panel.request = None;
        circuit.panel.reply = None;
    }
    state.jobs.forget(ATTEMPT);
    state.dialogs.close_all();
}

/// Sends a request to the model.
pub(in crate::tui) fn attempt(state: &mut State, view: View, request: ModelRequest) {
    let fits = model_fits(state);
    let Some(circuit) = &mut state.workspace.circuit else { return };
    circuit.panel.dismiss();
    circuit.panel.request = Some((view, circuit.panel.row));
    if !fits {
        state.jobs.forget(ATTEMPT);
        circuit.panel.reply = Some(Err("needs the model, which is not loaded".to_owned()));
        return;
    }
    let tokens = circuit.traced.document.graph.tokens().to_vec();
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<ModelReply>| {
        services.ask(|tracer| tracer.attempt(&tokens, &request, &mut |reply| teller.tell(reply), monitor))
    };
    let id = state.jobs.next_request();
    state.jobs.submit_telling(id, ATTEMPT, work, |state, reply| take_reply(state, Ok(reply)), take_reply);
}

/// Takes the reply to a request; a swap becomes an intervention.
fn take_reply(state: &mut State, result: Result<ModelReply, String>) {
    let Some(circuit) = state.workspace.circuit.as_mut().filter(|circuit| circuit.panel.request.is_some()) else {
        return;
    };
    if let Ok(ModelReply::Swap(intervention)) = result {
        circuit.panel.request = None;
        let name = intervention.name.clone();
        let mut set = circuit.edits.now().interventions.clone();
        let taken = make_room(&mut set, &intervention);
        circuit.panel.row = set.list.len();
        set.list.push(*intervention);
        apply(
            state,
            Edit::SetInterventions(set),
            if taken.is_empty() {
                format!("Added: {name}")
            } else {
                format!("Added: {name}, in place of the ablation of {}", taken.join(", "))
            },
        );
    } else {
        circuit.panel.reply = Some(result);
    }
}

/// Takes the features that `new` sets out of ablations, which are what the panel begins with: a feature that is set
/// twice cannot be measured. Returns the names of the ablations of which nothing is left.
fn make_room(set: &mut Interventions, new: &Intervention) -> Vec<String> {
    let mut gone = Vec::new();
    let mut sites = new.sites.clone();
    if let Action::Swap { features, .. } = &new.action {
        sites.extend(features.iter().map(|donor| InterventionSite::from(donor.at)));
    }
    set.list.retain_mut(|it| {
        if it.action != Action::Ablate || it.muted {
            return true;
        }
        it.sites.retain(|site| !sites.contains(site));
        if it.sites.is_empty() {
            gone.push(it.name.clone());
        }
        !it.sites.is_empty()
    });
    gone
}

/// Requests the effects where the interventions or the graph changed, and the data of the panel's view.
pub(in crate::tui) fn request_effects(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let set = &circuit.edits.now().interventions;
    circuit.panel.row = circuit.panel.row.min(set.list.len().saturating_sub(1));
    let n_nodes = circuit.traced.document.graph.n_nodes();
    let same = match &circuit.panel.asked {
        Some((asked, nodes)) => asked == set && *nodes == n_nodes,
        None => set.is_idle(),
    };
    if !same {
        ask_effects(state);
    }
    if state.dialogs.is::<Intervene>() {
        ask_view(state);
    }
}

fn ask_effects(state: &mut State) {
    // A measurement under way is no longer asked for.
    state.jobs.forget(MEASURE);
    let fits = model_fits(state);
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let (set, graph) = (circuit.edits.now().interventions.clone(), &circuit.traced.document.graph);
    if set.is_idle() {
        circuit.panel.forget();
        return;
    }
    let targets = graph.nodes().iter().filter_map(|node| Some(node.logit()?.id)).collect();
    let features = graph.nodes().iter().filter_map(Node::feature).collect();
    let experiment = Experiment { tokens: graph.tokens().to_vec(), interventions: set.clone(), targets, features };
    circuit.panel.asked = Some((set, graph.n_nodes()));
    // The effects before are shown until the new ones arrive: a factor that moves would make them flicker.
    circuit.panel.request = circuit.panel.request.filter(|(view, _)| *view == View::Effects);
    if fits {
        state.jobs.submit(
            MEASURE,
            move |services, monitor| services.ask(|tracer| tracer.measure(&experiment, monitor)),
            |state, measured| {
                if let Some(circuit) = &mut state.workspace.circuit {
                    circuit.panel.take(measured);
                }
            },
        );
    } else {
        circuit.panel.take(Err("needs the model, which is not loaded".to_owned()));
    }
}

/// Requests the data of the panel's view, where that was not done yet.
fn ask_view(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let InterventionPanel { view, row, request, measured, .. } = &circuit.panel;
    let set = &circuit.edits.now().interventions;
    let (view, row) = (*view, *row);
    if view == View::Effects || request.is_some_and(|(asked, of)| asked == view && (of == row || view != View::Sweep)) {
        return;
    }
    let request = match (view, set.list.get(row), measured) {
        (View::Sweep, Some(chosen), Some(measured)) => ModelRequest::Sweep {
            interventions: set.clone(),
            which: row,
            doses: doses(&chosen.action),
            tokens: drawn(measured),
        },
        (View::Continued, ..) => ModelRequest::Continue { interventions: set.clone(), drawing: circuit.panel.drawing },
        _ => return,
    };
    attempt(state, view, request);
}

/// Returns the doses of a sweep around an action's own.
fn doses(action: &Action) -> Vec<f32> {
    let most = match action {
        Action::Ablate | Action::Scale { .. } | Action::Swap { .. } => 2.0f32,
        Action::Set { .. } | Action::Add { .. } => 1.0,
    };
    let most = most.max(2.0 * action.dose().abs());
    let least = if action.dose() < 0.0 || matches!(action, Action::Add { .. }) { -most } else { 0.0 };
    let share = |nth: usize| nth as f32 / (DOSES - 1) as f32;
    (0..DOSES).map(|nth| least * (1.0 - share(nth)) + most * share(nth)).collect()
}

/// Returns the most probable tokens before and after.
fn drawn(measured: &Measured) -> Vec<u32> {
    let effects = &measured.effects;
    let pairs = effects.before.iter().zip(&effects.after);
    let mut tokens = Vec::new();
    for id in pairs.flat_map(|(before, after)| [before.id, after.id]) {
        if !tokens.contains(&id) {
            tokens.push(id);
        }
    }
    tokens.truncate(DRAWN);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{FeatureId, Layer, Position};

    #[test]
    fn a_swap_takes_features_out_of_ablations_and_of_nothing_else() {
        let at = |feature| FeatureAt::mlp(Layer(1), Position(4), FeatureId(feature));
        let on = |name: &str, features: &[u32], action| Intervention {
            name: name.to_owned(),
            sites: features.iter().map(|feature| at(*feature).into()).collect(),
            action,
            muted: false,
        };
        let muted = Intervention { muted: true, ..on("muted", &[1], Action::Ablate) };
        let list = vec![
            on("gone", &[1, 2], Action::Ablate),
            on("less", &[2, 9], Action::Ablate),
            on("touched", &[1], Action::Scale { by: 0.5 }),
            muted,
        ];
        let mut set = Interventions { list, ..Interventions::default() };
        let features = vec![Donor { at: at(2), activation: 1.0 }];
        let gone = make_room(&mut set, &on("swap", &[1], Action::Swap { features, factor: 1.0 }));
        assert_eq!(gone, ["gone"]);
        let left: Vec<_> = set.list.iter().map(|it| (it.name.as_str(), it.sites.len())).collect();
        assert_eq!(left, [("less", 1), ("touched", 1), ("muted", 1)]);
    }
}
