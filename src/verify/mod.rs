//! Checks of a graph's predictions against the model (Ameisen et al. 2025, "Evaluating attribution graphs" and
//! "Validating attribution graph hypotheses with interventions").
//!
//! Every figure here compares two of three things:
//!
//! - the *graph*: direct effects, and influence computed from them;
//! - the *local replacement model*, of which the graph is the linear part: transcoders in place of the MLPs, errors
//!   added, attention patterns and norm divisors frozen;
//! - the *model* itself, with features ablated in it ([`intervene`](crate::intervention::intervene)).
//!
//! | | what is compared | unit |
//! | --- | --- | --- |
//! | [`Bench::edge`], [`Bench::pairs`] | the change that the graph predicts where a feature is set to 0, with that of the altered model | of a feature its pre-activation, of an output its demeaned logit before a final softcap |
//! | [`Bench::group_effects`] | the change of an output that the graph predicts where a supernode is set to 0, with that of the altered model | demeaned logit before a final softcap |
//! | [`Bench::faithfulness`] | rankings of features: by the graph, and by what ablating each does to the model's answer | correlations |
//! | [`head_ablations()`] | the change of an attention score that its split predicts where a feature is set to 0, with that in the model | of the score; share of attention |
//! | [`replacement()`] | next-token distributions of the model and of the model with transcoders in place of MLPs, errors left out | share of positions; nats |
//! | [`Bench::perturbations`] | changes of the residual stream in the local replacement model and in the model | cosine; share of the change's norm |
//!
//! [`answer()`] makes these checks, and splits edges by heads: it takes a [`Question`] and returns an [`Answer`].

mod attention;
mod bench;
mod circuit;
mod correlation;
mod error;
mod faithfulness;
mod pairs;
mod pass;
mod perturbation;
pub mod plot;
mod question;
mod replacement;

pub use attention::{HeadAblation, HeadState, head_ablations};
pub use bench::{Ablation, Bench, made_with, same_model};
pub use circuit::GroupEffect;
pub use correlation::{Correlation, kl_divergence, told};
pub use error::VerifyError;
pub use faithfulness::{Effect, Faithfulness, FeatureEffect, Predictor};
pub use pairs::{EdgeCheck, OutputChange, PREDICTED, Pair, Pairs, UNIT, predicted};
pub use perturbation::{Perturbations, Reach};
pub use question::{Answer, EdgeAnswer, GraphAnswer, MOST, Question, TOP, answer, heads, sources};
pub use replacement::{Agreement, Replacements, replacement};
