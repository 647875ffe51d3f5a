//! Pairs of sources with the largest contributions.

use crate::attribution::qk::QkAttribution;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Two sources, and their joint contribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QkPair {
    /// Index of the source on the side of the query.
    pub query: usize,
    /// Index of the source on the side of the key.
    pub key: usize,
    /// Joint contribution.
    pub contribution: f64,
}

/// Pair ordered by the size of its contribution; of equals the earlier is the stronger.
#[derive(Debug)]
struct Ranked(QkPair);

impl Ranked {
    fn key(&self) -> (f64, Reverse<(usize, usize)>) {
        (self.0.contribution.abs(), Reverse((self.0.query, self.0.key)))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ((a, of_a), (b, of_b)) = (self.key(), other.key());
        a.total_cmp(&b).then(of_a.cmp(&of_b))
    }
}

impl QkAttribution {
    /// Returns the pairs with the largest contributions in absolute value, at most `most`, the strongest first:
    /// exactly, though not every pair is looked at. No product is larger than that of the two vectors' lengths, so with
    /// vectors sorted by length only those are multiplied that could still be among the strongest. None of a split
    /// without pairs.
    pub fn strongest_pairs(&self, most: usize) -> Vec<QkPair> {
        if most == 0 || !self.has_pairs() {
            return Vec::new();
        }
        let by_length = |factors: &[f32]| -> Vec<(f64, usize)> {
            let length = |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let mut all: Vec<(f64, usize)> =
                factors.chunks(self.factors.width).map(length).enumerate().map(|(at, length)| (length, at)).collect();
            all.retain(|(length, _)| *length > 0.0);
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            all
        };
        let (queries, keys) = (by_length(&self.factors.queries), by_length(&self.factors.keys));
        let mut found: BinaryHeap<Reverse<Ranked>> = BinaryHeap::new();
        for (of_query, query) in queries {
            for (of_key, key) in &keys {
                let least =
                    found.peek().filter(|_| found.len() == most).map_or(0.0, |least| least.0.0.contribution.abs());
                // A little room, since lengths and products are rounded.
                if of_query * of_key * (1.0 + 1e-9) < least {
                    break;
                }
                let pair = QkPair { query, key: *key, contribution: self.contribution(query, *key) };
                found.push(Reverse(Ranked(pair)));
                if found.len() > most {
                    found.pop();
                }
            }
        }
        let mut pairs: Vec<Ranked> = found.into_iter().map(|Reverse(pair)| pair).collect();
        pairs.sort_by(|a, b| b.cmp(a));
        pairs.into_iter().map(|Ranked(pair)| pair).filter(|pair| pair.contribution != 0.0).collect()
    }
}
