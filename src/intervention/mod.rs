//! Interventions: set features to values and see what the model does (Ameisen et al. 2025, "Validating attribution graph
//! hypotheses with interventions").
//!
//! The user composes [`Interventions`]; [`resolve`] makes [`Change`]s of them, one a feature and position;
//! [`intervene`] runs the model with these, and a [`Baseline`] is what the result is compared with: [`Effects`], a
//! [`Sweep`] over doses. [`generate`] continues the prompt.

mod baseline;
mod deltas;
mod effects;
mod error;
mod generate;
mod resolve;
mod run;

pub use crate::graph::{Action, Donor, Freeze, Intervention, Interventions, Positions, Site};
pub use baseline::{Baseline, Sweep};
pub use effects::{ActivationEffect, Effects, TokenEffect};
pub use error::InterventionError;
pub use generate::{Continuation, Ended, Generation, Next, Sampling, generate, generate_alone};
pub use resolve::{donors, resolve, sites_at};
pub(crate) use run::stream_before;
pub use run::{Change, Mode, Outcome, Value, intervene};
