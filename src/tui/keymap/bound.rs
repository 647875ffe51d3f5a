//! Keys that lead to commands.

use crate::text::glyph::Charset;
use crate::tui::keymap::{Command, Context, Key, all_commands, menu};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Keys of all commands.
pub struct Keymap {
    /// Keys of each command, by its name, in the order in which they are shown.
    pub(super) keys: HashMap<&'static str, Vec<Key>>,
    bound: HashMap<(Context, Key), &'static Command>,
}

impl Keymap {
    /// Binds every command to these keys.
    pub(super) fn new(keys: HashMap<&'static str, Vec<Key>>) -> Self {
        let of = |command: &'static Command| {
            let keys = keys.get(command.name).into_iter().flatten();
            keys.map(move |key| ((command.context, *key), command))
        };
        let bound = all_commands().flat_map(of).collect();
        Self { keys, bound }
    }

    /// Returns the keys of the table.
    pub fn usual() -> Arc<Self> {
        static USUAL: LazyLock<Arc<Keymap>> = LazyLock::new(|| {
            let of = |command: &Command| command.keys.iter().filter_map(|text| Key::parse(text)).collect();
            Arc::new(Keymap::new(all_commands().map(|command| (command.name, of(command))).collect()))
        });
        Arc::clone(&USUAL)
    }

    /// Returns the command that `key` leads to where `focus` has the focus. In a line of text a key that types a
    /// character types it.
    pub fn lookup(&self, focus: Context, key: Key) -> Option<&'static Command> {
        if focus.reaches(Context::TEXT) && key.typed().is_some() {
            return None;
        }
        if focus == Context::MENU
            && let Some(command) = menu::listed().find(|command| self.first(command) == Some(key))
        {
            return Some(command);
        }
        focus.chain().find_map(|context| self.bound.get(&(context, key)).copied())
    }

    /// Returns a command's keys, the one that stands for it first.
    pub fn keys(&self, command: &Command) -> &[Key] {
        self.keys.get(command.name).map_or(&[], Vec::as_slice)
    }

    /// Returns the key that stands for a command.
    pub fn first(&self, command: &Command) -> Option<Key> {
        self.keys(command).first().copied()
    }

    /// Returns a command's keys as the screen shows them, behind the key that comes before them; a run of digits or
    /// letters is one.
    pub fn labels(&self, command: &Command, charset: Charset) -> Vec<String> {
        let keys = self.own_labels(command, charset);
        let prefix = command.context.prefix().and_then(Command::named);
        match prefix.map(|prefix| self.own_labels(prefix, charset).join(" ")) {
            Some(prefix) => keys.into_iter().map(|key| format!("{prefix} {key}")).collect(),
            None => keys,
        }
    }

    /// Returns a command's keys as the screen shows them once the key that comes before them was pressed.
    pub fn own_labels(&self, command: &Command, charset: Charset) -> Vec<String> {
        if let (Some(first), Some(last), true) = (command.keys.first(), command.keys.last(), command.is_run()) {
            return vec![format!("{first}-{last}")];
        }
        self.keys(command).iter().map(|key| key.label(charset)).collect()
    }
}
