//! Kinds of attention head, as far as a head's pattern on a prompt shows them.

use crate::attribution::{Probe, TraceError};
use crate::graph::Head;
use serde::Serialize;

/// Least mean attention for which a kind is named: well above the share of one key where attention is spread.
const NAMED: f64 = 0.4;

/// Fewest queries over which a mean counts.
const FEWEST: usize = 2;

/// Known kinds of head (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Olsson et al. 2022,
/// "In-context Learning and Induction Heads").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Attention to the token in front.
    PreviousToken,
    /// Attention to earlier occurrences of the same token.
    SameToken,
    /// Attention to the tokens that followed earlier occurrences of the same token: prefix matching.
    Induction,
    /// Attention to the first token of the prompt, where attention goes that finds nothing to look at.
    FirstToken,
}

/// Kind of a head, and the attention that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeadType {
    /// Kind.
    pub kind: HeadKind,
    /// Share of the head's attention on the keys of this kind, averaged over `queries`.
    pub attention: f64,
    /// Number of queries of the prompt for which this kind has a key.
    pub queries: usize,
}

impl HeadKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::PreviousToken, Self::SameToken, Self::Induction, Self::FirstToken];

    /// Returns the name of the kind, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreviousToken => "previous token",
            Self::SameToken => "same token",
            Self::Induction => "induction",
            Self::FirstToken => "first token",
        }
    }

    /// Returns the keys that a head of this kind attends to from `query`, which is at least 2: for query 1 the first
    /// token is also the one in front. Empty where the prompt has no such key.
    fn keys(self, ids: &[u32], query: usize) -> Vec<usize> {
        let earlier = |key: &usize| ids[*key] == ids[query];
        match self {
            Self::PreviousToken => vec![query - 1],
            Self::FirstToken => vec![0],
            Self::SameToken => (1..query).filter(earlier).collect(),
            Self::Induction => (1..query - 1).filter(earlier).map(|key| key + 1).collect(),
        }
    }
}

/// Returns the score of each kind for a head's pattern `[P, P]` (query, key), row after row, on a prompt of tokens
/// `ids`, without kinds for which too few queries have a key.
pub fn head_scores(pattern: &[f32], ids: &[u32]) -> Vec<HeadType> {
    let n = ids.len();
    let score = |kind: HeadKind| {
        let shares: Vec<f64> = (2..n)
            .map(|query| (query, kind.keys(ids, query)))
            .filter(|(_, keys)| !keys.is_empty())
            .map(|(query, keys)| keys.into_iter().map(|key| f64::from(pattern[query * n + key])).sum())
            .collect();
        let queries = shares.len();
        let attention = shares.iter().sum::<f64>() / queries as f64;
        (queries >= FEWEST).then_some(HeadType { kind, attention, queries })
    };
    HeadKind::ALL.into_iter().filter_map(score).collect()
}

impl Probe<'_> {
    /// Returns the kinds of a head on this prompt, the most marked first; none where its pattern shows none.
    ///
    /// # Errors
    /// Fails where there is no such head.
    pub fn head_types(&self, head: Head) -> Result<Vec<HeadType>, TraceError> {
        self.check_head(head)?;
        let pattern = self.run.capture.layers[head.layer.index()].pattern.get(head.head as usize)?;
        let pattern: Vec<f32> = pattern.flatten_all()?.to_vec1()?;
        let mut types = head_scores(&pattern, &self.run.capture.ids);
        types.retain(|it| it.attention >= NAMED);
        types.sort_by(|a, b| b.attention.total_cmp(&a.attention));
        Ok(types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the scores of a head that puts all of its attention on one key of each query.
    fn looking(ids: &[u32], at: impl Fn(usize) -> usize) -> Vec<HeadType> {
        let n = ids.len();
        let mut pattern = vec![0.0; n * n];
        (0..n).for_each(|query| pattern[query * n + at(query)] = 1.0);
        head_scores(&pattern, ids)
    }

    #[test]
    fn heads_of_each_kind_are_told_by_where_they_look() {
        // A first token, then a b c d a b c.
        let ids = [9, 1, 2, 3, 4, 1, 2, 3];
        let of =
            |found: &[HeadType], kind| found.iter().find(|it| it.kind == kind).map(|it| (it.attention, it.queries));
        let previous = looking(&ids, |query| query.saturating_sub(1));
        assert_eq!(of(&previous, HeadKind::PreviousToken), Some((1.0, 6)));
        assert_eq!(of(&previous, HeadKind::FirstToken), Some((0.0, 6)));
        let induction = looking(&ids, |query| if query >= 5 { query - 3 } else { 0 });
        assert_eq!(of(&induction, HeadKind::Induction), Some((1.0, 3)));
        assert_eq!(of(&induction, HeadKind::SameToken), Some((0.0, 3)));
        assert_eq!(of(&induction, HeadKind::FirstToken), Some((0.5, 6)));
        let same = looking(&ids, |query| if query >= 5 { query - 4 } else { query });
        assert_eq!(of(&same, HeadKind::SameToken), Some((1.0, 3)));
        // Without a token that comes again nothing tells of the kinds that look for one.
        let none = looking(&[9, 1, 2, 3, 4], |query| query);
        assert_eq!((of(&none, HeadKind::SameToken), of(&none, HeadKind::Induction)), (None, None));
        assert_eq!(looking(&[9, 1, 1], |query| query), []);
    }
}
