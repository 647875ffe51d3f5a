//! Which features get a row next: those of highest influence, as far as the rows so far tell.

use crate::graph::{FeatureAt, RowTarget, Rows};

/// Row sums below this count as this, as in circuit-tracer's ranking.
const FLOOR: f64 = 1e-8;

/// Influence of each active feature on the outputs, `[A]`: p^T (N + N^2 + ...), N the rows so far in absolute value
/// over their sums. The graph runs upward through the layers, so one sweep from the top sums all powers.
/// `row_targets` may be the first of the rows alone: the others are not looked at.
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
    for row in order {
        let weight = match row_targets[row] {
            RowTarget::Logit(index) => f64::from(probabilities[index as usize]),
            RowTarget::Feature(index) => influence[index as usize],
        } / row_abs_sums[row].max(FLOOR);
        if weight == 0.0 {
            continue;
        }
        match rows {
            Rows::Dense { values } => {
                let columns = values.len() / row_abs_sums.len();
                let row = &values[row * columns..row * columns + active.len()];
                influence.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * f64::from(x.abs()));
            }
            Rows::Sparse { starts, columns, values, .. } => {
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
    influence
}

/// The `most` features of highest influence that have no row yet, highest first.
pub(super) fn next(influence: &[f64], has_row: &[bool], most: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..influence.len() as u32).filter(|i| !has_row[*i as usize]).collect();
    order.sort_by(|a, b| influence[*b as usize].total_cmp(&influence[*a as usize]));
    order.truncate(most);
    order
}
