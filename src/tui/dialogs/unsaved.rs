//! Question whether the program may be left though something is not saved.

use super::ask;
use crate::tui::app::State;
use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog};
use crate::tui::effect::Effect;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Question whether to leave though something is not saved.
pub struct Unsaved;

/// Draws the question with the reasons why sessions are not saved.
fn draw(unsaved: &[String], screen: Rect, look: &Look, buf: &mut Buffer) {
    let mut lines = vec!["What you did last is not saved, and is lost if you leave now.".to_owned(), String::new()];
    lines.extend(unsaved.iter().cloned());
    lines.push(String::new());
    lines.push("It is tried again every few seconds. Leave all the same?".to_owned());
    ask::render("not saved", &lines, None, screen, look, 0, buf);
}

impl Dialog for Unsaved {
    fn context(&self) -> Context {
        ASK
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        draw(&state.unsaved, screen, &state.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        |state| state.effects.push(Effect::Quit)
    }
}
