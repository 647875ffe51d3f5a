//! Interventions: set features to values and see what the model does (Ameisen et al. 2025, "Validating attribution graph
//! hypotheses with interventions").

mod error;
mod run;

pub use error::InterventionError;
pub use run::{Change, Mode, Outcome, Value, intervene};
