//! Forward pass over a batch of pieces, which gives the activations of all layers.

use crate::attribution::{Engine, TraceError};
use crate::features::build::piece::{CONTEXT, Piece, ROWS};
use crate::features::build::tally::Placed;
use crate::job::Cancel;
use crate::model::{End, Hooks, MlpInput, NormScales};
use crate::transcoder::FeatureInput;
use candle_core::Tensor;
use std::sync::Arc;

/// Reader of pieces with an engine.
pub struct Reader<'a> {
    engine: &'a Engine,
    /// Ids in front of each piece.
    lead: Vec<u32>,
    /// Number of leading positions of a prompt whose activations count as zero, as in a trace.
    zeroed: usize,
    /// True for each layer whose features are gathered.
    wanted: Vec<bool>,
    /// Number of rows that a batch is padded to.
    rows: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader for the layers that are `wanted`, `[L]`.
    pub fn new(engine: &'a Engine, wanted: Vec<bool>) -> Self {
        let (lead, zeroed) = engine.lead();
        Self { engine, lead, zeroed, wanted, rows: ROWS }
    }

    /// Creates a reader of batches that are not padded, for a single text.
    pub fn at_a_glance(engine: &'a Engine) -> Self {
        Self { rows: 0, ..Self::new(engine, vec![true; engine.transcoder.n_layers()]) }
    }

    /// Cuts a document into pieces.
    ///
    /// # Errors
    /// Fails where the tokenizer cannot read it.
    pub fn pieces(&self, document: u128, text: &str) -> Result<Vec<Arc<Piece>>, TraceError> {
        let mut ids = self.engine.tokenizer.encode(text)?;
        // A document that comes with its special tokens has them once.
        if !self.lead.is_empty() && ids.starts_with(&self.lead) {
            ids.drain(..self.lead.len());
        }
        let room = CONTEXT.min(self.engine.model.spec.max_positions).saturating_sub(self.lead.len());
        Ok(Piece::cut(document, &ids, room).map(Arc::new).collect())
    }

    /// Returns the number of rows of a piece.
    pub fn rows(&self, piece: &Piece) -> usize {
        self.lead.len() + piece.tokens.len()
    }

    /// Returns the number of tokens of a piece whose activations count.
    pub fn counted(&self, piece: &Piece) -> u64 {
        (piece.tokens.len() - self.uncounted(piece)) as u64
    }

    fn uncounted(&self, piece: &Piece) -> usize {
        self.zeroed.saturating_sub(self.lead.len()).min(piece.tokens.len())
    }

    /// Returns the rows of each piece in a batch.
    pub fn place(&self, batch: &[Arc<Piece>]) -> Vec<Placed> {
        let mut end = 0;
        let place = |piece: &Arc<Piece>| {
            let first = end + self.lead.len();
            end += self.rows(piece);
            Placed { piece: Arc::clone(piece), first, counted_from: self.uncounted(piece) }
        };
        batch.iter().map(place).collect()
    }

    /// Runs the model on a batch and hands the activations `[rows, F]` of each wanted layer to `each`. Attention stays
    /// within a piece; everything else is done for all rows at once, always [`ROWS`] of them, so that the result for a
    /// piece does not depend on what it shares the batch with.
    ///
    /// # Errors
    /// Fails where weights cannot be read, an activation is not finite, or the work was stopped.
    pub fn run(
        &self,
        batch: &[Arc<Piece>],
        each: impl FnMut(usize, Vec<f32>),
        cancel: &Cancel,
    ) -> Result<(), TraceError> {
        let Some(last) = self.wanted.iter().rposition(|wanted| *wanted) else { return Ok(()) };
        let (model, reads) = (&self.engine.model, self.engine.transcoder.input());
        let with_lead = |piece: &Arc<Piece>| self.lead.iter().chain(&piece.tokens).copied().collect();
        let prompts: Vec<Vec<u32>> = batch.iter().map(with_lead).collect();
        let used = prompts.iter().map(Vec::len).sum();
        let end = if reads == FeatureInput::ResidPost { End::Layer(last) } else { End::Mlp(last) };
        let input = model.prompts(&prompts, self.rows)?.until(end);
        model.forward(input, &mut Encoding { reader: self, used, each, cancel }, cancel)?;
        Ok(())
    }

    /// Returns the activations of a layer's features for their input `[rows, d]`, of which `used` rows belong to
    /// pieces.
    fn activations(&self, layer: usize, input: &Tensor, used: usize, cancel: &Cancel) -> Result<Vec<f32>, TraceError> {
        let transcoder = &self.engine.transcoder;
        let encoded = transcoder.encode(layer, input, cancel)?;
        let finite = |row: &[f32]| row.iter().fold(0.0f32, |sum, x| sum + x * 0.0) == 0.0;
        let used = &encoded.pre_activations[..used * encoded.n_features];
        if !used.chunks(encoded.n_features.max(1)).all(finite) {
            return Err(TraceError::NotFinite(format!("the transcoder of layer {layer}")));
        }
        Ok(transcoder.activated(layer, encoded, 0))
    }
}

/// Hooks that encode the feature input of each wanted layer.
struct Encoding<'a, Each> {
    reader: &'a Reader<'a>,
    /// Number of rows that belong to pieces.
    used: usize,
    each: Each,
    cancel: &'a Cancel,
}

impl<Each: FnMut(usize, Vec<f32>)> Encoding<'_, Each> {
    fn reads(&self) -> FeatureInput {
        self.reader.engine.transcoder.input()
    }

    /// Encodes the feature input of a layer, `[rows, d]`.
    fn encode(&mut self, layer: usize, input: &Tensor) -> Result<(), TraceError> {
        if self.reader.wanted[layer] {
            (self.each)(layer, self.reader.activations(layer, input, self.used, self.cancel)?);
        }
        Ok(())
    }
}

impl<Each: FnMut(usize, Vec<f32>)> Hooks for Encoding<'_, Each> {
    type Error = TraceError;

    fn resid_pre(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), TraceError> {
        self.cancel.check()?;
        if self.reads() == FeatureInput::ResidPre { self.encode(layer, resid) } else { Ok(()) }
    }

    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), TraceError> {
        match self.reads() {
            FeatureInput::ResidPre | FeatureInput::ResidPost => Ok(()),
            reads => self.encode(layer, reads.of(input)),
        }
    }

    fn resid_post(&mut self, layer: usize, resid: &mut Tensor, _: NormScales) -> Result<(), TraceError> {
        if self.reads() == FeatureInput::ResidPost { self.encode(layer, resid) } else { Ok(()) }
    }
}
