//! Input of unknown origin: files, which are opened only where they are regular files and read only up to a limit for
//! their kind, and their texts, which are made harmless before they are shown.
//!
//! **The rule on memory.** Reading a file of `n` bytes takes at most [`MEMORY_FACTOR`] times `n` and [`MEMORY_BESIDE`]
//! bytes beside, whatever the file states; only the numbers of weights and of a trace may take more, and those are
//! planned before they are read (`attribution::Plan`). To that end
//!
//! * only regular files are opened ([`open`]), and a file that is parsed as a whole has a length beyond which it is
//!   refused ([`read`], `FileSource::find_within`),
//! * sizes that a file states are compared with what it has before anything is allocated for them,
//! * packed data is unpacked only up to a multiple of its packed length, and weights only once their shape is known to
//!   be wanted,
//! * what is computed from a file's text, such as a chat template or a tokenizer's rules, runs on a budget.
//!
//! `tests/memory` counts the allocations of reading files that were made to break it.

mod fault;
mod file;
mod text;

/// Bytes of memory for each byte of a file that is read, at most.
pub const MEMORY_FACTOR: usize = 100;
/// Bytes of memory for reading beside these, at most: for unpacked data, and for what a template may make.
pub const MEMORY_BESIDE: usize = 256 << 20;

pub use fault::{data_fault, json_fault, safetensors_fault, yaml_fault};
pub use file::{open, read, read_text, too_long};
pub use text::{EXCERPT, JsonOut, excerpt, for_json, for_terminal, is_hidden, shorten};
