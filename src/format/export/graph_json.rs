//! The graph JSON of circuit-tracer and Neuronpedia.

use crate::format::export::formats::{Exported, Spec, Writing};
use crate::format::json::{self, Called};
use crate::untrusted::JsonOut;

pub(super) static FORMAT: Spec = Spec {
    name: "json",
    extension: "json",
    about: "The graph JSON of circuit-tracer and Neuronpedia, with pins, groups and labels",
    drawing: None,
    prepare: |Exported { document, kept, edited, part, slug, options }| {
        Ok(Writing::stream(move |out| {
            let called = Called { slug: &slug, scan: options.scan.as_deref() };
            json::write(&mut JsonOut::new(out), called, document, kept, edited, part)
        }))
    },
};
