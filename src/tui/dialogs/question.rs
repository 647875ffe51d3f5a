//! Question that is answered in a line of text: a name, a label, numbers.

use crate::graph::{Labelled, Thresholds};
use crate::ids::{NodeId, Position as Place};
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

/// Kind of question.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// Name of a supernode of these nodes.
    Group(Vec<NodeId>),
    /// New name of the supernode of this index.
    Rename(usize),
    /// Label of a feature or a node; an empty one takes the present label away.
    Label(Labelled),
    /// Thresholds, in numbers.
    Thresholds,
    /// Name under which this filter is saved.
    FilterName(String),
    /// Action of the intervention of this index.
    Action(usize),
    /// Positions of the intervention of this index.
    Positions(usize),
    /// Prompt whose features replace those at this position.
    Swap(Place),
    /// Prompt to compare with.
    Compare,
    /// Supernode whose features replace those of the intervention of this index.
    SwapGroup(usize),
    /// Layers that the direct mode writes into.
    Layers,
    /// Sampling of continuations.
    Sampling,
}

impl Asks {
    /// Returns true where the question is about an intervention.
    pub fn is_of_interventions(&self) -> bool {
        match self {
            Self::Group(_) | Self::Rename(_) | Self::Label(_) | Self::Thresholds => false,
            Self::FilterName(_) | Self::Compare => false,
            Self::Action(_) | Self::Positions(_) | Self::Swap(_) | Self::SwapGroup(_) => true,
            Self::Layers | Self::Sampling => true,
        }
    }
}

/// Dialog of a question and the text typed so far.
pub struct Question {
    /// Kind of question.
    pub asks: Asks,
    title: &'static str,
    /// Subject of the question, harmless to a terminal.
    about: String,
    input: Input,
    /// Reason why the last answer was refused.
    complaint: Option<String>,
}

impl Question {
    /// Asks, starting from `answer`.
    pub fn new(asks: Asks, about: String, answer: String) -> Self {
        let title = match asks {
            Asks::Group(_) | Asks::Rename(_) => "name of the supernode",
            Asks::Label(_) => "label",
            Asks::Thresholds => "thresholds",
            Asks::FilterName(_) => "name of the filter",
            Asks::Action(_) => "what it is set to",
            Asks::Positions(_) => "positions",
            Asks::Swap(_) | Asks::Compare => "another prompt",
            Asks::SwapGroup(_) => "another supernode",
            Asks::Layers => "layers",
            Asks::Sampling => "continuations",
        };
        Self { asks, title, about, input: Input::new(answer), complaint: None }
    }

    /// Returns the answer as it stands.
    pub fn answer(&self) -> &str {
        self.input.value().trim()
    }

    /// Shows the reason why the answer is refused.
    pub fn complain(&mut self, why: String) {
        self.complaint = Some(why);
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let theme = &look.theme;
        let area = crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(80), 5, self.title, look, buf);
        if area.height < 3 {
            return None;
        }
        let cursor = line::render(&self.input, area, theme.strong, look, buf);
        let (note, style) = match &self.complaint {
            Some(why) => (look.glyphs.visible(why), theme.alert),
            None => (self.about.clone(), theme.quiet),
        };
        let room = usize::from(area.width);
        buf.set_stringn(area.x, area.y + 2, look.glyphs.fit(&note, room), room, style);
        Some(cursor)
    }
}

/// Reads thresholds: a node threshold, and behind it an edge threshold and a density where those are to change too.
///
/// # Errors
/// Fails where the text is not one to three shares, with a sentence that says what is expected.
pub fn read_thresholds(text: &str, now: Thresholds) -> Result<Thresholds, String> {
    let read = |word: &str| match word.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{word} is no share: write a number from 0 to 1, such as 0.8")),
    };
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    match words[..] {
        [node] => Ok(Thresholds { node: read(node)?, ..now }),
        [node, edge] => Ok(Thresholds { node: read(node)?, edge: read(edge)?, ..now }),
        [node, edge, density] => Ok(Thresholds { node: read(node)?, edge: read(edge)?, density: read(density)? }),
        _ => {
            Err("Write the node threshold, and behind it the edge threshold and the density: 0.8 0.98 0.01".to_owned())
        }
    }
}

const QUESTION: Context = Context::line("question");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "question-answer", Edit, QUESTION, ["Enter"], Some("take"), |s, _| act::answer(s), "Take this answer";
    "question-close", Edit, QUESTION, ["Esc"], Some("back"), |s, _| act::close_dialog(s), "Leave without an answer";
}

impl Dialog for Question {
    fn context(&self) -> Context {
        QUESTION
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.complaint = None;
        line::edit(&mut self.input, edit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_or_it_is_said_what_is_wrong() {
        let now = Thresholds::default();
        assert_eq!(read_thresholds("0.5", now), Ok(Thresholds { node: 0.5, ..now }));
        assert_eq!(read_thresholds(" 0.5,  1 ", now), Ok(Thresholds { node: 0.5, edge: 1.0, ..Thresholds::default() }));
        assert_eq!(read_thresholds("0.5 1 0.001", now), Ok(Thresholds { node: 0.5, edge: 1.0, density: 0.001 }));
        for wrong in ["", "1.2", "-0.1", "NaN", "inf", "0.5 x", "0.5 0.5 2", "0.1 0.2 0.3 0.4"] {
            assert!(read_thresholds(wrong, now).is_err(), "{wrong}");
        }
    }
}
