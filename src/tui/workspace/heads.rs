//! Attention heads of the graph on the screen: what the model said of them, and how it is asked.

use crate::graph::Kept;
use crate::ids::{NodeId, Position};
use crate::job::Monitor;
use crate::service::attention::{EdgeHead, EdgeHeads, HeadView, LookAt, PositionReads};
use crate::tui::dialogs::head::HeadDialog;
use crate::tui::dialogs::verify::update::fits;
use crate::tui::runtime::JobKey;
use crate::tui::runtime::jobs::{Services, Teller};
use crate::tui::state::State;
use crate::tui::workspace::{Circuit, Side};
use std::collections::HashSet;
use std::sync::Arc;

pub(in crate::tui) const LOOK: JobKey = JobKey::new("head").of_graph();
pub(in crate::tui) const READS: JobKey = JobKey::new("reads").of_graph();
const EDGES: JobKey = JobKey::new("edge-heads").of_graph();

/// Most answers of a kind that are kept of a graph, the newest ones.
const KEPT: usize = 64;

/// Most connections of a list whose heads are asked for.
const ASKED: usize = 40;

/// Answers about attention heads of one graph.
#[derive(Default)]
pub struct HeadAnswers {
    looks: Vec<(LookAt, HeadView)>,
    look_failed: Option<(LookAt, String)>,
    look_asked: Option<LookAt>,
    reads: Vec<(ReadsAt, PositionReads)>,
    reads_failed: Option<(ReadsAt, String)>,
    reads_asked: Option<ReadsAt>,
    edges: EdgeHeads,
    /// Edges that were answered for, also those that cannot be split.
    edges_asked: HashSet<(NodeId, NodeId)>,
    /// Node whose edges were asked for last.
    edges_of: Option<NodeId>,
    /// Head that was left for one of its nodes.
    left: Option<Left>,
}

/// Position whose reads are asked for, and the kept part whose influence they carry.
type ReadsAt = (Position, KeptPart);

/// Kept part of a graph, told from others by where it lies.
#[derive(Clone)]
struct KeptPart(Arc<Kept>);

impl PartialEq for KeptPart {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Dialog of a head that was left for a node.
struct Left {
    dialog: HeadDialog,
    from: NodeId,
    to: NodeId,
    /// Length of the walk at `to`.
    length: usize,
}

impl HeadAnswers {
    /// Returns what is known of a look.
    pub fn look(&self, at: LookAt) -> Option<&HeadView> {
        self.looks.iter().find(|(known, _)| *known == at).map(|(_, view)| view)
    }

    /// Returns the reason why a look is not known.
    pub fn look_failed(&self, at: LookAt) -> Option<&str> {
        self.look_failed.as_ref().filter(|(failed, _)| *failed == at).map(|(_, why)| why.as_str())
    }

    /// Returns what is known of a head's attention from a position, whatever the key.
    pub fn pattern(&self, at: LookAt) -> Option<&HeadView> {
        let is_same = |known: &LookAt| (known.head, known.query) == (at.head, at.query);
        self.look(at).or_else(|| self.looks.iter().find(|(known, _)| is_same(known)).map(|(_, view)| view))
    }

    /// Returns the strongest head of an edge; `None` where it is not known, `Some(None)` where it passes none.
    pub fn edge(&self, ends: (NodeId, NodeId)) -> Option<Option<EdgeHead>> {
        self.edges.get(&ends).copied()
    }

    fn keep_look(&mut self, at: LookAt, view: HeadView) {
        self.looks.retain(|(known, _)| *known != at);
        if self.looks.len() >= KEPT {
            self.looks.remove(0);
        }
        self.looks.push((at, view));
    }

    fn keep_reads(&mut self, at: ReadsAt, reads: PositionReads) {
        self.reads.retain(|(known, _)| *known != at);
        if self.reads.len() >= KEPT {
            self.reads.remove(0);
        }
        self.reads.push((at, reads));
    }
}

impl Circuit {
    fn reads_at(&self) -> ReadsAt {
        (self.node(self.selected()).position(), KeptPart(Arc::clone(&self.pruning.kept)))
    }

    /// Returns what is known of the heads' attention from the selected node's position.
    pub fn reads(&self) -> Option<&PositionReads> {
        let at = self.reads_at();
        self.heads.reads.iter().find(|(known, _)| *known == at).map(|(_, reads)| reads)
    }

    /// Returns the reason why the heads' attention from the selected node's position is not known.
    pub fn reads_failed(&self) -> Option<&str> {
        let at = self.reads_at();
        self.heads.reads_failed.as_ref().filter(|(failed, _)| *failed == at).map(|(_, why)| why.as_str())
    }
}

/// Takes note that a head's dialog was left for the node that is now selected, so that going back leads to it again.
pub(in crate::tui) fn note_left(circuit: &mut Circuit, dialog: HeadDialog, from: NodeId) {
    let (to, length) = (circuit.selected(), circuit.walk.history.walked().len());
    circuit.heads.left = Some(Left { dialog, from, to, length });
}

/// Opens the dialog that was left for the selected node again; returns true where there was one.
pub(in crate::tui) fn back_to_head(state: &mut State) -> bool {
    let Some(circuit) = &mut state.workspace.circuit else { return false };
    let here = (circuit.selected(), circuit.walk.history.walked().len());
    let Some(left) = circuit.heads.left.take_if(|left| (left.to, left.length) == here) else { return false };
    if left.from != left.to {
        circuit.back();
    }
    state.dialogs.open(left.dialog);
    true
}

/// Requests what the open head's dialog shows, where it is not known.
pub(in crate::tui) fn request_look(state: &mut State) {
    let Some(at) = state.dialogs.get::<HeadDialog>().map(|dialog| dialog.at) else { return };
    let fits = fits(state);
    let is_waiting = state.jobs.is_waiting(LOOK);
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let answers = &mut circuit.heads;
    let is_known = answers.look(at).is_some_and(HeadView::is_whole) || answers.look_failed(at).is_some();
    if is_known || (is_waiting && answers.look_asked == Some(at)) {
        return;
    }
    if let Err(why) = fits {
        answers.look_failed = Some((at, why));
        return;
    }
    answers.look_asked = Some(at);
    let graph = Arc::clone(&circuit.traced.document.graph);
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<HeadView>| {
        services.ask(|tracer| tracer.look(&graph, at, &mut |part| teller.tell(part), monitor))
    };
    let told = move |state: &mut State, part| {
        if let Some(circuit) = &mut state.workspace.circuit {
            circuit.heads.keep_look(at, part);
        }
    };
    let apply = move |state: &mut State, view| {
        let Some(circuit) = &mut state.workspace.circuit else { return };
        match view {
            Ok(view) => circuit.heads.keep_look(at, view),
            Err(why) => circuit.heads.look_failed = Some((at, why)),
        }
    };
    let id = state.jobs.next_request();
    state.jobs.submit_telling(id, LOOK, work, told, apply);
}

/// Forgets why the shown look is not known, and stops the work on it.
pub(in crate::tui) fn leave_look(state: &mut State) {
    state.jobs.forget(LOOK);
    if let Some(circuit) = &mut state.workspace.circuit {
        circuit.heads.look_failed = None;
    }
}

/// Requests what the heads look at from the selected node's position, where it is not known.
pub(in crate::tui) fn request_reads(state: &mut State) {
    if state.workspace.is_growing() {
        return;
    }
    let fits = fits(state);
    let is_waiting = state.jobs.is_waiting(READS);
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let at = circuit.reads_at();
    let is_known = circuit.reads().is_some_and(|reads| reads.flows.is_some()) || circuit.reads_failed().is_some();
    if is_known || (is_waiting && circuit.heads.reads_asked.as_ref() == Some(&at)) {
        return;
    }
    if let Err(why) = fits {
        circuit.heads.reads_failed = Some((at, why));
        return;
    }
    circuit.heads.reads_asked = Some(at.clone());
    let (graph, kept, position) = (Arc::clone(&circuit.traced.document.graph), Arc::clone(&at.1.0), at.0);
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<PositionReads>| {
        let told = &mut |part| teller.tell(part);
        services.ask(|tracer| tracer.reads((&graph, &kept), position, told, monitor))
    };
    let of_part = at.clone();
    let told = move |state: &mut State, part| {
        if let Some(circuit) = &mut state.workspace.circuit {
            circuit.heads.keep_reads(of_part.clone(), part);
        }
    };
    let apply = move |state: &mut State, reads| {
        let Some(circuit) = &mut state.workspace.circuit else { return };
        match reads {
            Ok(reads) => circuit.heads.keep_reads(at, reads),
            Err(why) => circuit.heads.reads_failed = Some((at, why)),
        }
    };
    let id = state.jobs.next_request();
    state.jobs.submit_telling(id, READS, work, told, apply);
}

/// Requests the heads of the selected node's listed connections, where they are not known.
pub(in crate::tui) fn request_edge_heads(state: &mut State) {
    if state.workspace.is_growing() {
        return;
    }
    let is_waiting = state.jobs.is_waiting(EDGES);
    let fits = fits(state);
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let listed = Side::ALL.into_iter().flat_map(|side| circuit.connections.links_of(side).kept.iter().take(ASKED));
    let ends = listed.map(|link| (link.edge.source, link.edge.target));
    let new: Vec<(NodeId, NodeId)> = ends.filter(|ends| !circuit.heads.edges_asked.contains(ends)).collect();
    let here = Some(circuit.selected());
    let is_asked = is_waiting && circuit.heads.edges_of == here;
    if new.is_empty() || fits.is_err() || is_asked {
        return;
    }
    circuit.heads.edges_of = here;
    let asked = new.clone();
    let graph = Arc::clone(&circuit.traced.document.graph);
    let work = move |services: &Services, monitor: &Monitor, teller: &Teller<EdgeHeads>| {
        services.ask(|tracer| tracer.edge_heads(&graph, &new, &mut |part| teller.tell(part), monitor))
    };
    let told = |state: &mut State, part: EdgeHeads| {
        if let Some(circuit) = &mut state.workspace.circuit {
            circuit.heads.edges.extend(part);
        }
    };
    let apply = move |state: &mut State, heads: Result<EdgeHeads, String>| {
        let Some(circuit) = &mut state.workspace.circuit else { return };
        circuit.heads.edges_asked.extend(asked);
        match heads {
            Ok(heads) => circuit.heads.edges.extend(heads),
            Err(why) => state.screen.warn(why),
        }
    };
    let id = state.jobs.next_request();
    state.jobs.submit_telling(id, EDGES, work, told, apply);
}
