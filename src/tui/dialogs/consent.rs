//! Question whether the hub may be asked for single features.

use super::ask;
use crate::service::library::FeatureSet;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog};
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Question whether the hub may be asked for single features.
pub struct Consent {
    /// Set of the features.
    pub features: FeatureSet,
    /// Name of the published set that they are part of.
    pub set: String,
}

/// Draws the question for the features of `set`.
fn draw(set: &str, screen: Rect, look: &Look, buf: &mut Buffer) {
    let lines = [
        format!("May the hub be asked for features of {set}?"),
        "Its server learns which ones you look at. A yes is kept for this set; what comes is kept on this machine."
            .to_owned(),
    ];
    ask::render("ask the hub", &lines, None, screen, look, 0, buf);
}

impl Dialog for Consent {
    fn context(&self) -> Context {
        ASK
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        draw(&self.set, screen, &state.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        act::allow_hub
    }
}
