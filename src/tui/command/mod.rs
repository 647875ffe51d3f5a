//! Tables of commands, one beside each dialog, and those of the panes. Keys, help, hint line and the README's key table
//! are made from them.

pub(in crate::tui) mod table;

use crate::text::glyph::Charset;
use crate::tui::app::State;
use crate::tui::dialogs::TABLES;
use crate::tui::keymap::{Context, Key};
use std::fmt::Write as _;

/// Defines commands, a line each: name, group of the help, context, keys, word in the hint line, action, sentence.
macro_rules! commands {
    ($(#[$attribute:meta])* pub const $table:ident;
     $($name:literal, $group:ident, $context:expr, [$($key:literal),+], $hint:expr, $run:expr, $doc:literal;)+) => {
        $(#[$attribute])*
        pub const $table: &[$crate::tui::command::Command] = &[$($crate::tui::command::Command {
            name: $name,
            doc: $doc,
            group: $crate::tui::command::Group::$group,
            context: $context,
            keys: &[$($key),+],
            hint: $hint,
            run: $run,
        }),+];
    };
}
pub(in crate::tui) use commands;

/// Returns every command, in the order of the help and of the hint line.
pub fn all_commands() -> impl Iterator<Item = &'static Command> {
    TABLES.iter().copied().flatten()
}

/// Heading under which the help lists a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Walking from node to node.
    Walk,
    /// Pruning: which nodes and edges are kept.
    Prune,
    /// Editing supernodes, labels and notes.
    Edit,
    /// Interventions and verification.
    Test,
    /// Explanations why features fire or do not.
    Why,
    /// Comparison of several graphs.
    Compare,
    /// Editing the prompt.
    Prompt,
    /// Moving in the list of connections, the detail, the tree and the subgraph.
    Lists,
    /// Search, marks and paths.
    Find,
    /// Contexts that features fire on.
    Contexts,
    /// Choice of the model.
    Models,
    /// The program itself.
    Program,
    /// Editing a line of text.
    Text,
}

impl Group {
    /// All groups, in the order of the help.
    pub const ALL: [Self; 13] = [
        Self::Walk,
        Self::Find,
        Self::Prune,
        Self::Edit,
        Self::Test,
        Self::Why,
        Self::Compare,
        Self::Prompt,
        Self::Lists,
        Self::Contexts,
        Self::Models,
        Self::Program,
        Self::Text,
    ];

    /// Returns the heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Walk => "Walk the circuit",
            Self::Prune => "Prune and pin",
            Self::Edit => "Group, label, note",
            Self::Test => "Intervene and verify",
            Self::Why => "Why it fires, or does not",
            Self::Compare => "Compare graphs",
            Self::Prompt => "Prompt",
            Self::Lists => "Connections, detail, tree, subgraph",
            Self::Find => "Find and mark",
            Self::Contexts => "What features fire on",
            Self::Models => "Models",
            Self::Program => "Program",
            Self::Text => "In a line of text",
        }
    }
}

/// Command that a key runs.
pub struct Command {
    /// Name, unique.
    pub name: &'static str,
    /// Description in one sentence without a full stop.
    pub doc: &'static str,
    /// Group under which the help lists it.
    pub group: Group,
    /// Context in which its keys work.
    pub context: Context,
    /// Keys as [`Key::parse`] reads them, the first one for the hint line.
    pub keys: &'static [&'static str],
    /// Word in the hint line; neighbours with the same word share an entry.
    pub hint: Option<&'static str>,
    /// Action, called with the key that was pressed.
    pub run: fn(&mut State, Key),
}

impl Command {
    /// Returns true where `key` is one of its keys.
    pub fn bound_to(&self, key: Key) -> bool {
        self.keys.iter().any(|text| Key::parse(text) == Some(key))
    }

    /// Returns the command of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        all_commands().find(|command| command.name == name)
    }

    /// Returns true where its keys are a run of digits or letters, each of which does something else.
    pub fn is_run(&self) -> bool {
        self.keys.len() > 2 && self.keys.is_sorted() && self.keys.iter().all(|key| key.len() == 1)
    }

    /// Returns its keys as the screen shows them, behind the key that comes before them; a run of digits or letters is
    /// one.
    pub fn key_labels(&self, charset: Charset) -> Vec<String> {
        let keys = self.own_key_labels(charset);
        let prefix = self.context.prefix().and_then(Self::named).map(|prefix| prefix.own_key_labels(charset).join(" "));
        match prefix {
            Some(prefix) => keys.into_iter().map(|key| format!("{prefix} {key}")).collect(),
            None => keys,
        }
    }

    /// Returns its keys as the screen shows them once the key that comes before them was pressed.
    pub fn own_key_labels(&self, charset: Charset) -> Vec<String> {
        if let (Some(first), Some(last), true) = (self.keys.first(), self.keys.last(), self.is_run()) {
            return vec![format!("{first}-{last}")];
        }
        self.keys.iter().filter_map(|key| Key::parse(key)).map(|key| key.label(charset)).collect()
    }
}

/// Returns each heading with its commands: their keys and descriptions.
pub fn key_table() -> impl Iterator<Item = (&'static str, Vec<(Vec<String>, &'static str)>)> {
    Group::ALL.into_iter().map(|group| {
        let commands = all_commands().filter(|command| command.group == group);
        (group.title(), commands.map(|command| (command.key_labels(Charset::Ascii), command.doc)).collect())
    })
}

/// Formats the key table in Markdown, for the README.
pub fn key_table_markdown() -> String {
    let mut out = String::new();
    for (title, rows) in key_table() {
        // Writing into a string does not fail.
        let _ = write!(out, "**{title}**\n\n| keys | what they do |\n| --- | --- |\n");
        for (keys, doc) in rows {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(out, "| {} | {doc} |", keys.join(" "));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_table_names_every_command() {
        let table = key_table_markdown();
        for command in all_commands() {
            assert!(table.contains(command.doc), "{}", command.name);
        }
        let longest = all_commands().max_by_key(|command| command.doc.len()).map(|command| command.doc);
        assert!(longest.is_some_and(|doc| doc.len() <= 56), "{longest:?} does not fit the help's columns");
        assert!(table.contains("| `1-9` | Along the connection with this number |"), "{table}");
    }
}
