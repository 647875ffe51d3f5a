//! circuitscope traces the circuit behind a language model's answer and lets a person walk it, in the terminal.
//!
//! The crate is a library with a thin binary. Its floors, lowest first; an import runs downward only
//! (`tests/floors.rs` reads the `use` lines and fails on one that runs upward):
//!
//! | floor | what stands there |
//! | --- | --- |
//! | [`ids`], [`job`] | newtypes for layers, positions, features and nodes; long work that reports and can be stopped |
//! | [`graph`] | the attribution graph, pure: influence, pruning, scores, walking. No files, no candle, no terminal |
//! | [`format`](mod@format) | files that hold graphs: the raw trace, and what it is exported to |

pub mod attribution;
pub mod format;
pub mod graph;
pub mod hub;
pub mod ids;
pub mod intervention;
pub mod job;
pub mod model;
pub mod tokens;
pub mod transcoder;
