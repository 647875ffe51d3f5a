//! Building of a feature store: the model is run over a corpus, and each feature's contexts are gathered.
//!
//! The result is a function of the set of documents and of the options alone. A document is identified by the SHA-256
//! of its text; each piece of it goes through the same operations whatever else is in its batch; counts are integers;
//! and of each list of contexts the first few are kept under a total order: the strongest by activation, those of an
//! activation bin by a hash of seed, document and position. So neither the order of the documents, nor shards, nor an
//! interruption changes a byte. A document that is in a corpus twice counts twice and is shown once.

pub mod bins;
pub mod corpus;
pub mod part;
pub mod pass;
pub mod piece;
pub mod tally;

mod error;
mod finish;
mod needs;
mod run;
mod selection;

pub use corpus::Corpus;
pub use error::BuildError;
pub use finish::{Built, finish, merge};
pub use needs::Needs;
pub use part::{About, Part};
pub use run::{Gathered, Options, PART, READING, Report, gather, n_features, part_path};
pub use selection::{Features, Selection};
