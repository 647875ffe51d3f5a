//! Targets of the backward pass.

/// Part of a layer in front of which a target reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadSite {
    /// Attention.
    Attention,
    /// MLP.
    Mlp,
}

/// Target of the backward pass.
#[derive(Clone, Debug)]
pub struct TargetRow {
    /// Layer that it reads in; an output reads in front of the layer that would follow the last.
    pub layer: usize,
    /// Part of the layer in front of which it reads.
    pub site: ReadSite,
    /// Position at which it reads, or the last of several.
    pub position: usize,
    /// Read vector, norms included: `[d]` at its position, or `[position + 1, d]` at all positions up to it.
    pub read: Vec<f32>,
    /// Constant part of its value: an encoder's bias.
    pub constant: f32,
}

impl TargetRow {
    /// Returns the target of an output that reads `[d]` at a position, behind `n_layers` layers.
    pub(super) fn output(n_layers: usize, position: usize, read: Vec<f32>, constant: f32) -> Self {
        Self { layer: n_layers, site: ReadSite::Attention, position, read, constant }
    }

    /// Returns true where it reads at all positions up to its own, in a residual stream of width `d`.
    pub(super) fn reads_several(&self, d: usize) -> bool {
        self.read.len() > d
    }

    /// Returns its read vector `[d]` at a position; `None` where it does not read there.
    pub(super) fn read_at(&self, position: usize, d: usize) -> Option<&[f32]> {
        match self.reads_several(d) {
            true => self.read.chunks(d).nth(position),
            false => (position == self.position).then_some(&*self.read),
        }
    }
}
