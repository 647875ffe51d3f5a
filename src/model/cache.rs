//! Cache of keys and values, so that a model continues after positions that it has read.

use crate::model::ModelError;
use crate::model::attention::{Heads, Looks};
use candle_core::Tensor;

/// Keys and values of all positions read so far; for sliding windows too, where the mask leaves out the older ones.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    /// Keys and values by layer, `[kv_heads, P, head_dim]` each; `None` before anything was read.
    layers: Vec<Option<(Tensor, Tensor)>>,
}

impl Cache {
    /// Creates an empty cache.
    pub fn new(n_layers: usize) -> Self {
        Self { layers: vec![None; n_layers] }
    }

    /// Appends the keys and values of a layer's new positions, and puts those of all positions into `heads`.
    ///
    /// # Errors
    /// Fails where their shapes do not fit the cache.
    pub(super) fn extend(&mut self, layer: usize, heads: &mut Heads) -> Result<(), ModelError> {
        let Heads { looks: Looks::At { keys, .. }, values } = heads else { return Ok(()) };
        if let Some((before, read)) = &self.layers[layer] {
            *keys = Tensor::cat(&[before, keys], 1)?;
            *values = Tensor::cat(&[read, values], 1)?;
        }
        self.layers[layer] = Some((keys.clone(), values.clone()));
        Ok(())
    }
}
