//! Messages that change the state.

use crate::tui::app::State;
use crate::tui::keymap::Key;
use crate::tui::mouse::Mouse;
use crate::tui::runtime::jobs::Update;
use crate::tui::theme::Ground;

/// Message to the state.
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was typed into a line, by as many keys as it has characters.
    Typed(String),
    /// Something was done with the mouse.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize(u16, u16),
    /// The terminal answered with its background.
    Background(Ground),
    /// Time passed while work goes on.
    Tick,
    /// A job has an update of the state.
    Done(Update<State>),
}
