//! circuitscope traces the circuit behind a language model's answer and lets the user walk it, in the terminal.
//!
//! ```
//! use candle_core::Device;
//! use circuitscope::attribution::{Engine, TargetChoice, TraceOptions};
//! use circuitscope::graph::{Document, Settings, Thresholds};
//! use circuitscope::{demo, job::Monitor};
//! use std::sync::Arc;
//!
//! let (model, transcoder) = demo::sources();
//! let engine = Engine::open(&model, &transcoder, &Device::Cpu)?;
//! let settings = Settings {
//!     prompt: demo::PROMPT.to_owned(),
//!     max_feature_nodes: Some(32),
//!     batch_size: 32,
//!     update_interval: 1,
//!     max_logits: 10,
//!     logit_probability: 0.95,
//! };
//! let targets = TargetChoice::Likeliest { most: 10, probability: 0.95 };
//! let trace = engine.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, &Monitor::default())?;
//! assert_eq!(trace.targets[0].text, "Austin");
//!
//! let document = Document::from_trace(Arc::new(trace))?;
//! let kept = document.prune(Thresholds::default());
//! for edge in kept.incoming(&document.graph, document.graph.logit_nodes().next().unwrap()) {
//!     println!("{:?} {:+.3}", document.graph.node(edge.source), edge.weight);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate is a library with a thin binary. Its floors, lowest first; an import runs downward only
//! (`tests/floors.rs` reads the `use` lines and fails on one that runs upward):
//!
//! | floor | contents |
//! | --- | --- |
//! | [`ids`], [`job`], [`array`](mod@array), [`parallel`], [`untrusted`], [`allocator`] | newtypes for layers, positions, features and nodes; long work that reports and can be stopped; work shared out among many tasks; work on all cores; files that anyone may have made; the program's allocator |
//! | [`graph`] | the attribution graph, pure: influence, pruning, scores, walking. No files, no candle, no terminal |
//! | [`hub`], [`tokens`], [`model`], [`transcoder`], [`text`] | places and downloads of files; the tokenizer; the language model; the transcoders that replace its MLPs; texts, signs and names of nodes for a terminal |
//! | [`demo`] | the embedded demo model's files |
//! | [`attribution`], [`intervention`], [`verify`], [`format`](mod@format), [`features`] | the local replacement model and its rows; altered runs; checks of a graph against the model; files that hold graphs; what makes each feature fire |
//! | [`training`] | transcoders learned from what a model's MLPs read and write |
//! | [`session`] | the user's work on a graph, saved beside it |
//! | [`service`] | what both front ends ask for: models, traces, interventions, explanations, facts about features |
//! | [`config`], [`guide`] | paths of the program's own files; the pages of its guide |
//! | [`tui`] | the full-screen program |
//! | [`cli`] | one file a subcommand |

#[cfg(not(unix))]
compile_error!("Windows is not supported: build and run circuitscope under WSL, or on another Unix");

pub mod allocator;
pub mod array;
pub mod attribution;
pub mod cli;
pub mod config;
pub mod demo;
pub mod features;
pub mod format;
pub mod graph;
pub mod guide;
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
pub mod training;
pub mod transcoder;
pub mod tui;
pub mod untrusted;
pub mod verify;
