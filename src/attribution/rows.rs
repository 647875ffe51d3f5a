//! Rows as they are computed: a round at a time, in any order within it.

use crate::attribution::plan::DROPPED_SHARE;
use crate::graph::Rows;

/// Rows so far, and those of the round that is being computed.
#[derive(Debug)]
pub(super) struct RowStore {
    columns: usize,
    rows: Rows,
    /// Rows of finished rounds.
    settled: usize,
    /// Which rows of this round are there.
    there: Vec<bool>,
    /// This round's entries where rows are kept sparse.
    round: Vec<SparseRow>,
}

#[derive(Clone, Debug, Default)]
struct SparseRow {
    columns: Vec<u32>,
    values: Vec<f32>,
    dropped: f32,
}

impl RowStore {
    /// Room for `rows` rows of `columns` columns, in full or sparse.
    pub fn new(rows: usize, columns: usize, sparse: bool) -> Self {
        let rows = if sparse { Rows::new(true) } else { Rows::Dense { values: Vec::with_capacity(rows * columns) } };
        Self { columns, rows, settled: 0, there: Vec::new(), round: Vec::new() }
    }

    /// Starts a round of `n` rows.
    pub fn begin(&mut self, n: usize) {
        self.there = vec![false; n];
        match &mut self.rows {
            Rows::Dense { values } => values.resize((self.settled + n) * self.columns, 0.0),
            Rows::Sparse { .. } => self.round = vec![SparseRow::default(); n],
        }
    }

    /// Puts the `nth` row of the round; gives its absolute sum.
    pub fn put(&mut self, nth: usize, row: &[f32]) -> f64 {
        let abs_sum = row.iter().map(|x| f64::from(x.abs())).sum();
        match &mut self.rows {
            Rows::Dense { values } => {
                let start = (self.settled + nth) * self.columns;
                values[start..start + self.columns].copy_from_slice(row);
            }
            Rows::Sparse { .. } => self.round[nth] = sparsify(row, abs_sum),
        }
        self.there[nth] = true;
        abs_sum
    }

    /// Ends the round: what is there is kept, in order.
    pub fn settle(&mut self) {
        let there = std::mem::take(&mut self.there);
        let round = std::mem::take(&mut self.round);
        let kept = (0..there.len()).filter(|nth| there[*nth]);
        match &mut self.rows {
            Rows::Dense { values } => {
                let mut next = self.settled;
                for nth in kept.clone() {
                    let from = (self.settled + nth) * self.columns;
                    values.copy_within(from..from + self.columns, next * self.columns);
                    next += 1;
                }
                values.truncate(next * self.columns);
            }
            Rows::Sparse { starts, columns, values, dropped } => {
                for (row, _) in round.into_iter().zip(&there).filter(|(_, there)| **there) {
                    columns.extend(row.columns);
                    values.extend(row.values);
                    starts.push(columns.len() as u64);
                    dropped.push(row.dropped);
                }
            }
        }
        self.settled += kept.count();
    }

    /// The rows of finished rounds.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The rows of finished rounds.
    pub fn into_rows(self) -> Rows {
        self.rows
    }
}

/// The fewest entries that carry all but [`DROPPED_SHARE`] of the row's absolute sum.
fn sparsify(row: &[f32], abs_sum: f64) -> SparseRow {
    let mut columns: Vec<u32> = (0..row.len() as u32).filter(|i| row[*i as usize] != 0.0).collect();
    columns.sort_by(|a, b| row[*b as usize].abs().total_cmp(&row[*a as usize].abs()));
    let mut kept = 0.0;
    let enough = columns.iter().position(|i| {
        kept += f64::from(row[*i as usize].abs());
        kept >= abs_sum * (1.0 - DROPPED_SHARE)
    });
    columns.truncate(enough.map_or(columns.len(), |last| last + 1));
    columns.sort_unstable();
    let values = columns.iter().map(|i| row[*i as usize]).collect();
    let dropped = if abs_sum > 0.0 { ((abs_sum - kept) / abs_sum).max(0.0) as f32 } else { 0.0 };
    SparseRow { columns, values, dropped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_is_cut_short_keeps_what_is_there_in_order() {
        for sparse in [false, true] {
            let mut store = RowStore::new(4, 2, sparse);
            store.begin(1);
            store.put(0, &[9.0, 0.0]);
            store.settle();
            store.begin(3);
            assert_eq!(store.put(2, &[0.0, -3.0]), 3.0);
            store.put(1, &[2.0, 0.0]);
            store.settle();
            let expected = if sparse {
                Rows::Sparse {
                    starts: vec![0, 1, 2, 3],
                    columns: vec![0, 0, 1],
                    values: vec![9.0, 2.0, -3.0],
                    dropped: vec![0.0; 3],
                }
            } else {
                Rows::Dense { values: vec![9.0, 0.0, 2.0, 0.0, 0.0, -3.0] }
            };
            assert_eq!(store.into_rows(), expected);
        }
    }

    #[test]
    fn sparse_rows_drop_the_smallest_entries_and_say_how_much() {
        let row = sparsify(&[-600.0, 1.0, 395.0, 0.0, 4.0], 1000.0);
        assert_eq!((row.columns, row.values), (vec![0, 2], vec![-600.0, 395.0]));
        assert!((row.dropped - 0.005).abs() < 1e-6);
    }
}
