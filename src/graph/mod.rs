//! The attribution graph and everything that can be said of it without files, tensors or a terminal.

mod attribution_graph;
mod build;
mod document;
mod edit;
mod influence;
mod mask;
mod node;
mod prune;
mod scores;
#[cfg(test)]
mod tests;
mod trace;
mod validate;
mod view;

pub use attribution_graph::{AttributionGraph, Edge, Edges};
pub use build::{GraphError, GraphInfo};
pub use document::{Document, Extent, Origin};
pub use edit::{Edit, Edited, Edits, Group, Labelled, Labels};
pub use influence::{cumulative, influence};
pub use mask::Kept;
pub use node::{Node, NodeKind, Token};
pub use prune::{Thresholds, prune};
pub use scores::{Scores, scores};
pub use trace::{FeatureAt, Provenance, RawTrace, RowTarget, Rows, Settings, Target, TargetKind};
