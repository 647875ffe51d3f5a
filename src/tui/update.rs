//! What becomes of the state when something happens.

use crate::graph::Kept;
use crate::text::glyph::Glyphs;
use crate::tui::app::{Busy, Pane, Popup, State};
use crate::tui::circuit::{Circuit, PromotedTokens};
use crate::tui::effect::Effect;
use crate::tui::keymap::{Context, Key, lookup};
use crate::tui::message::Msg;
use crate::tui::popup::TextEdit;
use crate::tui::shelf::{Aside, Shelved};
use crate::tui::traced::Traced;
use crate::tui::{act, view};
use std::sync::Arc;
use std::time::Instant;
use tui_input::InputRequest;

/// Changes the state by what happened. Says through [`State::dirty`] whether the screen must follow.
pub fn update(state: &mut State, msg: Msg) {
    take(state, msg);
    if !shows_nodes(state)
        && let Some(held_back) = state.held_back.take()
    {
        take(state, held_back);
    }
    settle(state);
}

/// The same for all that happened by now. What was typed into a line is put in at once: it is read, searched for and
/// saved once, however much it is.
pub fn update_all(state: &mut State, msgs: impl IntoIterator<Item = Msg>) {
    let mut typed = String::new();
    for msg in msgs {
        if let Msg::Key(key) = &msg {
            match meaning(state, *key) {
                Meaning::Types(c) => {
                    typed.push(c);
                    continue;
                }
                Meaning::Nothing if state.notice.is_none() || !typed.is_empty() => continue,
                Meaning::Nothing | Meaning::Does => {}
            }
        }
        if !typed.is_empty() {
            update(state, Msg::Typed(std::mem::take(&mut typed)));
        }
        update(state, msg);
    }
    if !typed.is_empty() {
        update(state, Msg::Typed(typed));
    }
}

/// What a key is for.
enum Meaning {
    /// A character of the line that is being written.
    Types(char),
    /// A command, or one of two keys.
    Does,
    /// Nothing, but that it has been pressed.
    Nothing,
}

fn meaning(state: &State, key: Key) -> Meaning {
    let context = state.context();
    if state.remembering.is_some() || state.prefix.is_some() || lookup(context, key).is_some() {
        return Meaning::Does;
    }
    key.typed().filter(|_| context.chain().contains(&Context::Text)).map_or(Meaning::Nothing, Meaning::Types)
}

/// Whether a popup holds nodes of the graph on the screen, or answers about it: another graph waits until it is closed.
fn shows_nodes(state: &State) -> bool {
    if let Some(Popup::Compare(compare)) = &state.popup {
        return compare.shows_nodes();
    }
    !matches!(
        state.popup,
        None | Some(Popup::Prompt(_) | Popup::Help(_) | Popup::Start(_) | Popup::Contexts(_) | Popup::Browse(_))
            | Some(Popup::Consent { .. } | Popup::Why(_) | Popup::Fetch(_) | Popup::Unsaved)
    )
}

/// Whether an answer is about what is under way for the graph on the screen.
fn is_of_screen(state: &State, generation: u64) -> bool {
    state.busy.as_ref().is_some_and(|busy| busy.generation == generation)
}

fn take(state: &mut State, msg: Msg) {
    match msg {
        Msg::Grown { generation, .. } | Msg::Traced { generation, .. }
            if shows_nodes(state) && is_of_screen(state, generation) =>
        {
            state.held_back = Some(msg);
        }
        Msg::Key(key) => press(state, key),
        Msg::Typed(text) => {
            state.notice = None;
            act::edit_text(state, TextEdit::Insert(text));
        }
        Msg::Mouse(mouse) => act::take_mouse(state, mouse),
        Msg::Paste(text) => act::paste(state, &text),
        Msg::Resize(width, height) => {
            state.size = (width, height);
            state.dirty = true;
        }
        Msg::Background(ground) => state.dirty |= state.look.stand_on(ground),
        Msg::Tick(progress) => {
            state.ticks = state.ticks.wrapping_add(1);
            let now = Instant::now();
            for (generation, progress) in progress {
                let fetching = state.fetching.as_mut().map(|(busy, _)| busy);
                let mut all = state.busy.iter_mut().chain(fetching).chain(state.shelf.busy());
                if let Some(busy) = all.find(|busy| busy.generation == generation) {
                    busy.hear(progress, now);
                } else if let Some(Popup::Start(start)) = &mut state.popup
                    && start.generation == generation
                {
                    start.progress = progress;
                } else if let Some(Popup::Why(reasons)) = &mut state.popup
                    && reasons.waits == Some(generation)
                {
                    reasons.progress = progress;
                } else if let Some(wait) = state.circuit.as_mut().and_then(|it| it.truth.waits_for(generation)) {
                    wait.progress = progress;
                } else {
                    state.features.known.values_mut().for_each(|known| known.hear(generation, progress.phase));
                }
            }
            state.dirty = true;
        }
        Msg::Grown { generation, traced } => {
            if let Some(busy) = state.busy.as_ref().filter(|busy| busy.generation == generation) {
                show(state, busy.circuit(), *traced);
            } else if let Some((_, shelved)) = state.shelf.traced(generation) {
                let effects = put_aside(shelved, *traced, &state.look.glyphs);
                state.effects.extend(effects);
            }
        }
        Msg::Traced { generation, result } => take_traced(state, generation, result),
        Msg::Pruned { generation, result } => take_pruned(state, generation, result),
        Msg::Exported { generation, result } => act::take_exported(state, generation, result),
        Msg::Weighed { generation, result } => act::take_weighed(state, generation, result),
        Msg::Remembered { generation, result } => act::take_session(state, generation, result),
        Msg::Notice(text) => {
            state.warn(text);
            state.dirty = true;
        }
        Msg::Unsaved(unsaved) => act::take_unsaved(state, unsaved),
        Msg::SavedAll => act::leave(state),
        Msg::Sifted { generation, result } => act::take_sifted(state, generation, result),
        Msg::Paths { generation, result } => act::take_paths(state, generation, result),
        Msg::Proposed { generation, result } => act::take_proposals(state, generation, result),
        Msg::Read { generation, result } => act::take_reading(state, generation, result),
        Msg::Found { generation, result } => act::take_found(state, generation, result),
        Msg::Library { set, result } => act::take_library(state, &set, result),
        Msg::LookedUp { generation, result } => act::take_labels(state, generation, result),
        Msg::Feature { generation, set, feature, result } => {
            act::take_feature(state, generation, &set, feature, result);
        }
        Msg::Browsed { generation, result } => act::take_browsed(state, generation, result),
        Msg::Missing { generation, result } => act::take_missing(state, generation, result),
        Msg::Arrived { generation, names } => act::take_arrived(state, generation, names),
        Msg::FeaturesFetched { generation, result } => act::take_fetched(state, generation, result),
        Msg::HubAllowed { set, result } => act::take_allowed(state, &set, result),
        Msg::Errand { generation, result } => act::take_errand(state, generation, result),
        Msg::Measured { generation, result } => act::take_measured(state, generation, result),
        Msg::ModelReply { generation, result } => act::take_reply(state, generation, result),
        Msg::Explained { generation, result } => act::take_explained(state, generation, result),
        Msg::Compared { generation, result } => act::take_comparison(state, generation, result),
        Msg::Checked { generation, result, ends } => act::take_checked(state, generation, result, ends),
        Msg::Stability { generation, result } => act::take_stability(state, generation, result),
        Msg::Promoted { generation, layer, feature, result } => {
            if generation == state.circuit_generation
                && let Some(circuit) = &mut state.circuit
            {
                let waited = matches!(circuit.promoted.get(&(layer, feature)), Some(PromotedTokens::Pending));
                match result {
                    Ok(promoted) => {
                        _ = circuit.promoted.insert((layer, feature), PromotedTokens::Known(Arc::new(promoted)))
                    }
                    Err(why) if waited => _ = circuit.promoted.insert((layer, feature), PromotedTokens::Failed(why)),
                    // It was given up for another one.
                    Err(_) => {}
                }
                state.dirty = true;
            }
        }
    }
}

fn press(state: &mut State, key: Key) {
    let context = state.context();
    let command = lookup(context, key);
    if state.remembering.is_some() && command.is_none_or(|command| command.context != Context::Anywhere) {
        state.held.push(key);
        return;
    }
    state.dirty |= state.notice.take().is_some();
    state.dirty |= state.prefix.take().is_some();
    if let Some(command) = command {
        (command.run)(state, key);
        state.dirty = true;
    } else if let Some(c) = key.typed()
        && context.chain().contains(&Context::Text)
    {
        act::edit_text(state, InputRequest::InsertChar(c));
        state.dirty = true;
    }
}

fn take_traced(state: &mut State, generation: u64, result: Result<Traced, String>) {
    let Some(busy) = state.busy.take_if(|busy| busy.generation == generation) else {
        take_traced_aside(state, generation, result);
        return;
    };
    state.dirty = true;
    match result {
        Ok(traced) => {
            let stopped = busy.stopping && traced.document.graph.is_partial();
            let warning = traced.document.trace.as_ref().and_then(|trace| trace.provenance.warnings.first().cloned());
            show(state, busy.circuit(), traced);
            act::open_session(state);
            if stopped {
                let goes_on = view::key_of("go-on", state);
                state.say(format!(
                    "The trace was stopped early: the graph holds what there was, and is marked partial; {goes_on} goes on"
                ));
            } else if let Some(warning) = warning {
                state.warn(warning);
            }
        }
        Err(_) if busy.stopping => state.say("The trace was stopped before there was anything new to show"),
        Err(why) => state.warn(why),
    }
}

/// A trace of a graph that is not on the screen ended.
fn take_traced_aside(state: &mut State, generation: u64, result: Result<Traced, String>) {
    let Some((place, shelved)) = state.shelf.traced(generation) else { return };
    let title = state.look.glyphs.visible(&shelved.title());
    let failed = result.as_ref().err().cloned();
    let (said, effects) = match result {
        Ok(traced) => {
            let ended = if traced.document.graph.is_partial() { "was stopped early" } else { "has ended" };
            (format!("The trace of graph {place} {ended}: {title}"), put_aside(shelved, traced, &state.look.glyphs))
        }
        Err(why) => (format!("The trace of graph {place} brought nothing: {why}"), Vec::new()),
    };
    shelved.busy = None;
    state.effects.extend(effects);
    state.say(said);
    act::compare_arrived(state, generation, failed);
    state.dirty = true;
}

/// Gives a graph to the place that its trace is for, which is not on the screen: as [`show`] does. What is to be done
/// about the graph that gives way to it.
fn put_aside(shelved: &mut Shelved, traced: Traced, glyphs: &Glyphs) -> Vec<Effect> {
    let number = shelved.busy.as_ref().map(Busy::circuit);
    if let Aside::Circuit { circuit, generation, prunes } = &mut shelved.graph
        && number == Some(*generation)
        && let Some(to) = circuit.nodes_in(&traced.document.graph)
    {
        *prunes = circuit.edits.now().thresholds != traced.document.edited.thresholds;
        let before = circuit.grow(traced, &to, glyphs);
        return vec![Effect::Discard(Box::new(before))];
    }
    let (Some(circuit), Some(generation)) = (Circuit::new(traced), number) else { return Vec::new() };
    let aside = Aside::Circuit { circuit: Box::new(circuit), generation, prunes: false };
    match std::mem::replace(&mut shelved.graph, aside) {
        Aside::Circuit { circuit, .. } => gone(*circuit),
        Aside::File(_) | Aside::Nothing => Vec::new(),
    }
}

/// What is to be done about a circuit that nobody will see again: its session is saved, and may be that of the same prompt,
/// so that what is left of it is saved before it is read again.
pub(in crate::tui) fn gone(circuit: Circuit) -> Vec<Effect> {
    let forget = circuit.kit.session.map(|generation| Effect::Forget { generation });
    forget.into_iter().chain([Effect::Discard(Box::new(circuit.traced))]).collect()
}

/// Shows a graph: as what has become of the one on the screen where it is of the same trace.
fn show(state: &mut State, generation: u64, traced: Traced) {
    state.dirty = true;
    state.pruning = None;
    if generation == state.circuit_generation
        && let Some(circuit) = &mut state.circuit
        && let Some(to) = circuit.nodes_in(&traced.document.graph)
    {
        let wanted = circuit.edits.now().thresholds;
        let pruned_at = traced.document.edited.thresholds;
        let before = circuit.grow(traced, &to, &state.look.glyphs);
        state.effects.push(Effect::Discard(Box::new(before)));
        // How often features fire is not known where a trace is pruned as it grows.
        if wanted != pruned_at || wanted.density < 1.0 {
            act::prune_anew(state);
        }
        return;
    }
    match Circuit::new(traced) {
        Some(circuit) => {
            let replaced = state.circuit.replace(circuit);
            state.effects.extend(replaced.into_iter().flat_map(gone));
            state.circuit_generation = generation;
            state.detail_scroll = 0;
            // What was asked about is of the prompt before.
            if matches!(state.popup, Some(Popup::Why(_))) {
                state.popup = None;
                state.effects.push(Effect::StopExplaining);
            }
        }
        None => state.warn("The trace holds no node"),
    }
}

fn take_pruned(state: &mut State, generation: u64, result: Result<Arc<Kept>, String>) {
    if state.pruning.take_if(|waited| *waited == generation).is_none() {
        return;
    }
    state.dirty = true;
    match (result, &mut state.circuit) {
        (Ok(kept), Some(circuit)) => circuit.take_kept(kept, &state.look.glyphs),
        (Err(why), _) => state.warn(why),
        (Ok(_), None) => {}
    }
}

/// What follows from any change: the prompt is read as it is typed, the arrangement fits its pane, and the selected
/// feature's tokens are asked for.
fn settle(state: &mut State) {
    act::ask_picker(state);
    act::ask_prompt(state);
    state.windows.note_focus(state.focus);
    act::weigh_pinned(state);
    let panes = state.panes().unwrap_or_default();
    let room = panes.graph_room();
    act::know(state);
    let Some(circuit) = &mut state.circuit else { return };
    if panes.of(Pane::Tree).is_some() {
        circuit.grow_tree();
    }
    if let Some(room) = room.map(|room| (room.width, room.height))
        && (circuit.arrangement.room != room || circuit.arrangement.rows.is_empty())
    {
        circuit.arrange(&state.look.glyphs, room);
    }
    act::learn(state);
    act::measure(state);
    act::check(state);
    act::stand(state);
    act::read_filter(state);
    act::ask_filter(state);
    act::save_session(state);
}
