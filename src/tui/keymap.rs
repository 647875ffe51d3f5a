//! Keys: how one is written, and which command one leads to.

use crate::text::glyph::Charset;
use crate::tui::app::Pane;
use crate::tui::command::{COMMANDS, Command};
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// A key without its modifiers.
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

/// A key with the modifiers that tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Control is held.
    pub ctrl: bool,
    /// Alt is held.
    pub alt: bool,
}

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// Reads `j`, `Enter`, `Ctrl-r`, `Alt-Left`, as the command table writes them.
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

    /// The key as the screen shows it.
    pub fn label(self, charset: Charset) -> String {
        if charset == Charset::Ascii {
            return self.to_string();
        }
        match NAMED.iter().find(|(code, ..)| *code == self.code) {
            Some((.., sign)) => format!("{}{sign}", self.prefix()),
            None => self.to_string(),
        }
    }

    /// The digit that it types.
    pub fn digit(self) -> Option<usize> {
        match self {
            Self { code: Code::Char(c), ctrl: false, alt: false } => c.to_digit(10).map(|digit| digit as usize),
            _ => None,
        }
    }

    /// The character that it types into a line of text.
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

/// Where a command's keys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, in popups too.
    Anywhere,
    /// In every pane.
    Panes,
    /// In the link graph.
    Graph,
    /// In the list of connections.
    Connections,
    /// In the detail pane.
    Detail,
    /// In the tree.
    Tree,
    /// In the drawing of what is pinned.
    Subgraph,
    /// In what the feature fires on.
    Feature,
    /// In the same on the whole screen.
    Contexts,
    /// In what is looked for there.
    ContextsSearch,
    /// In the list of features.
    Browse,
    /// In a line that is asked about them.
    BrowseLine,
    /// In a line of text.
    Text,
    /// In the prompt popup.
    Prompt,
    /// In the help popup.
    Help,
    /// In a list from which something is picked.
    Picker,
    /// In a question that is answered in a line.
    Question,
    /// In the notes.
    Notes,
    /// In the list of proposed supernodes.
    Proposals,
    /// In the filter that is being written.
    Filter,
    /// In an export that is being chosen.
    Export,
    /// In the list of paths.
    Paths,
    /// In the interventions.
    Interventions,
    /// In what says why features fire.
    Why,
    /// In a line that is asked there.
    WhyLine,
    /// In the comparison of two graphs.
    Compare,
    /// In what says whether the graph is true.
    Truth,
    /// In a connection that is split by attention heads.
    Heads,
    /// After the key for edits.
    Edit,
    /// After the key that copies.
    Copy,
    /// After the key that marks a node.
    SetMark,
    /// After the key that goes to a mark.
    ToMark,
    /// In the list of models.
    Start,
    /// Where a question is asked, or something is waited for.
    Ask,
}

impl Context {
    /// Where keys are looked up, in order, when this is what has the focus.
    pub fn chain(self) -> &'static [Self] {
        match self {
            Self::Graph => &[Self::Graph, Self::Panes, Self::Anywhere],
            Self::Connections => &[Self::Connections, Self::Panes, Self::Anywhere],
            Self::Detail => &[Self::Detail, Self::Panes, Self::Anywhere],
            Self::Tree => &[Self::Tree, Self::Panes, Self::Anywhere],
            Self::Subgraph => &[Self::Subgraph, Self::Panes, Self::Anywhere],
            Self::Feature => &[Self::Feature, Self::Panes, Self::Anywhere],
            Self::Contexts => &[Self::Contexts, Self::Feature, Self::Anywhere],
            Self::ContextsSearch => &[Self::ContextsSearch, Self::Text, Self::Anywhere],
            Self::Browse => &[Self::Browse, Self::Anywhere],
            Self::BrowseLine => &[Self::BrowseLine, Self::Text, Self::Anywhere],
            Self::Prompt => &[Self::Prompt, Self::Text, Self::Anywhere],
            Self::Help => &[Self::Help, Self::Text, Self::Anywhere],
            Self::Picker => &[Self::Picker, Self::Text, Self::Anywhere],
            Self::Question => &[Self::Question, Self::Text, Self::Anywhere],
            Self::Notes => &[Self::Notes, Self::Text, Self::Anywhere],
            Self::Proposals => &[Self::Proposals, Self::Anywhere],
            Self::Filter => &[Self::Filter, Self::Text, Self::Anywhere],
            Self::Export => &[Self::Export, Self::Text, Self::Anywhere],
            Self::Paths => &[Self::Paths, Self::Anywhere],
            Self::Interventions => &[Self::Interventions, Self::Anywhere],
            Self::Why => &[Self::Why, Self::Anywhere],
            Self::WhyLine => &[Self::WhyLine, Self::Text, Self::Anywhere],
            Self::Compare => &[Self::Compare, Self::Anywhere],
            Self::Truth => &[Self::Truth, Self::Anywhere],
            Self::Heads => &[Self::Heads, Self::Anywhere],
            Self::Edit => &[Self::Edit, Self::Anywhere],
            Self::Copy => &[Self::Copy, Self::Anywhere],
            Self::SetMark => &[Self::SetMark, Self::Anywhere],
            Self::ToMark => &[Self::ToMark, Self::Anywhere],
            Self::Start => &[Self::Start, Self::Anywhere],
            Self::Ask => &[Self::Ask, Self::Anywhere],
            Self::Anywhere | Self::Panes | Self::Text => &[Self::Anywhere],
        }
    }

    /// What has the focus is one of these.
    pub const FOCUSED: &[Self] = &[
        Self::Graph,
        Self::Connections,
        Self::Detail,
        Self::Tree,
        Self::Subgraph,
        Self::Feature,
        Self::Contexts,
        Self::ContextsSearch,
        Self::Browse,
        Self::BrowseLine,
        Self::Prompt,
        Self::Help,
        Self::Picker,
        Self::Question,
        Self::Notes,
        Self::Proposals,
        Self::Filter,
        Self::Export,
        Self::Paths,
        Self::Interventions,
        Self::Why,
        Self::WhyLine,
        Self::Compare,
        Self::Truth,
        Self::Heads,
        Self::Edit,
        Self::Copy,
        Self::SetMark,
        Self::ToMark,
        Self::Start,
        Self::Ask,
    ];

    /// The command whose key comes before the keys of this context.
    pub fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Edit => Some("edit"),
            Self::Copy => Some("copy"),
            Self::SetMark => Some("mark"),
            Self::ToMark => Some("to-mark"),
            _ => None,
        }
    }

    /// The pane whose keys stand here alone.
    pub fn pane(self) -> Option<Pane> {
        Pane::ALL.into_iter().find(|pane| pane.context() == self)
    }

    /// Whether its commands are about the panes, so that they can be run by name from there; the others are about what
    /// lies over them.
    pub fn is_about_panes(self) -> bool {
        matches!(self, Self::Anywhere | Self::Panes) || self.pane().is_some() || self.prefix().is_some()
    }
}

/// The command that `key` leads to where `focus` has the focus.
pub fn lookup(focus: Context, key: Key) -> Option<&'static Command> {
    static BOUND: LazyLock<HashMap<(Context, Key), &Command>> = LazyLock::new(|| {
        let keys = |command: &'static Command| command.keys.iter().filter_map(|text| Key::parse(text));
        COMMANDS.iter().flat_map(|command| keys(command).map(move |key| ((command.context, key), command))).collect()
    });
    focus.chain().iter().find_map(|context| BOUND.get(&(*context, key)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

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
        for command in COMMANDS {
            for key in command.keys {
                assert!(Key::parse(key).is_some(), "{}: {key}", command.name);
            }
        }
    }

    #[test]
    fn no_key_stands_twice_where_it_works() {
        for focus in Context::FOCUSED {
            let mut seen = HashMap::new();
            for command in COMMANDS.iter().filter(|command| focus.chain().contains(&command.context)) {
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
        for command in COMMANDS {
            assert!(names.insert(command.name, ()).is_none(), "{} stands twice", command.name);
            assert!(!command.doc.is_empty() && !command.keys.is_empty(), "{}", command.name);
            let reached = Context::FOCUSED.iter().any(|&focus| {
                let key = Key::parse(command.keys[0]).unwrap();
                lookup(focus, key).is_some_and(|found| found.name == command.name)
            });
            assert!(reached, "{} cannot be reached", command.name);
        }
    }
}
