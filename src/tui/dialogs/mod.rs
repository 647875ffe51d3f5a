//! What lies over the panes. A dialog is a file or a folder here, with its state, its keys and how it is drawn, and its lines
//! among the modules and, where it has keys of its own, among their tables.

pub mod ask;
pub mod browse;
pub mod compare;
pub mod consent;
pub mod contexts;
pub mod explain;
pub mod export;
pub mod fetch;
pub mod filter;
pub mod heads;
pub mod help;
pub mod intervene;
pub mod notes;
pub mod paths;
pub mod picker;
pub mod prompt;
pub mod proposals;
pub mod question;
pub mod start;
pub mod unsaved;
pub mod verify;

use crate::tui::app::State;
use crate::tui::command::{Command, table};
use crate::tui::keymap::Context;
use crate::tui::ui::line::TextEdit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::any::Any;

/// The tables of all commands, in the order of the help: those of the dialogs between those of the panes.
pub static TABLES: &[&[Command]] = &[
    table::WALKING,
    paths::BINDINGS,
    picker::BINDINGS,
    prompt::BINDINGS,
    filter::BINDINGS,
    table::EDITING,
    export::BINDINGS,
    question::BINDINGS,
    notes::BINDINGS,
    proposals::BINDINGS,
    contexts::BINDINGS,
    table::PANEL,
    browse::BINDINGS,
    intervene::BINDINGS,
    table::TESTING,
    verify::BINDINGS,
    heads::BINDINGS,
    explain::BINDINGS,
    compare::BINDINGS,
    help::BINDINGS,
    table::PROGRAM,
    start::BINDINGS,
    ask::BINDINGS,
];

/// Something that is done to the state.
pub type Action = fn(&mut State);

/// What lies over the panes and takes the keys.
pub trait Dialog: Any {
    /// Where its keys work.
    fn context(&self) -> Context;

    /// Draws it on `screen`; gives where the cursor is, where there is one.
    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position>;

    /// Edits its line of text, where it has one; whether there was room for all of it.
    fn edit(&mut self, _edit: &TextEdit) -> bool {
        true
    }

    /// Whether it holds nodes of the graph on the screen, or answers about it: another graph waits until it is closed.
    fn shows_nodes(&self) -> bool {
        true
    }

    /// What a yes to its question does.
    fn yes(&self) -> Action {
        |_| {}
    }

    /// What a no to its question does.
    fn no(&self) -> Action {
        |state| state.dialogs.close()
    }

    /// What Ctrl-C does where nothing is being traced.
    fn cancel(&self) -> Action {
        |state| state.dialogs.close_all()
    }
}

/// The dialogs that are open, the one that takes the keys on top.
#[derive(Default)]
pub struct Dialogs(Vec<Box<dyn Dialog>>);

impl Dialogs {
    /// Opens a dialog in place of all others.
    pub fn open(&mut self, dialog: impl Dialog) {
        self.close_all();
        self.push(dialog);
    }

    /// Opens a dialog over the others.
    pub fn push(&mut self, dialog: impl Dialog) {
        self.0.push(Box::new(dialog));
    }

    /// Closes the one on top.
    pub fn close(&mut self) {
        self.0.pop();
    }

    /// Closes all of them.
    pub fn close_all(&mut self) {
        self.0.clear();
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one on top.
    pub fn top(&self) -> Option<&(dyn Dialog + 'static)> {
        self.0.last().map(AsRef::as_ref)
    }

    /// The one on top, to be changed.
    pub fn top_mut(&mut self) -> Option<&mut (dyn Dialog + 'static)> {
        self.0.last_mut().map(|dialog| dialog.as_mut())
    }

    /// The one on top, where it is a `D`.
    pub fn get<D: Dialog>(&self) -> Option<&D> {
        let top: &dyn Any = self.top()?;
        top.downcast_ref()
    }

    /// The one on top, where it is a `D`, to be changed.
    pub fn get_mut<D: Dialog>(&mut self) -> Option<&mut D> {
        let top: &mut dyn Any = self.top_mut()?;
        top.downcast_mut()
    }

    /// Whether the one on top is a `D`.
    pub fn is<D: Dialog>(&self) -> bool {
        self.get::<D>().is_some()
    }
}
