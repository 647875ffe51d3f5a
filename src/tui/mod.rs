//! Full-screen program: its state, all that changes it, and its views.
//!
//! Only `update` changes [`app::State`]; a view is a function of the state and a rectangle; work that takes longer than
//! a frame runs on a thread of its own. A key is stated once, in a table beside the dialog that it works in, or in that
//! of the panes.

mod act;
pub mod activation_context;
pub mod app;
mod background;
pub mod circuit;
pub mod clipboard;
mod columns;
pub mod command;
pub mod comparison;
pub mod dialogs;
mod diff_backend;
pub mod effect;
mod event;
pub mod features;
pub mod filter;
pub mod filter_job;
pub mod find;
pub mod graph_layout;
pub mod guard;
pub mod history;
pub mod intervention_panel;
pub mod keymap;
pub mod layout;
pub mod legend;
pub mod links;
pub mod marks;
mod membership;
pub mod message;
pub mod models;
pub mod mouse;
pub mod remember;
mod run;
pub mod runtime;
pub mod standing;
pub mod subgraph;
pub mod tabs;
mod terminal;
pub mod theme;
mod tint;
pub mod traced;
pub mod tree;
pub mod ui;
pub mod update;
pub mod verification;
pub mod view;

pub use act::{EXPORT, PRUNE, SESSION, open_files, open_models, start_chat, start_open, start_trace, take_grown};
pub use command::{key_table, key_table_markdown};
pub use diff_backend::DiffBackend;
pub use legend::{LEGEND, Mark};
pub use run::{Left, Options, Start, draw, run};
pub use terminal::require_terminal;
pub use theme::ThemeChoice;
pub use traced::Traced;
