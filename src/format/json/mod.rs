//! Graph JSON, `{metadata, qParams, nodes, links}`: the form of circuit-tracer, Neuronpedia, Anthropic's front end,
//! EleutherAI's attribute and OpenMOSS's programs. [`write()`] writes circuit-tracer's, [`read`] reads them all.

mod attention;
mod clerp;
mod features;
mod fields;
mod kind;
mod metadata;
mod names;
mod node;
mod nodes;
mod not_a_number;
mod numbering;
mod object;
mod read;
mod signs;
mod source;
mod view;
mod what;
mod write;
mod written;

pub use read::read;
pub(in crate::format) use write::labels;
pub use write::{Called, write};
pub use written::cantor_pairing;
