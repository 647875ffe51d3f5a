//! Work on all cores, where there is enough of it.

use rayon::prelude::*;

/// Below this many numbers the way to another thread, which may be busy, costs more than it saves.
pub const WORTH_SHARING: usize = 1 << 17;

/// `work` for `0..n`, in order, on all cores; a single piece is done at once.
///
/// # Errors
/// The first error of a piece.
pub fn map<T: Send, E: Send>(n: usize, work: impl Fn(usize) -> Result<T, E> + Send + Sync) -> Result<Vec<T>, E> {
    if n <= 1 { (0..n).map(work).collect() } else { (0..n).into_par_iter().map(work).collect() }
}

/// `work` on each of `pieces`, which hold `size` numbers together.
pub fn each<T: Send>(pieces: Vec<T>, size: usize, work: impl Fn(T) + Send + Sync) {
    if size < WORTH_SHARING {
        pieces.into_iter().for_each(work);
    } else {
        pieces.into_par_iter().for_each(work);
    }
}
