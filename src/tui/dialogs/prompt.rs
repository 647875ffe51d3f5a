//! Prompt, with its tokens and ids as the model will read them.

use crate::service::tracing::Reading;
use crate::text;
use crate::tokens::UnknownWord;
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

/// Dialog in which the prompt is edited.
pub struct Prompt {
    input: Input,
    /// True where the text is a message for the chat template.
    is_message: bool,
    /// Text that was last sent to be tokenized, and true where it was sent as a message.
    asked: Option<(String, bool)>,
    /// Newest answer.
    reading: Option<Result<Reading, String>>,
    /// True where the newest answer is that to the text sent last.
    is_read: bool,
    /// True where the prompt is to be traced as soon as it is tokenized.
    accepts: bool,
}

/// Token as the dialog shows it, over its id.
struct Chip {
    token: String,
    id: String,
    /// Width in cells, with the gap after it.
    width: u16,
    /// True where the token replaces a word that is not in the vocabulary.
    stands_in: bool,
}

impl Prompt {
    /// Starts from `text`, which may be a message for the chat template.
    pub fn new(text: String, is_message: bool) -> Self {
        Self { input: Input::new(text), is_message, asked: None, reading: None, is_read: false, accepts: false }
    }

    /// Returns the text to be tokenized, where that was not asked yet, and true where it is a message.
    pub fn ask(&mut self) -> Option<(String, bool)> {
        let text = self.input.value();
        if self.asked.as_ref().is_some_and(|(asked, message)| asked == text && *message == self.is_message) {
            return None;
        }
        let wanted = (text.to_owned(), self.is_message);
        self.asked = Some(wanted.clone());
        (self.is_read, self.accepts) = (false, false);
        Some(wanted)
    }

    /// Takes the answer; returns true where the prompt is to be traced at once.
    pub fn take(&mut self, reading: Result<Reading, String>) -> bool {
        (self.reading, self.is_read) = (Some(reading), true);
        std::mem::take(&mut self.accepts)
    }

    /// Returns true where the typed text is tokenized and can be accepted; else it will be accepted once it is.
    pub fn accept(&mut self) -> bool {
        self.accepts = !self.is_read;
        self.is_read
    }

    fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()?.as_ref().ok()
    }

    /// Switches between a message for the chat template and the prompt itself.
    pub fn toggle_chat(&mut self) {
        self.is_message = !self.is_message;
    }

    /// Returns the prompt, where it can be traced, and the message that the chat template made it of.
    pub fn ready(&self) -> Option<(String, Option<String>)> {
        let reading = self.reading()?;
        let is_ready = reading.unknown.is_empty() && !self.input.value().trim().is_empty();
        is_ready.then(|| (reading.prompt.clone(), self.is_message.then(|| self.input.value().to_owned())))
    }

    /// Replaces the first unknown word by the nearest known one.
    pub fn take_nearest(&mut self) {
        let Some(UnknownWord { word, nearest }) =
            self.reading().filter(|_| self.is_read).and_then(|reading| reading.unknown.first())
        else {
            return;
        };
        let text = self.input.value();
        if let (Some(at), Some(nearest)) = (find_word(text, word), nearest.first()) {
            let end = at + word.len();
            let cursor = text[..at].chars().count() + nearest.chars().count();
            let replaced = format!("{}{nearest}{}", &text[..at], &text[end..]);
            self.input = Input::new(replaced).with_cursor(cursor);
        }
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let width = screen.width.saturating_sub(4).min(108);
        let chips = self.chips(usize::from(width.saturating_sub(4)), look);
        let notes = self.notes();
        let lines = 2 + 3 * chips.len() + notes.len().max(1);
        let height = (lines as u16 + 2).min(screen.height);
        let area = crate::tui::ui::open(
            screen,
            width,
            height,
            if self.is_message { "message, in the chat template" } else { "prompt" },
            look,
            buf,
        );
        if area.is_empty() {
            return None;
        }
        let theme = &look.theme;

        let cursor = line::render(&self.input, area, theme.strong, look, buf);

        let mut y = area.y + 2;
        for row in &chips {
            let mut x = area.x;
            for chip in row {
                if y < area.bottom() {
                    buf.set_string(x, y, &chip.token, if chip.stands_in { theme.alert } else { theme.text });
                }
                if y + 1 < area.bottom() {
                    buf.set_string(x, y + 1, &chip.id, theme.quiet);
                }
                x += chip.width;
            }
            y += 3;
        }
        for (note, alert) in notes {
            if y >= area.bottom() {
                break;
            }
            let style = if alert { theme.alert } else { theme.quiet };
            buf.set_stringn(area.x, y, look.glyphs.visible(&note), usize::from(area.width), style);
            y += 1;
        }
        Some(cursor)
    }

    /// Returns the tokens with their ids, in rows of at most `room` cells.
    fn chips(&self, room: usize, look: &Look) -> Vec<Vec<Chip>> {
        let Some(reading) = self.reading() else { return Vec::new() };
        let mut rows: Vec<Vec<Chip>> = Vec::new();
        let mut used = 0;
        for (at, token) in reading.tokens.iter().enumerate() {
            let shown = look.glyphs.fit(&look.glyphs.visible(&token.text), room.min(24));
            let id = token.id.to_string();
            let width = text::width(&shown).max(id.len());
            if rows.is_empty() || used + width > room {
                rows.push(Vec::new());
                used = 0;
            }
            used += width + 2;
            let is_unknown = reading.unknown.iter().any(|unknown| unknown.word == token.text);
            // The leading special token was not typed either.
            let was_not_typed = at > 0 && !self.input.value().contains(token.text.trim());
            let stands_in = !reading.unknown.is_empty() && (is_unknown || was_not_typed);
            if let Some(row) = rows.last_mut() {
                row.push(Chip { token: shown, id, width: width as u16 + 2, stands_in });
            }
        }
        rows
    }

    fn notes(&self) -> Vec<(String, bool)> {
        let Some(reading) = &self.reading else { return Vec::new() };
        match reading {
            Err(why) => vec![(why.clone(), true)],
            Ok(reading) if reading.unknown.is_empty() => {
                let count = reading.tokens.len();
                vec![(format!("{count} tokens, the leading special token among them"), false)]
            }
            Ok(reading) => reading
                .unknown
                .iter()
                .map(|UnknownWord { word, nearest }| match nearest.as_slice() {
                    [] => (format!("\"{word}\" is not in the vocabulary"), true),
                    known => (format!("\"{word}\" is not in the vocabulary; nearest: {}", known.join(", ")), true),
                })
                .collect(),
        }
    }
}

/// Returns the offset in `text` of `word` as a word of its own, else of its first occurrence.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let alone = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        [before, after].into_iter().flatten().all(char::is_whitespace)
    };
    text.match_indices(word).map(|(at, _)| at).find(alone).or_else(|| text.find(word))
}

const PROMPT: Context = Context::line("prompt");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "prompt-trace", Prompt, PROMPT, ["Enter"], Some("trace"), |s, _| act::trace_prompt(s), "Trace this prompt";
    "prompt-nearest", Prompt, PROMPT, ["Tab"], Some("take the nearest word"), |s, _| act::take_nearest(s), "Replace the first unknown word by the nearest one";
    "prompt-chat", Prompt, PROMPT, ["Ctrl-t"], Some("chat"), |s, _| act::toggle_chat(s), "Take it as a message in the chat template, or not";
    "prompt-close", Prompt, PROMPT, ["Esc"], Some("back"), |s, _| act::close_dialog(s), "Leave the prompt as it was";
}

impl Dialog for Prompt {
    fn context(&self) -> Context {
        PROMPT
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        line::edit(&mut self.input, edit)
    }

    fn shows_nodes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_takes_the_place_of_the_unknown_one() {
        let mut prompt = Prompt::new("Dalas and Dalasville".to_owned(), false);
        let unknown = vec![UnknownWord { word: "Dalas".into(), nearest: vec!["Dallas".into()] }];
        prompt.take_nearest();
        assert_eq!(prompt.input.value(), "Dalas and Dalasville", "it is not read yet");
        assert!(prompt.ask().is_some() && prompt.ask().is_none());
        assert!(!prompt.take(Ok(Reading { unknown, ..Reading::default() })));
        assert_eq!(prompt.ready(), None);
        prompt.take_nearest();
        assert_eq!(prompt.input.value(), "Dallas and Dalasville");
        assert_eq!(prompt.input.cursor(), 6);
    }

    #[test]
    fn a_word_is_found_where_it_stands_alone() {
        assert_eq!(find_word("cats cat", "cat"), Some(5));
        assert_eq!(find_word("cats", "cat"), Some(0));
        assert_eq!(find_word("dog", "cat"), None);
    }
}
