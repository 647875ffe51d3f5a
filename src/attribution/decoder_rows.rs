//! Vectors written at each feature output: decoder rows of active features times their activations, errors, constants.

use crate::attribution::TraceError;
use crate::attribution::replacement::PostMlpNorm;
use crate::graph::{Site, Source, Sources};
use crate::parallel;
use crate::transcoder::{Active, Transcoder};
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Vectors written at one layer and position: rows of features, then (unless zeroed) the error, then the constants.
#[derive(Debug)]
pub(super) struct DecoderRows {
    position: usize,
    rows: Rows,
    /// Places of the features.
    pub segments: Vec<Segment>,
    /// Column of the error node.
    pub error: Option<usize>,
}

/// Features of one source layer at one position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Layer whose feature input they read.
    source: usize,
    /// Index of the first among that layer's active features.
    first: usize,
    /// Column of the first.
    pub column: usize,
    /// Row of the first.
    pub row: usize,
    /// Number of features.
    pub count: usize,
}

#[derive(Debug)]
enum Rows {
    /// Rows in memory, `[features + 1 or 2, d]`.
    Held(Tensor),
    /// Error and constants `[1 or 2, d]` in memory; the features' rows are read again at each use.
    OnDisk(Vec<f32>),
}

impl DecoderRows {
    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_features() + 1 + usize::from(self.error.is_some())
    }

    fn n_features(&self) -> usize {
        self.segments.iter().map(|segment| segment.count).sum()
    }

    /// The column of each row; the constants have none.
    pub fn columns(&self) -> Vec<Option<usize>> {
        let features = self.segments.iter().flat_map(|segment| segment.column..segment.column + segment.count);
        features.chain(self.error).map(Some).chain([None]).collect()
    }

    /// Returns the bytes of the rows in memory.
    pub fn bytes(&self) -> u64 {
        let numbers = match &self.rows {
            Rows::Held(rows) => rows.elem_count(),
            Rows::OnDisk(rest) => rest.len(),
        };
        (numbers * size_of::<f32>()) as u64
    }

    /// Returns true where the features' rows are in memory.
    pub fn is_held(&self) -> bool {
        matches!(self.rows, Rows::Held(_))
    }

    /// Adds the effects `[rows]` of these vectors to their columns of a target's row, and to its constant.
    pub fn add(&self, effects: &[f32], out: &mut [f32], constant: &mut f32) {
        let n = self.n_rows();
        for segment in &self.segments {
            let from = &effects[segment.row..segment.row + segment.count];
            let out = &mut out[segment.column..segment.column + segment.count];
            out.iter_mut().zip(from).for_each(|(out, x)| *out += x);
        }
        if let Some(error) = self.error {
            out[error] += effects[n - 2];
        }
        *constant += effects[n - 1];
    }
}

/// Rows written at one layer and neighbouring positions, for one batched product.
#[derive(Debug)]
pub(super) struct Run {
    /// First of the positions.
    pub first: usize,
    /// `[positions, most rows of one of them, d]`: rows as in [`DecoderRows`], then zeros.
    pub rows: Tensor,
}

/// Splits positions into stretches of neighbours whose rows, padded to the most of them, take at most half as much
/// again.
fn stretches(counts: &[usize]) -> Vec<Range<usize>> {
    let (mut found, mut start) = (Vec::new(), 0);
    let (mut sum, mut most) = (0, 0);
    for (at, count) in counts.iter().enumerate() {
        let (more, larger) = (sum + count, most.max(*count));
        if at > start && 2 * larger * (at + 1 - start) > 3 * more {
            found.push(start..at);
            (start, sum, most) = (at, *count, *count);
        } else {
            (sum, most) = (more, larger);
        }
    }
    if start < counts.len() {
        found.push(start..counts.len());
    }
    found
}

/// Uploads rows of positions from 1 on, `d` numbers each, as [`Run`]s to a device.
fn runs(rows: &[Vec<f32>], d: usize, device: &Device) -> Result<Vec<Run>, TraceError> {
    let counts: Vec<usize> = rows.iter().map(|rows| rows.len() / d).collect();
    let run = |positions: Range<usize>| -> Result<Run, TraceError> {
        let most = counts[positions.clone()].iter().copied().max().unwrap_or(0);
        let mut padded = vec![0.0; positions.len() * most * d];
        for (padded, rows) in padded.chunks_mut(most * d).zip(&rows[positions.clone()]) {
            padded[..rows.len()].copy_from_slice(rows);
        }
        Ok(Run { first: positions.start + 1, rows: Tensor::from_vec(padded, (positions.len(), most, d), device)? })
    };
    stretches(&counts).into_iter().map(run).collect()
}

/// Active features and their decoders.
#[derive(Debug)]
pub(super) struct Decoders {
    transcoder: Transcoder,
    /// Active features by layer; in a layer by position, then feature.
    pub active: Vec<Vec<Active>>,
    sources: Arc<Sources>,
    /// First column of each layer's active features.
    columns: Vec<usize>,
    /// True where the rows of active features are held, in f32.
    held: bool,
    zeroed: usize,
    device: Device,
}

/// Vectors written at a layer apart from features.
pub(super) struct Fixed<'a> {
    /// Feature output minus its skip term, `[P, d]`.
    pub output: &'a Tensor,
    /// Constant part of the skip term, `[d]`.
    pub constant: Option<Vec<f32>>,
    /// Norm behind the feature output.
    pub behind: &'a PostMlpNorm,
}

/// Vectors written at one layer.
#[derive(Debug, Default)]
pub(super) struct WrittenLayer {
    /// Rows by position; `None` at position 0.
    pub writes: Vec<Option<DecoderRows>>,
    /// The same rows for batched products, where they are held on a device with memory of its own.
    pub runs: Vec<Run>,
    /// L2 norms of the error vectors, `[P]`.
    pub error_norms: Vec<f32>,
    /// Constants written at position 0, `[d]`.
    pub first: Vec<f32>,
}

impl Decoders {
    pub fn new(
        transcoder: Transcoder,
        active: Vec<Vec<Active>>,
        sources: Arc<Sources>,
        zeroed: usize,
        held: bool,
        device: Device,
    ) -> Self {
        let first = |layer| sources.features.partition_point(|at| at.layer().index() < layer);
        let columns = (0..active.len()).map(first).collect();
        Self { transcoder, active, sources, columns, held, zeroed, device }
    }

    /// Returns the vectors written at `layer`.
    pub fn layer(&self, layer: usize, fixed: Fixed<'_>) -> Result<WrittenLayer, TraceError> {
        let (n_positions, d) = fixed.output.dims2()?;
        let bias = self.transcoder.decoder_bias(layer)?;
        let outputs: Vec<f32> = fixed.output.flatten_all()?.to_vec1()?;
        let constant = fixed.constant.unwrap_or_else(|| vec![0.0; d]);
        let with_constant = |row: &[f32]| row.iter().zip(&constant).map(|(x, c)| x + c).collect::<Vec<f32>>();
        let written = parallel::map(n_positions, |position| -> Result<_, TraceError> {
            let output = &outputs[position * d..(position + 1) * d];
            if position < self.zeroed {
                let mut row = with_constant(output);
                fixed.behind.carry(&mut row, position);
                return Ok((row, Vec::new(), None));
            }
            let segments = self.segments(layer, position);
            let mut rows = self.feature_rows(layer, &segments, d)?;
            let mut error: Vec<f64> = output.iter().zip(&bias).map(|(x, b)| f64::from(*x) - f64::from(*b)).collect();
            for row in rows.chunks(d) {
                error.iter_mut().zip(row).for_each(|(e, w)| *e -= f64::from(*w));
            }
            let norm = error.iter().map(|e| e * e).sum::<f64>().sqrt() as f32;
            if !self.held {
                // A new one: the old one's room would stay.
                rows = Vec::with_capacity(2 * d);
            }
            rows.extend(error.iter().map(|e| *e as f32));
            rows.extend(with_constant(&bias));
            fixed.behind.carry(&mut rows, position);
            Ok((rows, segments, Some(norm)))
        })?;
        self.release(layer);
        let mut all = WrittenLayer::default();
        let (mut later, mut at) = (Vec::new(), Vec::new());
        for (position, (rows, segments, norm)) in written.into_iter().enumerate() {
            all.error_norms.push(norm.unwrap_or(0.0));
            if position == 0 {
                all.first = rows;
                continue;
            }
            later.push(rows);
            let error = Source::Error(Site::mlp(layer.into()), position.into());
            at.push((position, segments, norm.and_then(|_| self.sources.column(error))));
        }
        let rows: Vec<Rows> = if !self.held {
            later.into_iter().map(Rows::OnDisk).collect()
        } else if self.device.is_cpu() {
            let held = |rows: Vec<f32>| {
                let shape = (rows.len() / d, d);
                Ok(Rows::Held(Tensor::from_vec(rows, shape, &self.device)?))
            };
            later.into_iter().map(held).collect::<Result<_, TraceError>>()?
        } else {
            all.runs = runs(&later, d, &self.device)?;
            let of_run = |run: &Run, nth: usize| -> Result<Rows, TraceError> {
                let rows = later[run.first - 1 + nth].len() / d;
                Ok(Rows::Held(run.rows.get(nth)?.narrow(0, 0, rows)?))
            };
            let each = all.runs.iter().flat_map(|run| (0..run.rows.dims()[0]).map(move |nth| of_run(run, nth)));
            each.collect::<Result<_, _>>()?
        };
        let writes = rows.into_iter().zip(at);
        let writes =
            writes.map(|(rows, (position, segments, error))| Some(DecoderRows { position, rows, segments, error }));
        all.writes = std::iter::once(None).chain(writes).collect();
        Ok(all)
    }

    /// Reads the vectors written at `layer` again, for batched products on the device.
    pub fn runs(
        &self,
        layer: usize,
        writes: &[Option<DecoderRows>],
        behind: &PostMlpNorm,
        d: usize,
    ) -> Result<Vec<Run>, TraceError> {
        let later: Vec<&DecoderRows> = writes.iter().flatten().collect();
        let rows = parallel::map(later.len(), |nth| self.plain_rows(layer, later[nth], behind, d))?;
        self.release(layer);
        runs(&rows, d, &self.device)
    }

    /// Returns the vectors written at `layer`, carried through the norm `behind`, `[n, d]`.
    pub fn rows(
        &self,
        layer: usize,
        writes: &DecoderRows,
        behind: &PostMlpNorm,
        d: usize,
    ) -> Result<Tensor, TraceError> {
        match &writes.rows {
            Rows::Held(rows) => Ok(rows.clone()),
            Rows::OnDisk(_) => {
                let rows = self.plain_rows(layer, writes, behind, d)?;
                Ok(Tensor::from_vec(rows, (writes.n_rows(), d), &self.device)?)
            }
        }
    }

    /// Returns the same as numbers, row after row.
    fn plain_rows(
        &self,
        layer: usize,
        writes: &DecoderRows,
        behind: &PostMlpNorm,
        d: usize,
    ) -> Result<Vec<f32>, TraceError> {
        let rest = match &writes.rows {
            Rows::Held(rows) => return Ok(rows.flatten_all()?.to_vec1()?),
            Rows::OnDisk(rest) => rest,
        };
        let mut rows = self.feature_rows(layer, &writes.segments, d)?;
        behind.carry(&mut rows, writes.position);
        rows.extend_from_slice(rest);
        Ok(rows)
    }

    /// Releases the pages of all decoders that write at `layer`.
    pub fn release(&self, layer: usize) {
        for source in self.sources(layer) {
            self.transcoder.release_decoders(source);
        }
    }

    fn sources(&self, layer: usize) -> impl Iterator<Item = usize> {
        (0..=layer).filter(move |source| self.transcoder.writes_to(*source).contains(&layer))
    }

    fn segments(&self, layer: usize, position: usize) -> Vec<Segment> {
        let (mut segments, mut row) = (Vec::new(), 0);
        for source in self.sources(layer) {
            let active = &self.active[source];
            let first = active.partition_point(|a| (a.position as usize) < position);
            let count = active[first..].partition_point(|a| (a.position as usize) <= position);
            if count > 0 {
                segments.push(Segment { source, first, column: self.columns[source] + first, row, count });
                row += count;
            }
        }
        segments
    }

    /// Reads the decoder rows of the features of `segments` into `layer`, times their activations.
    fn feature_rows(&self, layer: usize, segments: &[Segment], d: usize) -> Result<Vec<f32>, TraceError> {
        let features = segments.iter().flat_map(|segment| {
            let active = &self.active[segment.source][segment.first..segment.first + segment.count];
            active.iter().map(|active| (segment.source, active))
        });
        let mut rows = vec![0.0; segments.iter().map(|segment| segment.count).sum::<usize>() * d];
        for ((source, active), row) in features.zip(rows.chunks_mut(d)) {
            self.transcoder.decoder_row(source, active.feature as usize, layer, row)?;
            row.iter_mut().for_each(|w| *w *= active.activation);
        }
        Ok(rows)
    }
}
