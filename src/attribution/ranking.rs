//! Choice of the features that get a row next: those of highest influence, as estimated from the rows so far.

use crate::graph::{FeatureAt, RowTarget, Rows};
use crate::parallel;

/// Floor of row sums, as in circuit-tracer's ranking.
const FLOOR: f64 = 1e-8;

/// Number of columns that one thread sums at a time.
const COLUMNS: usize = 1024;

/// Estimates the influence of each active feature on the outputs, `[A]`: p^T (N + N^2 + ...), N the rows so far in
/// absolute value over their sums. The graph runs upward through the layers, so one sweep from the top sums all powers.
/// `row_targets` may be the targets of the first rows alone; the other rows are ignored.
pub(super) fn estimate(
    active: &[FeatureAt],
    probabilities: &[f32],
    row_targets: &[RowTarget],
    rows: &Rows,
    row_abs_sums: &[f64],
) -> Vec<f64> {
    let layer_of = |row: &usize| match row_targets[*row] {
        RowTarget::Logit(_) => u32::MAX,
        RowTarget::Feature(index) => active[index as usize].layer.0,
    };
    let mut order: Vec<usize> = (0..row_targets.len()).collect();
    order.sort_by_key(|row| std::cmp::Reverse(layer_of(row)));
    let mut influence = vec![0.0f64; active.len()];
    // Rows of one layer add nothing to what they weigh themselves, so that their weights are known at once.
    for rows_of_layer in order.chunk_by(|a, b| layer_of(a) == layer_of(b)) {
        let weight = |row: &usize| match row_targets[*row] {
            RowTarget::Logit(index) => f64::from(probabilities[index as usize]),
            RowTarget::Feature(index) => influence[index as usize],
        };
        let weighed: Vec<(usize, f64)> =
            rows_of_layer.iter().map(|row| (*row, weight(row) / row_abs_sums[*row].max(FLOOR))).collect();
        let weighed: Vec<(usize, f64)> = weighed.into_iter().filter(|(_, weight)| *weight != 0.0).collect();
        match rows {
            Rows::Dense { values } => {
                let width = values.len() / row_abs_sums.len();
                let size = weighed.len() * active.len();
                let chunks = influence.chunks_mut(COLUMNS).enumerate().collect();
                parallel::each(chunks, size, |(nth, sums): (usize, &mut [f64])| {
                    for (row, weight) in &weighed {
                        let row = &values[row * width + nth * COLUMNS..][..sums.len()];
                        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * f64::from(x.abs()));
                    }
                });
            }
            Rows::Sparse { starts, columns, values, .. } => {
                for (row, weight) in weighed {
                    let range = starts[row] as usize..starts[row + 1] as usize;
                    for (column, value) in columns[range.clone()].iter().zip(&values[range.clone()]) {
                        if let Some(sum) = influence.get_mut(*column as usize) {
                            *sum += weight * f64::from(value.abs());
                        }
                    }
                    columns.release(range.clone());
                    values.release(range);
                }
            }
        }
    }
    influence
}

/// Returns the `most` features of highest influence that have no row yet, highest first.
pub(super) fn next(influence: &[f64], has_row: &[bool], most: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..influence.len() as u32).filter(|i| !has_row[*i as usize]).collect();
    order.sort_by(|a, b| influence[*b as usize].total_cmp(&influence[*a as usize]));
    order.truncate(most);
    order
}
