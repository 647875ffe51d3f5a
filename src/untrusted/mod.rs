//! What comes from outside and may have been made by anyone: files, which are opened only where they are files and
//! read only as far as such a file may reach, and their texts, which are made harmless before they are shown.
//!
//! **The rule on memory.** Reading a file of `n` bytes takes at most [`MEMORY_FACTOR`] times `n` and [`MEMORY_BESIDE`]
//! bytes beside, whatever the file says; only the numbers of weights and of a trace may take more, and those are planned
//! before they are read (`attribution::Plan`). To that end
//!
//! * only regular files are opened ([`open`]), and a file that is parsed as a whole has a length beyond which it is
//!   refused ([`read`], `FileSource::find_within`),
//! * sizes that a file promises are compared with what it has before anything is allocated for them,
//! * what is packed is unpacked only up to a multiple of its packed length, and weights only once their shape is known to
//!   be wanted,
//! * what is computed from a file's text, such as a chat template or a tokenizer's rules, runs on a budget.
//!
//! `tests/memory` counts what is allocated while files are read that were made to break it.

mod fault;
mod file;
mod text;

/// Bytes that reading takes for each byte of a file, at most.
pub const MEMORY_FACTOR: usize = 100;
/// Bytes that reading takes beside, at most: room for what is unpacked, and for what a template may make.
pub const MEMORY_BESIDE: usize = 256 << 20;

pub use fault::{data_fault, json_fault, safetensors_fault, yaml_fault};
pub use file::{open, read, read_text, too_long};
pub use text::{EXCERPT, JsonOut, excerpt, for_json, for_terminal, is_hidden, shorten};
