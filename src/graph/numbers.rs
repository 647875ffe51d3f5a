//! Numbers that may be too many for memory.

use std::fmt;
use std::io;
use std::ops::{Deref, Range};

/// Numbers that grow at their end: in memory, or wherever a [`Store`] keeps them. A clone is always in memory.
#[derive(Debug)]
pub enum Numbers<T> {
    /// In memory.
    Held(Vec<T>),
    /// Elsewhere.
    Stored(Box<dyn Store<T>>),
}

/// Where numbers are kept that would not fit into memory, such as a mapped file.
pub trait Store<T>: fmt::Debug + Send + Sync {
    /// All of them. Memory is taken as they are looked at.
    fn all(&self) -> &[T];

    /// Gives back the memory that looking at `range` took.
    fn release(&self, range: Range<usize>);

    /// Puts `more` at the end.
    ///
    /// # Errors
    /// There is no room; then nothing has changed.
    fn append(&mut self, more: &[T]) -> io::Result<()>;

    /// Lets go of all but the first `n`.
    fn truncate(&mut self, n: usize);
}

impl<T: Copy> Numbers<T> {
    /// Puts `more` at the end.
    ///
    /// # Errors
    /// There is no room where they are stored.
    pub fn append(&mut self, more: &[T]) -> io::Result<()> {
        match self {
            Self::Held(numbers) => {
                numbers.extend_from_slice(more);
                Ok(())
            }
            Self::Stored(store) => store.append(more),
        }
    }

    /// Lets go of all but the first `n`.
    pub fn truncate(&mut self, n: usize) {
        match self {
            Self::Held(numbers) => numbers.truncate(n),
            Self::Stored(store) => store.truncate(n),
        }
    }

    /// Says that `range` is not looked at again soon.
    pub fn release(&self, range: Range<usize>) {
        if let Self::Stored(store) = self {
            store.release(range);
        }
    }

    /// All numbers one after another, released as they go by.
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
