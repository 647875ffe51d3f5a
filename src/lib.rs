//! circuitscope traces the circuit behind a language model's answer and lets a person walk it, in the terminal.
//!
//! The crate is a library with a thin binary. Its floors, lowest first; an import runs downward only
//! (`tests/floors.rs` reads the `use` lines and fails on one that runs upward):
//!
//! | floor | what stands there |
//! | --- | --- |
//! | [`ids`], [`job`], [`array`](mod@array), [`parallel`], [`untrusted`], [`allocator`] | newtypes for layers, positions, features and nodes; long work that reports and can be stopped; work shared out among many tasks; work on all cores; files that anyone may have made; the program's allocator |
//! | [`graph`] | the attribution graph, pure: influence, pruning, scores, walking. No files, no candle, no terminal |
//! | [`hub`], [`tokens`], [`model`], [`transcoder`], [`text`] | where files lie and come from; the tokenizer; the language model; what replaces its MLPs; texts, signs and names of nodes as a terminal shows them |
//! | [`demo`] | the embedded demo model's files |
//! | [`attribution`], [`intervention`], [`verify`], [`format`](mod@format), [`features`] | the local replacement model and its rows; altered runs; whether a graph tells the truth; files that hold graphs; what makes each feature fire |
//! | [`session`] | what a person did to a graph, saved beside it |
//! | [`service`] | what both front ends ask for: models, traces, interventions, explanations, what is known of features |
//! | [`config`] | where the program keeps what is its own |
//! | [`tui`] | the full-screen program |
//! | [`cli`] | one file a subcommand |

pub mod allocator;
pub mod array;
pub mod attribution;
pub mod cli;
pub mod config;
pub mod demo;
pub mod features;
pub mod format;
pub mod graph;
pub mod hub;
pub mod ids;
pub mod intervention;
pub mod job;
pub mod model;
pub mod parallel;
pub mod service;
pub mod session;
pub mod text;
pub mod tokens;
pub mod transcoder;
pub mod tui;
pub mod untrusted;
pub mod verify;
