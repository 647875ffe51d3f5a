//! Retries of work that the device's memory is too small for, on half as much at a time.

use crate::attribution::TraceError;
use std::collections::VecDeque;

/// Does `work` on `most` items at a time, halving the number while the device runs out of memory; returns the result
/// and the number of items that fitted.
///
/// # Errors
/// Returns any other error of `work` as it is; fails with [`TraceError::DeviceFull`] where not even one fits.
pub(super) fn retry_halved<T>(
    most: usize,
    mut work: impl FnMut(usize) -> Result<T, TraceError>,
) -> Result<(T, usize), TraceError> {
    let mut n = most;
    loop {
        match work(n) {
            Ok(done) => return Ok((done, n)),
            Err(error) if n > 1 && error.is_device_full() => n /= 2,
            Err(error) => return Err(error.explained()),
        }
    }
}

/// Takes the first `n` of the first block. The rest of that block is cut into blocks of `n`, in the same order.
pub(super) fn take<T: Clone>(blocks: &mut VecDeque<Vec<T>>, n: usize) -> Vec<T> {
    let mut block = blocks.pop_front().unwrap_or_default();
    if n < block.len() {
        let left: Vec<T> = block.split_off(n).into_iter().chain(blocks.drain(..).flatten()).collect();
        blocks.extend(left.chunks(n.max(1)).map(<[T]>::to_vec));
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelError;

    /// Returns candle's error for a full card, of one of its kinds.
    fn full(nth: usize) -> TraceError {
        let error = |text: &str| candle_core::Error::Msg(text.to_owned());
        match nth % 2 {
            0 => error("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").into(),
            _ => ModelError::from(error("CublasError(CUBLAS_STATUS_ALLOC_FAILED)")).into(),
        }
    }

    /// Checks that every row is done once and in order, in blocks no larger than what fitted before.
    #[test]
    fn blocks_are_halved_until_they_fit_and_everything_is_done() {
        for room in [1, 2, 7, 10, 512, 1000] {
            let rows: Vec<usize> = (0..1234).collect();
            let mut blocks: VecDeque<Vec<usize>> = rows.chunks(512).map(<[usize]>::to_vec).collect();
            let (mut done, mut tried, mut largest) = (Vec::new(), 0, 512);
            while let Some(block) = blocks.front() {
                let (rows, n) = retry_halved(block.len(), |n| {
                    tried += 1;
                    assert!(n <= largest);
                    if n > room { Err(full(tried)) } else { Ok(block[..n].to_vec()) }
                })
                .unwrap();
                if n < block.len() {
                    largest = n;
                }
                assert!(n <= room && take(&mut blocks, n) == rows);
                done.extend(rows);
            }
            assert_eq!(done, rows);
            // Once halved it stays so: no more failures than halvings.
            assert!(tried <= 1234usize.div_ceil(largest) + 11);
            assert!(largest * 2 > room.min(512));
        }
    }

    #[test]
    fn no_room_for_one_is_said_and_other_errors_are_not_tried_again() {
        let mut tried = Vec::new();
        let error = retry_halved(8, |n| -> Result<(), _> {
            tried.push(n);
            Err(full(n))
        });
        assert!(matches!(error, Err(TraceError::DeviceFull)));
        assert_eq!(tried, [8, 4, 2, 1]);
        let mut tries = 0;
        let error = retry_halved(8, |_| -> Result<(), _> {
            tries += 1;
            Err(TraceError::NotFinite("here".to_owned()))
        });
        assert!(matches!(error, Err(TraceError::NotFinite(_))));
        assert_eq!(tries, 1);
    }
}
