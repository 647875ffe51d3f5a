//! The local replacement model and its attribution graph (Ameisen et al. 2025, "Circuit Tracing"): how much every
//! active feature, error node and token contributes directly to every other feature and to the outputs.

mod attention_backward;
mod backward;
mod capture;
mod cost_estimate;
mod decoder_rows;
mod dense;
mod engine;
mod error;
mod fit;
mod heads;
pub mod memory;
mod plan;
mod probe;
mod ranking;
mod readers;
mod replacement;
mod resume;
mod rows;
mod sizes;
mod spill;
mod targets;
mod trace;
mod why;

pub use backward::TargetRow;
pub use capture::{Capture, CapturedLayer};
pub use cost_estimate::CostEstimate;
pub use engine::{Engine, HALF_INPUTS_OFF, HALF_PROBABILITIES_OFF, Promoted, model_warnings};
pub use error::TraceError;
pub(crate) use error::apart;
pub use heads::{HeadPart, HeadSplit};
pub use plan::{DeviceMemory, Limits, Plan};
pub use probe::{Asked, Inactive, Probe, ProbeRow, Source};
pub use replacement::Replacement;
pub(crate) use sizes::forward_operations;
pub use targets::{Request, Spelling, TargetChoice, likeliest, softmax};
pub use trace::{TraceOptions, Tracing, trace};
pub use why::{Why, firing};
