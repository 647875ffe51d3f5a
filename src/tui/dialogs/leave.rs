//! Question whether to leave, for who stops the program as others are stopped.

use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog, ask};
use crate::tui::keymap::Context;
use crate::tui::screen::commands::quit;
use crate::tui::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Question whether to leave.
pub struct Leave;

impl Dialog for Leave {
    fn context(&self) -> Context {
        ASK
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        let lines = ["Leave the program? What you did is saved as you go.".to_owned()];
        ask::render("leave", &lines, None, screen, &state.screen.look, 0, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        |state| {
            state.dialogs.close_all();
            quit(state);
        }
    }
}
