//! The dense export, against the reference files, by way of the raw container.

use crate::fixture::{CASES, Tensors, assert_close, graph_files, wide};
use crate::trace;
use circuitscope::format::{dense, raw};
use circuitscope::graph::{AttributionGraph, Thresholds, influence, prune, scores};

#[test]
fn every_reference_graph_is_exported_as_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let (container, export) = (directory.path().join("trace"), directory.path().join("dense"));
    for path in CASES.iter().flat_map(|case| graph_files(case)) {
        let what = path.display();
        let wanted = Tensors::open(&path);
        raw::write(&container, &trace::of_reference(&wanted)).unwrap();
        let trace = raw::read(&container).unwrap();
        let graph = AttributionGraph::from_trace(&trace).unwrap();
        let kept = prune(&graph, Thresholds::default());
        dense::write(&export, &trace, &graph, &kept, scores(&graph, &influence(&graph))).unwrap();

        let found = Tensors::open(&export);
        for name in ["input_tokens", "active_features", "selected_features", "logit_target_ids"] {
            assert_eq!(found.i64(name), wanted.i64(name), "{what}: {name}");
            assert_eq!(found.shape(name), wanted.shape(name), "{what}: {name}");
        }
        if wanted.has("visit_order") {
            assert_eq!(found.i64("visit_order"), wanted.i64("visit_order"), "{what}");
        }
        let same = [
            "activation_values",
            "logit_probabilities",
            "logit_vectors",
            "adjacency_matrix",
            "error_norms",
            "final_logits",
        ];
        for name in same {
            assert_eq!(found.f32(name), wanted.f32(name), "{what}: {name}");
            assert_eq!(found.shape(name), wanted.shape(name), "{what}: {name}");
        }
        for name in ["node_mask", "edge_mask"] {
            let reference = format!("prune_80_98.{name}");
            assert_eq!(found.mask(name), wanted.mask(&reference), "{what}: {name}");
            assert_eq!(found.shape(name), wanted.shape(&reference), "{what}: {name}");
        }
        assert_close("scores", &found.f64("graph_scores"), &wanted.f64("graph_scores"), 1e-5);
        for (name, reference) in
            [("node_influence", "node_influence"), ("cumulative_scores", "prune_80_98.cumulative_scores")]
        {
            assert_close(name, &wide(&found.f32(name)), &wide(&wanted.f32(reference)), 1e-5);
        }
    }
}
