//! Work shared out among many tasks, a shard each, as an array of jobs of any scheduler. The tasks share a folder and
//! nothing else.

mod claim;
mod shard;

pub use claim::{Claim, ClaimError, Record, State, record_path};
pub use shard::Shard;
