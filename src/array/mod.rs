//! Work that many tasks do together, each a shard of it, as an array of jobs of whatever scheduler there is. They share a
//! folder and nothing else.

mod claim;
mod shard;

pub use claim::{Claim, ClaimError, Record, State, record_path};
pub use shard::Shard;
