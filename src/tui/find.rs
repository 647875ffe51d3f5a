//! Fuzzy search over commands, panes, open graphs, supernodes and nodes.

use crate::graph::{Edited, NodeKind};
use crate::ids::NodeId;
use crate::job::{Cancelled, Monitor};
use crate::text;
use crate::text::glyph::Glyphs;
use crate::text::names::{Names, label_of};
use crate::tui::app::Pane;
use crate::tui::circuit::Circuit;
use crate::tui::command::{Command, all_commands};
use crate::tui::filter_job::Written;
use crate::tui::tabs::Tabs;
use crate::tui::traced::Traced;
use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

/// Target of an entry.
#[derive(Clone, Copy)]
pub enum Target {
    /// Command that is run.
    Command(&'static Command),
    /// Pane that gets the focus.
    Pane(Pane),
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
pub struct Haystack(Arc<Hay>);

struct Hay {
    wanted: Wanted,
    glyphs: Glyphs,
    nodes: Option<Nodes>,
    /// Other graphs that are open: turns, place, title.
    graphs: Vec<(usize, usize, String)>,
    entries: OnceLock<Arc<[Entry]>>,
}

/// Kinds of entries to search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Commands,
    Nodes,
    Groups,
    Everything,
}

impl Haystack {
    /// Searches the commands.
    pub fn of_commands(glyphs: &Glyphs) -> Self {
        Self::new(Wanted::Commands, glyphs, None)
    }

    /// Searches the nodes of a circuit.
    pub fn of_nodes(circuit: &Circuit, glyphs: &Glyphs) -> Self {
        Self::new(Wanted::Nodes, glyphs, Some(circuit))
    }

    /// Searches some nodes of a circuit.
    pub fn of_these(circuit: &Circuit, nodes: Vec<NodeId>, glyphs: &Glyphs) -> Self {
        let nodes = Nodes { only: Some(nodes), ..Nodes::new(circuit) };
        let glyphs = glyphs.clone();
        Self(Arc::new(Hay {
            wanted: Wanted::Nodes,
            glyphs,
            nodes: Some(nodes),
            graphs: Vec::new(),
            entries: OnceLock::new(),
        }))
    }

    /// Searches the supernodes of a circuit.
    pub fn of_groups(circuit: &Circuit, glyphs: &Glyphs) -> Self {
        Self::new(Wanted::Groups, glyphs, Some(circuit))
    }

    /// Searches everything that can be gone to or done.
    pub fn of_everything(circuit: Option<&Circuit>, tabs: &Tabs, glyphs: &Glyphs) -> Self {
        let graphs = tabs.others().map(|(turns, place, other)| (turns, place, other.title())).collect();
        Self::with_graphs(Wanted::Everything, glyphs, circuit, graphs)
    }

    fn new(wanted: Wanted, glyphs: &Glyphs, circuit: Option<&Circuit>) -> Self {
        Self::with_graphs(wanted, glyphs, circuit, Vec::new())
    }

    fn with_graphs(
        wanted: Wanted,
        glyphs: &Glyphs,
        circuit: Option<&Circuit>,
        graphs: Vec<(usize, usize, String)>,
    ) -> Self {
        let nodes = circuit.map(Nodes::new);
        Self(Arc::new(Hay { wanted, glyphs: glyphs.clone(), nodes, graphs, entries: OnceLock::new() }))
    }

    /// Returns the entries that match `query`, best first; all of them where it is empty.
    ///
    /// # Errors
    /// Fails where `monitor` says to stop.
    pub fn find(&self, query: &str, monitor: &Monitor) -> Result<Found, Cancelled> {
        let entries = Arc::clone(self.0.entries.get_or_init(|| self.0.gather()));
        let matcher = SkimMatcherV2::default();
        let words: Vec<&str> = query.split_whitespace().collect();
        let mut scored = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if at % 256 == 0 {
                monitor.cancel().check()?;
            }
            if let Some(score) = entry.score(&matcher, &words) {
                scored.push((Reverse(score), entry.stands_back, at as u32));
            }
        }
        // With an empty query, entries stand in the order in which they were gathered.
        scored.sort_unstable();
        Ok(Found { entries, order: scored.into_iter().map(|(.., at)| at).collect() })
    }
}

impl Hay {
    fn gather(&self) -> Arc<[Entry]> {
        let wants = |some: Wanted| self.wanted == some || self.wanted == Wanted::Everything;
        let mut entries = Vec::new();
        if self.wanted == Wanted::Everything {
            let panes = Pane::ALL.into_iter();
            entries.extend(panes.map(|pane| Entry::new(Target::Pane(pane), pane.title().to_owned(), String::new())));
        }
        entries.extend(self.graphs.iter().map(|(turns, place, title)| {
            Entry::new(Target::Graph(*turns), self.glyphs.visible(title), format!("open, {place}"))
        }));
        if let (Some(nodes), true) = (&self.nodes, wants(Wanted::Groups)) {
            entries.extend(nodes.groups(&self.glyphs));
        }
        if let (Some(nodes), true) = (&self.nodes, wants(Wanted::Nodes)) {
            entries.extend(nodes.nodes(&self.glyphs));
        }
        if wants(Wanted::Commands) {
            let commands = all_commands().filter(|command| command.context.is_about_panes());
            entries.extend(commands.map(|command| {
                let keys = command.key_labels(self.glyphs.charset).join(" ");
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
            names: circuit.names.clone(),
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
        let all = || self.traced.document.graph.node_ids().collect();
        let mut order: Vec<NodeId> = self.only.clone().unwrap_or_else(all);
        order.sort_by(|a, b| kept.has_node(*b).cmp(&kept.has_node(*a)).then(kept.by_influence(*a, *b)));
        order.into_iter().map(|id| self.node(id, glyphs))
    }

    fn node(&self, id: NodeId, glyphs: &Glyphs) -> Entry {
        let document = &self.traced.document;
        let promoted = match document.graph.node(id).kind {
            NodeKind::Feature { layer, feature, .. } => self.written.get(&(layer, feature)),
            _ => None,
        };
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
        let hay = Haystack::of_commands(&Glyphs::new(Charset::Ascii));
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
        assert!(Haystack::of_commands(&Glyphs::new(Charset::Ascii)).find("undo", &monitor).is_err());
    }
}
