//! Where a tensor lies in its file, and in which order its rows do.

use candle_core::quantized::GgmlDType;
use safetensors::Dtype;
use std::ops::Range;

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) file: usize,
    pub(super) bytes: Range<usize>,
    pub(super) dtype: Dtype,
    /// The type of its blocks, where it is quantised; `dtype` is then that of what they are made into.
    pub(super) blocks: Option<GgmlDType>,
    pub(super) order: RowOrder,
    pub(super) shape: Vec<usize>,
}

impl Entry {
    /// A tensor whose numbers lie one after another.
    pub(super) fn plain(file: usize, bytes: Range<usize>, dtype: Dtype, shape: Vec<usize>) -> Self {
        Self { file, bytes, dtype, blocks: None, order: RowOrder::Plain, shape }
    }

    /// Whether its bytes are its numbers, in their order.
    pub(super) fn is_plain(&self) -> bool {
        self.blocks.is_none() && self.order == RowOrder::Plain
    }

    /// Bytes that so many numbers, whole rows of them, take in the file.
    pub(super) fn length(&self, numbers: usize) -> usize {
        match self.blocks {
            Some(blocks) => numbers / blocks.block_size() * blocks.type_size(),
            None => numbers * self.dtype.bitsize() / 8,
        }
    }

    /// Where in the file a row of the tensor is.
    pub(super) fn row(&self, row: usize) -> usize {
        match self.order {
            RowOrder::Plain => row,
            RowOrder::Paired(heads) => {
                let width = self.shape[0] / heads;
                let (head, within) = (row / width, row % width);
                let (half, pair) = (within / (width / 2), within % (width / 2));
                head * width + 2 * pair + half
            }
            RowOrder::Third { heads, nth } => {
                let width = self.shape[0] / heads;
                (3 * (row / width) + nth) * width + row % width
            }
        }
    }

    /// Where in the tensor's bytes rows of `width` numbers are, among others where they do not lie together.
    pub(super) fn span(&self, rows: Range<usize>, width: usize) -> Range<usize> {
        let rows = match self.order {
            RowOrder::Third { .. } if !rows.is_empty() => self.row(rows.start)..self.row(rows.end - 1) + 1,
            _ => rows,
        };
        self.length(rows.start * width)..self.length(rows.end * width)
    }

    /// The `nth` of what a tensor of queries, keys and values holds head after head.
    pub(super) fn third(&self, heads: usize, nth: usize) -> Self {
        let mut third = Self { order: RowOrder::Third { heads, nth }, ..self.clone() };
        third.shape[0] /= 3;
        third
    }

    /// Rows of it that lie together, as a tensor of their own.
    pub(super) fn part(&self, rows: Range<usize>) -> Self {
        let mut part = self.clone();
        let width: usize = self.shape[1..].iter().product();
        part.bytes =
            self.bytes.start + self.length(rows.start * width)..self.bytes.start + self.length(rows.end * width);
        part.shape[0] = rows.len();
        part
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// In which order a tensor's rows lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowOrder {
    /// One after another.
    Plain,
    /// In each of so many heads with the two halves of each rotated pair next to each other, instead of half a head apart.
    Paired(usize),
    /// Head after head among the rows of queries (0), keys (1) and values (2), of which these are the `nth`.
    Third { heads: usize, nth: usize },
}
