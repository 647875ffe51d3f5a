//! The interventions on a graph, in the form from which [`Interventions`](crate::graph::Interventions) are read.

use crate::format::export::formats::{Exported, Spec, Writing};
use crate::format::export::unexportable;
use crate::untrusted::JsonOut;

pub(super) static FORMAT: Spec = Spec {
    name: "interventions",
    extension: "json",
    about: "The interventions that were made on it, for `intervene`, `generate` and `edit --interventions`",
    drawing: None,
    prepare: |Exported { edited, .. }| {
        if edited.interventions.list.is_empty() {
            return Err(unexportable("there are no interventions on this graph; make some first"));
        }
        Ok(Writing::stream(move |out| {
            serde_json::to_writer_pretty(JsonOut::new(&mut *out), &edited.interventions)?;
            out.write_all(b"\n")
        }))
    },
};
