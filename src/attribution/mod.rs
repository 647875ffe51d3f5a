//! The local replacement model and its attribution graph (Ameisen et al. 2025, "Circuit Tracing"): how much every
//! active feature, error node and token contributes directly to every other feature and to the outputs.

mod attention_backward;
mod backward;
mod capture;
mod circuit_heads;
mod cost_estimate;
mod decoder_rows;
mod dense;
mod engine;
mod error;
mod fit;
mod head_types;
mod heads;
pub mod memory;
mod plan;
mod probe;
mod qk;
mod ranking;
mod readers;
mod replacement;
mod resume;
mod rows;
mod sizes;
mod spill;
mod target_row;
mod targets;
mod trace;
mod why;

pub use capture::{Capture, CapturedLayer};
pub use circuit_heads::{HeadFlow, HeadFlows};
pub use cost_estimate::CostEstimate;
pub use engine::{Engine, HALF_INPUTS_OFF, HALF_PROBABILITIES_OFF, Promoted, model_warnings};
pub use error::TraceError;
pub(crate) use error::apart;
pub use head_types::{HeadKind, HeadType, head_scores};
pub use heads::{HeadPart, HeadSplit};
pub use plan::{DeviceMemory, Limits, Plan};
pub use probe::{Asked, Inactive, Probe, ProbeRow, Source};
pub(crate) use qk::FrozenHead;
pub use qk::{Against, Look, QkAttribution, QkListed, QkPair, QkQuestion, QkSide, QkSource, Softcap};
pub use replacement::Replacement;
pub(crate) use sizes::forward_operations;
pub use target_row::{ReadSite, TargetRow};
pub use targets::{Request, Spelling, TargetChoice, likeliest, softmax};
pub use trace::{TraceOptions, Tracing, trace};
pub use why::{Why, firing};
