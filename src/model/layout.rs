//! How a family's weight files name and shape their tensors.

/// The names of a model's tensors: those of a layer stand behind the layer's number, all but the unembedding's behind a
/// prefix, and in front of `.weight` and `.bias`.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The prefixes that are seen in the wild, the usual one first.
    pub prefixes: &'static [&'static str],
    /// The token embedding, `[V, d]`.
    pub embedding: &'static str,
    /// The embedding of positions, `[P, d]`, where they are learned.
    pub positions: &'static str,
    /// The unembedding, `[V, d]`, where it is not the embedding: its whole names, the usual one last.
    pub unembedding: &'static [&'static str],
    /// The last norm.
    pub final_norm: &'static str,
    /// What stands in front of a layer's number.
    pub layers: &'static str,
    /// The norm in front of attention, where there is one.
    pub attention_norm: Option<&'static str>,
    /// The norm behind attention, where there is one.
    pub after_attention_norm: Option<&'static str>,
    /// The norm in front of the MLP, where there is one.
    pub mlp_norm: Option<&'static str>,
    /// The norm behind the MLP, where there is one.
    pub after_mlp_norm: Option<&'static str>,
    /// Queries, keys and values.
    pub heads: HeadTensors,
    /// The norms over the queries and over the keys, where there are any.
    pub head_norms: [&'static str; 2],
    /// Attention's output.
    pub attention_out: &'static str,
    /// The part of the MLP that the activation function is applied to, where there is a gate.
    pub gate: Option<&'static str>,
    /// The MLP's first projection.
    pub up: &'static str,
    /// One tensor that holds the rows of the gate in front of those of the first projection, where these are no tensors of
    /// their own; their names are then those that the parts are given.
    pub gate_and_up: Option<&'static str>,
    /// The MLP's last projection.
    pub down: &'static str,
    /// Whether projections are kept as `[in, out]`, instead of `[out, in]`.
    pub by_input: bool,
}

/// How queries, keys and values lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadTensors {
    /// In a tensor each.
    Apart([&'static str; 3]),
    /// In one tensor, all queries in front of all keys and those in front of all values, as many of each.
    Joined(&'static str),
    /// In one tensor by output, all queries in front of all keys and those in front of all values.
    Stacked(&'static str),
    /// In one tensor, head after head, each one's query in front of its key and that in front of its value.
    ByHead(&'static str),
}

/// What queries, keys and values are called behind the name of the tensor that held them all, once it is split.
pub(super) const THIRDS: [&str; 3] = ["q", "k", "v"];
