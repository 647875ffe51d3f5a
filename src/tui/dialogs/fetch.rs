//! Question whether labels and contexts of a graph's features may be fetched.

use crate::features::{Asking, Fetched};
use crate::job::Monitor;
use crate::service::labels::Arrived;
use crate::service::library::{Feature, FeatureSet};
use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::consent::ask_hub;
use crate::tui::dialogs::{Action, Dialog, ask};
use crate::tui::keymap::Context;
use crate::tui::runtime::JobKey;
use crate::tui::runtime::jobs::{Services, Teller};
use crate::tui::state::State;
use crate::tui::ui::Look;
use crate::tui::workspace::Busy;
use crate::tui::workspace::features::Known;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::sync::Arc;

/// Question whether to fetch the missing labels and contexts, once these are known.
pub struct Fetch {
    /// Kept features.
    pub features: Vec<Feature>,
    /// Missing labels and contexts, and the servers that would be asked for them.
    pub asking: Option<Asking>,
}

impl Fetch {
    /// Draws the question.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let lines = match &self.asking {
            None => vec![format!("looking what is known here of {} features", self.features.len())],
            Some(asking) => {
                let n = asking.missing.len();
                let head = format!("Fetch labels and contexts of {n} of the {} kept features?", self.features.len());
                let tail = "The prompt and the graph are sent nowhere. What comes is kept on this machine.";
                let told = asking.told.iter().map(|told| format!("{told}."));
                std::iter::once(head).chain(told).chain([tail.to_owned()]).collect()
            }
        };
        ask::render("name the features", &lines, None, screen, look, 0, buf);
    }
}

impl Dialog for Fetch {
    fn context(&self) -> Context {
        ASK
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.screen.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        allow_fetch
    }
}

const MISSING: JobKey = JobKey::new("missing");
const FETCH: JobKey = JobKey::new("fetch");

/// Finds the kept features without labels or contexts, to ask whether to fetch them.
pub(in crate::tui) fn open_fetch(state: &mut State) {
    if state.features.fetching.is_some() {
        state.screen.say("Labels are being fetched already");
        return;
    }
    let Some(circuit) = &state.workspace.circuit else {
        state.screen.say("There is no graph");
        return;
    };
    let features = circuit.kept_features();
    let known = state.features.known.get(&FeatureSet::of(&circuit.traced.document.origin));
    let Some(source) = known.and_then(Known::open).map(Arc::clone) else {
        state.screen.say("What is known of the features is still being looked up");
        return;
    };
    state.dialogs.open(Fetch { features: features.clone(), asking: None });
    state.jobs.submit(MISSING, move |_, _| Ok(source.asking(&features)), take_missing);
}

/// Takes the missing features, and asks whether to fetch them. Where none are, the selected one may still be asked for
/// alone.
fn take_missing(state: &mut State, result: Result<Asking, String>) {
    let Some(fetch) = state.dialogs.get_mut::<Fetch>() else { return };
    match result {
        Ok(asking) if !asking.missing.is_empty() => fetch.asking = Some(asking),
        Ok(Asking { forbidden: Some(because), .. }) => {
            state.dialogs.close_all();
            state.screen.warn(format!("Not all features are known here, and {because} forbids the network"));
        }
        Ok(_) => {
            state.dialogs.close_all();
            ask_hub(state);
        }
        Err(why) => {
            state.dialogs.close_all();
            state.screen.warn(why);
        }
    }
}

/// Fetches the missing features.
pub(in crate::tui) fn allow_fetch(state: &mut State) {
    let Some(fetch) = state.dialogs.get::<Fetch>().filter(|fetch| fetch.asking.is_some()) else { return };
    let features = fetch.features.clone();
    state.dialogs.close_all();
    let Some(circuit) = &state.workspace.circuit else { return };
    let known = state.features.known.get(&FeatureSet::of(&circuit.traced.document.origin));
    if let Some(source) = known.and_then(Known::open).map(Arc::clone) {
        let id = state.jobs.next_request();
        state.features.fetching = Some((Busy::new(id, String::new()), state.workspace.graph_id));
        let work = move |_: &Services, monitor: &Monitor, teller: &Teller<Vec<Arrived>>| {
            let told = |features: &[Feature]| {
                let read = features.iter().map(|feature| Arrived::read(source.as_ref(), *feature));
                let read: Vec<Arrived> = read.collect();
                teller.change(|arrived| arrived.get_or_insert_default().extend(read));
            };
            source.fetch(&features, &told, monitor)
        };
        state.jobs.submit_telling(id, FETCH, work, take_arrived, take_fetched);
    }
}

/// Takes labels and densities of features as they come.
fn take_arrived(state: &mut State, arrived: Vec<Arrived>) {
    let of = state.features.fetching.as_ref().map(|(_, graph)| *graph);
    let Some(circuit) = state.workspace.circuit.as_mut().filter(|_| of == Some(state.workspace.graph_id)) else {
        return;
    };
    circuit.note_arrived(arrived);
    if let Some(known) = state.features.known.get_mut(&FeatureSet::of(&circuit.traced.document.origin)) {
        known.forget_missing();
    }
}

/// Reports the outcome of fetching.
fn take_fetched(state: &mut State, result: Result<Fetched, String>) {
    let Some((busy, _)) = state.features.fetching.take() else { return };
    // Another graph may be on the screen; its features are looked up again as well.
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.look_up_labels_anew();
    }
    match result {
        Ok(Fetched { asked, named, known, problems }) if problems.is_empty() => {
            state.screen.say(format!("Of {asked} features {named} have a name now, and {known} are known"));
        }
        Ok(Fetched { named, problems, .. }) => {
            state.screen.warn(format!("{named} features have a name now; {}", problems.join("; ")));
        }
        Err(_) if busy.stopping => state.screen.say("Fetching was stopped; what has come is kept"),
        Err(why) => state.screen.warn(why),
    }
}

/// Stops fetching; returns true where it was under way.
pub(in crate::tui) fn stop_fetching(state: &mut State) -> bool {
    let Some((busy, _)) = state.features.fetching.as_mut().filter(|(busy, _)| !busy.stopping) else { return false };
    busy.stopping = true;
    state.jobs.stop(FETCH);
    true
}
