//! Services of the program for both of its front ends, the command line and the screen, neither of which they import:
//! loading models, tracing, intervening, explaining, verifying, and looking up features.
//!
//! The screen calls three traits, [`tracing::Tracer`], [`models::Models`] and [`library::FeatureSource`]; its tests put
//! fakes in their places.

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
