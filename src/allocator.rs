//! The program's allocator: the system's, with the size of the last refused request kept.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of the last refused request; 0 where none was refused.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which notes what it refuses, so that a program that ends over it can say why.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

/// Returns the bytes of the last request that the system refused, where it refused one.
pub fn refused() -> Option<usize> {
    Some(REFUSED.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
}

fn noted(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        REFUSED.store(size, Ordering::Relaxed);
    }
    block
}

// SAFETY: everything is left to the system's allocator, whose answers are passed on as they are.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        noted(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        noted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        noted(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}
