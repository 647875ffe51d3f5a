//! The language model: its configuration, its weights, and a forward pass that can be captured, frozen and altered.

mod attention;
mod cache;
mod config;
#[cfg(all(feature = "cuda", target_os = "linux"))]
mod cuda_libraries;
mod device;
mod entry;
mod error;
mod families;
mod files;
mod forward;
mod gguf;
mod gguf_names;
mod hooks;
mod kept;
mod layout;
mod linear;
mod multiply;
mod norm;
mod npz;
mod precision;
mod product;
mod resident;
mod rope;
mod spec;
mod staging;
mod transformer;
mod weights;

pub use attention::AttentionWeights;
pub(crate) use cache::Cache;
pub use device::{DeviceChoice, DeviceName, free_memory, most_held};
pub use entry::Entry;
pub use error::{ModelError, TensorError};
pub(crate) use forward::End;
pub use gguf::Gguf;
pub(crate) use hooks::Hooks;
pub use hooks::{MlpInput, MlpOutput, NormScales};
pub use kept::{KeptWeights, WeightPlan};
pub use layout::{HeadTensors, Layout};
pub use linear::Linear;
pub use norm::Norm;
pub use precision::Precision;
pub(crate) use rope::Rope;
pub use spec::{
    ActivationKind, Biases, LayerSpec, ModelSpec, NormKind, PositionKind, QueryKeyNorms, RopeScaling, RopeSpec,
};
pub use staging::Staging;
pub use transformer::Transformer;
pub use weights::Weights;
