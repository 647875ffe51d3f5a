//! Choice of a model: one that is here is loaded, another is offered, downloaded after consent, and then loaded. A
//! graph that was open before can be opened again instead.

use super::{open_beside, open_prompt};
use crate::service::models::Here;
use crate::tui::app::{Pane, State};
use crate::tui::dialogs::Dialog;
use crate::tui::dialogs::start::{Stage, Start};
use crate::tui::models::{Brought, Errand};
use crate::tui::runtime::jobs::JobKey;

pub(in crate::tui) const ERRAND: JobKey = JobKey::new("errand");

/// Opens the list of models.
pub fn open_models(state: &mut State) {
    if state.busy.is_some() || state.tabs.is_busy() {
        state.warn("A prompt is being traced; stop it before another model is chosen");
        return;
    }
    state.dialogs.open(Start::default());
    submit(state, Errand::List);
}

fn submit(state: &mut State, errand: Errand) {
    state.jobs.submit(
        ERRAND,
        move |services, monitor| match &services.models {
            Some(models) => {
                let brought = errand.run(models.as_ref(), services.data.as_deref(), monitor);
                brought.map_err(|error| format!("{error:#}"))
            }
            None => Err("no models can be chosen here".to_owned()),
        },
        take_errand,
    );
}

fn start(state: &mut State) -> Option<&mut Start> {
    state.dialogs.get_mut()
}

fn send(state: &mut State, errand: Errand, stage: Stage) {
    if let Some(start) = start(state) {
        (start.stage, start.failure) = (stage, None);
        submit(state, errand);
    }
}

pub(in crate::tui) fn step_model(state: &mut State, by: isize) {
    if let Some(start) = start(state) {
        start.step(by);
    }
}

pub(in crate::tui) fn choose_model(state: &mut State) {
    let Some(start) = start(state) else { return };
    if let Some(graph) = start.chosen_graph() {
        let path = graph.path.clone();
        state.dialogs.close_all();
        open_beside(state, path);
        return;
    }
    let Some(choice) = start.chosen().cloned() else { return };
    match choice.here {
        Here::Whole => send(state, Errand::Load(choice), Stage::Loading),
        Here::Partly | Here::Nothing => (start.stage, start.failure) = (Stage::MayAsk, None),
    }
}

/// Answers the present question with yes.
pub(in crate::tui) fn say_yes(state: &mut State) {
    if let Some(yes) = state.dialogs.top().map(Dialog::yes) {
        yes(state);
    }
}

/// Answers the present question with no, and stops work that is under way for it.
pub(in crate::tui) fn say_no(state: &mut State) {
    if let Some(no) = state.dialogs.top().map(Dialog::no) {
        no(state);
    }
}

pub(in crate::tui) fn accept_model(state: &mut State) {
    let Some(start) = start(state) else { return };
    match (start.stage.clone(), start.chosen().cloned()) {
        (Stage::MayAsk, Some(choice)) => send(state, Errand::Offer(choice), Stage::Asking),
        (Stage::MayDownload(offer), _) => send(state, Errand::Download(offer.clone()), Stage::Downloading(offer)),
        _ => {}
    }
}

/// Answers a question about a model with no, and stops work that is under way for it.
pub(in crate::tui) fn refuse_model(state: &mut State) {
    let Some(start) = start(state) else { return };
    let (was, waits) = (start.stage.clone(), start.is_waiting());
    if was == Stage::Listing {
        state.dialogs.close_all();
        return;
    }
    start.stage = Stage::Choosing;
    if waits {
        // The list may have changed meanwhile.
        submit(state, Errand::List);
    }
    if matches!(was, Stage::Downloading(_)) {
        state.say("The download was stopped; what has come is kept, and the next one goes on there");
    }
}

/// Takes the result of a request about models.
fn take_errand(state: &mut State, result: Result<Brought, String>) {
    let Some(start) = start(state) else { return };
    match result {
        Ok(Brought::List { graphs, choices, server }) => start.take(graphs, choices, server),
        Ok(Brought::Offer(offer)) => start.stage = Stage::MayDownload(offer),
        Ok(Brought::Downloaded) => {
            if let Some(choice) = start.chosen().cloned() {
                send(state, Errand::Load(choice), Stage::Loading);
            }
        }
        Ok(Brought::Loaded(tracer)) => {
            // A graph of another model can neither be traced further nor have its features' tokens looked up.
            let gone = state.circuit.take_if(|circuit| {
                let made_from = &circuit.traced.document.origin;
                made_from.model != tracer.model_name() || made_from.transcoder != tracer.transcoder_name()
            });
            if gone.is_some() {
                state.jobs.forget_graph();
            }
            state.jobs.services.tracer = Some(tracer);
            match &mut state.circuit {
                // The graph was opened from a file: now the tokens of its features can be looked up.
                Some(circuit) => {
                    circuit.promoted.clear();
                    state.dialogs.close_all();
                }
                None => {
                    state.focus = Pane::Graph;
                    open_prompt(state);
                }
            }
        }
        Err(why) => {
            (start.stage, start.failure) = (Stage::Choosing, Some(why));
        }
    }
}
