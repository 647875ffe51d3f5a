use super::*;
use crate::graph::tests::{any_graph, info, logit};
use crate::graph::{FeatureAt, GraphInfo, Labelled, Node, Thresholds, Token, prune, subgraph_scores, supernodes};
use crate::ids::{FeatureId, Layer, Position};
use proptest::prelude::*;

const ALL: Thresholds = Thresholds { node: 1.0, edge: 1.0, density: 1.0 };

/// Builds two hops: at `Dallas` two features that read it (0, 1), behind them two that write the output (2, 3), at
/// `capital` two that read it (4, 5) and do the same. Tokens are 6 (`capital`) and 7 (`Dallas`), the output is 8.
fn two_hops() -> AttributionGraph {
    let at = [(0, 1), (0, 1), (1, 1), (1, 1), (0, 0), (0, 0)];
    let feature = |(id, (layer, position)): (u32, (u32, u32))| {
        Node::of_feature(FeatureAt::mlp(Layer(layer), Position(position), FeatureId(id)), Some(2.0))
    };
    let mut nodes: Vec<_> = (0..).zip(at).map(feature).collect();
    nodes.extend([Node::of_token(Position(0), 6), Node::of_token(Position(1), 7), logit(1.0)]);
    let token = |text: &str| Token { id: 0, text: text.into() };
    let edges = [
        (7, 0, 2.0),
        (7, 1, 2.0),
        (0, 2, 1.0),
        (1, 2, 1.0),
        (0, 3, 1.0),
        (1, 3, 1.0),
        (6, 4, 2.0),
        (6, 5, 2.0),
        (2, 8, 3.0),
        (3, 8, 2.0),
        (4, 8, 1.5),
        (5, 8, 1.5),
    ];
    let edges = edges.map(|(source, target, weight): (u32, u32, f32)| (NodeId(source), NodeId(target), weight));
    let tokens = vec![token("capital"), token(" Dallas")];
    AttributionGraph::from_edges(GraphInfo { tokens, ..info(2) }, nodes, edges).unwrap()
}

fn proposed(graph: &AttributionGraph, labels: &Labels, options: CircuitOptions) -> ProposedCircuit {
    let kept = prune(graph, ALL);
    propose_circuit(graph, &kept, &Edited::default(), labels, options, &Cancel::default()).unwrap()
}

#[test]
fn two_hops_are_found_named_and_explained_whole() {
    let graph = two_hops();
    let circuit = proposed(&graph, &Labels::new(), CircuitOptions::default());
    let groups: Vec<_> =
        circuit.groups.iter().map(|group| (&*group.name, group.members.iter().map(|id| id.0).collect())).collect();
    let wanted: [(&str, Vec<u32>); 3] =
        [("~capital", vec![4, 5]), ("~Dallas", vec![0, 1]), ("~say Austin", vec![2, 3])];
    let text = graph.token_text(NodeId(8)).trim().to_owned();
    let wanted = wanted.map(|(name, members)| (name.replace("Austin", &text), members));
    assert_eq!(groups, wanted.iter().map(|(name, members)| (&**name, members.clone())).collect::<Vec<_>>());
    assert_eq!((circuit.tokens, circuit.outputs), (vec![NodeId(6), NodeId(7)], vec![NodeId(8)]));
    assert_eq!((circuit.scores.replacement, circuit.scores.completeness), (1.0, 1.0));
    // Of 8 units that reach the output 5 pass through Dallas and what it feeds, 3 through the capital.
    let shares: Vec<f64> = circuit.groups.iter().map(|group| group.share).collect();
    assert_eq!(shares, [3.0 / 8.0, 5.0 / 8.0, 5.0 / 8.0]);
}

#[test]
fn labels_name_a_group_and_a_target_takes_the_outputs_place() {
    let graph = two_hops();
    let label = |id: u32, text: &str| (Labelled::of(NodeId(id), graph.node(NodeId(id))), text.to_owned());
    let labels = Labels::from([label(2, "~Texas cities"), label(3, "~Texas law")]);
    let circuit = proposed(&graph, &labels, CircuitOptions::default());
    assert!(circuit.groups.iter().any(|group| group.name == "~Texas cities"), "{circuit:?}");

    let of_texas = CircuitOptions { target: Some(NodeId(2)), ..CircuitOptions::default() };
    let circuit = proposed(&graph, &labels, of_texas);
    let members: Vec<_> = circuit.groups.iter().flat_map(|group| group.members.clone()).collect();
    assert_eq!((members, circuit.outputs), (vec![NodeId(0), NodeId(1)], vec![NodeId(2)]));
}

proptest! {
    #[test]
    fn a_circuit_is_part_of_the_graph_whatever_that_is(graph in any_graph(), groups in 1..4_usize, features in 0..9_usize) {
        let options = CircuitOptions { groups, features, target: None };
        let circuit = proposed(&graph, &Labels::new(), options);
        let members: Vec<NodeId> = circuit.groups.iter().flat_map(|group| group.members.clone()).collect();
        prop_assert!(circuit.groups.len() <= groups && members.len() <= features);
        let mut once = members.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), members.len());
        prop_assert!(members.iter().all(|id| graph.node(*id).is_feature()));
        prop_assert!(circuit.groups.iter().all(|group| (0.0..=1.0 + 1e-9).contains(&group.share)));
        let mut names: Vec<_> = circuit.groups.iter().map(|group| group.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), circuit.groups.len(), "names tell groups apart");
        prop_assert_eq!(&circuit, &proposed(&graph, &Labels::new(), options));
        // Edges of the diagram are those of the same groups made by hand.
        let edited = circuit.edited(&Edited::default());
        prop_assert_eq!(supernodes(&graph, &edited).nodes.len(), circuit.pins().len() - members.len() + circuit.groups.len());
        if circuit.outputs.len() == graph.logit_nodes().count() {
            let whole = subgraph_scores(&graph, &circuit.pins());
            prop_assert!((whole.replacement - circuit.scores.replacement).abs() < 1e-9 || whole.replacement.is_nan());
        }
    }
}
