//! Storage of rows as they are computed, one after the other.

use crate::attribution::TraceError;
use crate::attribution::spill::Spill;
use crate::graph::{Numbers, Rows};
use crate::parallel;
use rayon::prelude::*;
use std::io;
use std::path::Path;

/// Creates an empty store of sparse rows, in a temporary file in `folder`.
///
/// # Errors
/// Fails where no file can be created there.
pub(super) fn spilled(folder: Option<&Path>) -> io::Result<Rows> {
    let (columns, values) = (Spill::new(folder)?, Spill::new(folder)?);
    let (columns, values) = (Numbers::Stored(Box::new(columns)), Numbers::Stored(Box::new(values)));
    Ok(Rows::Sparse { starts: vec![0], columns, values, dropped: Vec::new() })
}

/// Appends rows of `width` numbers each, `n` numbers in all, that `compute` adds to zeros; sparse rows without what
/// [`sparsify`] leaves out. Returns the result of `compute` and the rows' absolute sums.
///
/// # Errors
/// Fails as `compute` does, or where there is no room to store the rows. No row is appended then.
pub(super) fn append<T>(
    rows: &mut Rows,
    (n, width): (usize, usize),
    dropped_share: Option<f64>,
    compute: impl FnOnce(&mut [f32]) -> Result<T, TraceError>,
) -> Result<(T, Vec<f64>), TraceError> {
    let abs_sum = |row: &[f32]| row.iter().map(|x| f64::from(x.abs())).sum::<f64>();
    let before = match rows {
        Rows::Dense { values } => {
            let start = values.len();
            // All cores touch the fresh memory: one would take longer for that than for the numbers.
            values.par_extend(rayon::iter::repeat_n(0.0, n));
            let made = compute(&mut values[start..]);
            if made.is_err() {
                values.truncate(start);
            }
            let (made, more) = (made?, &values[start..]);
            let sums =
                parallel::map(n / width, |nth| Ok::<_, TraceError>(abs_sum(&more[nth * width..(nth + 1) * width])));
            return Ok((made, sums?));
        }
        Rows::Sparse { dropped, .. } => dropped.len(),
    };
    let mut more = vec![0.0; n];
    let made = compute(&mut more)?;
    let share = dropped_share.unwrap_or(0.0);
    let kept = parallel::map(n / width, |nth| -> Result<_, TraceError> {
        let row = &more[nth * width..(nth + 1) * width];
        let abs_sum = abs_sum(row);
        Ok((abs_sum, sparsify(row, abs_sum, share)))
    })?;
    let mut sums = Vec::with_capacity(kept.len());
    for (abs_sum, row) in kept {
        if let Err(error) = push(rows, &row) {
            truncate(rows, before, width);
            return Err(TraceError::Spill(error));
        }
        sums.push(abs_sum);
    }
    Ok((made, sums))
}

fn push(rows: &mut Rows, row: &SparseRow) -> io::Result<()> {
    if let Rows::Sparse { starts, columns, values, dropped } = rows {
        columns.append(&row.columns)?;
        values.append(&row.values)?;
        starts.push(columns.len() as u64);
        dropped.push(row.dropped);
    }
    Ok(())
}

/// Keeps only the first `n` rows, of `width` columns each.
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

/// Returns the fewest entries that carry all but `share` of the row's absolute sum; of equal ones the first.
fn sparsify(row: &[f32], abs_sum: f64, share: f64) -> SparseRow {
    // Entries in classes of nearly equal size, by the leading bits of their absolute values, which ascend as those do.
    // Whole classes are kept from the largest down, and only within the last one entries are sorted.
    const SHIFT: u32 = 16;
    let class = |x: f32| (x.abs().to_bits() >> SHIFT) as usize;
    let mut sums = vec![0.0f64; 1 << (32 - SHIFT - 1)];
    row.iter().for_each(|x| sums[class(*x)] += f64::from(x.abs()));
    let enough = abs_sum * (1.0 - share);
    let (mut kept, mut last) = (0.0, sums.len());
    while last > 0 && kept < enough {
        last -= 1;
        kept += sums[last];
    }
    let mut of_last: Vec<u32> = (0..row.len() as u32).filter(|i| class(row[*i as usize]) == last).collect();
    of_last.retain(|i| row[*i as usize] != 0.0);
    of_last.sort_by(|a, b| row[*b as usize].abs().total_cmp(&row[*a as usize].abs()));
    kept -= sums.get(last).copied().unwrap_or(0.0);
    let mut columns: Vec<u32> = (0..row.len() as u32).filter(|i| class(row[*i as usize]) > last).collect();
    for column in of_last {
        if kept >= enough {
            break;
        }
        kept += f64::from(row[column as usize].abs());
        columns.push(column);
    }
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
            let append = |rows: &mut Rows, more: &[f32]| {
                let compute = |zeros: &mut [f32]| {
                    zeros.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
                    Ok(())
                };
                super::append(rows, (more.len(), 2), share, compute).unwrap().1
            };
            assert_eq!(append(&mut rows, &[9.0, 0.0, 0.0, -3.0]), [9.0, 3.0]);
            let two = rows.clone();
            append(&mut rows, &[1.0, 1.0]);
            truncate(&mut rows, 2, 2);
            assert_eq!(rows, two);
            let expected = if sparse {
                Rows::Sparse {
                    starts: vec![0, 1, 2],
                    columns: vec![0, 1].into(),
                    values: vec![9.0, -3.0].into(),
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

    /// Compares with sorting everything, on rows of many sizes with zeros and equal entries.
    #[test]
    fn what_is_dropped_is_what_sorting_would_drop() {
        let noise = |i: usize| ((i as f32 * 12.9898).sin() * 43758.547).fract();
        for (n, share) in [(0, 0.01), (1, 0.01), (7, 0.5), (500, 0.01), (500, 0.0), (2000, 0.3)] {
            let row: Vec<f32> =
                (0..n).map(|i| if i % 3 == 0 { 0.0 } else { (8.0 * noise(i)).round() + noise(i / 2) }).collect();
            let abs_sum: f64 = row.iter().map(|x| f64::from(x.abs())).sum();
            let found = sparsify(&row, abs_sum, share);
            let mut sorted: Vec<u32> = (0..n as u32).filter(|i| row[*i as usize] != 0.0).collect();
            sorted.sort_by(|a, b| row[*b as usize].abs().total_cmp(&row[*a as usize].abs()));
            let kept: f64 = found.values.iter().map(|x| f64::from(x.abs())).sum();
            assert!((kept - abs_sum * f64::from(1.0 - found.dropped)).abs() <= 1e-5 * abs_sum);
            assert!(f64::from(found.dropped) <= share + 1e-7);
            let without_last: f64 =
                sorted[..found.columns.len().saturating_sub(1)].iter().map(|i| f64::from(row[*i as usize].abs())).sum();
            assert!(found.columns.is_empty() || without_last < abs_sum * (1.0 - share) + 1e-9);
            sorted.truncate(found.columns.len());
            sorted.sort_unstable();
            assert_eq!(found.columns, sorted);
        }
    }
}
