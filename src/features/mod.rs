//! What makes each feature fire: dashboards, where they are read from, and how they are written.

mod dashboard;

pub use dashboard::{Dashboard, Example, Quantile};
