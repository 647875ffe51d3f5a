//! Reading of features' contexts: on demand, one feature at a time, the selected one first.

use super::edits::prune_anew;
use crate::features::Library;
use crate::service::labels::{FeatureLabels, LabelLookup};
use crate::service::library::{Feature, FeatureSet, FeatureSource};
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::dialogs::browse::Browse;
use crate::tui::dialogs::consent::Consent;
use crate::tui::dialogs::contexts::Contexts;
use crate::tui::features::{Access, FeatureDetails, Known, Reading};
use crate::tui::runtime::jobs::JobKey;
use crate::tui::view;
use ratatui::layout::Rect;
use std::sync::Arc;

/// Job that opens libraries, each for its set of features.
const LIBRARY: JobKey = JobKey::new("library").answering_all();
const LABELS: JobKey = JobKey::new("labels").of_graph();

/// Job that reads a feature's contexts.
pub(in crate::tui) const READ_FEATURE: JobKey = JobKey::new("feature");
const ALLOW_HUB: JobKey = JobKey::new("allow").answering_all();

/// Returns the features of the pane: the selected one, and after it the others of its supernode.
pub(in crate::tui) fn members(circuit: &Circuit) -> Vec<Feature> {
    let selected = circuit.selected();
    let edited = circuit.edits.now();
    let group = edited.group_of(selected).and_then(|at| edited.groups.get(at));
    let mut members: Vec<Feature> = circuit.selected_feature().into_iter().collect();
    for feature in group.into_iter().flat_map(|group| &group.members).filter_map(|node| circuit.feature(*node)) {
        if !members.contains(&feature) {
            members.push(feature);
        }
    }
    members
}

/// Returns the library of the graph on the screen, with the features read from it.
pub(in crate::tui) fn known(state: &State) -> Option<&Known> {
    let circuit = state.circuit.as_ref()?;
    state.features.known.get(&FeatureSet::of(&circuit.traced.document.origin))
}

/// Asks for everything missing: the library, its labels of the graph, the shown feature.
pub(in crate::tui) fn request_feature(state: &mut State) {
    if state.dialogs.is::<Browse>() {
        super::browse::read_chosen(state);
        return;
    }
    let Some(circuit) = &mut state.circuit else { return };
    let set = FeatureSet::of(&circuit.traced.document.origin);
    let Some(known) = state.features.known.get(&set) else {
        open_library(state, set);
        return;
    };
    let Some(knows) = known.open().map(Arc::clone) else { return };
    if let Some(lookup) = label_lookup(circuit, &knows) {
        state.jobs.submit(LABELS, move |_, monitor| lookup.run(monitor).map_err(|stop| stop.to_string()), take_labels);
    }

    let here = (state.graph_id, circuit.selected());
    let sight = &mut state.features.sight;
    if sight.about != Some(here) {
        sight.about = Some(here);
        (sight.turn, sight.scroll, sight.shift) = (0, 0, 0);
    }
    let members = members(circuit);
    let is_union = members.len() > 1 && sight.turn >= members.len();
    let wanted: &[Feature] = if is_union { &members } else { members.get(sight.turn..=sight.turn).unwrap_or_default() };
    // The hub is asked only for a feature that is on the screen.
    let is_seen = state.dialogs.is::<Contexts>();
    let is_seen = is_seen || view::feature_room(state).is_some();
    let Some(known) = state.features.known.get(&set) else { return };
    let next = wanted.iter().copied().find(|feature| known.wants(*feature, is_seen));
    let waits = known.pending().is_some_and(|pending| wanted.contains(&pending));
    if let Some(feature) = next.filter(|_| !waits) {
        read_feature(state, set, feature, is_seen);
    }
    unite(state, is_union.then_some(members));
}

/// Opens the library of a set of features.
pub(super) fn open_library(state: &mut State, set: FeatureSet) {
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
pub(super) fn read_feature(state: &mut State, set: FeatureSet, feature: Feature, may_ask: bool) {
    let Some(knows) = state.features.known.get(&set).and_then(Known::open).map(Arc::clone) else { return };
    // Only the newest request is answered: one that was dropped is made anew.
    state.features.known.values_mut().for_each(Known::pass_over);
    if let Some(known) = state.features.known.get_mut(&set) {
        known.ask(feature, state.ticks);
    }
    state.jobs.submit(
        READ_FEATURE,
        move |_, monitor| {
            let card = FeatureDetails::read(knows.as_ref(), feature, may_ask, monitor);
            card.map(Arc::new).map_err(|stop| stop.to_string())
        },
        move |state, card| {
            let Some(known) = state.features.known.get_mut(&set) else { return };
            known.take(feature, card);
            if let (Some(card), Some(circuit)) = (known.card(feature), &mut state.circuit)
                && FeatureSet::of(&circuit.traced.document.origin) == set
            {
                circuit.note_details(feature, card);
            }
        },
    );
}

/// Unites the members of a supernode, as far as they are read.
fn unite(state: &mut State, members: Option<Vec<Feature>>) {
    let cards: Option<Vec<_>> = members.as_ref().and_then(|members| {
        let known = known(state)?;
        Some(members.iter().filter_map(|member| Some((*member, Arc::clone(known.card(*member)?)))).collect())
    });
    let sight = &mut state.features.sight;
    let (Some(members), Some(cards)) = (members, cards) else {
        sight.union = None;
        return;
    };
    let is_it = |(of, read, _): &(Vec<Feature>, usize, Arc<FeatureDetails>)| *of == members && *read == cards.len();
    if !sight.union.as_ref().is_some_and(is_it) {
        sight.union = Some((members, cards.len(), Arc::new(FeatureDetails::union(&cards))));
    }
}

/// Returns the lookup of the graph's labels and densities in the library, where the graph or its kept part changed
/// since the last one, or that was not complete.
fn label_lookup(circuit: &mut Circuit, knows: &Arc<dyn FeatureSource>) -> Option<LabelLookup> {
    let (graph, kept) = (&circuit.traced.document.graph, &circuit.pruned);
    let is_new = circuit.looked_up.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, graph));
    let at = circuit.looked_up.as_ref().and_then(|(_, at)| at.as_ref());
    if knows.is_empty() || !is_new && at.is_some_and(|at| Arc::ptr_eq(at, kept)) {
        return None;
    }
    circuit.looked_up = Some((Arc::clone(graph), Some(Arc::clone(kept))));
    Some(LabelLookup {
        knows: Arc::clone(knows),
        graph: Arc::clone(graph),
        kept: Arc::clone(kept),
        file: Arc::clone(&circuit.file_labels),
        before: circuit.named.clone(),
        is_new,
    })
}

/// Takes the library's labels of a graph's features.
fn take_labels(state: &mut State, result: Result<(FeatureLabels, bool), String>) {
    let (Ok((named, is_all)), Some(circuit)) = (result, &mut state.circuit) else { return };
    let thresholds = circuit.edits.now().thresholds;
    let prunes = thresholds.density < 1.0 && circuit.named.densities != named.densities;
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
        Ok(knows) => knows.notices().join("; "),
        Err(why) => why.clone(),
    };
    known.access = result.map_or_else(Access::Failed, Access::Open);
    if !notices.is_empty() {
        state.warn(notices);
    }
    super::browse::browse_opened(state, set);
}

/// Stops the reading that is under way, where the hub is asked; returns true where it was.
pub(super) fn stop_reading(state: &mut State) -> bool {
    let set = state.circuit.as_ref().map(|circuit| FeatureSet::of(&circuit.traced.document.origin));
    let Some(known) = set.and_then(|set| state.features.known.get_mut(&set)) else { return false };
    let asks = state.jobs.progress(READ_FEATURE).is_some_and(|progress| !progress.phase.is_empty());
    let Some(feature) = known.pending().filter(|_| asks) else { return false };
    known.take(feature, Err("The question was taken back".to_owned()));
    state.jobs.forget(READ_FEATURE);
    true
}

/// Asks the hub for the shown feature: after consent, once for each set, or again.
pub(super) fn ask_hub(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let features = FeatureSet::of(&circuit.traced.document.origin);
    let members = members(circuit);
    let Some(known) = state.features.known.get_mut(&features) else { return };
    let turn = state.features.sight.turn.min(members.len().saturating_sub(1));
    match members.get(turn).and_then(|feature| known.reading(*feature)) {
        None => state.say("This is no feature: only features have contexts"),
        // The feature is asked for anew.
        Some(Reading::Failed(_)) => known.forget_missing(),
        Some(Reading::Pending { .. }) => state.say("It is being read"),
        Some(Reading::Known(card)) => match &card.asks_for {
            Some(set) => state.dialogs.open(Consent { features, set: set.clone() }),
            None if card.found.dashboard.is_some() => state.say("Its contexts are here already"),
            None => state.say("The hub cannot be asked for features of this transcoder, or has none of this one"),
        },
    }
}

/// Allows the hub to be asked.
pub(in crate::tui) fn allow_hub(state: &mut State) {
    let Some(Consent { features, .. }) = state.dialogs.get() else { return };
    let set = features.clone();
    state.dialogs.close_all();
    let knows = state.features.known.get(&set).and_then(Known::open).map(Arc::clone);
    let Some(knows) = knows else { return };
    state.jobs.submit(
        ALLOW_HUB,
        move |_, _| knows.allow_hub(),
        // Where consent could not be saved, it holds until the program ends.
        move |state, kept| {
            if let Some(known) = state.features.known.get_mut(&set) {
                known.forget_missing();
            }
            if let Err(why) = kept {
                state.warn(why);
            }
        },
    );
}

/// Shows the contexts on the whole screen.
pub(in crate::tui) fn open_contexts(state: &mut State) {
    match state.circuit.as_ref().map(members) {
        None => state.say("There is no graph"),
        Some(members) if members.is_empty() => state.say("This is no feature: only features have contexts"),
        Some(_) => {
            state.features.sight.scroll = 0;
            state.dialogs.open(Contexts::default());
        }
    }
}

/// Returns the room of the contexts, and the text searched for in them.
fn shown(state: &State) -> Option<(Rect, String)> {
    match state.dialogs.get::<Contexts>() {
        Some(contexts) => Some((contexts.room(state.size), contexts.wanted().to_owned())),
        None => view::feature_room(state).map(|room| (room, String::new())),
    }
}

pub(in crate::tui) fn scroll_contexts(state: &mut State, by: isize) {
    let Some((room, wanted)) = shown(state) else { return };
    let most = view::feature_overflow(state, room, &wanted);
    let sight = &mut state.features.sight;
    sight.scroll = sight.scroll.min(most).saturating_add_signed(by).min(most);
}

/// Shifts contexts, at most by the length of a long one.
pub(in crate::tui) fn shift_contexts(state: &mut State, by: isize) {
    const MOST: isize = 1_000;
    let sight = &mut state.features.sight;
    sight.shift = (sight.shift + by).clamp(-MOST, MOST);
}

/// Turns to another member of the supernode, or to all of them together.
pub(in crate::tui) fn turn_member(state: &mut State, by: isize) {
    let n = state.circuit.as_ref().map_or(0, |circuit| members(circuit).len());
    if n < 2 {
        state.say("This feature is in no supernode with others");
        return;
    }
    let sight = &mut state.features.sight;
    sight.turn = (sight.turn.min(n) as isize + by).rem_euclid(n as isize + 1) as usize;
    (sight.scroll, sight.shift) = (0, 0);
}

pub(in crate::tui) fn toggle_repeated(state: &mut State) {
    let sight = &mut state.features.sight;
    sight.unfolded = !sight.unfolded;
}

/// Starts the search for a text in the contexts that fill the screen.
pub(in crate::tui) fn search_contexts(state: &mut State) {
    if let Some(contexts) = state.dialogs.get_mut::<Contexts>() {
        contexts.write();
    }
}

pub(in crate::tui) fn take_search(state: &mut State) {
    if let Some(contexts) = state.dialogs.get_mut::<Contexts>() {
        contexts.leave_line();
    }
}

/// Ends the search, then closes the contexts.
pub(in crate::tui) fn close_contexts(state: &mut State) {
    if let Some(contexts) = state.dialogs.get_mut::<Contexts>() {
        let goes_on = contexts.clear();
        state.features.sight.scroll = 0;
        if !goes_on {
            state.dialogs.close_all();
        }
    }
}
