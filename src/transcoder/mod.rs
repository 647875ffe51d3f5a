//! Transcoders: sparse replacements of the MLPs, per layer or across layers, read from circuit-tracer's layout.

mod activation;
mod config;
mod schema;
mod set;

pub use activation::{Activation, Active};
pub use config::{FeatureInput, FeatureOutput, Kind, TranscoderConfig};
pub use schema::feature_counts;
pub use set::{Encoded, Transcoder, TranscoderError};
