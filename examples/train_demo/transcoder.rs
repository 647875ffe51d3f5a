//! A transcoder: features that read one layer's MLP input and write into the MLP output of that layer and, where it
//! crosses layers, of all later ones.

use anyhow::Result;
use candle_core::Tensor;

use crate::model::WIDTH;

/// x where x exceeds its feature's threshold, else 0, of pre-activations [N, F] and thresholds [F].
///
/// The step at the threshold has no gradient of its own. The threshold gets the usual estimate: each pre-activation
/// within half a unit of it tells what moving the step would have changed.
pub fn jump_relu(pre: &Tensor, threshold: &Tensor) -> candle_core::Result<Tensor> {
    let passed = pre.broadcast_gt(threshold)?.to_dtype(pre.dtype())?;
    let near = pre.detach().broadcast_sub(&threshold.detach())?.abs()?.lt(0.5)?.to_dtype(pre.dtype())?;
    // Zero, with the gradient of -threshold * threshold where it was.
    let step = ((threshold - threshold.detach())? * threshold.detach())?;
    (pre * passed)? - near.broadcast_mul(&step)?
}

/// The features that read layer l of L.
pub struct Layer {
    /// [F, d]
    pub encoder: Tensor,
    /// [F]
    pub encoder_bias: Tensor,
    /// [F]
    pub threshold: Tensor,
    /// What a feature writes into layers l, l + 1, .. one after the other. [F, layers written * d]
    pub decoder: Tensor,
    /// What is added to the output of layer l. [d]
    pub decoder_bias: Tensor,
}

pub struct Transcoder {
    pub layers: Vec<Layer>,
}

impl Layer {
    /// Activations [N, F] of inputs [N, d].
    pub fn encode(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let pre = x.matmul(&self.encoder.t()?)?.broadcast_add(&self.encoder_bias)?;
        jump_relu(&pre, &self.threshold)
    }

    /// What activations [N, F] write into the `ahead`-th layer after their own. [N, d]
    pub fn write(&self, activations: &Tensor, ahead: usize) -> candle_core::Result<Tensor> {
        activations.matmul(&self.decoder.narrow(1, ahead * WIDTH, WIDTH)?)
    }
}

impl Transcoder {
    pub fn features(&self) -> Result<usize> {
        Ok(self.layers[0].encoder.dim(0)?)
    }

    /// Whether features write into later layers too.
    pub fn crosses_layers(&self) -> Result<bool> {
        Ok(self.layers[0].decoder.dim(1)? > WIDTH)
    }

    /// The output of layer l, made from the activations of layers 0 to l. [N, d]
    pub fn output(&self, l: usize, activations: &[Tensor]) -> candle_core::Result<Tensor> {
        let mut out = self.layers[l].write(&activations[l], 0)?;
        for (k, (layer, activations)) in self.layers.iter().zip(activations).take(l).enumerate() {
            if l - k < layer.decoder.dim(1)? / WIDTH {
                out = (out + layer.write(activations, l - k)?)?;
            }
        }
        out.broadcast_add(&self.layers[l].decoder_bias)
    }
}
