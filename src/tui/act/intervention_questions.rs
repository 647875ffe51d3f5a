//! Questions about interventions: action, features, layers and sampling.

use super::interventions::{attempt, change_chosen, change_set, feature_at};
use crate::graph::{Action, Donor, Freeze, Positions, layer_range};
use crate::ids::NodeId;
use crate::service::interventions::{Drawing, ModelRequest};
use crate::tui::app::State;
use crate::tui::dialogs::question::{Asks, Question};
use crate::tui::intervention_panel::View;
use std::ops::Range;

/// Asks for the action on the chosen intervention's features, or for its positions.
pub(in crate::tui) fn ask_intervention(state: &mut State, positions: bool) {
    let Some(circuit) = &state.circuit else { return };
    let row = circuit.panel.row;
    let Some(chosen) = circuit.edits.now().interventions.list.get(row) else { return };
    let question = if positions {
        let now = chosen.sites.first().map_or_else(String::new, |site| site.positions.to_string());
        Question::new(Asks::Positions(row), "a position, 3..7, from 4 on: 4.., or all: *".to_owned(), now)
    } else {
        let about = "a value, times the base: x2, added to it: +1.5; off ablates".to_owned();
        Question::new(Asks::Action(row), about, chosen.action.brief())
    };
    state.dialogs.push(question);
}

/// Asks for the prompt whose features are put in place of those at the selected node's position.
pub(in crate::tui) fn ask_swap(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let position = circuit.node(circuit.selected()).position();
    let token = circuit.token_at(position, &state.look.glyphs);
    let about = format!("the prompt whose features replace those at {token}; prompt@3 takes them from its position 3");
    let answer = circuit.traced.document.origin.prompt.clone();
    state.dialogs.push(Question::new(Asks::Swap(position), about, answer));
}

/// Takes the answer to a question about interventions, or says why it is not valid.
pub(super) fn answer_intervention(state: &mut State) {
    let Some(question) = state.dialogs.get_mut::<Question>() else { return };
    let text = question.answer().to_owned();
    match question.asks {
        Asks::Action(_) => match text.parse::<Action>().and_then(finite) {
            Ok(action) => {
                change_chosen(state, |chosen| {
                    chosen.action = match &chosen.action {
                        swap @ Action::Swap { .. } => swap.at_dose(action.dose()),
                        _ => action,
                    };
                });
                state.dialogs.close();
            }
            Err(why) => question.complain(why),
        },
        Asks::Positions(_) => match text.parse::<Positions>() {
            Ok(positions) => {
                change_chosen(state, |chosen| chosen.sites.iter_mut().for_each(|site| site.positions = positions));
                state.dialogs.close();
            }
            Err(why) => question.complain(why),
        },
        Asks::Swap(position) => {
            state.dialogs.close();
            attempt(state, View::Effects, ModelRequest::Swap { position, prompt: text });
        }
        Asks::SwapGroup(row) => match other_group(state, row, &text) {
            Ok(action) => {
                change_chosen(state, |chosen| chosen.action = action);
                state.dialogs.close();
            }
            Err(why) => complain(state, why),
        },
        Asks::Layers => match read_layers(state, &text) {
            Ok(layers) => {
                change_set(state, |set| set.layers = layers);
                state.dialogs.close();
            }
            Err(why) => complain(state, why),
        },
        Asks::Sampling => match Drawing::read(&text) {
            Ok(drawing) => {
                state.dialogs.close();
                let Some(circuit) = &mut state.circuit else { return };
                circuit.panel.drawing = drawing;
                circuit.panel.view = View::Continued;
                circuit.panel.request = None;
                circuit.panel.reply = None;
            }
            Err(why) => question.complain(why),
        },
        _ => {}
    }
}

fn complain(state: &mut State, why: String) {
    if let Some(question) = state.dialogs.get_mut::<Question>() {
        question.complain(why);
    }
}

/// Asks for the supernode whose features are put in place of the chosen intervention's.
pub(in crate::tui) fn ask_swap_group(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let edited = circuit.edits.now();
    let row = circuit.panel.row;
    let Some(chosen) = edited.interventions.list.get(row) else { return };
    let own = |name: &str| chosen.name == name;
    let others: Vec<&str> = edited.groups.iter().map(|group| group.name.as_str()).filter(|name| !own(name)).collect();
    let Some(first) = others.first() else {
        state.warn("There is no other supernode; e g makes one of chosen nodes");
        return;
    };
    let about = state.look.glyphs.visible(&format!("one of: {}", others.join(", ")));
    let question = Question::new(Asks::SwapGroup(row), about, (*first).to_owned());
    state.dialogs.push(question);
}

/// Returns the action that puts in a supernode's features, as active as they are in the graph.
fn other_group(state: &State, row: usize, name: &str) -> Result<Action, String> {
    let circuit = state.circuit.as_ref().ok_or("There is no graph")?;
    let edited = circuit.edits.now();
    let group = edited.groups.iter().find(|group| group.name == name);
    let group = group.ok_or_else(|| format!("There is no supernode {name}"))?;
    let donor = |node: &NodeId| {
        let activation = circuit.node(*node).activation?;
        Some(Donor { at: feature_at(circuit, *node)?, activation })
    };
    let features: Vec<Donor> = group.members.iter().filter_map(donor).collect();
    if features.is_empty() {
        return Err(format!("{name} holds no feature with an activation, and nothing else can be put in"));
    }
    let factor = match edited.interventions.list.get(row).map(|it| &it.action) {
        Some(Action::Swap { factor, .. }) => *factor,
        _ => 1.0,
    };
    Ok(Action::Swap { features, factor })
}

/// Asks for the layers that the direct mode writes into.
pub(in crate::tui) fn ask_layers(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let set = &circuit.edits.now().interventions;
    if set.freeze != Freeze::Direct {
        state.warn("Layers go with the direct mode; the other modes freeze no layers");
        return;
    }
    let n_layers = circuit.traced.document.graph.n_layers();
    let now = set.layers.clone().unwrap_or(0..n_layers);
    let about = format!("from layer A up to but not including B, of {n_layers}; their feature outputs stay");
    let question = Question::new(Asks::Layers, about, format!("{}..{}", now.start, now.end));
    state.dialogs.push(question);
}

/// Parses the typed layers; `None` for all.
fn read_layers(state: &State, text: &str) -> Result<Option<Range<usize>>, String> {
    let n_layers = state.circuit.as_ref().map_or(0, |circuit| circuit.traced.document.graph.n_layers());
    let layers = layer_range(text)?;
    if layers.end > n_layers {
        return Err(format!("there are {n_layers} layers, so that B is at most {n_layers}"));
    }
    Ok(Some(layers).filter(|layers| *layers != (0..n_layers)))
}

/// Asks for the sampling of continuations.
pub(in crate::tui) fn ask_sampling(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let about = "temperature, seed, tokens at most; at temperature 0 the likeliest token each time".to_owned();
    state.dialogs.push(Question::new(Asks::Sampling, about, circuit.panel.drawing.text()));
}

fn finite(action: Action) -> Result<Action, String> {
    if action.dose().is_finite() { Ok(action) } else { Err("It has to be a finite number".to_owned()) }
}
