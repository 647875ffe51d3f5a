//! What the backward pass starts from.

/// Which part of a layer a target reads in front of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadSite {
    /// Its attention.
    Attention,
    /// Its MLP.
    Mlp,
}

/// A target of the backward pass.
#[derive(Clone, Debug)]
pub struct TargetRow {
    /// The layer that it reads in; an output reads in front of the layer that would follow the last.
    pub layer: usize,
    /// In front of what it reads there.
    pub site: ReadSite,
    /// The position at which it reads, or the last of those.
    pub position: usize,
    /// What its value multiplies the residual stream with, norms included: `[d]` at its position, or `[position + 1, d]` at
    /// all positions up to it.
    pub read: Vec<f32>,
    /// What its value has besides: an encoder's bias.
    pub constant: f32,
}

impl TargetRow {
    /// What an output reads `[d]` at a position, behind `n_layers` layers.
    pub(super) fn output(n_layers: usize, position: usize, read: Vec<f32>, constant: f32) -> Self {
        Self { layer: n_layers, site: ReadSite::Attention, position, read, constant }
    }

    /// Whether it reads at all positions up to its own, in a residual stream of width `d`.
    pub(super) fn reads_several(&self, d: usize) -> bool {
        self.read.len() > d
    }

    /// What it reads at a position `[d]`; `None` where it does not read.
    pub(super) fn read_at(&self, position: usize, d: usize) -> Option<&[f32]> {
        match self.reads_several(d) {
            true => self.read.chunks(d).nth(position),
            false => (position == self.position).then_some(&*self.read),
        }
    }
}
