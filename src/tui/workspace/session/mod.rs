//! Session of a circuit: read from the state, and put back into it.

pub(in crate::tui) mod update;

use crate::demo;
use crate::graph::query::Query;
use crate::graph::{AttributionGraph, Document, Edit, Edited, Edits, Kept};
use crate::session;
use crate::session::{ActiveFilter, Opened, RecentGraph, Session, SessionFile, SessionPlace, Station as Saved};
use crate::tui::panes::{PANES, subgraph};
use crate::tui::state::State;
use crate::tui::workspace::history::Entry;
use crate::tui::workspace::{Circuit, Filter, Reached, Side, prune_anew};
use std::path::Path;
use std::sync::Arc;

/// Session that was read, with the kept part of the graph at its thresholds.
pub struct Remembered {
    /// The session.
    pub session: Session,
    /// Kept part of the graph, where the session's thresholds are not the document's own.
    pub kept: Option<Arc<Kept>>,
    /// Warnings for the user.
    pub notices: Vec<String>,
    /// True where a session was saved before.
    pub is_saved: bool,
}

/// Reads the session of a graph, which lies beside `file` where it has one, and under `data` where not.
pub fn read(document: &Document, file: Option<&Path>, data: Option<&Path>) -> (Remembered, SessionFile) {
    let place = match file {
        Some(file) => SessionPlace::beside(file, data),
        None => SessionPlace::of_trace(document, data),
    };
    if let (Some(file), Some(data)) = (file, data) {
        let (prompt, model) = (document.origin.prompt.clone(), document.origin.model.clone());
        let graph = RecentGraph { path: file.to_owned(), prompt, model };
        if let Err(error) = session::note_recent(data, graph) {
            tracing::warn!("the list of recent graphs: {error}");
        }
    }
    let is_traced = file.is_none();
    let Opened { mut session, file, is_saved, notices } = session::open(place, document);
    let story = demo::STORIES.into_iter().find(|(prompt, _)| *prompt == document.origin.prompt);
    if let Some((_, shipped)) = story.filter(|_| is_traced && !is_saved && document.origin.model == demo::NAME) {
        session.edited = curated(shipped, document, session.edited);
    }
    let notices = document.foreign.warnings.iter().cloned().chain(notices).collect();
    let thresholds = session.edited.thresholds;
    let other = thresholds != document.edited.thresholds;
    let kept = other.then(|| Arc::new(document.prune(thresholds)));
    (Remembered { session, kept, notices, is_saved }, file)
}

/// Returns true where a graph is that of the demo's question.
pub(in crate::tui) fn is_demos(document: &Document) -> bool {
    document.origin.model == demo::NAME && document.origin.prompt == demo::PROMPT
}

/// Returns the pins, supernodes and labels of a session that is shipped for a question of the demo, at the thresholds of
/// `edited`.
fn curated(shipped: &str, document: &Document, edited: Edited) -> Edited {
    match session::read_shipped(shipped, &document.graph) {
        Ok(shipped) => {
            let Edited { pins, groups, labels, .. } = shipped.edited;
            Edited { pins, groups, labels, ..edited }
        }
        Err(why) => {
            tracing::warn!("the demo's session: {why}");
            edited
        }
    }
}

/// Returns the session of the circuit on the screen.
pub fn session_of(state: &State, circuit: &Circuit) -> Session {
    let marks = &circuit.marks;
    let (entries, at) = circuit.walk.history.entries();
    let walk = entries.iter().map(|entry| Saved {
        node: entry.node,
        reached: match entry.reached {
            Reached::AsInput(_) => session::Reached::AsInput,
            Reached::AsOutput(_) => session::Reached::AsOutput,
            Reached::Freely => session::Reached::Freely,
        },
    });
    let screen = [
        ("focus", state.screen.focus.title()),
        ("zoomed", if state.screen.windows.zoomed { "yes" } else { "no" }),
        ("side", circuit.connections.side.title()),
    ];
    Session {
        edited: circuit.edits.now().clone(),
        selected: Some(circuit.selected()),
        chosen: marks.chosen.clone(),
        filters: marks.filters.clone(),
        filter: marks.filter.as_ref().map(|filter| ActiveFilter { query: filter.text.clone(), hides: filter.hides }),
        filter_history: state.workspace.filter_history.clone(),
        marks: marks.letters.clone(),
        walk: walk.collect(),
        walk_at: at,
        refused: marks.refused.clone(),
        screen: screen.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// Restores the circuit on the screen from a session. Edits that were made while the graph was still growing are
/// applied on top, and a user who has walked meanwhile stays where they are.
pub fn restore(state: &mut State, remembered: Remembered) {
    let Remembered { session, kept, is_saved, .. } = remembered;
    let Some(circuit) = &mut state.workspace.circuit else { return };
    if !is_saved {
        if circuit.edits.made().next().is_none() {
            let thresholds = circuit.edits.now().thresholds;
            circuit.edits = Edits::starting_from(Edited { thresholds, ..session.edited });
        }
        show_pinned(state);
        return;
    }
    let since: Vec<Edit> = circuit.edits.made().cloned().collect();
    let walked = circuit.walk.history.entries().0.len() > 1;
    circuit.edits = Edits::starting_from(session.edited);
    let pruned_at = circuit.edits.now().thresholds;
    since.into_iter().for_each(|edit| _ = circuit.edits.apply(edit));
    let marked = std::mem::replace(&mut circuit.marks.letters, session.marks);
    circuit.marks.letters.extend(marked);
    if circuit.marks.chosen.is_empty() {
        circuit.marks.chosen = session.chosen;
    }
    circuit.marks.filters = session.filters;
    circuit.marks.refused = session.refused;
    circuit.marks.filter = session.filter.and_then(|filter| {
        let query = Query::parse(&filter.query).ok()?;
        Some(Filter::new(filter.query, query, filter.hides))
    });
    let graph = Arc::clone(&circuit.traced.document.graph);
    let walk = session.walk.windows(2).map(|pair| Entry { node: pair[1].node, reached: reached(&graph, pair) });
    let first = session.walk.first().map(|first| Entry { node: first.node, reached: Reached::Freely });
    if !walked {
        circuit.walk.history.restore(first.into_iter().chain(walk).collect(), session.walk_at);
    }
    let said = |name: &str| session.screen.get(name).map(String::as_str);
    let side = Side::ALL.into_iter().find(|side| said("side") == Some(side.title()));
    if let Some(side) = side.filter(|side| *side != Side::Inputs && !walked) {
        circuit.connections.set_side(side);
    }
    let thresholds = circuit.edits.now().thresholds;
    circuit.take_kept(kept.unwrap_or_else(|| Arc::clone(&circuit.pruning.kept)), &state.screen.look.glyphs);
    if !walked {
        if let Some(pane) = PANES.iter().copied().find(|pane| said("focus") == Some(pane.title())) {
            state.screen.focus = pane;
        }
        state.screen.windows.zoomed = said("zoomed") == Some("yes");
    }
    if thresholds != pruned_at {
        prune_anew(state);
    }
    for filter in session.filter_history {
        if !state.workspace.filter_history.contains(&filter) {
            state.workspace.filter_history.push(filter);
        }
    }
}

/// Shows the supernodes of a file on the whole screen where there is no session and no walk yet: they are what its
/// author made of it.
fn show_pinned(state: &mut State) {
    let Some(circuit) = state.workspace.circuit.as_ref().filter(|circuit| circuit.walk.history.entries().0.len() == 1)
    else {
        return;
    };
    let edited = &circuit.traced.document.edited;
    if !edited.groups.is_empty() {
        state.screen.focus = subgraph::PANE;
        state.screen.windows.zoomed = true;
    }
}

/// Returns the way in which the second of two entries is reached; freely where there is no such edge any more.
fn reached(graph: &AttributionGraph, pair: &[Saved]) -> Reached {
    let weight = |source, target| graph.incoming(target).find(|edge| edge.source == source).map(|edge| edge.weight);
    let (before, after) = (pair[0].node, pair[1].node);
    match pair[1].reached {
        session::Reached::AsInput => weight(after, before).map_or(Reached::Freely, Reached::AsInput),
        session::Reached::AsOutput => weight(before, after).map_or(Reached::Freely, Reached::AsOutput),
        session::Reached::Freely => Reached::Freely,
    }
}
