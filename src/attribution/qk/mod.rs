//! QK attribution: a head's attention score split among the sources of the residual stream on either side (Kamath et
//! al. 2025, "Tracing Attention Computation Through Feature Interactions").
//!
//! With the norms' divisors frozen, the score of a query and a key is bilinear in the two residual streams that they
//! are computed from, and in the local replacement model each stream is a sum over sources: features, errors and
//! tokens, whose writes are carried by the stream and by attention with its patterns frozen, and constants. So a score
//! is a sum over pairs of sources. These are the sources of the graph's edges, and nothing passes an MLP.

mod frozen;
mod pairs;
mod trace;

use crate::attribution::Source;
use crate::graph::Head;
use crate::ids::Position;

pub(crate) use frozen::FrozenHead;
pub use pairs::QkPair;

/// Reference that a score is compared with: it is subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Against {
    /// Nothing: the score itself.
    Nothing,
    /// The scores of all keys that the query sees, each weighed by the pattern. The difference is the change of the
    /// key's log-probability with the scores, to first order.
    Softmax,
    /// Score of another key.
    Position(Position),
}

/// Question about one score of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QkQuestion {
    /// Head.
    pub head: Head,
    /// Position that the head looks from.
    pub query: Position,
    /// Position that the head looks at.
    pub key: Position,
    /// Reference that is subtracted from the score.
    pub against: Against,
}

/// Contributor to a score on one of its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QkSource {
    /// Source of the residual stream.
    Source(Source),
    /// All constants: biases, learned positions, and the writes at zeroed positions.
    Bias,
}

/// Effect of a softcap on a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softcap {
    /// Bound: scores are squeezed into plus and minus this.
    pub cap: f64,
    /// Score behind the softcap.
    pub capped: f64,
    /// Derivative of `capped` with respect to the score.
    pub slope: f64,
}

impl Softcap {
    /// Returns the effect of the softcap `cap` on a score.
    pub fn of(cap: f64, score: f64) -> Self {
        let squeezed = (score / cap).tanh();
        Self { cap, capped: cap * squeezed, slope: 1.0 - squeezed * squeezed }
    }
}

/// Attention of a query to one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Key that the query sees.
    pub key: Position,
    /// Score, scaled, in front of a softcap.
    pub score: f32,
    /// Share of the query's attention.
    pub pattern: f32,
}

/// Vectors whose products are the contributions of pairs: `[sources, head_dim]` of either side, the constants last.
#[derive(Clone, Debug, Default, PartialEq)]
struct Factors {
    width: usize,
    queries: Vec<f32>,
    keys: Vec<f32>,
}

/// Side of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkSide {
    /// Position that the head looks from.
    Query,
    /// Position that the head looks at.
    Key,
}

/// Attention score, split. The contributions of either side's sources add up to `value`, and so do those of all pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct QkAttribution {
    /// Question that this answers.
    pub question: QkQuestion,
    /// Score, scaled, in front of a softcap.
    pub score: f32,
    /// Key's share of the query's attention.
    pub pattern: f32,
    /// Factor of the product of query and key.
    pub scale: f64,
    /// Effect of the model's softcap on the score, where there is one. It is no part of the split.
    pub softcap: Option<Softcap>,
    /// Value that is split: the score, less the reference.
    pub value: f64,
    sources: Vec<QkSource>,
    /// Contribution of each source on the side of the query and on that of the key, summed over the other side,
    /// `[sources]`.
    marginals: [Vec<f64>; 2],
    /// What pairs are made from; empty where only the sums were asked for.
    factors: Factors,
}

/// Strongest parts of a score, the strongest first; sources by their index, with their contribution.
#[derive(Clone, Debug, PartialEq)]
pub struct QkListed {
    /// Sources on the side of the query.
    pub queries: Vec<(usize, f64)>,
    /// Sources on the side of the key.
    pub keys: Vec<(usize, f64)>,
    /// Pairs of them.
    pub pairs: Vec<QkPair>,
}

impl QkListed {
    /// Returns the sources of a side.
    pub fn side(&self, side: QkSide) -> &[(usize, f64)] {
        match side {
            QkSide::Query => &self.queries,
            QkSide::Key => &self.keys,
        }
    }
}

impl QkAttribution {
    /// Returns the contributors, the constants last. Indices of sources are indices into these.
    pub fn sources(&self) -> &[QkSource] {
        &self.sources
    }

    /// Returns the contribution of each source on a side, summed over the other side.
    pub fn marginals(&self, side: QkSide) -> &[f64] {
        match side {
            QkSide::Query => &self.marginals[0],
            QkSide::Key => &self.marginals[1],
        }
    }

    /// Returns true where pairs are known, not their sums alone; see [`Probe::qk_sums`].
    ///
    /// [`Probe::qk_sums`]: crate::attribution::Probe::qk_sums
    pub fn has_pairs(&self) -> bool {
        self.factors.width > 0
    }

    /// Returns the joint contribution of a source on the side of the query and one on that of the key.
    ///
    /// # Panics
    /// Panics where there is no such source, or pairs are not known.
    pub fn contribution(&self, query: usize, key: usize) -> f64 {
        let row = |at: usize| at * self.factors.width..(at + 1) * self.factors.width;
        let (queries, keys) = (&self.factors.queries[row(query)], &self.factors.keys[row(key)]);
        queries.iter().zip(keys).map(|(u, w)| f64::from(*u) * f64::from(*w)).sum()
    }

    /// Returns the sum of the absolute contributions of a side's sources, the denominator of shares.
    pub fn total(&self, side: QkSide) -> f64 {
        self.marginals(side).iter().map(|x| x.abs()).sum()
    }

    /// Returns the sources of a side with the largest contributions in absolute value, at most `most`, the strongest
    /// first.
    pub fn strongest(&self, side: QkSide, most: usize) -> Vec<(usize, f64)> {
        let mut all: Vec<(usize, f64)> =
            self.marginals(side).iter().copied().enumerate().filter(|(_, x)| *x != 0.0).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }

    /// Returns the strongest sources of either side and the strongest pairs, at most `most` of each.
    pub fn listed(&self, most: usize) -> QkListed {
        let [queries, keys] = [QkSide::Query, QkSide::Key].map(|side| self.strongest(side, most));
        QkListed { queries, keys, pairs: self.strongest_pairs(most) }
    }

    /// Returns the difference between the sum of a side's contributions and `value`, as a share of their absolute sum;
    /// the larger of the two sides.
    pub fn identity_error(&self) -> f64 {
        let off = |side: QkSide| {
            let (sum, total) = (self.marginals(side).iter().sum::<f64>(), self.total(side));
            if total > 0.0 { (sum - self.value).abs() / total } else { self.value.abs() }
        };
        off(QkSide::Query).max(off(QkSide::Key))
    }
}
