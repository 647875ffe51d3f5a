//! Steps of the tour, in their order. They find nodes by what these are, and never by their numbers.

use crate::demo;
use crate::graph::Action;
use crate::ids::NodeId;
use crate::tui::dialogs::contexts::Contexts;
use crate::tui::dialogs::intervene::Intervene;
use crate::tui::dialogs::intervene::update::MEASURE;
use crate::tui::dialogs::question::Question;
use crate::tui::screen::key_of;
use crate::tui::screen::tour::{Of, Step, digit_to};
use crate::tui::state::State;
use crate::tui::workspace::Circuit;

/// All steps.
pub(super) const STEPS: &[Step] = &[
    Step {
        says: |state, circuit| {
            let answer = circuit.node(circuit.selected()).logit().map_or("", |logit| logit.text.trim());
            // The city's own features are for a later step.
            let elsewhere = digit_to(circuit, |node| is_feature(circuit, node) && !is_at_city(circuit, node));
            match elsewhere.or_else(|| digit_to(circuit, |node| is_feature(circuit, node))) {
                Some((digit, node)) if circuit.node(circuit.selected()).is_logit() => format!(
                    "{answer} is what the model answers; digits number what wrote it. Press `{digit}` to go to {}.",
                    name(state, circuit, node)
                ),
                _ => to_answer(state, "its inputs are numbered there"),
            }
        },
        is_done: |_, circuit| is_feature(circuit, circuit.selected()),
    },
    Step {
        says: |state, _| {
            let key = key_of("contexts", state);
            format!("This is a feature. What does it stand for? Press `{key}`: the texts on which it fires most.")
        },
        is_done: |state, _| state.dialogs.is::<Contexts>(),
    },
    Step {
        says: |state, _| match state.dialogs.is_empty() {
            true => to_answer(state, "what else wrote it?"),
            false => format!("Each line is a text, the token on which it fires marked. `{}` closes them.", esc(state)),
        },
        is_done: |state, circuit| state.dialogs.is_empty() && circuit.node(circuit.selected()).is_logit(),
    },
    Step {
        says: |state, circuit| match digit_to(circuit, |node| is_of_city(circuit, node)) {
            Some((digit, node)) => {
                let name = name(state, circuit, node);
                format!("And what does {} add? Press `{digit}` to go to {name}, a feature on that token.", demo::CITY)
            }
            None => format!(
                "And what does {} add? Go to a feature on that token with the arrows, or press `{}` to search it.",
                demo::CITY,
                key_of("search", state)
            ),
        },
        is_done: |state, circuit| state.dialogs.is_empty() && is_of_city(circuit, circuit.selected()),
    },
    Step {
        says: |state, circuit| match is_of_city(circuit, circuit.selected()) {
            true if state.dialogs.is::<Intervene>() => "The model runs without it.".to_owned(),
            true => format!(
                "Does the model need it? Press `{}`: it is ablated, and the model runs again without it.",
                key_of("intervene", state)
            ),
            false => format!("`{}` goes back to the feature on {}.", key_of("back", state), demo::CITY),
        },
        is_done: |state, circuit| {
            let acts = |action: &Action| matches!(action, Action::Ablate);
            measured_with(state, circuit, acts)
        },
    },
    Step {
        says: |state, circuit| {
            let other = demo::OTHER_CITY;
            if state.dialogs.is::<Question>() {
                return format!(
                    "This is the question about {other}: `{}` takes its features at the city.",
                    enter(state)
                );
            }
            let says = outcome(circuit).unwrap_or_default();
            match state.dialogs.is::<Intervene>() {
                true => format!("{says} Now press `s`: what is there for {other} is swapped in instead."),
                false => format!("{says} `{}` opens the interventions again.", key_of("intervene", state)),
            }
        },
        is_done: |state, circuit| {
            let acts = |action: &Action| matches!(action, Action::Swap { .. });
            measured_with(state, circuit, acts)
        },
    },
];

/// Text after the last step.
pub(super) const END: Of<String> = |state, circuit| {
    let says = outcome(circuit).unwrap_or_default();
    format!("{says} `{}` leaves the tour; `{}` asks a question of yours.", esc(state), key_of("prompt", state))
};

/// Says how to come back to the answer, and why.
fn to_answer(state: &State, why: &str) -> String {
    format!("Press `{}` until the answer is selected again: {why}", key_of("back", state))
}

fn esc(state: &State) -> String {
    key_of("escape", state)
}

fn enter(state: &State) -> String {
    key_of("follow", state)
}

/// Most cells of a node's name.
const NAME: usize = 44;

/// Returns a node's name without what would be taken for the sign of a key.
fn name(state: &State, circuit: &Circuit, node: NodeId) -> String {
    let glyphs = &state.screen.look.glyphs;
    glyphs.fit(&circuit.name(node, glyphs), NAME).replace('`', "'")
}

fn is_feature(circuit: &Circuit, node: NodeId) -> bool {
    circuit.node(node).feature().is_some()
}

/// Returns true where a node stands in the column of the question's city.
pub(super) fn is_at_city(circuit: &Circuit, node: NodeId) -> bool {
    let tokens = circuit.traced.document.graph.tokens();
    let token = tokens.get(circuit.node(node).position().index());
    token.is_some_and(|token| token.text.trim() == demo::CITY)
}

fn is_of_city(circuit: &Circuit, node: NodeId) -> bool {
    is_feature(circuit, node) && is_at_city(circuit, node)
}

/// Returns true where the effects of an intervention of this kind, made on the city's features, are on the screen.
fn measured_with(state: &State, circuit: &Circuit, acts: impl Fn(&Action) -> bool) -> bool {
    let is_measured = circuit.panel.measured.is_some() && !state.jobs.is_waiting(MEASURE);
    let list = &circuit.edits.now().interventions.list;
    is_measured && list.iter().any(|it| !it.muted && acts(&it.action))
}

/// Says what became of the answer.
fn outcome(circuit: &Circuit) -> Option<String> {
    let measured = circuit.panel.measured.as_ref()?;
    let (was, is) = (measured.effects.before.first()?, measured.effects.after.first()?);
    let (before, after) = (measured.text(was.id).trim(), measured.text(is.id).trim());
    let [from, to] = was.probabilities;
    Some(match before == after {
        true => format!("{before} falls from {from:.2} to {to:.2}."),
        false => {
            format!("{before} falls from {from:.2} to {to:.2}; the model says {after}, {:.2}.", is.probabilities[1])
        }
    })
}
