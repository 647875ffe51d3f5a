//! Tables of commands, one beside each dialog, and those of the panes. Keys, help, hint line and the guide's page of keys
//! are made from them.

use crate::text::glyph::Charset;
use crate::tui::dialogs::TABLES;
use crate::tui::keymap::{Context, Key, Keymap};
use crate::tui::panes::PANES;
use crate::tui::state::State;
use std::fmt::Write as _;

/// Defines commands, a line each: name, group of the help, context, keys, word in the hint line, action, sentence.
macro_rules! commands {
    ($(#[$attribute:meta])* pub const $table:ident;
     $($name:literal, $group:ident, $context:expr, [$($key:literal),+], $hint:expr, $run:expr, $doc:literal;)+) => {
        $(#[$attribute])*
        pub const $table: &[$crate::tui::keymap::command::Command] = &[$($crate::tui::keymap::command::Command {
            name: $name,
            doc: $doc,
            group: $crate::tui::keymap::command::Group::$group,
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
    PANES.iter().flat_map(|pane| pane.bindings()).chain(TABLES.iter().copied().flatten())
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
    /// Returns the command of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        all_commands().find(|command| command.name == name)
    }

    /// Returns true where its keys are a run of digits or letters, each of which does something else.
    pub fn is_run(&self) -> bool {
        self.keys.len() > 2 && self.keys.is_sorted() && self.keys.iter().all(|key| key.len() == 1)
    }

    /// Returns true where it moves a cursor: nobody runs it by its name.
    pub fn is_motion(&self) -> bool {
        self.keys.iter().filter_map(|key| Key::parse(key)).any(Key::is_motion)
    }
}

/// Returns each heading with its commands: their keys and descriptions.
pub fn key_table(keymap: &Keymap) -> impl Iterator<Item = (&'static str, Vec<(Vec<String>, &'static str)>)> {
    Group::ALL.into_iter().map(|group| {
        let commands = all_commands().filter(|command| command.group == group);
        (group.title(), commands.map(|command| (keymap.labels(command, Charset::Ascii), command.doc)).collect())
    })
}

/// Formats the key table in Markdown, for the guide.
pub fn key_table_markdown(keymap: &Keymap) -> String {
    let mut out = String::new();
    for (title, rows) in key_table(keymap) {
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

/// What precedes the tables of the guide's page of keys.
const FIRST_TABLE: &str = "\n**";

/// Returns the guide's page of keys, in Markdown, with these keys in place of the usual ones.
pub fn keys_page(page: &str, keymap: &Keymap) -> String {
    let introduction = page.split_once(FIRST_TABLE).map_or(page, |(introduction, _)| introduction);
    format!("{introduction}\n{}", key_table_markdown(keymap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_of_the_help_stands_twice() {
        let mut rows = std::collections::HashSet::new();
        for (keys, doc) in key_table(&Keymap::usual()).flat_map(|(_, rows)| rows) {
            assert!(rows.insert((keys.clone(), doc)), "{keys:?} {doc}");
        }
    }

    #[test]
    fn the_key_table_names_every_command() {
        let table = key_table_markdown(&Keymap::usual());
        for command in all_commands() {
            assert!(table.contains(command.doc), "{}", command.name);
        }
        let longest = all_commands().max_by_key(|command| command.doc.len()).map(|command| command.doc);
        assert!(longest.is_some_and(|doc| doc.len() <= 54), "{longest:?} does not fit the help's columns");
        assert!(table.contains("| `1-9` | Along the connection with this number |"), "{table}");
    }
}
