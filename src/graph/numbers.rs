//! Lists of numbers that may be too long for memory.

use std::fmt;
use std::io;
use std::ops::{Deref, Range};

/// Numbers that grow at their end: in memory, or in a [`Store`]. A clone is always in memory.
#[derive(Debug)]
pub enum Numbers<T> {
    /// Numbers in memory.
    Held(Vec<T>),
    /// Numbers elsewhere.
    Stored(Box<dyn Store<T>>),
}

/// Store of numbers that would not fit into memory, such as a mapped file.
pub trait Store<T>: fmt::Debug + Send + Sync {
    /// Returns all numbers. Memory is taken as they are read.
    fn all(&self) -> &[T];

    /// Gives back the memory that reading `range` took.
    fn release(&self, range: Range<usize>);

    /// Appends `more`.
    ///
    /// # Errors
    /// Fails where there is no room; then nothing has changed.
    fn append(&mut self, more: &[T]) -> io::Result<()>;

    /// Drops all but the first `n`.
    fn truncate(&mut self, n: usize);
}

impl<T: Copy> Numbers<T> {
    /// Appends `more`.
    ///
    /// # Errors
    /// Fails where there is no room in the store.
    pub fn append(&mut self, more: &[T]) -> io::Result<()> {
        match self {
            Self::Held(numbers) => {
                numbers.extend_from_slice(more);
                Ok(())
            }
            Self::Stored(store) => store.append(more),
        }
    }

    /// Drops all but the first `n`.
    pub fn truncate(&mut self, n: usize) {
        match self {
            Self::Held(numbers) => numbers.truncate(n),
            Self::Stored(store) => store.truncate(n),
        }
    }

    /// Gives back the memory of `range`, which is not read again soon.
    pub fn release(&self, range: Range<usize>) {
        if let Self::Stored(store) = self {
            store.release(range);
        }
    }

    /// Iterates over all numbers, each released once it is passed.
    pub fn each(&self) -> impl Iterator<Item = T> + '_ {
        const PART: usize = 1 << 16;
        (0..self.len()).step_by(PART).flat_map(|start| {
            let range = start..self.len().min(start + PART);
            let part = self[range.clone()].to_vec();
            self.release(range);
            part
        })
    }
}

impl<T> Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Held(numbers) => numbers,
            Self::Stored(store) => store.all(),
        }
    }
}

impl<T> From<Vec<T>> for Numbers<T> {
    fn from(numbers: Vec<T>) -> Self {
        Self::Held(numbers)
    }
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self::Held(Vec::new())
    }
}

impl<T: Copy> Clone for Numbers<T> {
    fn clone(&self) -> Self {
        Self::Held(self.to_vec())
    }
}

impl<T: PartialEq> PartialEq for Numbers<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
