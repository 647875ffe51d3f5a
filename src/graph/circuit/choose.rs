//! Choice of the features of a circuit.

use crate::graph::circuit::Wanted;
use crate::graph::{AttributionGraph, Kept, Scores, subgraph_scores_of};
use crate::ids::NodeId;
use crate::job::{Cancel, Cancelled};

/// Features outside of the subgraph that are tried in exchange for one of it, in each round.
const TRIED: usize = 12;

/// Rounds of exchange, at most.
const ROUNDS: usize = 8;

/// Chooses at most `most` of the kept features, those that together explain most of the wanted outputs.
///
/// # Errors
/// Fails with [`Cancelled`] where the work was asked to stop.
pub(super) fn choose(
    graph: &AttributionGraph,
    kept: &Kept,
    wanted: &Wanted,
    most: usize,
    cancel: &Cancel,
) -> Result<Vec<NodeId>, Cancelled> {
    let is_target = |id: NodeId| wanted.iter().any(|(wanted, _)| *wanted == id);
    let mut free = vec![false; graph.n_nodes()];
    kept.node_ids().filter(|id| graph.node(*id).is_feature() && !is_target(*id)).for_each(|id| free[id.index()] = true);

    let mut chosen: Vec<NodeId> = Vec::new();
    while chosen.len() < most {
        cancel.check()?;
        let Some(next) = most_missed(graph, &chosen, &free, wanted, 1).first().copied() else { break };
        free[next.index()] = false;
        chosen.push(next);
    }
    exchange(graph, &mut chosen, &mut free, wanted, cancel)?;
    Ok(chosen)
}

/// Exchanges the least useful chosen feature for the most useful other one, as long as the subgraph explains more by
/// it.
fn exchange(
    graph: &AttributionGraph,
    chosen: &mut Vec<NodeId>,
    free: &mut [bool],
    wanted: &Wanted,
    cancel: &Cancel,
) -> Result<(), Cancelled> {
    let explained = |nodes: &[NodeId]| {
        let Scores { replacement, completeness } = subgraph_scores_of(graph, nodes, wanted);
        replacement + completeness
    };
    let mut best = explained(chosen);
    for _ in 0..ROUNDS {
        let mut without = Vec::with_capacity(chosen.len());
        for at in 0..chosen.len() {
            cancel.check()?;
            let rest: Vec<NodeId> = chosen.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, id)| *id).collect();
            without.push(explained(&rest));
        }
        let Some(weakest) = (0..chosen.len()).max_by(|a, b| without[*a].total_cmp(&without[*b]).then(b.cmp(a))) else {
            return Ok(());
        };
        let out = chosen.remove(weakest);
        let mut tried = Vec::new();
        for id in most_missed(graph, chosen, free, wanted, TRIED) {
            cancel.check()?;
            chosen.push(id);
            tried.push((explained(chosen), id));
            chosen.pop();
        }
        match tried.into_iter().max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) {
            Some((found, id)) if found > best + 1e-9 => {
                best = found;
                free[id.index()] = false;
                free[out.index()] = true;
                chosen.push(id);
            }
            _ => {
                chosen.insert(weakest, out);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns the free features that take up most of what the chosen ones, the tokens and the wanted outputs leave to
/// errors, the strongest first.
fn most_missed(
    graph: &AttributionGraph,
    chosen: &[NodeId],
    free: &[bool],
    wanted: &Wanted,
    most: usize,
) -> Vec<NodeId> {
    let mut is_in = vec![false; graph.n_nodes()];
    chosen.iter().chain(wanted.iter().map(|(id, _)| id)).for_each(|id| is_in[id.index()] = true);
    let mut flow = vec![0.0; graph.n_nodes()];
    wanted.iter().for_each(|(id, weight)| flow[id.index()] += weight);
    for &target in graph.topological_order().iter().rev().filter(|id| is_in[id.index()]) {
        let (here, total) = (flow[target.index()], graph.input_total(target));
        for edge in graph.incoming(target).filter(|_| here > 0.0 && total > 0.0) {
            flow[edge.source.index()] += here * f64::from(edge.weight.abs()) / total;
        }
    }
    let mut missed: Vec<NodeId> = graph.node_ids().filter(|id| free[id.index()] && flow[id.index()] > 0.0).collect();
    missed.sort_by(|a, b| flow[b.index()].total_cmp(&flow[a.index()]).then(a.cmp(b)));
    missed.truncate(most);
    missed
}
