//! Download of labels and contexts of the kept features, after one consent.

use super::feature::ask_hub;
use crate::features::{Asking, Fetched};
use crate::job::Monitor;
use crate::service::labels::Arrived;
use crate::service::library::{Feature, FeatureSet};
use crate::tui::app::{Busy, State};
use crate::tui::dialogs::fetch::Fetch;
use crate::tui::features::Known;
use crate::tui::runtime::jobs::{JobKey, Services, Teller};
use std::sync::Arc;

const MISSING: JobKey = JobKey::new("missing");
const FETCH: JobKey = JobKey::new("fetch");

/// Finds the kept features without labels or contexts, to ask whether to fetch them.
pub(in crate::tui) fn open_fetch(state: &mut State) {
    if state.fetching.is_some() {
        state.say("Labels are being fetched already");
        return;
    }
    let Some(circuit) = &state.circuit else {
        state.say("There is no graph");
        return;
    };
    let features = circuit.kept_features();
    let known = state.features.known.get(&FeatureSet::of(&circuit.traced.document.origin));
    let Some(knows) = known.and_then(Known::open).map(Arc::clone) else {
        state.say("What is known of the features is still being looked up");
        return;
    };
    state.dialogs.open(Fetch { features: features.clone(), asking: None });
    state.jobs.submit(MISSING, move |_, _| Ok(knows.asking(&features)), take_missing);
}

/// Takes the missing features, and asks whether to fetch them. Where none are, the selected one may still be asked for
/// alone.
fn take_missing(state: &mut State, result: Result<Asking, String>) {
    let Some(fetch) = state.dialogs.get_mut::<Fetch>() else { return };
    match result {
        Ok(asking) if !asking.missing.is_empty() => fetch.asking = Some(asking),
        Ok(Asking { forbidden: Some(because), .. }) => {
            state.dialogs.close_all();
            state.warn(format!("Not all features are known here, and {because} forbids the network"));
        }
        Ok(_) => {
            state.dialogs.close_all();
            ask_hub(state);
        }
        Err(why) => {
            state.dialogs.close_all();
            state.warn(why);
        }
    }
}

/// Fetches the missing features.
pub(in crate::tui) fn allow_fetch(state: &mut State) {
    let Some(fetch) = state.dialogs.get::<Fetch>().filter(|fetch| fetch.asking.is_some()) else { return };
    let features = fetch.features.clone();
    state.dialogs.close_all();
    let Some(circuit) = &state.circuit else { return };
    let known = state.features.known.get(&FeatureSet::of(&circuit.traced.document.origin));
    if let Some(knows) = known.and_then(Known::open).map(Arc::clone) {
        let id = state.jobs.next_request();
        state.fetching = Some((Busy::new(id, String::new()), state.graph_id));
        let work = move |_: &Services, monitor: &Monitor, teller: &Teller<Vec<Arrived>>| {
            let told = |features: &[Feature]| {
                let read = features.iter().map(|feature| Arrived::read(knows.as_ref(), *feature));
                let read: Vec<Arrived> = read.collect();
                teller.change(|arrived| arrived.get_or_insert_default().extend(read));
            };
            knows.fetch(&features, &told, monitor)
        };
        state.jobs.submit_telling(id, FETCH, work, take_arrived, take_fetched);
    }
}

/// Takes labels and densities of features as they come.
fn take_arrived(state: &mut State, arrived: Vec<Arrived>) {
    let of = state.fetching.as_ref().map(|(_, graph)| *graph);
    let Some(circuit) = state.circuit.as_mut().filter(|_| of == Some(state.graph_id)) else { return };
    circuit.note_arrived(arrived);
    if let Some(known) = state.features.known.get_mut(&FeatureSet::of(&circuit.traced.document.origin)) {
        known.forget_missing();
    }
}

/// Reports the outcome of fetching.
fn take_fetched(state: &mut State, result: Result<Fetched, String>) {
    let Some((busy, _)) = state.fetching.take() else { return };
    // Another graph may be on the screen; its features are looked up again as well.
    if let Some(circuit) = &mut state.circuit {
        circuit.look_up_labels_anew();
    }
    match result {
        Ok(Fetched { asked, named, known, problems }) if problems.is_empty() => {
            state.say(format!("Of {asked} features {named} have a name now, and {known} are known"));
        }
        Ok(Fetched { named, problems, .. }) => {
            state.warn(format!("{named} features have a name now; {}", problems.join("; ")));
        }
        Err(_) if busy.stopping => state.say("Fetching was stopped; what has come is kept"),
        Err(why) => state.warn(why),
    }
}

/// Stops fetching; returns true where it was under way.
pub(super) fn stop_fetching(state: &mut State) -> bool {
    let Some((busy, _)) = state.fetching.as_mut().filter(|(busy, _)| !busy.stopping) else { return false };
    busy.stopping = true;
    state.jobs.stop(FETCH);
    true
}
