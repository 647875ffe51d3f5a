//! Reading of features' contexts: on demand, one feature at a time, the selected one first.

use crate::features::Library;
use crate::service::labels::{FeatureLabels, LabelLookup};
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::tui::dialogs::browse::Browse;
use crate::tui::dialogs::browse::update::{browse_opened, read_chosen};
use crate::tui::dialogs::contexts::Contexts;
use crate::tui::panes::feature;
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use crate::tui::workspace::features::{Access, FeatureDetails, Known};
use crate::tui::workspace::{Circuit, prune_anew};
use std::sync::Arc;

/// Job that opens libraries, each for its set of features.
const LIBRARY: JobKey = JobKey::new("library").answering_all();
const LABELS: JobKey = JobKey::new("labels").of_graph();

/// Job that reads a feature's contexts.
pub(in crate::tui) const READ_FEATURE: JobKey = JobKey::new("feature");

/// Returns the features of the pane: the selected one, and after it the others of its supernode.
pub(in crate::tui) fn members(circuit: &Circuit) -> Vec<Feature> {
    let selected = circuit.described();
    let edited = circuit.edits.now();
    let group = edited.group_of(selected).and_then(|at| edited.groups.get(at));
    let mut members: Vec<Feature> = circuit.described_feature().into_iter().collect();
    for feature in group.into_iter().flat_map(|group| &group.members).filter_map(|node| circuit.feature(*node)) {
        if !members.contains(&feature) {
            members.push(feature);
        }
    }
    members
}

/// Returns the library of the graph on the screen, with the features read from it.
pub(in crate::tui) fn known(state: &State) -> Option<&Known> {
    let circuit = state.workspace.circuit.as_ref()?;
    state.features.known.get(&FeatureSet::of(&circuit.traced.document.origin))
}

/// Asks for everything missing: the library, its labels of the graph, the shown feature.
pub(in crate::tui) fn request_feature(state: &mut State) {
    if state.dialogs.is::<Browse>() {
        read_chosen(state);
        return;
    }
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let set = FeatureSet::of(&circuit.traced.document.origin);
    let Some(known) = state.features.known.get(&set) else {
        open_library(state, set);
        return;
    };
    let Some(source) = known.open().map(Arc::clone) else { return };
    if let Some(lookup) = label_lookup(circuit, &source) {
        state.jobs.submit(LABELS, move |_, monitor| lookup.run(monitor).map_err(|stop| stop.to_string()), take_labels);
    }

    let here = (state.workspace.graph_id, circuit.described());
    let pane = &mut state.panes.feature;
    if pane.about != Some(here) {
        pane.about = Some(here);
        (pane.turn, pane.scroll, pane.shift) = (0, 0, 0);
    }
    let members = members(circuit);
    let is_union = members.len() > 1 && pane.turn >= members.len();
    let wanted: &[Feature] = if is_union { &members } else { members.get(pane.turn..=pane.turn).unwrap_or_default() };
    // The hub is asked only for a feature that is on the screen.
    let is_seen = state.dialogs.is::<Contexts>();
    let is_seen = is_seen || feature::view::room(state).is_some();
    let Some(known) = state.features.known.get(&set) else { return };
    let next = wanted.iter().copied().find(|feature| known.wants(*feature, is_seen));
    let waits = known.pending().is_some_and(|pending| wanted.contains(&pending));
    if let Some(feature) = next.filter(|_| !waits) {
        read_feature(state, set, feature, is_seen);
    }
    unite(state, is_union.then_some(members));
}

/// Opens the library of a set of features.
pub(in crate::tui) fn open_library(state: &mut State, set: FeatureSet) {
    state.features.known.insert(set.clone(), Known::opening());
    let of = set.clone();
    state.jobs.submit(
        LIBRARY,
        move |services, monitor| match &services.models {
            Some(models) => models.library(&of, monitor).map_err(|error| format!("{error:#}")),
            None => Ok(Arc::new(Library::default()) as Arc<dyn FeatureSource>),
        },
        move |state, library| take_library(state, &set, library),
    );
}

/// Reads a feature's details; the hub is asked only where it `may_ask`.
pub(in crate::tui) fn read_feature(state: &mut State, set: FeatureSet, feature: Feature, may_ask: bool) {
    let Some(source) = state.features.known.get(&set).and_then(Known::open).map(Arc::clone) else { return };
    // Only the newest request is answered: one that was dropped is made anew.
    state.features.known.values_mut().for_each(Known::pass_over);
    if let Some(known) = state.features.known.get_mut(&set) {
        known.ask(feature, state.screen.ticks);
    }
    state.jobs.submit(
        READ_FEATURE,
        move |_, monitor| {
            let details = FeatureDetails::read(source.as_ref(), feature, may_ask, monitor);
            details.map(Arc::new).map_err(|stop| stop.to_string())
        },
        move |state, details| {
            let Some(known) = state.features.known.get_mut(&set) else { return };
            known.take(feature, details);
            if let (Some(details), Some(circuit)) = (known.details(feature), &mut state.workspace.circuit)
                && FeatureSet::of(&circuit.traced.document.origin) == set
            {
                circuit.note_details(feature, details);
            }
        },
    );
}

/// Unites the members of a supernode, as far as they are read.
fn unite(state: &mut State, members: Option<Vec<Feature>>) {
    let of_members: Option<Vec<_>> = members.as_ref().and_then(|members| {
        let known = known(state)?;
        Some(members.iter().filter_map(|member| Some((*member, Arc::clone(known.details(*member)?)))).collect())
    });
    let pane = &mut state.panes.feature;
    let (Some(members), Some(of_members)) = (members, of_members) else {
        pane.union = None;
        return;
    };
    let is_it =
        |(of, read, _): &(Vec<Feature>, usize, Arc<FeatureDetails>)| *of == members && *read == of_members.len();
    if !pane.union.as_ref().is_some_and(is_it) {
        pane.union = Some((members, of_members.len(), Arc::new(FeatureDetails::union(&of_members))));
    }
}

/// Returns the lookup of the graph's labels and densities in the library, where the graph or its kept part changed
/// since the last one, or that was not complete.
fn label_lookup(circuit: &mut Circuit, source: &Arc<dyn FeatureSource>) -> Option<LabelLookup> {
    let (graph, kept) = (&circuit.traced.document.graph, &circuit.pruning.kept);
    let is_new = circuit.naming.looked_up.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, graph));
    let at = circuit.naming.looked_up.as_ref().and_then(|(_, at)| at.as_ref());
    if source.is_empty() || !is_new && at.is_some_and(|at| Arc::ptr_eq(at, kept)) {
        return None;
    }
    circuit.naming.looked_up = Some((Arc::clone(graph), Some(Arc::clone(kept))));
    Some(LabelLookup {
        knows: Arc::clone(source),
        graph: Arc::clone(graph),
        kept: Arc::clone(kept),
        file: Arc::clone(&circuit.naming.file_labels),
        before: circuit.naming.library.clone(),
        is_new,
    })
}

/// Takes the library's labels of a graph's features.
fn take_labels(state: &mut State, result: Result<(FeatureLabels, bool), String>) {
    let (Ok((named, is_all)), Some(circuit)) = (result, &mut state.workspace.circuit) else { return };
    let thresholds = circuit.edits.now().thresholds;
    let prunes = thresholds.density < 1.0 && circuit.naming.library.densities != named.densities;
    circuit.take_named(named);
    if !is_all {
        circuit.look_up_labels_anew();
    }
    if prunes {
        prune_anew(state);
    }
}

/// Takes a library that was opened, or the reason why it was not.
fn take_library(state: &mut State, set: &FeatureSet, result: Result<Arc<dyn FeatureSource>, String>) {
    let Some(known) = state.features.known.get_mut(set) else { return };
    let notices = match &result {
        Ok(source) => source.notices().join("; "),
        Err(why) => why.clone(),
    };
    known.access = result.map_or_else(Access::Failed, Access::Open);
    if !notices.is_empty() {
        state.screen.warn(notices);
    }
    browse_opened(state, set);
}

/// Stops the reading that is under way, where the hub is asked; returns true where it was.
pub(in crate::tui) fn stop_reading(state: &mut State) -> bool {
    let set = state.workspace.circuit.as_ref().map(|circuit| FeatureSet::of(&circuit.traced.document.origin));
    let Some(known) = set.and_then(|set| state.features.known.get_mut(&set)) else { return false };
    let asks = state.jobs.progress(READ_FEATURE).is_some_and(|progress| !progress.phase.is_empty());
    let Some(feature) = known.pending().filter(|_| asks) else { return false };
    known.take(feature, Err("The question was taken back".to_owned()));
    state.jobs.forget(READ_FEATURE);
    true
}
