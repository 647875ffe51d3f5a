//! Numbers in a temporary file, mapped into memory.

use crate::graph::Store;
use memmap2::Mmap;
use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

/// Number types of which any bytes are a value.
pub(super) trait Plain: Copy + fmt::Debug + Send + Sync + 'static {
    /// Returns their bytes, in this machine's byte order.
    fn bytes(numbers: &[Self]) -> Vec<u8>;
}

impl Plain for u32 {
    fn bytes(numbers: &[Self]) -> Vec<u8> {
        numbers.iter().flat_map(|x| x.to_ne_bytes()).collect()
    }
}

impl Plain for f32 {
    fn bytes(numbers: &[Self]) -> Vec<u8> {
        numbers.iter().flat_map(|x| x.to_ne_bytes()).collect()
    }
}

/// Numbers in a file that is deleted when this is dropped.
#[derive(Debug)]
pub(super) struct Spill<T> {
    file: File,
    /// Map of the whole file; `None` while it is empty, since an empty file cannot be mapped.
    map: Option<Mmap>,
    length: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Spill<T> {
    /// Creates an empty file in `folder`, by default the system's for temporary files.
    ///
    /// # Errors
    /// Fails where no file can be created there.
    pub fn new(folder: Option<&Path>) -> io::Result<Self> {
        let file = match folder {
            Some(folder) => tempfile::tempfile_in(folder)?,
            None => tempfile::tempfile()?,
        };
        Ok(Self { file, map: None, length: 0, of: PhantomData })
    }
}

impl<T: Plain> Store<T> for Spill<T> {
    fn all(&self) -> &[T] {
        let Some(map) = &self.map else { return &[] };
        // SAFETY: the map begins at a page and holds at least `length` numbers, which any bytes are; only this writes
        // the file, past what is mapped and handed out.
        unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), self.length) }
    }

    fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Some(map) = &self.map {
            let size = size_of::<T>();
            let (start, end) = (range.start * size, (range.end * size).min(map.len()));
            // SAFETY: the map is read only, so that its pages can be had from the file again. Where the system keeps
            // them, that costs memory and no more.
            let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
        }
    }

    fn append(&mut self, more: &[T]) -> io::Result<()> {
        if more.is_empty() {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start((self.length * size_of::<T>()) as u64))?;
        self.file.write_all(&T::bytes(more))?;
        // SAFETY: the file has no name, so that nobody else can change it.
        self.map = Some(unsafe { Mmap::map(&self.file) }?);
        self.length += more.len();
        Ok(())
    }

    fn truncate(&mut self, n: usize) {
        // What stands after the end is written over by what comes next; nobody looks at it until then.
        self.length = self.length.min(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Numbers;

    #[test]
    fn a_spill_holds_what_memory_would() {
        let folder = tempfile::tempdir().unwrap();
        let mut spilled: Numbers<f32> = Numbers::Stored(Box::new(Spill::new(Some(folder.path())).unwrap()));
        let mut held = Numbers::default();
        assert_eq!(spilled, held);
        let many: Vec<f32> = (0..200_000).map(|i| i as f32).collect();
        for (more, keep) in [(3, 3), (0, 3), (150_000, 100_000), (70_000, 170_000), (1, 0), (5, 5)] {
            for numbers in [&mut spilled, &mut held] {
                numbers.append(&many[..more]).unwrap();
                numbers.release(0..numbers.len());
                numbers.truncate(keep);
            }
            assert_eq!(spilled, held);
            assert!(spilled.each().eq(held.iter().copied()));
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
