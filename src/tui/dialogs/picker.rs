//! List from which one entry is picked, narrowed down by the text that is typed: commands, nodes, anything.

use crate::ids::NodeId;
use crate::text;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::command::{Command, commands};
use crate::tui::dialogs::Dialog;
use crate::tui::find::{Entry, Found, Haystack, Target};
use crate::tui::keymap::{Context, Key};
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

/// Purpose of a picker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quest {
    /// Picks a command, to run it.
    Command,
    /// Picks anything, to go there or to do it.
    Anything,
    /// Picks a node; the others that match can be gone to after it.
    Search,
    /// Picks the supernode to which nodes are added.
    Join,
}

/// Dialog that picks an entry of a list.
pub struct Picker {
    /// Purpose of the picker.
    pub quest: Quest,
    input: Input,
    haystack: Haystack,
    /// Newest answer.
    found: Option<Found>,
    /// Query that was asked last.
    asked: Option<String>,
    /// True where the newest answer is that to the newest query.
    is_newest: bool,
    /// True where the awaited answer is to be accepted at once.
    accepts: bool,
    row: usize,
}

impl Picker {
    /// Picks from `haystack`.
    pub fn new(quest: Quest, haystack: Haystack) -> Self {
        Self {
            quest,
            input: Input::default(),
            haystack,
            found: None,
            asked: None,
            is_newest: false,
            accepts: false,
            row: 0,
        }
    }

    /// Returns the haystack and the query, where the query was not asked yet.
    pub fn ask(&mut self) -> Option<(Haystack, String)> {
        let query = self.query();
        if self.asked.as_ref() == Some(&query) {
            return None;
        }
        self.asked = Some(query.clone());
        self.is_newest = false;
        Some((self.haystack.clone(), query))
    }

    /// Takes the answer; returns true where it is to be accepted at once.
    pub fn take(&mut self, found: Found) -> bool {
        (self.found, self.is_newest, self.row) = (Some(found), true, 0);
        std::mem::take(&mut self.accepts)
    }

    /// Returns true where the list answers the typed query and can be accepted; else it will be accepted once it does.
    pub fn accept(&mut self) -> bool {
        self.accepts = !self.is_newest;
        self.is_newest
    }

    /// Moves the cursor by `by` rows.
    pub fn move_by(&mut self, by: isize) {
        let last = self.found.as_ref().map_or(0, |found| found.order.len()).saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
    }

    /// Returns the text that was typed.
    pub fn typed(&self) -> &str {
        self.input.value()
    }

    /// Returns the entry under the cursor.
    pub fn chosen(&self) -> Option<&Entry> {
        self.found.as_ref()?.entries().nth(self.row)
    }

    /// Returns the key that is typed behind a command's name, as in `jump 3`.
    pub fn argument(&self) -> Option<Key> {
        let (name, key) = self.input.value().trim_end().rsplit_once(' ')?;
        self.named(name)?;
        Key::parse(key)
    }

    /// Returns the nodes among the entries that were found, best first, and the index of the chosen one among them.
    pub fn nodes(&self) -> (Vec<NodeId>, usize) {
        let Some(found) = self.found.as_ref() else { return (Vec::new(), 0) };
        let nodes = found.entries().enumerate().filter(|(_, entry)| !entry.stands_back);
        let nodes: Vec<_> = nodes
            .filter_map(|(at, entry)| match entry.target {
                Target::Node(node) => Some((at, node)),
                _ => None,
            })
            .collect();
        let at = nodes.iter().position(|(at, _)| *at == self.row).unwrap_or(0);
        (nodes.into_iter().map(|(_, node)| node).collect(), at)
    }

    /// Writes the name of the chosen entry in place of the typed text.
    pub fn complete(&mut self) {
        let Some(entry) = self.chosen() else { return };
        let more = matches!(entry.target, Target::Command(command) if command.is_run());
        self.input = Input::new(format!("{}{}", entry.name, if more { " " } else { "" }));
    }

    fn query(&self) -> String {
        let typed = self.input.value();
        match typed.split_once(' ') {
            Some((name, _)) if self.named(name).is_some() => name.to_owned(),
            _ => typed.trim().to_owned(),
        }
    }

    /// Returns the command of this name, where commands are picked and it takes one of several keys.
    fn named(&self, name: &str) -> Option<&'static Command> {
        let command = Command::named(name.trim())?;
        (self.quest != Quest::Search && command.is_run()).then_some(command)
    }

    fn title(&self) -> &'static str {
        match self.quest {
            Quest::Command => "command",
            Quest::Anything => "go to",
            Quest::Search => "search",
            Quest::Join => "add to",
        }
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let theme = &look.theme;
        let height = (screen.height * 2 / 3).clamp(8, 24).min(screen.height);
        let area =
            crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(100), height, self.title(), look, buf);
        if area.height < 3 {
            return None;
        }
        let count = self.count();
        let width = text::width(&count) as u16;
        let field = Rect { width: area.width.saturating_sub(width + 2), height: 1, ..area };
        let cursor = line::render(&self.input, field, theme.strong, look, buf);
        buf.set_string(area.right().saturating_sub(width), area.y, &count, theme.quiet);

        let list = Rect { y: area.y + 2, height: area.height - 2, ..area };
        let Some(found) = self.found.as_ref() else { return Some(cursor) };
        if found.order.is_empty() {
            buf.set_stringn(list.x, list.y, "nothing fits", usize::from(list.width), theme.quiet);
        }
        let lines = usize::from(list.height);
        let from = (self.row + 1).saturating_sub(lines);
        let names = found.entries().skip(from).take(lines).map(|entry| text::width(&entry.name)).max().unwrap_or(0);
        let columns = Columns { kind: self.quest == Quest::Anything, name: names.min(usize::from(list.width) * 3 / 5) };
        for (line, (at, entry)) in found.entries().enumerate().skip(from).take(lines).enumerate() {
            let row = Rect { y: list.y + line as u16, height: 1, ..list };
            columns.draw(entry, row, look, buf);
            if at == self.row {
                buf.set_style(row, theme.selection);
            }
        }
        Some(cursor)
    }

    /// Describes the number of entries that match and of all entries.
    fn count(&self) -> String {
        let Some(found) = self.found.as_ref() else { return String::new() };
        let (some, all) = (text::thousands(found.order.len()), text::thousands(found.entries.len()));
        let away = found.entries().filter(|entry| entry.stands_back).count();
        match away {
            0 => format!("{some} of {all}"),
            away => format!("{some} of {all}, {} not kept", text::thousands(away)),
        }
    }
}

/// Columns of the list, in cells.
struct Columns {
    kind: bool,
    name: usize,
}

impl Columns {
    fn draw(&self, entry: &Entry, row: Rect, look: &Look, buf: &mut Buffer) {
        const KIND: u16 = 11;
        let theme = &look.theme;
        let (mut x, end) = (row.x, row.right());
        let mut put = |x: u16, text: &str, room: usize, style| {
            buf.set_stringn(x, row.y, look.glyphs.fit(text, room), room, style);
        };
        if self.kind {
            put(x, entry.kind(), usize::from(KIND - 1), theme.faint);
            x += KIND;
        }
        let keys = text::width(&entry.keys) as u16;
        let beside = x + self.name as u16 + 2;
        put(
            x,
            &entry.name,
            self.name.min(usize::from(end - x)),
            if entry.stands_back { theme.faint } else { theme.text },
        );
        let note = if entry.stands_back { "not kept" } else { entry.beside.as_str() };
        put(beside, note, usize::from(end.saturating_sub(beside + keys + 2)), theme.quiet);
        if keys > 0 && beside + keys < end {
            put(end - keys, &entry.keys, usize::from(keys), theme.accent);
        }
    }
}

const PICKER: Context = Context::line("picker");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "picker-down", Find, PICKER, ["Down", "Ctrl-n"], Some("choose"), |s, _| act::move_in_picker(s, 1), "To the next that fits";
    "picker-up", Find, PICKER, ["Up", "Ctrl-p"], Some("choose"), |s, _| act::move_in_picker(s, -1), "To the one before that fits";
    "picker-page-down", Find, PICKER, ["PageDown"], None, |s, _| act::move_in_picker(s, 10), "Ten further that fit";
    "picker-page-up", Find, PICKER, ["PageUp"], None, |s, _| act::move_in_picker(s, -10), "Ten back that fit";
    "picker-take", Find, PICKER, ["Enter"], Some("take"), |s, _| act::accept_picked(s), "Go there, or run it";
    "picker-complete", Find, PICKER, ["Tab"], Some("complete"), |s, _| act::complete_picked(s), "Write the chosen name in full";
    "picker-close", Find, PICKER, ["Esc"], Some("back"), |s, _| act::close_dialog(s), "Leave without going anywhere";
}

impl Dialog for Picker {
    fn context(&self) -> Context {
        PICKER
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.accepts = false;
        line::edit(&mut self.input, edit)
    }
}
