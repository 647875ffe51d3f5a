//! Commands of the feature browser, which needs no graph.

use super::feature::{open_library, read_feature};
use super::find::go_to;
use crate::features::browse::Order;
use crate::service::browse::Ask;
use crate::service::library::FeatureSet;
use crate::tui::app::State;
use crate::tui::dialogs::browse::{Browse, InputMode};
use crate::tui::features::Known;
use crate::tui::runtime::jobs::JobKey;
use std::sync::Arc;

const BROWSE: JobKey = JobKey::new("browse");

/// Shows the features of the transcoder that traces.
pub(in crate::tui) fn open_browse(state: &mut State) {
    let Some(tracer) = &state.jobs.services.tracer else {
        state.warn("There is no model whose features could be listed: M chooses one");
        return;
    };
    let plain = FeatureSet { transcoder: tracer.transcoder_name(), source_set: None };
    // Labels of the graph on the screen count here too.
    let of_graph = state.circuit.as_ref().map(|circuit| FeatureSet::of(&circuit.traced.document.origin));
    let set = of_graph.filter(|set| set.transcoder == plain.transcoder).unwrap_or(plain);
    state.dialogs.open(Browse::new(set));
    from_the_start(state);
    ask(state, Ask::List(Order::Layer));
}

fn browse(state: &mut State) -> Option<&mut Browse> {
    state.dialogs.get_mut()
}

/// Asks for a list of features, once the library is open.
fn ask(state: &mut State, ask: Ask) {
    // The request before is no longer waited for.
    state.jobs.forget(BROWSE);
    let Some(open) = state.dialogs.get_mut::<Browse>() else { return };
    open.asked(ask.clone());
    let known = state.features.known.get(&open.set);
    if let Some(knows) = known.and_then(Known::open).map(Arc::clone) {
        state.jobs.submit(
            BROWSE,
            move |services, monitor| services.ask(|tracer| tracer.browse(&ask, knows.as_ref(), monitor)),
            |state, found| {
                if let Some(browse) = browse(state) {
                    browse.take(found);
                }
            },
        );
    } else if known.is_none() {
        let set = open.set.clone();
        open_library(state, set);
    }
}

/// Sends the request that waited for the library, which is open now.
pub(super) fn browse_opened(state: &mut State, set: &FeatureSet) {
    let waits = browse(state).filter(|browse| browse.set == *set && browse.waits);
    let waiting = waits.map(|browse| browse.ask.clone());
    let failed = state.features.known.get(set).is_none_or(|known| known.open().is_none());
    match waiting {
        Some(_) if failed => {
            if let Some(browse) = browse(state) {
                browse.give_up("What is known of its features cannot be read".to_owned());
            }
        }
        Some(waiting) => ask(state, waiting),
        None => {}
    }
}

/// Asks for the contexts of the feature under the cursor.
pub(super) fn read_chosen(state: &mut State) {
    let Some(browse) = state.dialogs.get::<Browse>() else { return };
    let Some(feature) = browse.chosen() else { return };
    let set = browse.set.clone();
    if state.features.known.get(&set).is_some_and(|known| known.wants(feature, false)) {
        read_feature(state, set, feature, false);
    }
}

/// Changes the list; another feature's contexts are shown from their start.
fn turn(state: &mut State, change: impl FnOnce(&mut Browse)) {
    let Some(browse) = browse(state) else { return };
    let before = browse.chosen();
    change(browse);
    if browse.chosen() != before {
        from_the_start(state);
    }
}

/// Scrolls contexts to their strongest and their middle.
fn from_the_start(state: &mut State) {
    let sight = &mut state.features.sight;
    (sight.scroll, sight.shift) = (0, 0);
}

pub(in crate::tui) fn move_in_browse(state: &mut State, by: isize) {
    turn(state, |browse| browse.move_by(by));
}

pub(in crate::tui) fn turn_token(state: &mut State, by: isize) {
    turn(state, |browse| browse.turn_token(by));
}

/// Scrolls the contexts of the chosen feature.
pub(in crate::tui) fn scroll_browsed(state: &mut State, by: isize) {
    let Some(browse) = state.dialogs.get::<Browse>() else { return };
    let most = browse.overflow(state);
    let sight = &mut state.features.sight;
    sight.scroll = sight.scroll.min(most).saturating_add_signed(by).min(most);
}

/// Lists features in the next order.
pub(in crate::tui) fn turn_order(state: &mut State) {
    let Some(browse) = browse(state) else { return };
    browse.order = match browse.order {
        Order::Layer => Order::Density,
        Order::Density => Order::Maximum,
        Order::Maximum => Order::Label,
        Order::Label => Order::Layer,
    };
    let order = browse.order;
    ask(state, Ask::List(order));
}

pub(in crate::tui) fn write_in_browse(state: &mut State, mode: InputMode) {
    if let Some(browse) = browse(state) {
        browse.write(mode);
    }
}

pub(in crate::tui) fn take_browse_line(state: &mut State) {
    if let Some(asks) = browse(state).and_then(Browse::take_line) {
        ask(state, asks);
    }
}

/// Lists the features whose decoders are close to the chosen one's.
pub(in crate::tui) fn browse_near(state: &mut State) {
    if let Some(feature) = browse(state).and_then(|browse| browse.chosen()) {
        ask(state, Ask::Near(feature));
    }
}

/// Selects the strongest node of the chosen feature in the graph, where there is one.
pub(in crate::tui) fn browse_go(state: &mut State) {
    let Some(feature) = browse(state).and_then(|browse| browse.chosen()) else { return };
    let node = state.circuit.as_ref().and_then(|circuit| {
        let nodes = circuit.kept().node_ids().filter(|node| circuit.feature(*node) == Some(feature));
        nodes.min_by(|a, b| circuit.kept().by_influence(*a, *b))
    });
    match node {
        Some(node) => go_to(state, node),
        None => state.say("No kept node of the graph is of this feature"),
    }
}

/// Goes back to the list, then closes the browser.
pub(in crate::tui) fn close_browse(state: &mut State) {
    let Some(browse) = browse(state) else { return };
    if browse.leave_line() {
        return;
    }
    let order = browse.order;
    let is_list = matches!(browse.ask, Ask::List(_));
    state.jobs.forget(BROWSE);
    if is_list {
        state.dialogs.close_all();
        from_the_start(state);
    } else {
        ask(state, Ask::List(order));
    }
}
