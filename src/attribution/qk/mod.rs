//! Why a head looked where it looked: its score split among the sources of the residual stream on either side (Kamath et al.
//! 2025, "Tracing Attention Computation Through Feature Interactions").
//!
//! With the norms' divisors frozen, the score of a query and a key is bilinear in the two residual streams that they are made
//! of, and in the local replacement model each stream is a sum over sources: what features, errors and tokens wrote, carried
//! there by the stream and by attention with its patterns frozen, and constants. So a score is a sum over pairs of sources.
//! These are the sources of the graph's edges, and nothing passes an MLP.

mod frozen;
mod pairs;
mod trace;

use crate::attribution::Source;
use crate::graph::Head;
use crate::ids::Position;

pub(crate) use frozen::FrozenHead;
pub use pairs::QkPair;

/// What a score is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Against {
    /// Nothing: the score itself.
    Nothing,
    /// The scores of all keys that the query sees, each weighed by the pattern. This is by how much the key's log-probability
    /// changes with the scores.
    Softmax,
    /// The score of another key.
    Position(Position),
}

/// What is asked of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QkQuestion {
    /// The head.
    pub head: Head,
    /// From where it looked.
    pub query: Position,
    /// Where it looked.
    pub key: Position,
    /// What the score is held against.
    pub against: Against,
}

/// What contributes to a score on one of its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QkSource {
    /// A source of the residual stream.
    Source(Source),
    /// All constants: biases, learned positions, and what is written at positions that count as zero.
    Bias,
}

/// What a softcap makes of a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softcap {
    /// Scores are squeezed into plus and minus this.
    pub cap: f64,
    /// The score behind it.
    pub capped: f64,
    /// By how much that changes with the score.
    pub slope: f64,
}

impl Softcap {
    /// What `cap` makes of a score.
    pub fn of(cap: f64, score: f64) -> Self {
        let squeezed = (score / cap).tanh();
        Self { cap, capped: cap * squeezed, slope: 1.0 - squeezed * squeezed }
    }
}

/// Where a head looks from a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// A key that the query sees.
    pub key: Position,
    /// Its score, scaled, in front of a softcap.
    pub score: f32,
    /// Its share of the attention.
    pub pattern: f32,
}

/// The sources of one side, and the vectors whose products are the contributions of pairs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Side {
    /// `[sources, head_dim]`, the constants last.
    factors: Vec<f32>,
    /// What each source contributes, summed over the other side, `[sources]`.
    marginals: Vec<f64>,
}

/// One of the two sides of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkSide {
    /// Where the head looked from.
    Query,
    /// Where it looked.
    Key,
}

/// A score, split. The contributions of all pairs add up to `value`.
#[derive(Clone, Debug, PartialEq)]
pub struct QkAttribution {
    /// What was asked.
    pub question: QkQuestion,
    /// The score, scaled, in front of a softcap.
    pub score: f32,
    /// The key's share of the attention.
    pub pattern: f32,
    /// What the product of query and key is multiplied with.
    pub scale: f64,
    /// What the softcap makes of the score, where the model has one. It is no part of the split.
    pub softcap: Option<Softcap>,
    /// What is split: the score, less what it is held against.
    pub value: f64,
    width: usize,
    sources: Vec<QkSource>,
    query: Side,
    key: Side,
}

impl QkAttribution {
    /// What contributes, the constants last. Indices of sources are indices into these.
    pub fn sources(&self) -> &[QkSource] {
        &self.sources
    }

    /// What each source contributes on a side, summed over the other side.
    pub fn marginals(&self, side: QkSide) -> &[f64] {
        &self.side(side).marginals
    }

    /// What a source on the side of the query and one on that of the key contribute together.
    ///
    /// # Panics
    /// Where there is no such source.
    pub fn contribution(&self, query: usize, key: usize) -> f64 {
        let row = |at: usize| at * self.width..(at + 1) * self.width;
        let (queries, keys) = (&self.query.factors[row(query)], &self.key.factors[row(key)]);
        queries.iter().zip(keys).map(|(u, w)| f64::from(*u) * f64::from(*w)).sum()
    }

    /// The sum of the absolute contributions of a side's sources: what a share is a share of.
    pub fn total(&self, side: QkSide) -> f64 {
        self.marginals(side).iter().map(|x| x.abs()).sum()
    }

    /// The sources of a side that contribute most either way, the strongest first, at most `most`.
    pub fn strongest(&self, side: QkSide, most: usize) -> Vec<(usize, f64)> {
        let mut all: Vec<(usize, f64)> =
            self.marginals(side).iter().copied().enumerate().filter(|(_, x)| *x != 0.0).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }

    /// By how much the contributions of a side miss what is split, as a share of their absolute sum; of the two sides the
    /// larger.
    pub fn identity_error(&self) -> f64 {
        let off = |side: QkSide| {
            let (sum, total) = (self.marginals(side).iter().sum::<f64>(), self.total(side));
            if total > 0.0 { (sum - self.value).abs() / total } else { self.value.abs() }
        };
        off(QkSide::Query).max(off(QkSide::Key))
    }

    fn side(&self, side: QkSide) -> &Side {
        match side {
            QkSide::Query => &self.query,
            QkSide::Key => &self.key,
        }
    }
}
