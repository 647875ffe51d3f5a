//! Memory and work of a store, estimated before its corpus is read.

use crate::attribution::{Engine, forward_operations, memory};
use crate::features::build::BuildError;
use crate::features::build::piece::{CONTEXT, Piece, ROWS};
use crate::features::build::run::{Options, n_features};
use crate::features::build::selection::Selection;
use crate::features::build::tally::{Keeping, LayerTally, Sample, Tally};

/// Bytes of a token's text, of natural language with common vocabularies.
const TOKEN: u64 = 4;

/// Number of bins in which a feature fires, of many.
const BINS_IN_USE: usize = 16;

/// Share of a context's tokens on which its feature fires, one in this many, of features that fire often.
const FIRING: usize = 4;

/// Memory and work of gathering, estimated from sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Number of tokens of the corpus.
    pub tokens: u64,
    /// Peak memory in bytes, without the weights, if every feature fires often.
    pub memory_bytes: u64,
    /// Part of it that the contexts take, which a merge holds twice.
    pub context_bytes: u64,
    /// Floating-point operations for the whole corpus.
    pub operations: u64,
}

impl Needs {
    /// Estimates the needs for a corpus of so many bytes of text.
    ///
    /// # Errors
    /// Fails where the list of features names some that do not exist.
    pub fn new(engine: &Engine, options: &Options, corpus_bytes: u64) -> Result<Self, BuildError> {
        let n_features = n_features(engine);
        options.selection.check(&n_features)?;
        let looked_at = features(&options.selection, &n_features);
        let keeping = Keeping { examples: options.examples, window: options.window, seed: options.seed };
        let tokens = corpus_bytes / TOKEN;
        let samples = looked_at * (keeping.top() + BINS_IN_USE * keeping.of_bin()) as u64;
        let sample = (size_of::<Sample>() + options.window / FIRING * size_of::<(u16, f32)>()) as u64;
        // A piece is held once, and there are no more of them than the corpus has.
        let pieces = (samples * piece_bytes()).min(tokens * TOKEN * 2);
        let context_bytes = looked_at * size_of::<Tally>() as u64 + samples * sample + pieces;
        let widest = n_features.iter().max().copied().unwrap_or_default();
        let passing = (3 * ROWS * widest * size_of::<f32>()) as u64;
        let of_piece = forward_operations(&engine.model.spec, &engine.transcoder, CONTEXT);
        Ok(Self {
            tokens,
            memory_bytes: memory::resident().unwrap_or(0) + passing + context_bytes,
            context_bytes,
            operations: of_piece.saturating_mul(tokens.div_ceil(CONTEXT as u64)),
        })
    }
}

fn piece_bytes() -> u64 {
    (size_of::<Piece>() + CONTEXT * size_of::<u32>()) as u64
}

fn features(selection: &Selection, n_features: &[usize]) -> u64 {
    LayerTally::empty(selection, n_features).iter().map(|layer| layer.tallies.len() as u64).sum()
}
