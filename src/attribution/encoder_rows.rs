//! Encoder rows of active features. Where encoders lie as `[d, F]`, a feature's row is spread over the whole tensor, so
//! that the rows of all active features of a layer are gathered in one pass over it, if there is room to hold them.

use crate::attribution::TraceError;
use crate::transcoder::{Active, Transcoder};
use std::sync::{Mutex, PoisonError};

/// Encoder rows of a trace's active features.
#[derive(Debug)]
pub(super) struct EncoderRows<'a> {
    transcoder: &'a Transcoder,
    /// By layer; `None` where rows are read for each block.
    layers: Vec<Option<Mutex<Gathered>>>,
}

/// Encoder rows of a layer's active features.
#[derive(Debug)]
struct Gathered {
    /// Active features, ascending.
    features: Vec<usize>,
    /// Their rows `[d]` and biases; empty until the first of them is asked for.
    rows: Vec<(Vec<f32>, f32)>,
}

impl<'a> EncoderRows<'a> {
    /// Prepares the rows of the `active` features, with their layers; with `held` they are gathered once where they lie
    /// apart.
    pub fn new(transcoder: &'a Transcoder, active: &[(usize, Active)], held: bool) -> Self {
        let layer = |layer: usize| {
            let start = active.partition_point(|(l, _)| *l < layer);
            let of_layer = active[start..].iter().take_while(|(l, _)| *l == layer);
            let mut features: Vec<usize> = of_layer.map(|(_, active)| active.feature as usize).collect();
            features.sort_unstable();
            features.dedup();
            (held && transcoder.encodes_by_input(layer)).then(|| Mutex::new(Gathered { features, rows: Vec::new() }))
        };
        Self { transcoder, layers: (0..transcoder.n_layers()).map(layer).collect() }
    }

    /// Returns the encoder rows `[d]` of active features of a layer, and their biases.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn of(&self, layer: usize, features: &[usize]) -> Result<Vec<(Vec<f32>, f32)>, TraceError> {
        let Some(gathered) = &self.layers[layer] else { return Ok(self.transcoder.encoder_rows(layer, features)?) };
        let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.rows.is_empty() {
            gathered.rows = self.transcoder.encoder_rows(layer, &gathered.features)?;
        }
        let row = |feature| gathered.features.binary_search(feature).ok().map(|nth| gathered.rows[nth].clone());
        match features.iter().map(row).collect() {
            Some(rows) => Ok(rows),
            None => Ok(self.transcoder.encoder_rows(layer, features)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::FileSource;
    use crate::model::ModelSpec;
    use std::path::Path;

    #[test]
    fn gathered_rows_are_those_that_are_read_alone() {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma3_plt_jumprelu_skip");
        let place = |which: &str| FileSource::directory(&case.join(which)).unwrap();
        let model = ModelSpec::read(&place("model")).unwrap();
        let transcoder = Transcoder::open(&place("transcoder_gs2"), &model).unwrap();
        assert!((0..transcoder.n_layers()).all(|layer| transcoder.encodes_by_input(layer)));
        let active = |feature| Active { position: 1, feature, pre_activation: 1.0, activation: 1.0 };
        let features = [7, 3, 90, 3, 41];
        let all: Vec<(usize, Active)> =
            (0..transcoder.n_layers()).flat_map(|layer| features.map(|feature| (layer, active(feature)))).collect();
        let [held, read] = [true, false].map(|held| EncoderRows::new(&transcoder, &all, held));
        for layer in 0..transcoder.n_layers() {
            // One that is not active too.
            for asked in [&[41, 3, 3][..], &[90], &[7, 8]] {
                let alone: Vec<_> = asked.iter().map(|f| transcoder.encoder_row(layer, *f).unwrap()).collect();
                assert_eq!(held.of(layer, asked).unwrap(), alone);
                assert_eq!(read.of(layer, asked).unwrap(), alone);
            }
        }
    }
}
