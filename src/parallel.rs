//! Work shared among all cores, where there is enough of it.

use rayon::prelude::*;

/// Least count of numbers worth sharing; below it, waking another thread, which may be busy, costs more than it saves.
pub const WORTH_SHARING: usize = 1 << 17;

/// Runs `work` for `0..n` on all cores and returns the results in order; a single piece is run at once.
///
/// # Errors
/// Fails with the first error of a piece.
pub fn map<T: Send, E: Send>(n: usize, work: impl Fn(usize) -> Result<T, E> + Send + Sync) -> Result<Vec<T>, E> {
    if n <= 1 { (0..n).map(work).collect() } else { (0..n).into_par_iter().map(work).collect() }
}

/// Runs `work` on each of `pieces`, which hold `size` numbers together.
pub fn each<T: Send>(pieces: Vec<T>, size: usize, work: impl Fn(T) + Send + Sync) {
    if size < WORTH_SHARING {
        pieces.into_iter().for_each(work);
    } else {
        pieces.into_par_iter().for_each(work);
    }
}
