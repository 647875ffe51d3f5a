//! Dialogs over the panes. Each is a file or a folder here, with its state, its keys and its drawing, and has its lines
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
pub mod guide;
pub mod head;
pub mod heads;
pub mod help;
pub mod intervene;
pub mod leave;
pub mod notes;
pub mod paths;
pub mod picker;
pub mod prompt;
pub mod proposals;
pub mod question;
pub mod start;
pub mod unsaved;
pub mod verify;

use crate::tui::keymap::{Command, Context, table};
use crate::tui::panes::{connections, feature, graph, tree};
use crate::tui::state::State;
use crate::tui::ui::TextEdit;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::any::Any;

/// Tables of the commands after those of [`PANES`](crate::tui::panes::PANES), in the order of the help.
pub static TABLES: &[&[Command]] = &[
    table::WALKING,
    graph::PLACES,
    table::FINDING,
    connections::LISTING,
    tree::PAGES,
    table::PRUNING,
    paths::BINDINGS,
    picker::BINDINGS,
    prompt::BINDINGS,
    filter::BINDINGS,
    table::EDITING,
    export::BINDINGS,
    question::BINDINGS,
    notes::BINDINGS,
    proposals::BINDINGS,
    contexts::SEARCHING,
    feature::CONTEXTS,
    contexts::BINDINGS,
    table::PANEL,
    browse::BINDINGS,
    intervene::BINDINGS,
    table::TESTING,
    verify::BINDINGS,
    heads::BINDINGS,
    head::BINDINGS,
    explain::BINDINGS,
    compare::BINDINGS,
    help::BINDINGS,
    guide::BINDINGS,
    table::PROGRAM,
    start::BINDINGS,
    ask::BINDINGS,
];

/// Change of the state, as an answer to a dialog.
pub type Action = fn(&mut State);

/// Dialog over the panes, which takes the keys.
pub trait Dialog: Any {
    /// Returns the context in which its keys work.
    fn context(&self) -> Context;

    /// Draws the dialog on `screen`; returns the cursor's position, where there is a cursor.
    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position>;

    /// Returns the action that follows any change of the state: it starts the work that the dialog needs.
    fn update(&self) -> Action {
        |_| {}
    }

    /// Edits its line of text, where it has one; returns true where there was room for all of `edit`.
    fn edit(&mut self, _edit: &TextEdit) -> bool {
        true
    }

    /// Returns true where it holds nodes of the graph on the screen, or answers about it: another graph waits until it
    /// closes.
    fn shows_nodes(&self) -> bool {
        true
    }

    /// Returns the action of a yes to its question.
    fn yes(&self) -> Action {
        |_| {}
    }

    /// Returns the action of a no to its question.
    fn no(&self) -> Action {
        |state| state.dialogs.close()
    }

    /// Returns the action of Ctrl-C where nothing is being traced.
    fn cancel(&self) -> Action {
        |state| state.dialogs.close_all()
    }
}

/// Open dialogs, the one that takes the keys on top.
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

    /// Closes the dialog on top.
    pub fn close(&mut self) {
        self.0.pop();
    }

    /// Closes all dialogs.
    pub fn close_all(&mut self) {
        self.0.clear();
    }

    /// Returns true where no dialog is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the dialog on top.
    pub fn top(&self) -> Option<&(dyn Dialog + 'static)> {
        self.0.last().map(AsRef::as_ref)
    }

    /// Returns the dialog on top, to be changed.
    pub fn top_mut(&mut self) -> Option<&mut (dyn Dialog + 'static)> {
        self.0.last_mut().map(|dialog| dialog.as_mut())
    }

    /// Returns the uppermost dialog that is a `D`. Others may stand over it, such as the help.
    pub fn get<D: Dialog>(&self) -> Option<&D> {
        self.0.iter().rev().find_map(|dialog| {
            let dialog: &dyn Any = dialog.as_ref();
            dialog.downcast_ref()
        })
    }

    /// Returns the uppermost dialog that is a `D`, to be changed.
    pub fn get_mut<D: Dialog>(&mut self) -> Option<&mut D> {
        self.0.iter_mut().rev().find_map(|dialog| {
            let dialog: &mut dyn Any = dialog.as_mut();
            dialog.downcast_mut()
        })
    }

    /// Returns true where one of them holds nodes of the graph on the screen.
    pub fn show_nodes(&self) -> bool {
        self.0.iter().any(|dialog| dialog.shows_nodes())
    }

    /// Returns true where one of them is a `D`.
    pub fn is<D: Dialog>(&self) -> bool {
        self.get::<D>().is_some()
    }
}
