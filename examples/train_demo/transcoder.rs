//! A cross-layer transcoder: features that read one layer's MLP input and write into the MLP
//! outputs of that layer and all later ones.

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use crate::model::WIDTH;

/// x where x exceeds its feature's threshold, else 0.
///
/// The step at the threshold has no gradient of its own. The threshold gets the usual estimate:
/// each pre-activation within half a unit of it tells what moving the step would have changed.
struct JumpRelu;

impl CustomOp2 for JumpRelu {
    fn name(&self) -> &'static str {
        "jump-relu"
    }

    /// Takes pre-activations [N, F] and thresholds [F], both contiguous.
    fn cpu_fwd(
        &self,
        pre: &CpuStorage,
        pre_layout: &Layout,
        threshold: &CpuStorage,
        threshold_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let pre = contiguous(pre, pre_layout)?;
        let threshold = contiguous(threshold, threshold_layout)?;
        let mut out = vec![0.0; pre.len()];
        for (out, pre) in out.chunks_mut(threshold.len()).zip(pre.chunks(threshold.len())) {
            for ((out, &x), &t) in out.iter_mut().zip(pre).zip(threshold) {
                *out = if x > t { x } else { 0.0 };
            }
        }
        Ok((CpuStorage::F32(out), pre_layout.shape().clone()))
    }

    fn bwd(
        &self,
        pre: &Tensor,
        threshold: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let passed = grad.broadcast_mul(&pre.broadcast_gt(threshold)?.to_dtype(grad.dtype())?)?;
        let near = pre.broadcast_sub(threshold)?.abs()?.lt(0.5)?.to_dtype(grad.dtype())?;
        let moved = ((grad * near)?.sum(0)? * threshold)?.neg()?;
        Ok((Some(passed), Some(moved)))
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("jump-relu takes contiguous tensors")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

pub fn jump_relu(pre: &Tensor, threshold: &Tensor) -> candle_core::Result<Tensor> {
    pre.apply_op2(threshold, JumpRelu)
}

/// The features that read layer l of L.
pub struct Layer {
    /// [F, d]
    pub encoder: Tensor,
    /// [F]
    pub encoder_bias: Tensor,
    /// [F]
    pub threshold: Tensor,
    /// What a feature writes into layers l, l + 1, .. one after the other. [F, (L - l) * d]
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

    /// The output of layer l, made from the activations of layers 0 to l. [N, d]
    pub fn output(&self, l: usize, activations: &[Tensor]) -> candle_core::Result<Tensor> {
        let mut out = self.layers[l].write(&activations[l], 0)?;
        for (k, (layer, activations)) in self.layers.iter().zip(activations).take(l).enumerate() {
            out = (out + layer.write(activations, l - k)?)?;
        }
        out.broadcast_add(&self.layers[l].decoder_bias)
    }
}
