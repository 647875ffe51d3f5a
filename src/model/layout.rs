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
    /// Norm in front of attention, where there is one.
    pub attention_norm: Option<&'static str>,
    /// Norm behind attention, where there is one.
    pub after_attention_norm: Option<&'static str>,
    /// Norm in front of the MLP, where there is one.
    pub mlp_norm: Option<&'static str>,
    /// Norm behind the MLP, where there is one.
    pub after_mlp_norm: Option<&'static str>,
    /// Queries, keys and values.
    pub heads: HeadTensors,
    /// Norms over the queries and over the keys, where there are any.
    pub head_norms: [&'static str; 2],
    /// Output of attention.
    pub attention_out: &'static str,
    /// Gate projection, whose output the activation function is applied to, where there is one.
    pub gate: Option<&'static str>,
    /// First projection of the MLP.
    pub up: &'static str,
    /// Tensor that holds the rows of the gate in front of those of the first projection, where these are no tensors of
    /// their own; `gate` and `up` are then the names given to its parts.
    pub gate_and_up: Option<&'static str>,
    /// Last projection of the MLP.
    pub down: &'static str,
    /// True where projections are stored as `[in, out]` instead of `[out, in]`.
    pub by_input: bool,
}

/// Tensors of queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadTensors {
    /// A tensor each.
    Apart([&'static str; 3]),
    /// In one tensor, all queries in front of all keys and those in front of all values, as many of each.
    Joined(&'static str),
    /// In one tensor by output, all queries in front of all keys and those in front of all values.
    Stacked(&'static str),
    /// One tensor, head after head: each head's query, then its key, then its value.
    ByHead(&'static str),
}

/// Names of queries, keys and values behind the name of the tensor that held them all, once it is split.
pub(super) const THIRDS: [&str; 3] = ["q", "k", "v"];
