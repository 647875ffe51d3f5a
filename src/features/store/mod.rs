//! Folder of dashboards in circuit-tracer's binary form: `index.json.gz`, and a `layer_{l}.bin` of records for each
//! layer. A store built by this program has a manifest and a summary besides.

mod manifest;
mod read;
mod write;

pub use manifest::{CorpusFacts, MANIFEST, Manifest, SUMMARY};
pub(in crate::features) use read::check_length;
pub use read::{Index, Store, unpack};
pub use write::{INDEX, LayerIndex, Writer};
