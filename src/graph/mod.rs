//! The attribution graph and everything that can be said of it without files, tensors or a terminal.

mod attribution_graph;
pub mod automatic;
mod build;
mod densities;
mod document;
mod edit;
mod influence;
mod intervention;
mod mask;
mod names;
mod node;
mod numbers;
mod paths;
mod proposals;
mod prune;
pub mod query;
mod scores;
mod selection;
mod supernode;
#[cfg(test)]
mod tests;
mod trace;
mod validate;
mod view;

pub use attribution_graph::{AttributionGraph, Edge, Edges};
pub use build::{GraphError, GraphInfo};
pub use densities::Densities;
pub use document::{Document, Extent, Origin};
pub use edit::{Edit, Edited, Edits, Group, Labelled, Labels};
pub use influence::{cumulative, influence};
pub use intervention::{Action, Donor, Freeze, Intervention, Interventions, Positions, Site};
pub use mask::Kept;
pub use names::label;
pub use node::{Node, NodeKind, Token};
pub use numbers::{Numbers, Store};
pub use paths::{Path, Paths, paths, strongest_through};
pub use proposals::{Likeness, Proposal, proposals};
pub use prune::{Thresholds, prune, prune_by_density};
pub use scores::{Flow, InputTotals, Scores, error_share, influence_kept, input_totals, scores, subgraph_scores};
pub use selection::{Part, Selection};
pub use supernode::{SuperEdge, Supernode, SupernodeGraph, supernodes};
pub use trace::{Cut, FeatureAt, Provenance, RawTrace, RowTarget, Rows, Settings, Target, TargetKind};
