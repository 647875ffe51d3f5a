//! What MLPs read and write over a corpus, one document after another.

use crate::attribution::lead;
use crate::features::build::Corpus;
use crate::features::build::corpus::{Documents, LeftOut};
use crate::job::Cancel;
use crate::model::{End, Hooks, MlpInput, MlpOutput, Transformer};
use crate::tokens::Tokenizer;
use crate::training::TrainError;
use crate::training::settings::Settings;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::ops::Range;

/// Rows that the model reads at a time, unless a single piece has more.
pub(super) const ROWS: usize = 2048;

/// Model whose MLPs are to be replaced.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Language model.
    pub model: &'a Transformer,
    tokenizer: &'a Tokenizer,
    /// Ids in front of each piece.
    lead: Vec<u32>,
    /// Number of leading positions that are left out.
    left_out: usize,
}

impl<'a> Subject<'a> {
    /// Creates a subject of a model and its tokenizer.
    ///
    /// # Errors
    /// Fails where the tokenizer cannot read what the model's prompts begin with.
    pub fn new(model: &'a Transformer, tokenizer: &'a Tokenizer) -> Result<Self, TrainError> {
        let (lead, zeroed) = lead(&model.spec.name, tokenizer)?;
        Ok(Self { model, tokenizer, lead, left_out: zeroed.max(1) })
    }

    /// Cuts a document into pieces of at most `context` tokens, each behind the leading ones; what would leave no token
    /// is left out.
    fn pieces(&self, text: &str, context: usize) -> Result<Vec<Vec<u32>>, TrainError> {
        let mut ids = self.tokenizer.encode(text)?;
        if !self.lead.is_empty() && ids.starts_with(&self.lead) {
            ids.drain(..self.lead.len());
        }
        let room = context.min(self.model.spec.max_positions).saturating_sub(self.lead.len()).max(1);
        let pieces = ids.chunks(room).map(|piece| [&self.lead, piece].concat());
        Ok(pieces.filter(|piece| piece.len() > self.left_out).collect())
    }
}

/// Inputs and outputs of the wanted MLPs, by layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    /// `[N, d]` each.
    pub inputs: Vec<Vec<f32>>,
    /// `[N, d]` each.
    pub outputs: Vec<Vec<f32>>,
}

/// Place in a corpus that is read again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Number of times that it was read to its end.
    pub epoch: u64,
    /// Documents read since.
    pub documents: u64,
    /// Pieces of the next document that were taken.
    pub pieces: usize,
    /// Hash of the documents that were opened in the first epoch, each hashed with what was before it.
    pub digest: String,
}

/// Reader of a corpus with a model.
pub(super) struct Stream<'a> {
    subject: &'a Subject<'a>,
    corpus: &'a Corpus,
    documents: Documents<'a>,
    layers: &'a [usize],
    context: usize,
    /// Least number of tokens that the corpus has to hold.
    least: usize,
    place: Place,
    pending: VecDeque<Vec<u32>>,
    /// Tokens of the pieces taken since the stream was opened.
    taken: u64,
}

impl<'a> Stream<'a> {
    /// Opens a corpus at a place.
    ///
    /// # Errors
    /// Fails where it cannot be read, or is no longer the one that the place was in.
    pub fn open(
        subject: &'a Subject<'a>,
        corpus: &'a Corpus,
        settings: &'a Settings,
        place: Place,
        cancel: &Cancel,
    ) -> Result<Self, TrainError> {
        let mut stream = Self {
            subject,
            corpus,
            documents: corpus.documents(),
            layers: &settings.layers,
            context: settings.context,
            least: settings.batch,
            place: Place { digest: hex(&Sha256::digest([])), ..Place::default() },
            pending: VecDeque::new(),
            taken: 0,
        };
        let changed =
            || TrainError::Checkpoint("the corpus is no longer the one that was trained on; begin anew".to_owned());
        if place.epoch > 0 {
            while let Some(text) = stream.documents.next().transpose()? {
                cancel.check()?;
                stream.place.digest = chained(&stream.place.digest, &text);
            }
            stream.documents = corpus.documents();
            stream.place.epoch = place.epoch;
        }
        while stream.place.documents < place.documents {
            cancel.check()?;
            stream.read()?.ok_or_else(changed)?;
            stream.place.documents += 1;
        }
        if place.pieces > 0 {
            let text = stream.read()?.ok_or_else(changed)?;
            stream.pending = subject.pieces(&text, stream.context)?.into();
            if stream.pending.len() <= place.pieces {
                return Err(changed());
            }
            stream.pending.drain(..place.pieces);
            stream.place.pieces = place.pieces;
        }
        if !place.digest.is_empty() && stream.place != place {
            return Err(changed());
        }
        Ok(stream)
    }

    /// Returns the place that is reached.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the lines that held no document.
    pub fn left_out(&self) -> &LeftOut {
        &self.documents.left_out
    }

    fn read(&mut self) -> Result<Option<String>, TrainError> {
        let text = self.documents.next().transpose()?;
        if let Some(text) = text.as_ref().filter(|_| self.place.epoch == 0) {
            self.place.digest = chained(&self.place.digest, text);
        }
        Ok(text)
    }

    /// Takes the next piece; `None` at the end of the corpus where it is not read again.
    fn next_piece(&mut self, again: bool) -> Result<Option<Vec<u32>>, TrainError> {
        loop {
            if let Some(piece) = self.pending.pop_front() {
                self.place.pieces += 1;
                if self.pending.is_empty() {
                    (self.place.documents, self.place.pieces) = (self.place.documents + 1, 0);
                }
                self.taken += (piece.len() - self.subject.left_out) as u64;
                return Ok(Some(piece));
            }
            match self.read()? {
                Some(text) => {
                    self.pending = self.subject.pieces(&text, self.context)?.into();
                    if self.pending.is_empty() {
                        self.place.documents += 1;
                    }
                }
                None if !again => return Ok(None),
                None => {
                    if self.place.epoch == 0 && self.taken < self.least as u64 {
                        return Err(self.too_short());
                    }
                    (self.place.epoch, self.place.documents) = (self.place.epoch + 1, 0);
                    self.documents = self.corpus.documents();
                }
            }
        }
    }

    fn too_short(&self) -> TrainError {
        let left_out = self.documents.left_out.first.as_ref().map(|what| format!(" ({what})")).unwrap_or_default();
        TrainError::Corpus(format!(
            "the corpus holds {} tokens{left_out}, fewer than the {} of one batch; give more --corpus or a smaller --batch",
            self.taken, self.least
        ))
    }

    /// Reads so many tokens. The corpus is read again at its end, unless it is to be read once: then there may be
    /// fewer.
    ///
    /// # Errors
    /// Fails where the corpus or a weight cannot be read, an MLP gives no numbers, or the work was stopped.
    pub fn tokens(&mut self, n: usize, again: bool, cancel: &Cancel) -> Result<Tokens, TrainError> {
        let (model, width) = (self.subject.model, self.subject.model.spec.d_model);
        let empty = || (0..self.layers.len()).map(|_| Vec::with_capacity(n * width)).collect();
        let mut tokens = Tokens { inputs: empty(), outputs: empty() };
        let last = self.layers.last().copied().unwrap_or_default();
        let mut found = 0;
        while found < n {
            cancel.check()?;
            let (mut prompts, mut kept, mut rows) = (Vec::new(), Vec::new(), 0);
            while found < n && rows < ROWS {
                let Some(piece) = self.next_piece(again)? else { break };
                let all = rows + self.subject.left_out..rows + piece.len();
                let all = all.start..all.end.min(all.start + n - found);
                (found, rows) = (found + all.len(), rows + piece.len());
                kept.push(all);
                prompts.push(piece);
            }
            if prompts.is_empty() {
                break;
            }
            let input = model.prompts(&prompts, 0)?.until(End::Layer(last));
            model.forward(
                input,
                &mut Keeping { layers: self.layers, width, kept: &kept, tokens: &mut tokens },
                cancel,
            )?;
        }
        Ok(tokens)
    }
}

/// Hooks that keep what the wanted MLPs read and write.
struct Keeping<'a> {
    layers: &'a [usize],
    width: usize,
    /// Rows that are kept.
    kept: &'a [Range<usize>],
    tokens: &'a mut Tokens,
}

impl Keeping<'_> {
    fn keep(&self, layer: usize, rows: &Tensor, into: &mut Vec<f32>) -> Result<(), TrainError> {
        let all = rows.flatten_all()?.to_vec1::<f32>()?;
        let before = into.len();
        for rows in self.kept {
            into.extend_from_slice(&all[rows.start * self.width..rows.end * self.width]);
        }
        let finite = into[before..].iter().fold(0.0f32, |sum, x| sum + x * 0.0) == 0.0;
        if finite { Ok(()) } else { Err(TrainError::Model(layer)) }
    }
}

impl Hooks for Keeping<'_> {
    type Error = TrainError;

    fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), TrainError> {
        let Ok(nth) = self.layers.binary_search(&layer) else { return Ok(()) };
        let mut into = std::mem::take(&mut self.tokens.inputs[nth]);
        self.keep(layer, &input.mlp_in, &mut into)?;
        self.tokens.inputs[nth] = into;
        Ok(())
    }

    fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), TrainError> {
        let (Ok(nth), MlpOutput::AfterNorm) = (self.layers.binary_search(&layer), at) else { return Ok(()) };
        let mut into = std::mem::take(&mut self.tokens.outputs[nth]);
        self.keep(layer, output, &mut into)?;
        self.tokens.outputs[nth] = into;
        Ok(())
    }
}

/// Returns the hash of a document and of those before it.
fn chained(before: &str, text: &str) -> String {
    hex(&Sha256::new().chain_update(before).chain_update(Sha256::digest(text)).finalize())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
