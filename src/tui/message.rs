//! What can happen to the state.

use crate::tui::app::State;
use crate::tui::keymap::Key;
use crate::tui::mouse::Mouse;
use crate::tui::runtime::jobs::Update;
use crate::tui::theme::Ground;

/// Something that happened.
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
    /// The terminal says what stands behind its text.
    Background(Ground),
    /// Time passed while work goes on.
    Tick,
    /// Something has come of a job.
    Done(Update<State>),
}
