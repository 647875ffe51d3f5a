//! Keys: how each is written, and which command it leads to.

pub mod bound;
pub mod command;
pub mod file;
pub mod menu;
pub(in crate::tui) mod table;

pub use bound::Keymap;
pub(in crate::tui) use command::commands;
pub use command::{Command, Group, all_commands};

use crate::text::glyph::Charset;
use crate::tui::panes::{PANES, PaneId};
use std::fmt;
use std::hash::{Hash, Hasher};

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
    /// Function key of this number.
    F(u8),
}

/// Greatest number of a function key.
const LAST_F: u8 = 12;

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
            _ => match NAMED.iter().find(|(_, name, sign)| [name, sign].contains(&&text)) {
                Some((code, ..)) => *code,
                None => function_key(text)?,
            },
        };
        Some(Self::plain(code))
    }

    /// Returns the key as the screen shows it.
    pub fn label(self, charset: Charset) -> String {
        match NAMED.iter().find(|(code, ..)| *code == self.code) {
            Some((.., sign)) if charset != Charset::Ascii || sign.is_ascii() => format!("{}{sign}", self.prefix()),
            _ => self.to_string(),
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

    /// Returns true for the keys that move a cursor wherever there is one.
    pub fn is_motion(self) -> bool {
        use Code::{Down, End, Home, Left, PageDown, PageUp, Right, Up};
        [Left, Right, Up, Down, Home, End, PageUp, PageDown].contains(&self.code)
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
            Code::F(number) => write!(f, "{prefix}F{number}"),
            code => {
                let name = NAMED.iter().find(|(named, ..)| *named == code).map_or("", |(_, name, _)| name);
                write!(f, "{prefix}{name}")
            }
        }
    }
}

/// Reads `F1` to `F12`.
fn function_key(text: &str) -> Option<Code> {
    let number = text.strip_prefix('F')?.parse().ok()?;
    (1..=LAST_F).contains(&number).then_some(Code::F(number))
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
    /// After the key for edits.
    pub const EDIT: Self = Self::after("edit");
    /// After the key of the menu.
    pub const MENU: Self = Self::after("menu");
    /// After the key that copies.
    pub const COPY: Self = Self::after("copy");
    /// After the key that looks at a connection.
    pub const LOOK: Self = Self::after("look");
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

    /// Creates the context of a pane. `name` is unique.
    pub const fn of_pane(name: &'static str) -> Self {
        Self::new(name, &[Self::PANES, Self::ANYWHERE])
    }

    /// Creates the context of the key that follows the key of this command.
    const fn after(command: &'static str) -> Self {
        Self { name: command, below: &[Self::ANYWHERE], prefix: Some(command) }
    }

    /// Describes where its keys work.
    pub fn described(self) -> String {
        let name = self.name;
        match self.prefix {
            Some(command) => format!("after the key of {command}"),
            None if self == Self::ANYWHERE => "everywhere".to_owned(),
            None if self == Self::PANES => "in every pane".to_owned(),
            None if self == Self::TEXT => "in every line of text".to_owned(),
            None if self.pane().is_some() => format!("in the pane {name}"),
            None => format!("in the dialog {name}"),
        }
    }

    /// Returns the unique name.
    pub fn name(self) -> &'static str {
        self.name
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
    pub fn pane(self) -> Option<PaneId> {
        PANES.iter().copied().find(|pane| pane.context() == self)
    }

    /// Returns true where the commands are about the panes, so that they can be run by name from there; the others are
    /// about dialogs over the panes.
    pub fn is_about_panes(self) -> bool {
        [Self::ANYWHERE, Self::PANES].contains(&self) || self.pane().is_some() || self.prefix.is_some()
    }
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
        for text in
            ["j", "+", "?", "Enter", "Ctrl-r", "Alt-Left", "Shift-Tab", "Space", "Ctrl-Alt-x", "-", "F1", "F12", "F"]
        {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        for text in ["Hyper-x", "F0", "F13", "Ctrl-", ""] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
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
        let keymap = Keymap::usual();
        for command in all_commands() {
            assert!(names.insert(command.name, ()).is_none(), "{} stands twice", command.name);
            assert!(!command.doc.is_empty() && !command.keys.is_empty(), "{}", command.name);
            let reached = focused().any(|focus| {
                let key = Key::parse(command.keys[0]).unwrap();
                keymap.lookup(focus, key).is_some_and(|found| found.name == command.name)
            });
            assert!(reached, "{} cannot be reached", command.name);
        }
    }
}
