//! Keys and values of the positions that were read, so that a model goes on behind them without reading them again.

use crate::job::Cancel;
use crate::model::transformer::{Attended, Positions};
use crate::model::{LayerPass, ModelError, Transformer};
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

    /// Takes in what a layer computed for positions behind those that it holds, and gives all of it.
    fn extend(&mut self, layer: usize, keys: Tensor, values: Tensor) -> Result<(&Tensor, &Tensor), ModelError> {
        let all = match &self.layers[layer] {
            None => (keys, values),
            Some((before, read)) => (Tensor::cat(&[before, &keys], 1)?, Tensor::cat(&[read, &values], 1)?),
        };
        let (keys, values) = self.layers[layer].insert(all);
        Ok((keys, values))
    }
}

impl Transformer {
    /// As [`Transformer::layer`] for `n` positions behind those in `cache`, which takes them in; the pass's pattern is
    /// `[heads, n, P]` then. Of a prompt that is read whole, the patterns of its first positions may be frozen:
    /// `frozen` `[heads, F, F]`.
    ///
    /// # Errors
    /// Weights cannot be read, or the work was stopped.
    pub(crate) fn layer_behind(
        &self,
        cache: &mut Cache,
        layer: usize,
        resid: &Tensor,
        positions: &Positions,
        frozen: Option<&Tensor>,
        cancel: &Cancel,
    ) -> Result<LayerPass, ModelError> {
        let (spec, rope) = (&self.spec, positions.ropes[layer].as_ref());
        let (input, attention_divisor) = self.attention_input(layer, resid, None)?;
        let attention = self.attention(layer)?;
        let (keys, values) = (attention.keys(spec, &input, rope, cancel)?, attention.values(spec, &input, cancel)?);
        let (keys, values) = cache.extend(layer, keys, values)?;
        let own = attention.pattern_over(spec, &input, keys, rope, spec.layers[layer].window, cancel)?;
        let pattern = match frozen {
            Some(frozen) => begun_with(frozen, &own)?,
            None => own,
        };
        let written = attention.write_values(spec, values, &pattern, cancel)?;
        self.behind_attention(layer, resid, Attended { pattern, written, attention_divisor }, None)
    }
}

/// A pattern `[heads, P, P]` whose first `F` rows are those of `frozen` `[heads, F, F]`.
fn begun_with(frozen: &Tensor, own: &Tensor) -> candle_core::Result<Tensor> {
    let (heads, n, _) = frozen.dims3()?;
    let behind = own.dim(1)? - n;
    if behind == 0 {
        return Ok(frozen.clone());
    }
    let unread = Tensor::zeros((heads, n, behind), frozen.dtype(), frozen.device())?;
    let first = Tensor::cat(&[frozen, &unread], 2)?;
    Tensor::cat(&[&first, &own.narrow(1, n, behind)?], 1)
}
