//! Help: every key, from the command table, the meaning of the marks on the screen, and the grammar of filters,
//! narrowed down by the text that is typed.

use super::filter::grammar;
use crate::graph::query::FIELDS;
use crate::text;
use crate::text::glyph::Glyphs;
use crate::tui::act;
use crate::tui::app::{Pane, State};
use crate::tui::command::{Command, Group, all_commands, commands};
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::legend::LEGEND;
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

/// Dialog of the help.
pub struct Help {
    /// Context that has the focus: its keys come first.
    here: Context,
    filter: Input,
    scroll: usize,
}

/// Width of a column, in cells.
const COLUMN: u16 = 76;

/// Layout of the list on a screen.
struct Shape {
    /// True where the list has two columns.
    two: bool,
    /// Number of lines of the left column.
    left: usize,
    /// Number of lines of the longer column.
    longest: usize,
    width: u16,
    height: u16,
}

impl Shape {
    fn overflow(&self) -> usize {
        self.longest.saturating_sub(usize::from(self.height.saturating_sub(4)))
    }
}

enum Line {
    Heading(&'static str),
    Entry(&'static Command),
    /// Mark on the screen, and its meaning.
    Mark(String, &'static str),
    /// Line of the grammar of filters.
    Grammar(String),
    /// Term of a filter, and its meaning.
    Term(&'static str, &'static str),
    Space,
}

impl Help {
    /// Lists the help, beginning with the keys of the context that has the focus.
    pub fn new(here: Context) -> Self {
        Self { here, filter: Input::default(), scroll: 0 }
    }

    /// Empties the filter; returns true where there was anything in it.
    pub fn clear_filter(&mut self) -> bool {
        let had = !self.filter.value().is_empty();
        self.filter.reset();
        self.scroll = 0;
        had
    }

    /// Scrolls by `by` lines, at most to the end.
    pub fn scroll_by(&mut self, by: isize, screen: Rect, glyphs: &Glyphs) {
        let shape = self.shape(&self.lines(screen, glyphs), screen);
        self.scroll = self.scroll.saturating_add_signed(by).min(shape.overflow());
    }

    fn shape(&self, lines: &[Line], screen: Rect) -> Shape {
        let two = screen.width >= 2 * COLUMN + 6 && self.filter.value().is_empty();
        let left = if two { split(lines) } else { lines.len() };
        let longest = left.max(lines.len().saturating_sub(left + 1));
        let height = (longest as u16 + 4).max(6).min(screen.height.saturating_sub(2));
        Shape { two, left, longest, width: if two { 2 * COLUMN + 6 } else { COLUMN + 4 }, height }
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let lines = self.lines(screen, &look.glyphs);
        let Shape { two, left, width, height, .. } = self.shape(&lines, screen);
        let area = crate::tui::ui::open(screen, width.min(screen.width), height, "keys", look, buf);
        if area.height < 3 {
            return None;
        }
        let label = "filter ";
        buf.set_stringn(area.x, area.y, label, usize::from(area.width), look.theme.quiet);
        let x = area.x + label.len() as u16;
        let room = usize::from(area.right().saturating_sub(x + 1));
        let scroll = self.filter.visual_scroll(room);
        let typed: String = look.glyphs.visible(self.filter.value()).chars().skip(scroll).take(room).collect();
        buf.set_stringn(x, area.y, typed, room, look.theme.strong);
        let cursor =
            Position { x: x + (self.filter.visual_cursor().saturating_sub(scroll)).min(room) as u16, y: area.y };

        let list = Rect { y: area.y + 2, height: area.height - 2, ..area };
        if lines.is_empty() {
            buf.set_stringn(list.x, list.y, "nothing does that", usize::from(list.width), look.theme.quiet);
        }
        let (left, right) = lines.split_at(left);
        let right = match right {
            [Line::Space, rest @ ..] => rest,
            all => all,
        };
        let scroll = self.scroll;
        let column = if two { Rect { width: COLUMN, ..list } } else { list };
        draw(left.iter().skip(scroll), column, look, buf);
        draw(right.iter().skip(scroll), Rect { x: column.right() + 2, ..column }, look, buf);
        Some(cursor)
    }

    fn lines(&self, screen: Rect, glyphs: &Glyphs) -> Vec<Line> {
        let filter = self.filter.value().trim();
        if filter.is_empty() {
            let room = usize::from(COLUMN.min(screen.width.saturating_sub(4)));
            let is_here = |command: &&Command| command.context == self.here;
            let mut lines = vec![Line::Heading(self.here.pane().map_or("Here", Pane::title))];
            lines.extend(all_commands().filter(is_here).map(Line::Entry));
            for group in Group::ALL {
                let others = all_commands().filter(|command| command.group == group && !is_here(command));
                lines.extend([Line::Space, Line::Heading(group.title())]);
                lines.extend(others.map(Line::Entry));
            }
            for (place, marks) in LEGEND {
                lines.extend([Line::Space, Line::Heading(place)]);
                lines.extend(marks.iter().map(|mark| Line::Mark((mark.sign)(glyphs), mark.doc)));
            }
            lines.extend([Line::Space, Line::Heading("Filters")]);
            lines.extend(grammar::lines(room).into_iter().map(Line::Grammar));
            return lines;
        }
        let matcher = SkimMatcherV2::default();
        let score = |command: &Command| {
            let by_name = matcher.fuzzy_match(&format!("{} {}", command.name, command.doc), filter);
            let by_key = command.keys.contains(&filter).then_some(i64::MAX);
            by_key.or(by_name)
        };
        let commands = all_commands().filter_map(|command| Some((score(command)?, Line::Entry(command))));
        let terms = FIELDS.iter().filter_map(|field| {
            let score = matcher.fuzzy_match(&format!("{} {} filter", field.example, field.doc), filter)?;
            Some((score, Line::Term(field.example, field.doc)))
        });
        let marks = LEGEND.iter().flat_map(|(_, marks)| *marks).filter_map(|mark| {
            let sign = (mark.sign)(glyphs);
            let score = matcher.fuzzy_match(&format!("{sign} {} mark", mark.doc), filter)?;
            Some((score, Line::Mark(sign, mark.doc)))
        });
        let mut found: Vec<_> = commands.chain(terms).chain(marks).collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, line)| line).collect()
    }
}

/// Returns the index at which to break the list in two: the space nearest to its middle.
fn split(lines: &[Line]) -> usize {
    let middle = lines.len() / 2;
    let spaces = lines.iter().enumerate().filter(|(_, line)| matches!(line, Line::Space)).map(|(at, _)| at);
    spaces.min_by_key(|at| at.abs_diff(middle)).unwrap_or(lines.len())
}

fn draw<'a>(lines: impl Iterator<Item = &'a Line>, area: Rect, look: &Look, buf: &mut Buffer) {
    for (line, y) in lines.zip(area.top()..area.bottom()) {
        let room = usize::from(area.width);
        match line {
            Line::Space => {}
            Line::Heading(title) => {
                buf.set_stringn(area.x, y, title, room, look.theme.strong);
            }
            Line::Grammar(text) => {
                buf.set_stringn(area.x, y, text, room, look.theme.text);
            }
            Line::Term(example, doc) => {
                let (x, _) = buf.set_stringn(area.x + 2, y, example, room, look.theme.accent);
                let doc = look.glyphs.fit(doc, room.saturating_sub(usize::from(x - area.x) + 2));
                buf.set_stringn(x + 2, y, doc, room, look.theme.text);
            }
            Line::Entry(command) => {
                let keys = command.key_labels(look.glyphs.charset).join(" ");
                entry(&keys, command.doc, Rect { y, height: 1, ..area }, look, buf);
            }
            Line::Mark(sign, doc) => entry(sign, doc, Rect { y, height: 1, ..area }, look, buf),
        }
    }
}

/// Draws a key or a mark, right-aligned in a column of its own, and its description.
fn entry(sign: &str, doc: &str, line: Rect, look: &Look, buf: &mut Buffer) {
    const SIGNS: usize = 18;
    let room = usize::from(line.width);
    let at = SIGNS.saturating_sub(text::width(sign));
    buf.set_stringn(line.x + at as u16, line.y, sign, room.saturating_sub(at), look.theme.accent);
    let room = room.saturating_sub(SIGNS + 2);
    buf.set_stringn(line.x + SIGNS as u16 + 2, line.y, look.glyphs.fit(doc, room), room, look.theme.text);
}

const HELP: Context = Context::line("help");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "help-down", Program, HELP, ["Down"], Some("scroll"), |s, _| act::scroll_help(s, 1), "The help, a line further";
    "help-up", Program, HELP, ["Up"], Some("scroll"), |s, _| act::scroll_help(s, -1), "The help, a line back";
    "help-page-down", Program, HELP, ["PageDown"], None, |s, _| act::scroll_help(s, 10), "The help, ten lines further";
    "help-page-up", Program, HELP, ["PageUp"], None, |s, _| act::scroll_help(s, -10), "The help, ten lines back";
    "help-close", Program, HELP, ["Esc"], Some("back"), |s, _| act::close_help(s), "Clear the filter, then close the help";
}

impl Dialog for Help {
    fn context(&self) -> Context {
        HELP
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.scroll = 0;
        line::edit(&mut self.filter, edit)
    }

    fn shows_nodes(&self) -> bool {
        false
    }
}
