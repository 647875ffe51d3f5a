//! Training of transcoders: sparse replacements of a model's MLPs, learned from what those read and write.
//!
//! A corpus is run through the model, document after document; of each token the input and the output of the wanted
//! MLPs are kept in a buffer, which is shuffled and cut into batches. Both are divided by their root mean square, which
//! is folded back into the weights that are saved. Per-layer transcoders (Dunefsky et al. 2024, arXiv 2406.11944) are
//! trained side by side, each with its own loss; a cross-layer transcoder (Ameisen et al. 2025) has one loss over all
//! layers. Activations are sparse, and so are the gradients, which are written by hand: what a feature that is not
//! active would get is never computed.
//!
//! Everything is a function of model, corpus, settings and the machine: random numbers are drawn from the seed and a
//! count, so that a run that was stopped goes on bit for bit.

mod arithmetic;
mod beginning;
mod card;
mod checkpoint;
mod entries;
mod error;
mod evaluate;
mod gradient;
mod optimizer;
mod parameters;
mod plan;
mod random;
mod record;
mod run;
mod save;
mod scale;
mod settings;
mod stream;
#[cfg(test)]
mod tests;

pub use error::TrainError;
pub use evaluate::{Evaluation, LayerEvaluation};
pub use plan::{Needs, product_rate};
pub use record::{Moment, Record, merge};
pub use run::{LayerReport, Options, Report, TRAINING, Trained, train};
pub use settings::{Activation, LayerRange, Settings, TranscoderKind};
pub use stream::Subject;
