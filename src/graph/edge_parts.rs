//! Parts of an edge by the attention heads that it passes.

use crate::graph::Head;

/// Largest share by which half precision and a file's rounding change an edge.
const ROUNDED: f32 = 0.01;

/// Parts of an edge that pass one head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadPart {
    /// Head.
    pub head: Head,
    /// Part over the path that passes this head and no other.
    pub alone: f32,
    /// Part over all paths whose first head, from the source up, is this one.
    pub first: f32,
    /// Part over all paths whose last head, in front of the target, is this one.
    pub last: f32,
}

impl HeadPart {
    /// Returns the larger of `first` and `last` in absolute value.
    pub fn size(&self) -> f32 {
        self.first.abs().max(self.last.abs())
    }
}

/// Numbers of an edge beside its weight: its parts by head. `total = stays + sum of first = stays + sum of last = stays + sum of alone + chained`.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeParts {
    /// Whole edge.
    pub total: f32,
    /// Part that passes no head: 0 unless source and target are at one position.
    pub stays: f32,
    /// Every head between source and target, by layer, then head.
    pub heads: Vec<HeadPart>,
}

impl EdgeParts {
    /// Returns the part that passes two heads or more. 0 where one attention layer lies between.
    pub fn chained(&self) -> f32 {
        self.total - self.stays - self.alone()
    }

    /// Returns the part that passes exactly one head, over all heads.
    pub fn alone(&self) -> f32 {
        self.heads.iter().map(|part| part.alone).sum()
    }

    /// Returns the heads by [`HeadPart::size`], the largest first.
    pub fn strongest(&self) -> Vec<HeadPart> {
        let mut heads = self.heads.clone();
        heads.sort_by(|a, b| b.size().total_cmp(&a.size()));
        heads
    }

    /// Returns true where an edge of this weight, which a file may have rounded, can be the one that was split.
    pub fn is_of(&self, weight: f32) -> bool {
        (weight - self.total).abs() <= ROUNDED * weight.abs().max(self.total.abs())
    }

    /// Returns the number of attention layers between source and target.
    pub fn n_layers(&self) -> usize {
        self.heads.chunk_by(|a, b| a.head.layer == b.head.layer).count()
    }
}
