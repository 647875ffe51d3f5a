//! Menu of the commands that matter most, by task. The key that runs a command in the panes runs it in the menu too.

use crate::tui::keymap::Command;

/// Commands of one task.
pub struct Task {
    /// Heading.
    pub title: &'static str,
    /// Names of the commands, and what they do in a word or two.
    pub commands: &'static [(&'static str, &'static str)],
}

/// All tasks, the ones that nobody finds by chance first.
pub const TASKS: [Task; 6] = [
    Task {
        title: "Test",
        commands: &[
            ("intervene", "intervene"),
            ("verify", "verify an edge"),
            ("heads", "split by heads"),
            ("why", "why it fires"),
            ("inhibitors", "what restrains it"),
            ("stability", "what is unstable"),
        ],
    },
    Task {
        title: "Find",
        commands: &[
            ("paths", "paths"),
            ("propose-circuit", "propose the circuit"),
            ("search", "search nodes"),
            ("go-to", "go to anything"),
            ("filter", "filter"),
            ("contexts", "contexts"),
            ("browse", "all features"),
        ],
    },
    Task {
        title: "Graphs",
        commands: &[
            ("compare", "compare two"),
            ("union", "merge all open"),
            ("prompt", "another prompt"),
            ("go-on", "go on tracing"),
            ("next-graph", "next graph"),
            ("previous-graph", "graph before"),
            ("open", "open a file"),
            ("models", "models, recent"),
        ],
    },
    Task {
        title: "Keep",
        commands: &[
            ("export", "export"),
            ("copy", "copy, then a key"),
            ("pin", "pin"),
            ("choose", "choose"),
            ("edit", "edit, then a key"),
            ("undo", "undo"),
            ("redo", "redo"),
        ],
    },
    Task {
        title: "Prune",
        commands: &[
            ("nodes-more", "more nodes"),
            ("nodes-fewer", "fewer nodes"),
            ("edges-more", "more edges"),
            ("edges-fewer", "fewer edges"),
            ("thresholds", "thresholds"),
        ],
    },
    Task {
        title: "Program",
        commands: &[
            ("next-pane", "next pane"),
            ("zoom", "zoom"),
            ("palette", "run by name"),
            ("help", "every key, guide"),
            ("quit", "leave"),
        ],
    },
];

/// Iterates over all commands of the menu.
pub fn listed() -> impl Iterator<Item = &'static Command> {
    TASKS.iter().flat_map(|task| task.commands).filter_map(|(name, _)| Command::named(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_entry_is_a_command_and_stands_once() {
        let names: Vec<_> = TASKS.iter().flat_map(|task| task.commands).map(|(name, _)| *name).collect();
        assert_eq!(listed().map(|command| command.name).collect::<Vec<_>>(), names);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
