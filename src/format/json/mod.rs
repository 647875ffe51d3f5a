//! Graph JSON, `{metadata, qParams, nodes, links}`: the form of circuit-tracer, Neuronpedia, Anthropic's front end and
//! EleutherAI's attribute. [`write()`] writes circuit-tracer's, [`read`] reads them all.

mod clerp;
mod fields;
mod kind;
mod names;
mod read;
mod source;
mod view;
mod write;

pub use read::read;
pub(in crate::format) use write::labels;
pub use write::{Called, cantor_pairing, write};
