//! What makes each feature fire: dashboards, where they are read from, and how they are written.

pub mod build;
mod dashboard;
pub mod store;

pub use dashboard::{Dashboard, Example, Quantile};
