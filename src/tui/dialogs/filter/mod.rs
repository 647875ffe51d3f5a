//! Filter being written, with its completions, the count of its matches, and its errors.

pub(in crate::tui) mod grammar;

use crate::graph::query::{Completion, Matches, Query, QueryError, TextField, complete};
use crate::text;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeMap;
use tui_input::Input;

/// Number of completions that are offered.
const OFFERED: usize = 10;

/// Line of the dialog at which its list begins.
const LIST: u16 = 3;

/// Returns the cells of a line within a dialog of this size.
fn text_room(dialog: Rect) -> usize {
    usize::from(dialog.width.saturating_sub(4)).max(1)
}

/// Dialog in which a filter is written.
pub struct FilterPrompt {
    /// True where the filter will hide all that does not match; false where it will dim it.
    pub hides: bool,
    input: Input,
    /// Text that was parsed last, and the cursor's position then.
    read: Option<(String, usize)>,
    wrong: Option<QueryError>,
    completions: Vec<Completion>,
    row: usize,
    /// True while the matches are being counted.
    counting: bool,
    /// Numbers of nodes, edges and undecided nodes.
    counted: Option<[usize; 3]>,
    /// Number of steps back in the history.
    recalled: usize,
    /// First visible line of the grammar, where that stands in the place of the completions.
    grammar: Option<usize>,
}

impl FilterPrompt {
    /// Starts from `text`.
    pub fn new(text: String, hides: bool) -> Self {
        let input = Input::new(text);
        let (read, wrong, completions) = (None, None, Vec::new());
        let (counting, counted, grammar) = (false, None, None);
        Self { hides, input, read, wrong, completions, row: 0, counting, counted, recalled: 0, grammar }
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        self.input.value().trim()
    }

    /// Reads the text where it changed; returns its query where the matches are to be counted. `named` are the saved
    /// filters, `known` gives the texts that a field has in the graph.
    pub fn read(
        &mut self,
        named: &BTreeMap<String, String>,
        known: &dyn Fn(TextField) -> Vec<String>,
    ) -> Option<Query> {
        let now = (self.input.value().to_owned(), self.input.cursor());
        if self.read.as_ref() == Some(&now) {
            return None;
        }
        let (text, cursor) = &now;
        let byte = text.char_indices().nth(*cursor).map_or(text.len(), |(at, _)| at);
        self.completions = complete(text, byte, known);
        if text.trim().is_empty() {
            let saved = named.iter().map(|(name, filter)| Completion {
                span: 0..text.len(),
                insert: filter.clone(),
                doc: format!("saved as {name}"),
            });
            self.completions.splice(0..0, saved);
        }
        self.row = 0;
        let changed = self.read.as_ref().is_none_or(|(before, _)| before != text);
        let query = Query::parse(text);
        self.wrong = query.as_ref().err().filter(|_| !text.trim().is_empty()).cloned();
        self.read = Some(now);
        if !changed {
            return None;
        }
        (self.counting, self.counted) = (query.is_ok(), None);
        query.ok()
    }

    /// Takes the counts of the matches, where they are still awaited.
    pub fn take(&mut self, matches: &Matches) {
        if self.counting {
            self.counted = Some([matches.n_nodes, matches.n_edges, matches.undecided_nodes]);
        }
    }

    /// Switches between the grammar and the completions.
    pub fn toggle_grammar(&mut self) {
        self.grammar = if self.grammar.is_some() { None } else { Some(0) };
    }

    /// Moves by `by` completions, or lines of the grammar, which is drawn on `screen`.
    pub fn move_by(&mut self, by: isize, screen: Rect) {
        if let Some(from) = &mut self.grammar {
            let area = Self::area(screen, true);
            let room = usize::from(area.height.saturating_sub(2 + LIST));
            let overflow = grammar::lines(text_room(area)).len().saturating_sub(room);
            *from = from.saturating_add_signed(by).min(overflow);
            return;
        }
        let last = self.completions.len().saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
    }

    /// Writes the chosen completion.
    pub fn complete(&mut self) {
        let Some(Completion { span, insert, .. }) = self.completions.get(self.row) else { return };
        let text = self.input.value();
        let cursor = text[..span.start].chars().count() + insert.chars().count();
        let completed = format!("{}{insert}{}", &text[..span.start], &text[span.end..]);
        self.input = Input::new(completed).with_cursor(cursor);
    }

    /// Goes `by` steps back in the filters that were typed before.
    pub fn recall(&mut self, history: &[String], by: isize) {
        let back = self.recalled.saturating_add_signed(by).min(history.len());
        let text = if back == 0 { String::new() } else { history[history.len() - back].clone() };
        self.input = Input::new(text);
        self.recalled = back;
    }

    /// Returns the dialog's area of `screen`, frame included; the grammar wants all that it can have.
    fn area(screen: Rect, with_grammar: bool) -> Rect {
        let width = screen.width.saturating_sub(4).min(100);
        let lines = if with_grammar { grammar::lines(text_room(Rect { width, ..screen })).len() } else { OFFERED + 1 };
        Rect { width, height: (lines as u16 + 2 + LIST).min(screen.height), ..screen }
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let Rect { width, height, .. } = Self::area(screen, self.grammar.is_some());
        let area = crate::tui::ui::open(screen, width, height, "filter", look, buf);
        if area.height < 3 {
            return None;
        }
        let cursor = line::render(&self.input, area, theme.strong, look, buf);
        let room = usize::from(area.width);
        let (note, style) = match (&self.wrong, self.counted) {
            (Some(wrong), _) => {
                line::mark(&self.input, area, wrong.span.clone(), theme.alert, look, buf);
                (wrong.message.clone(), theme.alert)
            }
            (None, Some([nodes, edges, undecided])) => {
                let (nodes, edges) = (text::counted(nodes, "node"), text::counted(edges, "edge"));
                let rest =
                    if undecided > 0 { format!(", {} undecided", text::thousands(undecided)) } else { String::new() };
                (format!("{nodes} and {edges} match{rest}"), theme.quiet)
            }
            (None, None) => (String::new(), theme.quiet),
        };
        let rest = if self.hides { "the rest is hidden" } else { "the rest stands back" };
        let rest_x = area.right().saturating_sub(text::width(rest) as u16);
        buf.set_stringn(area.x, area.y + 1, glyphs.fit(&glyphs.visible(&note), room), room, style);
        if area.x as usize + text::width(&note) + 2 < usize::from(rest_x) {
            buf.set_string(rest_x, area.y + 1, rest, theme.faint);
        }
        let list = Rect { y: area.y + LIST, height: area.height.saturating_sub(LIST), ..area };
        if let Some(from) = self.grammar {
            for (line, y) in grammar::lines(room).iter().skip(from).zip(list.top()..list.bottom()) {
                buf.set_stringn(list.x, y, line, room, theme.text);
            }
            return Some(cursor);
        }
        let from = (self.row + 1).saturating_sub(usize::from(list.height));
        let offered = || self.completions.iter().skip(from).take(usize::from(list.height));
        let shown = |completion: &Completion| glyphs.visible(&completion.insert);
        let wide = offered().map(|completion| text::width(&shown(completion))).max().unwrap_or(0).min(room / 2);
        for ((at, completion), y) in offered().enumerate().zip(list.top()..) {
            buf.set_stringn(list.x, y, glyphs.fit(&shown(completion), wide), wide, theme.accent);
            let doc = glyphs.fit(&glyphs.visible(&completion.doc), room.saturating_sub(wide + 2));
            buf.set_stringn(list.x + wide as u16 + 2, y, doc, room.saturating_sub(wide + 2), theme.quiet);
            if from + at == self.row {
                buf.set_style(Rect { y, height: 1, ..list }, theme.selection_idle);
            }
        }
        Some(cursor)
    }
}

const FILTER: Context = Context::line("filter");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "filter-apply", Prune, FILTER, ["Enter"], Some("apply"), |s, _| act::apply_filter(s), "Apply this filter; an empty one is none";
    "filter-complete", Prune, FILTER, ["Tab"], Some("complete"), |s, _| act::complete_filter(s), "Write the chosen completion";
    "filter-down", Prune, FILTER, ["Down"], Some("choose"), |s, _| act::move_in_filter(s, 1), "To the next completion";
    "filter-up", Prune, FILTER, ["Up"], Some("choose"), |s, _| act::move_in_filter(s, -1), "To the completion before";
    "filter-page-down", Prune, FILTER, ["PageDown"], None, |s, _| act::move_in_filter(s, 10), "Ten completions further, or lines of the grammar";
    "filter-page-up", Prune, FILTER, ["PageUp"], None, |s, _| act::move_in_filter(s, -10), "Ten completions back, or lines of the grammar";
    "filter-grammar", Prune, FILTER, ["Ctrl-g"], Some("grammar"), |s, _| act::toggle_grammar(s), "What can be written, or the completions again";
    "filter-older", Prune, FILTER, ["Ctrl-p"], Some("before"), |s, _| act::recall_filter(s, 1), "The filter that was applied before";
    "filter-newer", Prune, FILTER, ["Ctrl-n"], None, |s, _| act::recall_filter(s, -1), "The filter that was applied after it";
    "filter-hides", Prune, FILTER, ["Ctrl-t"], Some("hide/dim"), |s, _| act::toggle_hiding(s), "Whether the rest is hidden or stands back";
    "filter-save", Prune, FILTER, ["Ctrl-s"], Some("save"), |s, _| act::ask_filter_name(s), "Save this filter under a name";
    "filter-close", Prune, FILTER, ["Esc"], Some("back"), |s, _| act::close_dialog(s), "Leave the filter as it was";
}

impl Dialog for FilterPrompt {
    fn context(&self) -> Context {
        FILTER
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.recalled = 0;
        line::edit(&mut self.input, edit)
    }
}
