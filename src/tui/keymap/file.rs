//! Keymap in a file: the keys that a user set in place of the usual ones.
//!
//! The file is TOML, with a command's name and its keys a line: `search = ["/", "Ctrl-s"]`. A fault costs what it stands
//! on and no more.

use crate::config;
use crate::tui::keymap::{Command, Context, Key, Keymap, all_commands};
use crate::untrusted;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use toml::{Table, Value};

/// Similarity above which a name may be a misspelling of another.
const LIKE: f64 = 0.8;

/// Greatest length of the file, in bytes: many times that of all commands.
const LONGEST: u64 = 1 << 20;

/// Keys of a command.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Name of the command.
    pub command: &'static str,
    /// Where its keys work.
    pub place: String,
    /// Its keys.
    pub keys: Vec<String>,
    /// What it does.
    pub does: &'static str,
}

impl Keymap {
    /// Reads the keymap of the user's own file; the usual one where there is none. Returns it with a sentence for each
    /// fault of the file.
    pub fn of_user() -> (Arc<Self>, Vec<String>) {
        let Some(path) = config::keymap_file().filter(|path| path.exists()) else {
            return (Self::usual(), Vec::new());
        };
        match untrusted::read_text(&path, LONGEST) {
            Ok(text) => {
                let (keymap, faults) = Self::read(&text);
                let said = |fault| format!("{}: {fault}", path.display());
                (Arc::new(keymap), faults.into_iter().map(said).collect())
            }
            Err(error) => (Self::usual(), vec![format!("{} cannot be read: {error}", path.display())]),
        }
    }

    /// Returns the keys of every command.
    pub fn rows(&self) -> Vec<Row> {
        let row = |command: &'static Command| Row {
            command: command.name,
            place: command.context.described(),
            keys: self.keys(command).iter().map(Key::to_string).collect(),
            does: command.doc,
        };
        all_commands().map(row).collect()
    }

    /// Reads a keymap: the usual keys, but for those that `text` sets. Returns it with a sentence for each fault of the
    /// text.
    pub fn read(text: &str) -> (Self, Vec<String>) {
        let mut keys = Self::usual().keys.clone();
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
                let fault = format!("line {line} is no TOML: {}; the usual keys hold", error.message());
                return (Self::new(keys), vec![fault]);
            }
        };
        let mut faults = Vec::new();
        let mut set = BTreeMap::new();
        for (name, value) in &table {
            match keys_of(name, value, &mut faults) {
                Ok((command, own)) => _ = set.insert(command.name, own),
                Err(fault) => faults.push(fault),
            }
        }
        keys.extend(set.iter().map(|(name, own)| (*name, own.clone())));
        settle(&mut keys, &set, &mut faults);
        (Self::new(keys), faults)
    }

    /// Formats the keymap as [`Keymap::read`] reads it, the commands by where their keys work.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        let mut contexts: Vec<Context> = Vec::new();
        for command in changeable() {
            if !contexts.contains(&command.context) {
                contexts.push(command.context);
            }
        }
        for context in contexts {
            let gap = if out.is_empty() { "" } else { "\n" };
            // Writing into a string does not fail.
            let _ = writeln!(out, "{gap}# {}", context.described());
            for command in changeable().filter(|command| command.context == context) {
                let keys = self.keys(command).iter().map(|key| Value::String(key.to_string()).to_string());
                let _ =
                    writeln!(out, "{} = [{}]  # {}", command.name, keys.collect::<Vec<_>>().join(", "), command.doc);
            }
        }
        out
    }
}

/// Iterates over the commands whose keys can be changed: of those with a run of digits or letters each key does something
/// of its own.
pub fn changeable() -> impl Iterator<Item = &'static Command> {
    all_commands().filter(|command| !command.is_run())
}

/// Returns the command and the keys of a line; a key that cannot be read is left out, with a fault.
fn keys_of(name: &str, value: &Value, faults: &mut Vec<String>) -> Result<(&'static Command, Vec<Key>), String> {
    let Some(command) = Command::named(name) else {
        let alike = |command: &Command| strsim::jaro_winkler(command.name, name);
        let nearest = all_commands().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        let meant = nearest.filter(|command| alike(command) > LIKE);
        let meant = meant.map_or_else(String::new, |command| format!("; is {} meant?", command.name));
        return Err(format!("there is no command {name:?}{meant}"));
    };
    if command.is_run() {
        return Err(format!("{name} goes by the digit or the letter that is pressed: its keys cannot be changed"));
    }
    let texts = match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let n_written = value.as_array().map_or(1, Vec::len);
    if texts.len() < n_written {
        return Err(format!("{name} takes a key, or a list of keys, in quotation marks"));
    }
    let mut keys = Vec::new();
    for text in texts {
        match Key::parse(text) {
            None => faults.push(format!(
                "{text:?}, for {name}, is no key: keys are written as in q, Ctrl-r, Alt-Left, Space, F1"
            )),
            Some(key) if key.typed().is_some() && command.context.reaches(Context::TEXT) => {
                faults.push(format!("{key}, for {name}, types itself where a line is written"));
            }
            Some(key) if keys.contains(&key) => {}
            Some(key) => keys.push(key),
        }
    }
    if keys.is_empty() && n_written > 0 {
        return Err(format!("no key of {name} can be used, so that its usual ones hold"));
    }
    Ok((command, keys))
}

/// Takes keys away from commands of which the user set them, until no key stands for two commands where one has the
/// focus.
fn settle(
    keys: &mut HashMap<&'static str, Vec<Key>>,
    set: &BTreeMap<&'static str, Vec<Key>>,
    faults: &mut Vec<String>,
) {
    let shared = [Context::ANYWHERE, Context::PANES, Context::TEXT];
    let focused: HashSet<Context> = all_commands().map(|command| command.context).collect();
    let mut focused: Vec<Context> = focused.into_iter().filter(|context| !shared.contains(context)).collect();
    focused.sort_unstable_by_key(|context| context.name());
    for focus in focused {
        let mut seen: HashMap<Key, &'static Command> = HashMap::new();
        // The usual keys come first: those that were set give way.
        let (own, usual): (Vec<_>, Vec<_>) = all_commands()
            .filter(|command| focus.reaches(command.context))
            .partition(|command| set.contains_key(command.name));
        for command in usual.into_iter().chain(own) {
            let Some(bound) = keys.get_mut(command.name) else { continue };
            bound.retain(|key| {
                if key.typed().is_some() && focus.reaches(Context::TEXT) {
                    return true;
                }
                let gives_way = |other: &&&Command| set.contains_key(command.name) && other.name != command.name;
                let Some(other) = seen.get(key).filter(gives_way) else {
                    seen.insert(*key, command);
                    return true;
                };
                faults.push(format!(
                    "{key} is already the key of {} {}: {} goes without it",
                    other.name,
                    focus.described(),
                    command.name
                ));
                false
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn leads(keymap: &Keymap, context: Context, text: &str) -> Option<&'static str> {
        keymap.lookup(context, key(text)).map(|command| command.name)
    }

    const GRAPH: Context = crate::tui::panes::graph::CONTEXT;

    #[test]
    fn keys_that_are_set_take_the_place_of_the_usual_ones() {
        let (keymap, faults) = Keymap::read("quit = \"Ctrl-q\"\nundo = [\"q\", \"F2\"]\nredo = []\n");
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(leads(&keymap, GRAPH, "Ctrl-q"), Some("quit"));
        assert_eq!(leads(&keymap, GRAPH, "q"), Some("undo"));
        assert_eq!(leads(&keymap, GRAPH, "u"), None);
        assert_eq!(leads(&keymap, GRAPH, "U"), None);
        assert_eq!(leads(&keymap, GRAPH, "p"), Some("pin"));
    }

    #[test]
    fn each_fault_has_a_sentence_and_the_rest_holds() {
        let text = "quti = \"Q\"\nundo = [\"Hyper-z\", \"F2\"]\njump = \"a\"\nzoom = 3\npin = \"I\"\nprompt-trace = \"x\"\nexport = [\"Z\", \"p\"]\n";
        let (keymap, faults) = Keymap::read(text);
        let said = |words: &[&str]| {
            assert!(faults.iter().any(|fault| words.iter().all(|word| fault.contains(word))), "{words:?}: {faults:?}");
        };
        said(&["quti", "quit"]);
        said(&["Hyper-z", "undo"]);
        said(&["jump"]);
        said(&["zoom"]);
        said(&["I ", "intervene", "pin"]);
        said(&["prompt-trace"]);
        assert_eq!(leads(&keymap, GRAPH, "F2"), Some("undo"));
        assert_eq!(leads(&keymap, GRAPH, "Z"), Some("export"));
        assert_eq!(leads(&keymap, GRAPH, "p"), Some("export"), "pin was set to another key, which it may not have");
        assert_eq!(leads(&keymap, GRAPH, "I"), Some("intervene"));
        let (keymap, faults) = Keymap::read("quit = \"Q\"\nquit");
        assert!(faults.len() == 1 && faults[0].contains("line 2"), "{faults:?}");
        assert_eq!(leads(&keymap, GRAPH, "q"), Some("quit"));
    }

    #[test]
    fn the_usual_keymap_is_read_as_it_is_written() {
        let usual = Keymap::usual();
        let (read, faults) = Keymap::read(&usual.to_toml());
        assert_eq!(faults, Vec::<String>::new());
        assert!(read.keys == usual.keys);
    }

    proptest! {
        #[test]
        fn whatever_is_set_no_key_does_two_things(
            set in proptest::collection::btree_map(
                proptest::sample::select(changeable().map(|command| command.name).collect::<Vec<_>>()),
                proptest::collection::vec("[a-zA-Z/|]|Ctrl-[a-z]|Enter|Esc|Tab", 0..3),
                0..12,
            ),
        ) {
            let text: String = set.iter().map(|(name, keys)| format!("{name} = {keys:?}\n")).collect();
            let (keymap, _) = Keymap::read(&text);
            for focus in all_commands().map(|command| command.context) {
                let mut seen = HashMap::new();
                for command in all_commands().filter(|command| focus.reaches(command.context)) {
                    for key in keymap.keys(command) {
                        if !(key.typed().is_some() && focus.reaches(Context::TEXT)) {
                            prop_assert_eq!(seen.insert(*key, command.name), None, "{} in {:?}", key, focus);
                        }
                    }
                }
            }
        }
    }
}
