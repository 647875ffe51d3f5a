//! The attribution graph and everything that can be said of it without files, tensors or a terminal.

mod node;
mod trace;

pub use node::{Node, NodeKind, Token};
pub use trace::{FeatureAt, Provenance, RawTrace, RowTarget, Rows, Settings, Target, TargetKind};
