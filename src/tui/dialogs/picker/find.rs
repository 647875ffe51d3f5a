//! Fuzzy search over commands, panes, open graphs, supernodes and nodes.

use crate::graph::Edited;
use crate::ids::NodeId;
use crate::job::{Cancelled, Monitor};
use crate::text;
use crate::text::glyph::Glyphs;
use crate::text::names::{Names, label_of};
use crate::tui::keymap::{Command, Keymap, all_commands};
use crate::tui::panes::{PANES, PaneId};
use crate::tui::workspace::filter::job::Written;
use crate::tui::workspace::{Circuit, Tabs, Traced};
use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

/// Short names of commands, as other programs call them.
const SHORT: [(&str, &str); 8] = [
    ("q", "quit"),
    ("q!", "quit"),
    ("wq", "quit"),
    ("w", "saved"),
    ("e", "open"),
    ("o", "open"),
    ("h", "help"),
    ("u", "undo"),
];

/// Returns the command of this name, or of this short name.
pub fn command_called(name: &str) -> Option<&'static Command> {
    let short = SHORT.iter().find(|(short, _)| *short == name).map(|(_, name)| *name);
    Command::named(short.unwrap_or(name))
}

/// Target of an entry.
#[derive(Clone, Copy)]
pub enum Target {
    /// Command that is run.
    Command(&'static Command),
    /// Pane that gets the focus.
    Pane(PaneId),
    /// Open graph that comes onto the screen, by the number of turns that lead to it.
    Graph(usize),
    /// Supernode, by its index, whose first kept member is selected.
    Group(usize),
    /// Node that is selected.
    Node(NodeId),
}

/// Entry that can be found. Its texts are harmless to a terminal.
pub struct Entry {
    /// Target of the entry.
    pub target: Target,
    /// Name of the entry.
    pub name: String,
    /// Text beside the name.
    pub beside: String,
    /// Keys of a command.
    pub keys: String,
    /// Further texts that the entry is found by.
    pub also: Vec<String>,
    /// True for a node that cannot be gone to at the present thresholds.
    pub stands_back: bool,
}

impl Entry {
    fn new(target: Target, name: String, beside: String) -> Self {
        Self { target, name, beside, keys: String::new(), also: Vec::new(), stands_back: false }
    }

    /// Returns the kind of entry in a word.
    pub fn kind(&self) -> &'static str {
        match self.target {
            Target::Command(_) => "command",
            Target::Pane(_) => "pane",
            Target::Graph(_) => "graph",
            Target::Group(_) => "supernode",
            Target::Node(_) => "node",
        }
    }

    /// Scores the match: every word must stand in one of the texts, as in most fuzzy finders. `None` where one does
    /// not.
    fn score(&self, matcher: &SkimMatcherV2, words: &[&str]) -> Option<i64> {
        let best = |word: &&str| {
            let texts = [&self.name, &self.beside].into_iter().chain(&self.also);
            texts.filter_map(|text| matcher.fuzzy_match(text, word)).max()
        };
        words.iter().map(best).sum()
    }
}

/// Entries that a search found, among all.
#[derive(Clone)]
pub struct Found {
    /// All entries.
    pub entries: Arc<[Entry]>,
    /// Indices of the found entries, best first.
    pub order: Arc<[u32]>,
}

impl Found {
    /// Iterates over the found entries, best first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.order.iter().map(|at| &self.entries[*at as usize])
    }
}

/// All entries that can be found, gathered at the first search: that may take longer than a frame.
#[derive(Clone)]
pub struct Haystack(Arc<Candidates>);

struct Candidates {
    wanted: Kinds,
    glyphs: Glyphs,
    keymap: Arc<Keymap>,
    nodes: Option<Nodes>,
    /// Other graphs that are open: turns, place, title.
    graphs: Vec<(usize, usize, String)>,
    entries: OnceLock<Arc<[Entry]>>,
}

/// Kinds of entries to search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Commands,
    Nodes,
    Groups,
    Everything,
}

impl Haystack {
    /// Searches the commands.
    pub fn of_commands(glyphs: &Glyphs, keymap: &Arc<Keymap>) -> Self {
        Self::with_graphs(Kinds::Commands, glyphs, keymap, None, Vec::new())
    }

    /// Searches the nodes of a circuit.
    pub fn of_nodes(circuit: &Circuit, glyphs: &Glyphs) -> Self {
        Self::new(Kinds::Nodes, glyphs, Some(circuit))
    }

    /// Searches some nodes of a circuit.
    pub fn of_these(circuit: &Circuit, nodes: Vec<NodeId>, glyphs: &Glyphs) -> Self {
        let nodes = Nodes { only: Some(nodes), ..Nodes::new(circuit) };
        let glyphs = glyphs.clone();
        Self(Arc::new(Candidates {
            wanted: Kinds::Nodes,
            glyphs,
            keymap: Keymap::usual(),
            nodes: Some(nodes),
            graphs: Vec::new(),
            entries: OnceLock::new(),
        }))
    }

    /// Searches the supernodes of a circuit.
    pub fn of_groups(circuit: &Circuit, glyphs: &Glyphs) -> Self {
        Self::new(Kinds::Groups, glyphs, Some(circuit))
    }

    /// Searches everything that can be gone to or done.
    pub fn of_everything(circuit: Option<&Circuit>, tabs: &Tabs, glyphs: &Glyphs, keymap: &Arc<Keymap>) -> Self {
        let graphs = tabs.others().map(|(turns, place, other)| (turns, place, other.title())).collect();
        Self::with_graphs(Kinds::Everything, glyphs, keymap, circuit, graphs)
    }

    fn new(wanted: Kinds, glyphs: &Glyphs, circuit: Option<&Circuit>) -> Self {
        Self::with_graphs(wanted, glyphs, &Keymap::usual(), circuit, Vec::new())
    }

    fn with_graphs(
        wanted: Kinds,
        glyphs: &Glyphs,
        keymap: &Arc<Keymap>,
        circuit: Option<&Circuit>,
        graphs: Vec<(usize, usize, String)>,
    ) -> Self {
        let nodes = circuit.map(Nodes::new);
        let (glyphs, keymap) = (glyphs.clone(), Arc::clone(keymap));
        Self(Arc::new(Candidates { wanted, glyphs, keymap, nodes, graphs, entries: OnceLock::new() }))
    }

    /// Returns the entries that match `query`, best first; all of them where it is empty.
    ///
    /// # Errors
    /// Fails where `monitor` says to stop.
    pub fn find(&self, query: &str, monitor: &Monitor) -> Result<Found, Cancelled> {
        let entries = Arc::clone(self.0.entries.get_or_init(|| self.0.gather()));
        let matcher = SkimMatcherV2::default();
        let words: Vec<&str> = query.split_whitespace().collect();
        let called = command_called(query).map(|command| command.name);
        let mut scored = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if at % 256 == 0 {
                monitor.cancel().check()?;
            }
            let is_called = matches!(entry.target, Target::Command(command) if Some(command.name) == called);
            let score = if is_called { Some(i64::MAX) } else { entry.score(&matcher, &words) };
            if let Some(score) = score {
                scored.push((Reverse(score), entry.stands_back, at as u32));
            }
        }
        // With an empty query, entries stand in the order in which they were gathered.
        scored.sort_unstable();
        Ok(Found { entries, order: scored.into_iter().map(|(.., at)| at).collect() })
    }
}

impl Candidates {
    fn gather(&self) -> Arc<[Entry]> {
        let wants = |some: Kinds| self.wanted == some || self.wanted == Kinds::Everything;
        let mut entries = Vec::new();
        if self.wanted == Kinds::Everything {
            let panes = PANES.iter().copied();
            entries.extend(panes.map(|pane| Entry::new(Target::Pane(pane), pane.title().to_owned(), String::new())));
        }
        entries.extend(self.graphs.iter().map(|(turns, place, title)| {
            Entry::new(Target::Graph(*turns), self.glyphs.visible(title), format!("open, {place}"))
        }));
        if let (Some(nodes), true) = (&self.nodes, wants(Kinds::Groups)) {
            entries.extend(nodes.groups(&self.glyphs));
        }
        if let (Some(nodes), true) = (&self.nodes, wants(Kinds::Nodes)) {
            entries.extend(nodes.nodes(&self.glyphs));
        }
        if wants(Kinds::Commands) {
            let commands = all_commands().filter(|command| command.context.is_about_panes() && !command.is_motion());
            entries.extend(commands.map(|command| {
                let keys = self.keymap.labels(command, self.glyphs.charset).join(" ");
                Entry { keys, ..Entry::new(Target::Command(command), command.name.to_owned(), command.doc.to_owned()) }
            }));
        }
        entries.into()
    }
}

/// Data of a circuit's nodes: cheap to take along to another thread.
struct Nodes {
    names: Names,
    traced: Traced,
    edited: Edited,
    written: Written,
    /// Nodes to search; `None` is all.
    only: Option<Vec<NodeId>>,
}

impl Nodes {
    fn new(circuit: &Circuit) -> Self {
        Self {
            names: circuit.naming.names.clone(),
            traced: circuit.traced.clone(),
            edited: circuit.edits.now().clone(),
            written: circuit.written().map(|(feature, written)| (feature, Arc::clone(written))).collect(),
            only: None,
        }
    }

    fn groups<'a>(&'a self, glyphs: &'a Glyphs) -> impl Iterator<Item = Entry> + 'a {
        self.edited.groups.iter().enumerate().map(|(at, group)| {
            let count = text::counted(group.members.len(), "node");
            Entry::new(Target::Group(at), glyphs.visible(&group.name), count)
        })
    }

    /// Iterates over the nodes' entries, the kept ones first, then by influence.
    fn nodes<'a>(&'a self, glyphs: &'a Glyphs) -> impl Iterator<Item = Entry> + 'a {
        let kept = &self.traced.kept;
        let all = || self.traced.document.graph.listed().collect();
        let mut order: Vec<NodeId> = self.only.clone().unwrap_or_else(all);
        order.sort_by(|a, b| kept.has_node(*b).cmp(&kept.has_node(*a)).then(kept.by_influence(*a, *b)));
        order.into_iter().map(|id| self.node(id, glyphs))
    }

    fn node(&self, id: NodeId, glyphs: &Glyphs) -> Entry {
        let document = &self.traced.document;
        let promoted = document.graph.node(id).layer_and_feature().and_then(|feature| self.written.get(&feature));
        let promoted: Vec<String> = promoted
            .map_or_else(Vec::new, |promoted| promoted.top.iter().map(|(token, _)| glyphs.visible(token)).collect());
        let label = label_of(document, &self.edited, id).map(|(label, _)| label);
        let called = self.names.called(id, label, glyphs);
        let beside = if label.is_some() { called.number.clone() } else { promoted.join("  ") };
        Entry {
            also: promoted.into_iter().chain([glyphs.visible(&document.graph.node_name(id))]).collect(),
            stands_back: !self.traced.kept.has_node(id),
            ..Entry::new(Target::Node(id), called.short(), beside)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::glyph::Charset;

    fn names(query: &str) -> Vec<&'static str> {
        let hay = Haystack::of_commands(&Glyphs::new(Charset::Ascii), &Keymap::usual());
        let found = hay.find(query, &Monitor::default()).unwrap();
        let name = |entry: &Entry| match entry.target {
            Target::Command(command) => command.name,
            _ => panic!("only commands were looked through"),
        };
        found.entries().map(name).collect()
    }

    #[test]
    fn every_word_must_fit_and_the_best_comes_first() {
        assert_eq!(names("undo")[0], "undo");
        assert_eq!(names("nodes fewer")[0], "nodes-fewer");
        assert!(names("undo xyzzy").is_empty());
        assert!(names("").len() > 20, "nothing asked for finds everything");
    }

    #[test]
    fn a_search_can_be_stopped() {
        let monitor = Monitor::default();
        monitor.cancel().cancel();
        assert!(Haystack::of_commands(&Glyphs::new(Charset::Ascii), &Keymap::usual()).find("undo", &monitor).is_err());
    }
}
