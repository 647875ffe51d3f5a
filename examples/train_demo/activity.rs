//! What the MLPs of the trained model read and write: what the transcoder learns from.

use anyhow::Result;
use candle_core::Tensor;

use crate::model::{Batch, LAYERS, Llama, WIDTH};
use crate::sampler::Row;

/// What the MLPs read and wrote at many tokens, `<bos>` left out.
pub struct Activity {
    /// A layer each: [N, d]
    pub inputs: Vec<Tensor>,
    /// A layer each: [N, d]
    pub outputs: Vec<Tensor>,
    /// 1 / mean(resid_post^2), mean 1 over the tokens: what a token's error costs. Without it the
    /// small outputs at a city and before the answer would be lost beside large ones. [N]
    pub weights: Vec<Tensor>,
}

impl Activity {
    pub fn collect(model: &Llama, rows: &[Row], limit: usize) -> Result<Self> {
        let mut parts: Vec<[Vec<Tensor>; 3]> = (0..LAYERS).map(|_| Default::default()).collect();
        for chunk in rows.chunks(512) {
            let tokens: Vec<Vec<u32>> = chunk.iter().map(|row| row.tokens.clone()).collect();
            let (_, trace) = model.forward(&Batch::new(&tokens, model.device())?, &mut |_, _, out| Ok(out.clone()))?;
            let mut kept = Vec::new();
            let mut at = 0;
            for row in &tokens {
                kept.extend((at + 1..at + row.len()).map(|i| i as u32));
                at += row.len();
            }
            let kept = Tensor::new(kept, model.device())?;
            for (l, [inputs, outputs, weights]) in parts.iter_mut().enumerate() {
                inputs.push(trace.mlp_in[l].index_select(&kept, 0)?.detach());
                outputs.push(trace.mlp_out[l].index_select(&kept, 0)?.detach());
                let power = trace.resid_post[l].index_select(&kept, 0)?.sqr()?.mean(1)?;
                weights.push(power.recip()?.detach());
            }
        }
        let mut activity = Activity { inputs: vec![], outputs: vec![], weights: vec![] };
        for [inputs, outputs, weights] in parts {
            let take = |parts: &[Tensor]| -> Result<Tensor> {
                let all = Tensor::cat(parts, 0)?;
                Ok(all.narrow(0, 0, limit.min(all.dim(0)?))?.contiguous()?)
            };
            activity.inputs.push(take(&inputs)?);
            activity.outputs.push(take(&outputs)?);
            let weights = take(&weights)?;
            activity.weights.push(weights.broadcast_div(&weights.mean_all()?)?);
        }
        Ok(activity)
    }

    /// Weighted mean of the outputs and weighted mean squared distance from it, of a layer.
    pub fn spread(&self, l: usize) -> Result<(Tensor, f64)> {
        let weights = self.weights[l].unsqueeze(1)?;
        let mean = self.outputs[l].broadcast_mul(&weights)?.mean(0)?;
        let off = self.outputs[l].broadcast_sub(&mean)?.sqr()?.broadcast_mul(&weights)?;
        Ok((mean, f64::from(off.sum(1)?.mean_all()?.to_scalar::<f32>()?)))
    }

    /// Gives inputs unit power and outputs unit weighted variance, layer by layer, so that no layer
    /// outweighs another. Returns both factors; they go into the weights in the end.
    pub fn normalize(&mut self) -> Result<[Vec<f64>; 2]> {
        let mut scales = [Vec::new(), Vec::new()];
        for l in 0..LAYERS {
            let power = self.inputs[l].sqr()?.mean_all()?.to_scalar::<f32>()?;
            let input = f64::from(power).sqrt();
            let output = (self.spread(l)?.1 / WIDTH as f64).sqrt();
            self.inputs[l] = (&self.inputs[l] / input)?;
            self.outputs[l] = (&self.outputs[l] / output)?;
            scales[0].push(input);
            scales[1].push(output);
        }
        Ok(scales)
    }
}
