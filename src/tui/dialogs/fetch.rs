//! Question whether labels and contexts of a graph's features may be fetched.

use super::ask;
use crate::features::Asking;
use crate::service::library::Feature;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog};
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Question whether to fetch the missing labels and contexts, once these are known.
pub struct Fetch {
    /// Kept features.
    pub features: Vec<Feature>,
    /// Missing labels and contexts, and the servers that would be asked for them.
    pub asking: Option<Asking>,
}

impl Fetch {
    /// Draws the question.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let lines = match &self.asking {
            None => vec![format!("looking what is known here of {} features", self.features.len())],
            Some(asking) => {
                let n = asking.missing.len();
                let head = format!("Fetch labels and contexts of {n} of the {} kept features?", self.features.len());
                let tail = "The prompt and the graph are sent nowhere. What comes is kept on this machine.";
                let told = asking.told.iter().map(|told| format!("{told}."));
                std::iter::once(head).chain(told).chain([tail.to_owned()]).collect()
            }
        };
        ask::render("name the features", &lines, None, screen, look, 0, buf);
    }
}

impl Dialog for Fetch {
    fn context(&self) -> Context {
        ASK
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        act::allow_fetch
    }
}
