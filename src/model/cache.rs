//! Keys and values of the positions that were read, so that a model goes on behind them without reading them again.

use crate::model::ModelError;
use crate::model::attention::{Heads, Looks};
use candle_core::Tensor;

/// Keys and values of all positions read so far, sliding windows included: the mask leaves out what lies behind them.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    /// By layer, `[kv_heads, P, head_dim]` each; `None` before anything was read.
    layers: Vec<Option<(Tensor, Tensor)>>,
}

impl Cache {
    /// Nothing was read yet.
    pub fn new(n_layers: usize) -> Self {
        Self { layers: vec![None; n_layers] }
    }

    /// Takes in the keys and values of a layer at positions behind those that it holds, and puts all of them there.
    ///
    /// # Errors
    /// They do not fit what is held.
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
