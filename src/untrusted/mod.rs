//! What comes from outside and may have been made by anyone: files, which are opened only where they are files and
//! read only as far as such a file may reach, and their texts, which are made harmless before they are shown.

mod fault;
mod file;
mod text;

pub use fault::{data_fault, json_fault, safetensors_fault, yaml_fault};
pub use file::{open, read, read_text, too_long};
pub use text::{EXCERPT, JsonOut, excerpt, for_json, for_terminal, is_hidden, shorten};
