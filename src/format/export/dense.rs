//! A safetensors file with the whole adjacency matrix, scores and masks.

use crate::format::dense;
use crate::format::export::formats::{Destination, Exported, Spec, Writing};
use crate::format::export::unexportable;
use crate::graph::scores;

pub(super) static FORMAT: Spec = Spec {
    name: "dense",
    extension: "safetensors",
    about: "A safetensors file with the adjacency matrix, scores and masks, as circuit-tracer computes them",
    drawing: None,
    prepare: |Exported { document, kept, options, .. }| {
        if !options.slug.is_empty() || options.scan.is_some() {
            return Err(unexportable("dense tensors have no place for --slug and --scan; leave them out"));
        }
        let write = move |path: &std::path::Path| {
            let trace = document.trace.as_deref().ok_or_else(|| {
                unexportable("dense tensors need the whole trace, and this graph was read from a file without it")
            })?;
            dense::write(path, trace, &document.graph, kept, scores(&document.graph, &kept.influence))
        };
        Ok(Writing { to: Destination::File(Box::new(write)), edges: None })
    },
};
