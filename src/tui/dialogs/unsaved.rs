//! Question whether the program may be left though something is not saved.

use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog, ask};
use crate::tui::keymap::Context;
use crate::tui::runtime::Effect;
use crate::tui::state::State;
use crate::tui::ui::Look;
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
        draw(&state.sessions.unsaved, screen, &state.screen.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        |state| state.screen.effects.push(Effect::Quit)
    }
}

/// Leaves the program, or asks whether to where something could not be saved.
pub(in crate::tui) fn leave(state: &mut State) {
    match state.sessions.unsaved.first() {
        None => state.screen.effects.push(Effect::Quit),
        Some(_) if state.dialogs.is_empty() => state.dialogs.open(Unsaved),
        // A user who has gone on to something else meanwhile does not leave now.
        Some(why) => {
            let why = format!("not saved: {why}");
            state.screen.warn(why);
        }
    }
}

/// Takes the reasons why sessions are not saved.
pub(in crate::tui) fn take_unsaved(state: &mut State, unsaved: Vec<String>) {
    if unsaved.is_empty() && state.dialogs.is::<Unsaved>() {
        state.dialogs.close_all();
    }
    state.sessions.unsaved = unsaved;
}
