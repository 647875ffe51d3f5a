//! Reads of the residual stream by features and outputs, through the frozen norms in front of them.

use crate::attribution::replacement::norm_is_plain;
use crate::attribution::target_row::{ReadSite, TargetRow};
use crate::attribution::targets::{Request, check_feature};
use crate::attribution::{Capture, TraceError};
use crate::graph::FeatureAt;
use crate::model::{Norm, Transformer};
use crate::transcoder::{FeatureInput, Transcoder};
use candle_core::Tensor;

/// Frozen norms between the residual stream and what reads it.
#[derive(Debug)]
pub(super) struct Readers {
    /// Norm in front of each layer's features.
    pub layers: Vec<FrozenRead>,
    /// Norm in front of the outputs.
    pub last: FrozenRead,
}

/// Frozen norm in front of a reader; without a weight, its divisor alone; without either, the identity.
#[derive(Debug, Default)]
pub(super) struct FrozenRead {
    /// Weight, `[d]`.
    weight: Option<Vec<f32>>,
    /// Bias, `[d]`.
    bias: Option<Vec<f32>>,
    centres: bool,
    /// Divisor, `[P]`.
    divisor: Option<Vec<f32>>,
}

impl FrozenRead {
    fn of(norm: &Norm, divisor: &Tensor) -> Result<Self, TraceError> {
        Ok(Self {
            weight: Some(norm.weight.to_vec1()?),
            bias: norm.bias.as_ref().map(Tensor::to_vec1).transpose()?,
            centres: norm.centres,
            divisor: Some(divisor.flatten_all()?.to_vec1()?),
        })
    }

    /// Carries `row` `[d]`, a read vector behind the norm at `position`, to in front of it; returns it with its product
    /// with the norm's bias.
    pub fn pull_back(&self, mut row: Vec<f32>, position: usize) -> (Vec<f32>, f32) {
        let constant = self.bias.as_ref().map_or(0.0, |bias| row.iter().zip(bias).map(|(r, b)| r * b).sum());
        if let Some(weight) = &self.weight {
            row.iter_mut().zip(weight).for_each(|(r, w)| *r *= w);
        }
        if self.centres {
            let mean = row.iter().sum::<f32>() / row.len() as f32;
            row.iter_mut().for_each(|r| *r -= mean);
        }
        if let Some(divisor) = &self.divisor {
            row.iter_mut().for_each(|r| *r /= divisor[position]);
        }
        (row, constant)
    }
}

/// Multiplies `vector` `[d]` by a row of `x` `[P, d]`.
pub(super) fn dot(vector: &[f32], x: &Tensor, position: usize) -> Result<f32, TraceError> {
    let row: Vec<f32> = x.get(position)?.to_vec1()?;
    Ok(vector.iter().zip(row).map(|(v, x)| f64::from(*v) * f64::from(x)).sum::<f64>() as f32)
}

impl Readers {
    /// Returns the read vector of a feature, active or not, and its pre-activation.
    ///
    /// # Errors
    /// Fails with [`TraceError::Target`] where there is no such feature, or its position counts as zero.
    pub fn feature(
        &self,
        transcoder: &Transcoder,
        capture: &Capture,
        at: FeatureAt,
    ) -> Result<(TargetRow, f32), TraceError> {
        check_feature(transcoder, at)?;
        let (layer, position) = (at.layer.index(), at.position.index());
        if position < capture.zeroed || position >= capture.n_positions() {
            let what = format!(
                "features are active at positions {} to {} of this prompt",
                capture.zeroed,
                capture.n_positions() - 1
            );
            return Err(TraceError::Target { name: Request::Feature(at).name().into_owned(), what });
        }
        let (encoder, bias) = transcoder.encoder_row(layer, at.feature.index())?;
        let value = dot(&encoder, &capture.layers[layer].feature_input, position)? + bias;
        let (read, constant) = self.layers[layer].pull_back(encoder, position);
        Ok((TargetRow { layer, site: ReadSite::Mlp, position, read, constant: bias + constant }, value))
    }

    pub fn new(model: &Transformer, transcoder: &Transcoder, capture: &Capture) -> Result<Self, TraceError> {
        let mut layers = Vec::with_capacity(capture.layers.len());
        for (layer, captured) in capture.layers.iter().enumerate() {
            let divisor = &captured.norm_scales.mlp;
            layers.push(match transcoder.input() {
                FeatureInput::ResidPre
                | FeatureInput::ResidMid
                | FeatureInput::BeforeNorm
                | FeatureInput::ResidPost => FrozenRead::default(),
                FeatureInput::Normalized if norm_is_plain(model) => {
                    FrozenRead { divisor: Some(divisor.flatten_all()?.to_vec1()?), ..FrozenRead::default() }
                }
                FeatureInput::Normalized | FeatureInput::MlpIn => FrozenRead::of(&model.mlp_norm(layer)?, divisor)?,
            });
        }
        Ok(Self { layers, last: FrozenRead::of(&model.final_norm()?, &capture.final_divisor)? })
    }
}
