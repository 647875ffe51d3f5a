//! Place of a tensor in its file, and the order of its rows.

use candle_core::quantized::GgmlDType;
use safetensors::Dtype;
use std::ops::Range;

/// Place of a tensor.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) file: usize,
    pub(super) bytes: Range<usize>,
    pub(super) dtype: Dtype,
    /// Type of its blocks, where it is quantised; `dtype` is then the type after dequantisation.
    pub(super) blocks: Option<GgmlDType>,
    pub(super) order: RowOrder,
    pub(super) shape: Vec<usize>,
}

impl Entry {
    /// Returns the entry of a tensor whose numbers lie one after another.
    pub(super) fn plain(file: usize, bytes: Range<usize>, dtype: Dtype, shape: Vec<usize>) -> Self {
        Self { file, bytes, dtype, blocks: None, order: RowOrder::Plain, shape }
    }

    /// Returns true where its bytes are its numbers, in their order.
    pub(super) fn is_plain(&self) -> bool {
        self.blocks.is_none() && self.order == RowOrder::Plain
    }

    /// Returns the bytes in the file of so many numbers, which are whole rows.
    pub(super) fn length(&self, numbers: usize) -> usize {
        match self.blocks {
            Some(blocks) => numbers / blocks.block_size() * blocks.type_size(),
            None => numbers * self.dtype.bitsize() / 8,
        }
    }

    /// Returns the place in the file of a row of the tensor.
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

    /// Returns the range of the tensor's bytes that holds rows of `width` numbers, with others between where they lie
    /// apart.
    pub(super) fn span(&self, rows: Range<usize>, width: usize) -> Range<usize> {
        let rows = match self.order {
            RowOrder::Third { .. } if !rows.is_empty() => self.row(rows.start)..self.row(rows.end - 1) + 1,
            _ => rows,
        };
        self.length(rows.start * width)..self.length(rows.end * width)
    }

    /// Returns the `nth` part of a tensor that holds queries, keys and values head after head.
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

    /// Returns the shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// Order of a tensor's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowOrder {
    /// One after another.
    Plain,
    /// Each of so many heads with the two halves of each rotated pair adjacent, instead of half a head apart.
    Paired(usize),
    /// Head after head among the rows of queries (0), keys (1) and values (2); this is the `nth` of them.
    Third { heads: usize, nth: usize },
}
