//! The full-screen program: state, what changes it, and pictures of it.
//!
//! `update` is the only one that changes [`app::State`]; a view is a function of the state and a rectangle; what takes
//! longer than a frame runs on a thread of its own. A key is stated once, in [`command::COMMANDS`].

mod act;
pub mod app;
pub mod arrange;
mod background;
pub mod circuit;
pub mod clipboard;
mod columns;
pub mod command;
pub mod comparison;
pub mod effect;
mod event;
pub mod features;
pub mod filter;
pub mod find;
pub mod guard;
pub mod intervention_panel;
pub mod keymap;
pub mod kit;
pub mod layout;
pub mod legend;
pub mod links;
pub mod message;
pub mod models;
pub mod mouse;
mod occurs;
pub mod popup;
pub mod remember;
mod run;
pub mod runtime;
pub mod shelf;
pub mod sift;
pub mod standing;
pub mod strip;
pub mod subgraph;
mod terminal;
pub mod theme;
mod tint;
pub mod traced;
pub mod trail;
pub mod tree;
pub mod truth;
pub mod update;
pub mod view;
mod wire;

pub use act::{EXPORT, PRUNE, SESSION, open_files, open_models, start_chat, start_open, start_trace, take_grown};
pub use command::{key_table, key_table_markdown};
pub use legend::{LEGEND, Mark};
pub use run::{Left, Options, Start, draw, run};
pub use terminal::require_terminal;
pub use theme::ThemeChoice;
pub use traced::Traced;
pub use wire::Wire;
