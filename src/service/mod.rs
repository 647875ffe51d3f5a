//! What the program does for both of its front ends, the command line and the screen, neither of which it knows: it loads
//! models, traces, intervenes, explains, verifies, and looks up what is known of features.
//!
//! The screen asks through three traits, [`tracing::Tracer`], [`models::Models`] and [`library::FeatureSource`]; its tests
//! put fakes in their places.

pub mod attention;
pub mod browse;
pub mod engine;
pub mod explain;
pub mod interventions;
pub mod labels;
pub mod library;
pub mod models;
mod partial_graphs;
pub mod swap;
pub mod tracing;
