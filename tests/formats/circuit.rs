//! Proposed circuits of graphs whose authors grouped features by hand.

use crate::open::shared;
use circuitscope::format::open;
use circuitscope::graph::{CircuitOptions, Document, Edited, ProposedCircuit, propose_circuit};
use circuitscope::ids::NodeId;
use circuitscope::job::Cancel;
use std::collections::{BTreeMap, HashMap};

fn proposed(document: &Document) -> ProposedCircuit {
    let kept = document.prune(document.edited.thresholds);
    let edited = Edited { thresholds: document.edited.thresholds, ..Edited::default() };
    let options = CircuitOptions::default();
    propose_circuit(&document.graph, &kept, &edited, &document.labels, options, &Cancel::default()).unwrap()
}

/// Returns the adjusted Rand index of two groupings of the same things (Hubert and Arabie 1985): 0 by chance, 1 where
/// they are the same.
fn adjusted_rand(pairs: &[(usize, usize)]) -> f64 {
    let two = |n: usize| (n * n.saturating_sub(1) / 2) as f64;
    let (mut cells, mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (a, b) in pairs {
        *cells.entry((a, b)).or_insert(0) += 1;
        *rows.entry(a).or_insert(0) += 1;
        *columns.entry(b).or_insert(0) += 1;
    }
    let cells: f64 = cells.values().map(|n| two(*n)).sum();
    let (rows, columns): (f64, f64) = (rows.values().map(|n| two(*n)).sum(), columns.values().map(|n| two(*n)).sum());
    let by_chance = rows * columns / two(pairs.len());
    (cells - by_chance) / ((rows + columns) / 2.0 - by_chance)
}

#[test]
fn features_are_grouped_much_as_their_authors_grouped_them() {
    for (name, least) in [("neuronpedia-small-big.json", 0.4), ("anthropic-capital-state-dallas.json", 0.6)] {
        let Some(path) = shared(&format!("data/field-graphs/{name}")) else { return };
        let document = open(&path).unwrap();
        let found = proposed(&document);
        let theirs: HashMap<NodeId, usize> = document
            .edited
            .groups
            .iter()
            .enumerate()
            .flat_map(|(at, group)| group.members.iter().map(move |id| (*id, at)))
            .collect();
        let ours =
            found.groups.iter().enumerate().flat_map(|(at, group)| group.members.iter().map(move |id| (*id, at)));
        let both: Vec<_> = ours.filter_map(|(id, at)| Some((*theirs.get(&id)?, at))).collect();
        let index = adjusted_rand(&both);
        println!("{name}: {} features in both, adjusted Rand index {index:.2}", both.len());
        assert!(both.len() >= 6 && index >= least, "{name}: {} in both, {index}", both.len());
    }
}
