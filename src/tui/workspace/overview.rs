//! What is worth knowing of a circuit before it is walked: its main paths, and the nodes that lead in it.

use crate::graph::{AttributionGraph, Kept, Paths, paths_from};
use crate::ids::NodeId;
use crate::job::{Cancel, Cancelled};
use crate::tui::runtime::JobKey;
use crate::tui::state::State;
use crate::tui::workspace::Circuit;
use std::sync::Arc;

/// Most paths that are found.
const PATHS: usize = 3;

/// Most leading nodes that are listed.
const LEADING: usize = 9;

const OVERVIEW: JobKey = JobKey::new("overview").of_graph();

/// Main paths through a node that is no feature, and the nodes that lead in the circuit.
#[derive(Default)]
pub struct Overview {
    /// What was asked about last.
    asked: Option<About>,
    found: Found,
}

/// Subject of an overview.
#[derive(Clone)]
struct About {
    graph: Arc<AttributionGraph>,
    kept: Arc<Kept>,
    ends: Option<Ends>,
}

/// Ends of the main paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Node at which the paths begin; `None` where they begin at any token.
    pub from: Option<NodeId>,
    /// Output to which they lead.
    pub to: NodeId,
}

impl Ends {
    /// Returns the ends of the paths that say what the selected node is to the circuit: from the tokens to an output,
    /// from a token or an error to the answer. A feature's contexts say more of it.
    fn of(circuit: &Circuit) -> Option<Self> {
        let selected = circuit.selected();
        let node = circuit.node(selected);
        if node.is_logit() {
            return Some(Self { from: None, to: selected });
        }
        circuit.answer().filter(|_| node.feature().is_none()).map(|to| Self { from: Some(selected), to })
    }
}

impl About {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.graph, &other.graph) && Arc::ptr_eq(&self.kept, &other.kept) && self.ends == other.ends
    }

    fn find(&self, cancel: &Cancel) -> Result<Found, Cancelled> {
        let (graph, kept) = (self.graph.as_ref(), self.kept.as_ref());
        let paths = self.ends.map(|ends| {
            let sources = ends.from.map_or_else(|| graph.token_nodes().collect(), |from| vec![from]);
            paths_from(graph, Some(kept), &sources, ends.to, PATHS, cancel).map(|paths| (ends, paths))
        });
        let leads = |id: &NodeId| !graph.node(*id).is_error() && !graph.node(*id).is_logit();
        let leading = kept.ranked().into_iter().filter(leads).take(LEADING).collect();
        Ok(Found { paths: paths.transpose()?, leading })
    }
}

#[derive(Default)]
struct Found {
    paths: Option<(Ends, Paths)>,
    leading: Vec<NodeId>,
}

impl Overview {
    /// Returns the main paths, strongest first, with their ends, which may be those of the node that was selected
    /// before; `None` before any were found.
    pub fn paths(&self) -> Option<(Ends, &Paths)> {
        self.found.paths.as_ref().map(|(ends, paths)| (*ends, paths))
    }

    /// Returns the most influential tokens and features.
    pub fn leading(&self) -> &[NodeId] {
        &self.found.leading
    }

    /// Forgets what was asked: its answer may have been missed.
    pub fn ask_anew(&mut self) {
        self.asked = None;
    }
}

impl Circuit {
    /// Returns the main paths that say what the selected node is to the circuit, and their ends; the paths are `None`
    /// while they are being searched. `None` for a feature, and where there is no output.
    pub fn main_paths(&self) -> Option<(Ends, Option<&Paths>)> {
        let ends = Ends::of(self)?;
        Some((ends, self.overview.paths().filter(|(of, _)| *of == ends).map(|(_, paths)| paths)))
    }
}

/// Requests the overview where the graph, its kept part or the selected node changed.
pub(in crate::tui) fn request_overview(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let about = About {
        graph: Arc::clone(&circuit.traced.document.graph),
        kept: Arc::clone(&circuit.traced.kept),
        ends: Ends::of(circuit),
    };
    if circuit.overview.asked.as_ref().is_some_and(|asked| asked.is(&about)) {
        return;
    }
    circuit.overview.asked = Some(about.clone());
    state.jobs.submit(
        OVERVIEW,
        move |_, monitor| about.find(monitor.cancel()).map_err(|stop| stop.to_string()),
        |state, found| {
            if let (Ok(found), Some(circuit)) = (found, &mut state.workspace.circuit) {
                circuit.overview.found = found;
            }
        },
    );
}
