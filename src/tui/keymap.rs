//! Keys: how each is written, and which command it leads to.

use crate::text::glyph::Charset;
use crate::tui::app::Pane;
use crate::tui::command::{Command, all_commands};
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

/// Key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A character, Shift already applied.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tabulator.
    Tab,
    /// Shift and tabulator.
    BackTab,
    /// Delete to the left.
    Backspace,
    /// Delete to the right.
    Delete,
    /// Cursor key.
    Left,
    /// Cursor key.
    Right,
    /// Cursor key.
    Up,
    /// Cursor key.
    Down,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// A screenful up.
    PageUp,
    /// A screenful down.
    PageDown,
}

const NAMED: [(Code, &str, &str); 14] = [
    (Code::Enter, "Enter", "⏎"),
    (Code::Esc, "Esc", "Esc"),
    (Code::Tab, "Tab", "Tab"),
    (Code::BackTab, "Shift-Tab", "Shift-Tab"),
    (Code::Backspace, "Backspace", "⌫"),
    (Code::Delete, "Delete", "Del"),
    (Code::Left, "Left", "←"),
    (Code::Right, "Right", "→"),
    (Code::Up, "Up", "↑"),
    (Code::Down, "Down", "↓"),
    (Code::Home, "Home", "Home"),
    (Code::End, "End", "End"),
    (Code::PageUp, "PageUp", "PgUp"),
    (Code::PageDown, "PageDown", "PgDn"),
];

/// Key with the modifiers that tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Key without its modifiers.
    pub code: Code,
    /// True where Control is held.
    pub ctrl: bool,
    /// True where Alt is held.
    pub alt: bool,
}

impl Key {
    /// Creates a key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// Reads `j`, `Enter`, `Ctrl-r`, `Alt-Left`, as the command table writes them; `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("Ctrl-") {
            return Self::parse(rest).map(|key| Self { ctrl: true, ..key });
        }
        if let Some(rest) = text.strip_prefix("Alt-") {
            return Self::parse(rest).map(|key| Self { alt: true, ..key });
        }
        if text == "Space" {
            return Some(Self::plain(Code::Char(' ')));
        }
        let mut chars = text.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => Code::Char(c),
            _ => NAMED.iter().find(|(_, name, _)| *name == text)?.0,
        };
        Some(Self::plain(code))
    }

    /// Returns the key as the screen shows it.
    pub fn label(self, charset: Charset) -> String {
        if charset == Charset::Ascii {
            return self.to_string();
        }
        match NAMED.iter().find(|(code, ..)| *code == self.code) {
            Some((.., sign)) => format!("{}{sign}", self.prefix()),
            None => self.to_string(),
        }
    }

    /// Returns the digit that the key types.
    pub fn digit(self) -> Option<usize> {
        match self {
            Self { code: Code::Char(c), ctrl: false, alt: false } => c.to_digit(10).map(|digit| digit as usize),
            _ => None,
        }
    }

    /// Returns the character that the key types into a line of text.
    pub fn typed(self) -> Option<char> {
        match self {
            Self { code: Code::Char(c), ctrl: false, alt: false } => Some(c),
            _ => None,
        }
    }

    fn prefix(self) -> &'static str {
        match (self.ctrl, self.alt) {
            (false, false) => "",
            (true, false) => "Ctrl-",
            (false, true) => "Alt-",
            (true, true) => "Ctrl-Alt-",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix();
        match self.code {
            Code::Char(' ') => write!(f, "{prefix}Space"),
            Code::Char(c) => write!(f, "{prefix}{c}"),
            code => {
                let name = NAMED.iter().find(|(named, ..)| *named == code).map_or("", |(_, name, _)| name);
                write!(f, "{prefix}{name}")
            }
        }
    }
}

/// Context in which a command's keys work.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Unique name.
    name: &'static str,
    /// Contexts in which keys are looked up that do nothing here.
    below: &'static [Context],
    /// Command whose key comes before the keys of this context.
    prefix: Option<&'static str>,
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Context {}

impl Hash for Context {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Context {
    /// Everywhere, in dialogs too.
    pub const ANYWHERE: Self = Self::new("anywhere", &[]);
    /// In every pane.
    pub const PANES: Self = Self::new("panes", &[Self::ANYWHERE]);
    /// In a line of text.
    pub const TEXT: Self = Self::new("text", &[Self::ANYWHERE]);
    /// In the link graph.
    pub const GRAPH: Self = Self::pane_of("graph");
    /// In the list of connections.
    pub const CONNECTIONS: Self = Self::pane_of("connections");
    /// In the detail pane.
    pub const DETAIL: Self = Self::pane_of("detail");
    /// In the tree.
    pub const TREE: Self = Self::pane_of("tree");
    /// In the drawing of the pinned nodes.
    pub const SUBGRAPH: Self = Self::pane_of("subgraph");
    /// In the feature pane.
    pub const FEATURE: Self = Self::pane_of("feature");
    /// After the key for edits.
    pub const EDIT: Self = Self::after("edit");
    /// After the key that copies.
    pub const COPY: Self = Self::after("copy");
    /// After the key that marks a node.
    pub const SET_MARK: Self = Self::after("mark");
    /// After the key that goes to a mark.
    pub const TO_MARK: Self = Self::after("to-mark");

    const fn new(name: &'static str, below: &'static [Self]) -> Self {
        Self { name, below, prefix: None }
    }

    /// Creates the context of a dialog. `name` is unique.
    pub const fn dialog(name: &'static str) -> Self {
        Self::new(name, &[Self::ANYWHERE])
    }

    /// Creates the context of a dialog in which a line is written.
    pub const fn line(name: &'static str) -> Self {
        Self::new(name, &[Self::TEXT, Self::ANYWHERE])
    }

    /// Creates the context of a dialog that shows a pane on the whole screen, with the keys of that pane.
    pub const fn whole(name: &'static str, pane: &'static [Self]) -> Self {
        Self::new(name, pane)
    }

    const fn pane_of(name: &'static str) -> Self {
        Self::new(name, &[Self::PANES, Self::ANYWHERE])
    }

    /// Creates the context of the key that follows the key of this command.
    const fn after(command: &'static str) -> Self {
        Self { name: command, below: &[Self::ANYWHERE], prefix: Some(command) }
    }

    /// Iterates over the contexts in which keys are looked up, in order, when this one has the focus.
    pub fn chain(self) -> impl Iterator<Item = Self> {
        std::iter::once(self).chain(self.below.iter().copied())
    }

    /// Returns true where keys that are pressed here are looked up in `other`.
    pub fn reaches(self, other: Self) -> bool {
        self.chain().any(|context| context == other)
    }

    /// Returns the command whose key comes before the keys of this context.
    pub fn prefix(self) -> Option<&'static str> {
        self.prefix
    }

    /// Returns the pane of which this is the context.
    pub fn pane(self) -> Option<Pane> {
        Pane::ALL.into_iter().find(|pane| pane.context() == self)
    }

    /// Returns true where the commands are about the panes, so that they can be run by name from there; the others are
    /// about dialogs over the panes.
    pub fn is_about_panes(self) -> bool {
        [Self::ANYWHERE, Self::PANES].contains(&self) || self.pane().is_some() || self.prefix.is_some()
    }
}

/// Returns the command that `key` leads to where `focus` has the focus.
pub fn lookup(focus: Context, key: Key) -> Option<&'static Command> {
    static BOUND: LazyLock<HashMap<(Context, Key), &Command>> = LazyLock::new(|| {
        let keys = |command: &'static Command| command.keys.iter().filter_map(|text| Key::parse(text));
        all_commands().flat_map(|command| keys(command).map(move |key| ((command.context, key), command))).collect()
    });
    focus.chain().find_map(|context| BOUND.get(&(context, key)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Iterates over the contexts that can have the focus.
    fn focused() -> impl Iterator<Item = Context> {
        let contexts = all_commands().map(|command| command.context);
        contexts.filter(|context| ![Context::ANYWHERE, Context::PANES, Context::TEXT].contains(context))
    }

    #[test]
    fn a_key_reads_as_it_is_written() {
        for text in ["j", "+", "?", "Enter", "Ctrl-r", "Alt-Left", "Shift-Tab", "Space", "Ctrl-Alt-x", "-"] {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Key::parse("Hyper-x"), None);
        assert_eq!(Key::parse("Left").unwrap().label(Charset::Unicode), "←");
        assert_eq!(Key::parse("Left").unwrap().label(Charset::Ascii), "Left");
    }

    #[test]
    fn every_key_of_the_table_can_be_read() {
        for command in all_commands() {
            for key in command.keys {
                assert!(Key::parse(key).is_some(), "{}: {key}", command.name);
            }
        }
    }

    #[test]
    fn no_key_stands_twice_where_it_works() {
        for focus in focused() {
            let mut seen = HashMap::new();
            for command in all_commands().filter(|command| focus.reaches(command.context)) {
                for key in command.keys {
                    if let Some(other) = seen.insert(*key, command.name) {
                        panic!("{key} is both {other} and {} in {focus:?}", command.name);
                    }
                }
            }
        }
    }

    #[test]
    fn every_command_can_be_reached_and_is_named_once() {
        let mut names = HashMap::new();
        for command in all_commands() {
            assert!(names.insert(command.name, ()).is_none(), "{} stands twice", command.name);
            assert!(!command.doc.is_empty() && !command.keys.is_empty(), "{}", command.name);
            let reached = focused().any(|focus| {
                let key = Key::parse(command.keys[0]).unwrap();
                lookup(focus, key).is_some_and(|found| found.name == command.name)
            });
            assert!(reached, "{} cannot be reached", command.name);
        }
    }
}
