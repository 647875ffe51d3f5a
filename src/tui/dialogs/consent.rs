//! Question whether the hub may be asked for single features.

use crate::service::library::FeatureSet;
use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog, ask};
use crate::tui::keymap::Context;
use crate::tui::panes::feature::lookup::members;
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use crate::tui::ui::Look;
use crate::tui::workspace::features::{Known, Reading};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::sync::Arc;

/// Question whether the hub may be asked for single features.
pub struct Consent {
    /// Set of the features.
    pub features: FeatureSet,
    /// Name of the published set that they are part of.
    pub set: String,
}

/// Draws the question for the features of `set`.
fn draw(set: &str, screen: Rect, look: &Look, buf: &mut Buffer) {
    let lines = [
        format!("May the hub be asked for features of {set}?"),
        "Its server learns which ones you look at. A yes is kept for this set; what comes is kept on this machine."
            .to_owned(),
    ];
    ask::render("ask the hub", &lines, None, screen, look, 0, buf);
}

impl Dialog for Consent {
    fn context(&self) -> Context {
        ASK
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        draw(&self.set, screen, &state.screen.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        allow_hub
    }
}

const ALLOW_HUB: JobKey = JobKey::new("allow").answering_all();

/// Asks the hub for the shown feature: after consent, once for each set, or again.
pub(in crate::tui) fn ask_hub(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let features = FeatureSet::of(&circuit.traced.document.origin);
    let members = members(circuit);
    let Some(known) = state.features.known.get_mut(&features) else { return };
    let turn = state.panes.feature.turn.min(members.len().saturating_sub(1));
    match members.get(turn).and_then(|feature| known.reading(*feature)) {
        None => state.screen.say("This is no feature: only features have contexts"),
        // The feature is asked for anew.
        Some(Reading::Failed(_)) => known.forget_missing(),
        Some(Reading::Pending { .. }) => state.screen.say("It is being read"),
        Some(Reading::Known(details)) => match &details.asks_for {
            Some(set) => state.dialogs.open(Consent { features, set: set.clone() }),
            None if details.found.dashboard.is_some() => state.screen.say("Its contexts are here already"),
            None => {
                state.screen.say("The hub cannot be asked for features of this transcoder, or has none of this one")
            }
        },
    }
}

/// Allows the hub to be asked.
pub(in crate::tui) fn allow_hub(state: &mut State) {
    let Some(Consent { features, .. }) = state.dialogs.get() else { return };
    let set = features.clone();
    state.dialogs.close_all();
    let source = state.features.known.get(&set).and_then(Known::open).map(Arc::clone);
    let Some(source) = source else { return };
    state.jobs.submit(
        ALLOW_HUB,
        move |_, _| source.allow_hub(),
        // Where consent could not be saved, it holds until the program ends.
        move |state, kept| {
            if let Some(known) = state.features.known.get_mut(&set) {
                known.forget_missing();
            }
            if let Err(why) = kept {
                state.screen.warn(why);
            }
        },
    );
}
