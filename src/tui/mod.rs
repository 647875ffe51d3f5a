//! Full-screen program: its state, all that changes it, and its views.
//!
//! Only `update` changes [`state::State`]; a view is a function of the state and a rectangle; work that takes longer than
//! a frame runs on a thread of its own. A key is stated once, in a table beside the dialog or the pane that it works in.

pub mod dialogs;
pub mod keymap;
pub mod panes;
pub mod runtime;
pub mod screen;
pub mod state;
pub mod ui;
pub mod workspace;

pub use dialogs::export::update::EXPORT;
pub use dialogs::start::update::open_models;
pub use keymap::Keymap;
pub use keymap::command::{key_table, key_table_markdown, keys_page};
pub use runtime::diff_backend::DiffBackend;
pub use runtime::run::{Left, Options, Start, draw, run};
pub use runtime::terminal::require_terminal;
pub use screen::tour::start_tour;
pub use ui::legend::{LEGEND, Mark};
pub use ui::theme::ThemeChoice;
pub use workspace::arrival::take_grown;
pub use workspace::edits::PRUNE;
pub use workspace::session::update::SESSION;
pub use workspace::tabs::update::open_files;
pub use workspace::traced::Traced;
pub use workspace::tracing::{start_chat, start_open, start_trace};
