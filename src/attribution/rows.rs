//! Rows as they are computed, one after the other.

use crate::graph::Rows;

/// Appends a row, sparse ones without what [`sparsify`] leaves out; gives its absolute sum.
pub(super) fn push(rows: &mut Rows, row: &[f32], dropped_share: Option<f64>) -> f64 {
    let abs_sum = row.iter().map(|x| f64::from(x.abs())).sum();
    match rows {
        Rows::Dense { values } => values.extend_from_slice(row),
        Rows::Sparse { starts, columns, values, dropped } => {
            let kept = sparsify(row, abs_sum, dropped_share.unwrap_or(0.0));
            columns.extend(kept.columns);
            values.extend(kept.values);
            starts.push(columns.len() as u64);
            dropped.push(kept.dropped);
        }
    }
    abs_sum
}

/// Lets go of all but the first `n` of rows of `width` columns.
pub(super) fn truncate(rows: &mut Rows, n: usize, width: usize) {
    match rows {
        Rows::Dense { values } => values.truncate(n * width),
        Rows::Sparse { starts, columns, values, dropped } => {
            starts.truncate(n + 1);
            dropped.truncate(n);
            let end = starts.last().map_or(0, |end| *end as usize);
            columns.truncate(end);
            values.truncate(end);
        }
    }
}

struct SparseRow {
    columns: Vec<u32>,
    values: Vec<f32>,
    dropped: f32,
}

/// The fewest entries that carry all but `share` of the row's absolute sum.
fn sparsify(row: &[f32], abs_sum: f64, share: f64) -> SparseRow {
    let mut columns: Vec<u32> = (0..row.len() as u32).filter(|i| row[*i as usize] != 0.0).collect();
    columns.sort_by(|a, b| row[*b as usize].abs().total_cmp(&row[*a as usize].abs()));
    let mut kept = 0.0;
    let enough = columns.iter().position(|i| {
        kept += f64::from(row[*i as usize].abs());
        kept >= abs_sum * (1.0 - share)
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
    fn rows_are_what_was_appended_and_not_let_go_of() {
        for sparse in [false, true] {
            let mut rows = Rows::new(sparse);
            let share = sparse.then_some(0.01);
            push(&mut rows, &[9.0, 0.0], share);
            assert_eq!(push(&mut rows, &[0.0, -3.0], share), 3.0);
            let two = rows.clone();
            push(&mut rows, &[1.0, 1.0], share);
            truncate(&mut rows, 2, 2);
            assert_eq!(rows, two);
            let expected = if sparse {
                Rows::Sparse {
                    starts: vec![0, 1, 2],
                    columns: vec![0, 1],
                    values: vec![9.0, -3.0],
                    dropped: vec![0.0; 2],
                }
            } else {
                Rows::Dense { values: vec![9.0, 0.0, 0.0, -3.0] }
            };
            assert_eq!(rows, expected);
        }
    }

    #[test]
    fn sparse_rows_drop_the_smallest_entries_and_say_how_much() {
        let row = sparsify(&[-600.0, 1.0, 395.0, 0.0, 4.0], 1000.0, 0.01);
        assert_eq!((row.columns, row.values), (vec![0, 2], vec![-600.0, 395.0]));
        assert!((row.dropped - 0.005).abs() < 1e-6);
    }
}
