//! What is written at each feature output: decoder rows of active features times their activations, errors, constants.

use crate::attribution::replacement::{Behind, Writes};
use crate::attribution::{Capture, TraceError};
use crate::transcoder::Transcoder;
use candle_core::{Device, Tensor};

/// Decoder rows of active features, times their activations, gathered for one layer's feature output after another.
pub(super) struct WrittenRows<'a> {
    transcoder: &'a Transcoder,
    capture: &'a Capture,
    /// First column of each layer's active features.
    columns: Vec<usize>,
    /// Rows of cross-layer features that later layers still need, by source layer: `[active, layers written, d]`.
    pending: Vec<Vec<f32>>,
}

impl<'a> WrittenRows<'a> {
    pub fn new(transcoder: &'a Transcoder, capture: &'a Capture) -> Self {
        let mut columns = vec![0];
        for layer in &capture.layers {
            columns.push(columns.last().copied().unwrap_or(0) + layer.active.len());
        }
        Self { transcoder, capture, columns, pending: Vec::new() }
    }

    /// What is written at `layer`, carried through the norm `behind`, and the constants written at position 0. `fixed`
    /// `[P, d]` is the feature output minus its skip term, `constant` `[d]` what the skip term holds of constants.
    pub fn layer(
        &mut self,
        layer: usize,
        fixed: &Tensor,
        constant: Option<Vec<f32>>,
        behind: &Behind,
        error_norms: &mut [f32],
    ) -> Result<(Vec<Option<Writes>>, Vec<f32>), TraceError> {
        let (n_positions, d) = fixed.dims2()?;
        let n_active = self.columns[self.capture.layers.len()];
        let active = &self.capture.layers[layer].active;
        let mut rows = Vec::with_capacity(active.len() * d);
        for feature in active {
            let written = self.transcoder.decoder_rows(layer, feature.feature as usize)?;
            rows.extend(written.iter().map(|w| w * feature.activation));
        }
        self.pending.push(rows);
        let bias = self.transcoder.decoder_bias(layer)?;
        let fixed: Vec<Vec<f32>> = fixed.to_vec2()?;
        let sources: Vec<usize> =
            (0..=layer).filter(|source| self.transcoder.writes_to(*source).contains(&layer)).collect();
        let constant = constant.unwrap_or_else(|| vec![0.0; d]);
        let with_constant = |row: &[f32]| row.iter().zip(&constant).map(|(x, c)| x + c).collect::<Vec<f32>>();
        let mut all = Vec::with_capacity(n_positions);
        let mut first = Vec::new();
        for (position, fixed) in fixed.iter().enumerate() {
            if position < self.capture.zeroed {
                let mut row = with_constant(fixed);
                behind.carry(&mut row, position);
                if position == 0 {
                    first = row;
                    all.push(None);
                } else {
                    let rows = Tensor::from_vec(row, (1, d), &self.device())?;
                    all.push(Some(Writes { rows, segments: Vec::new(), error: None }));
                }
                continue;
            }
            let (mut rows, mut segments) = (Vec::new(), Vec::new());
            for source in &sources {
                let active = &self.capture.layers[*source].active;
                let start = active.partition_point(|a| (a.position as usize) < position);
                let end = active.partition_point(|a| (a.position as usize) <= position);
                let (n_written, nth) = (self.transcoder.writes_to(*source).len(), layer - source);
                if start < end {
                    segments.push((self.columns[*source] + start, rows.len() / d, end - start));
                }
                for index in start..end {
                    let at = (index * n_written + nth) * d;
                    rows.extend_from_slice(&self.pending[*source][at..at + d]);
                }
            }
            let mut error: Vec<f64> = fixed.iter().zip(&bias).map(|(x, b)| f64::from(*x) - f64::from(*b)).collect();
            for row in rows.chunks(d) {
                error.iter_mut().zip(row).for_each(|(e, w)| *e -= f64::from(*w));
            }
            error_norms[layer * n_positions + position] = error.iter().map(|e| e * e).sum::<f64>().sqrt() as f32;
            rows.extend(error.iter().map(|e| *e as f32));
            rows.extend(with_constant(&bias));
            behind.carry(&mut rows, position);
            let n = rows.len() / d;
            let rows = Tensor::from_vec(rows, (n, d), &self.device())?;
            all.push(Some(Writes { rows, segments, error: Some(n_active + layer * n_positions + position) }));
        }
        // Rows whose last layer this was are not needed again.
        for source in sources {
            if self.transcoder.writes_to(source).end == layer + 1 {
                self.pending[source] = Vec::new();
            }
        }
        Ok((all, first))
    }

    fn device(&self) -> Device {
        self.capture.final_output.device().clone()
    }
}
