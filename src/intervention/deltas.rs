//! Changes of the feature outputs by changed activations.

use crate::intervention::InterventionError;
use crate::model::Transformer;
use crate::transcoder::Transcoder;
use candle_core::Tensor;
use std::ops::Range;

/// Changes of the feature outputs, by layer.
pub(super) struct Deltas<'a> {
    model: &'a Transformer,
    transcoder: &'a Transcoder,
    /// Layers that may be written into.
    within: Option<Range<usize>>,
    n_positions: usize,
    /// Changes `[P, d]` of each layer that is written into.
    layers: Vec<Option<Vec<f32>>>,
}

impl<'a> Deltas<'a> {
    pub fn new(
        model: &'a Transformer,
        transcoder: &'a Transcoder,
        within: Option<Range<usize>>,
        n_positions: usize,
    ) -> Self {
        Self { model, transcoder, within, n_positions, layers: vec![None; transcoder.n_layers()] }
    }

    /// Adds the change of a feature's activation by `delta` at a position.
    pub fn add(&mut self, layer: usize, position: usize, feature: usize, delta: f32) -> Result<(), InterventionError> {
        let d = self.model.spec.d_model;
        let rows = self.transcoder.decoder_rows(layer, feature)?;
        for (to, row) in self.transcoder.writes_to(layer).zip(rows.chunks(d)) {
            if self.within.as_ref().is_some_and(|within| !within.contains(&to)) {
                continue;
            }
            let sum = self.layers[to].get_or_insert_with(|| vec![0.0; self.n_positions * d]);
            sum[position * d..(position + 1) * d].iter_mut().zip(row).for_each(|(s, w)| *s += delta * w);
        }
        Ok(())
    }

    /// Adds the changes of a layer to its `output` `[P, d]`.
    pub fn onto(&self, layer: usize, output: &mut Tensor) -> Result<(), InterventionError> {
        if let Some(sum) = &self.layers[layer] {
            *output = output.add(&Tensor::from_slice(sum, output.shape(), self.model.device())?)?;
        }
        Ok(())
    }
}
