//! Names and shapes of tensors in a family's weight files.

/// Names of a model's tensors. Those of a layer follow the layer's number, all but the unembedding's a prefix;
/// `.weight` or `.bias` follows them.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Prefixes in use, the usual one first.
    pub prefixes: &'static [&'static str],
    /// Token embedding, `[V, d]`.
    pub embedding: &'static str,
    /// Embedding of positions, `[P, d]`, where they are learned.
    pub positions: &'static str,
    /// Unembedding, `[V, d]`, where it is not the embedding: its full names, the usual one last.
    pub unembedding: &'static [&'static str],
    /// Final norm.
    pub final_norm: &'static str,
    /// Prefix of a layer's number.
    pub layers: &'static str,
    /// Norm in front of attention.
    pub attention_norm: &'static str,
    /// Norm behind attention, where there is one.
    pub after_attention_norm: Option<&'static str>,
    /// Norm in front of the MLP.
    pub mlp_norm: &'static str,
    /// Norm behind the MLP, where there is one.
    pub after_mlp_norm: Option<&'static str>,
    /// Queries, keys and values.
    pub heads: HeadTensors,
    /// Norms over each head of the queries and of the keys, where there are any.
    pub head_norms: [&'static str; 2],
    /// Output of attention.
    pub attention_out: &'static str,
    /// Gate projection, whose output the activation function is applied to, where there is one.
    pub gate: Option<&'static str>,
    /// First projection of the MLP.
    pub up: &'static str,
    /// Last projection of the MLP.
    pub down: &'static str,
    /// True where projections are stored as `[in, out]` instead of `[out, in]`.
    pub by_input: bool,
}

/// Tensors of queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadTensors {
    /// One tensor each.
    Apart([&'static str; 3]),
    /// One tensor: all queries, then all keys, then all values.
    Joined(&'static str),
    /// One tensor, head after head: each head's query, then its key, then its value.
    ByHead(&'static str),
}

/// Names of queries, keys and values once a tensor of all three is split.
pub(super) const THIRDS: [&str; 3] = ["q", "k", "v"];
