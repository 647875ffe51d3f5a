//! The exported part, with the texts that all formats share.

use crate::format::export::{Drawing, DrawnEdges};
use crate::graph::{
    AttributionGraph, Document, Edited, Kept, Node, NodeKind, Part, Scores, Selection, SupernodeGraph, label, scores,
    subgraph_scores,
};
use crate::ids::NodeId;
use crate::untrusted::{is_hidden, shorten};
use std::collections::HashSet;
use std::fmt::Write as _;

/// Part of a graph, as it is drawn, and everything that its texts are made of.
pub(super) struct Sheet<'a> {
    pub document: &'a Document,
    pub kept: &'a Kept,
    pub edited: &'a Edited,
    pub part: Part,
    pub slug: String,
    /// Nodes and groups, and signed shares of input between them.
    pub drawn: SupernodeGraph,
    /// Number of edges that are not among those of `drawn`, since they are weak.
    pub edges_left_out: usize,
    /// Names of the nodes, `[N]`: ids in graph JSON, made harmless, and no two the same.
    names: Vec<String>,
}

/// Shape of a drawn node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Feature,
    Error,
    Token,
    Logit,
    Other,
    /// Group of several nodes.
    Group,
}

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Error => "error",
            Self::Token => "token",
            Self::Logit => "logit",
            Self::Other => "other",
            Self::Group => "supernode",
        }
    }

    pub fn of(node: &Node) -> Self {
        match node.kind {
            NodeKind::Feature { .. } => Self::Feature,
            NodeKind::Error { .. } => Self::Error,
            NodeKind::Token { .. } => Self::Token,
            NodeKind::Logit(_) => Self::Logit,
            NodeKind::Other(_) => Self::Other,
        }
    }
}

impl<'a> Sheet<'a> {
    pub fn new(document: &'a Document, kept: &'a Kept, edited: &'a Edited, part: Part, slug: String) -> Self {
        let drawn = Selection::new(&document.graph, kept, edited, part).drawn();
        Self { document, kept, edited, part, slug, drawn, edges_left_out: 0, names: names(&document.graph) }
    }

    /// Keeps the strongest edges alone, in the order that they have.
    pub fn with_strongest_edges(mut self, drawing: &Drawing) -> Self {
        let edges = &mut self.drawn.edges;
        let n_edges = edges.len();
        edges.retain(|edge| edge.weight.abs() >= drawing.least_share);
        if edges.len() > drawing.most_edges {
            let mut order: Vec<usize> = (0..edges.len()).collect();
            order.sort_by(|a, b| edges[*b].weight.abs().total_cmp(&edges[*a].weight.abs()));
            order.truncate(drawing.most_edges);
            order.sort_unstable();
            *edges = order.into_iter().map(|at| edges[at]).collect();
        }
        self.edges_left_out = n_edges - self.drawn.edges.len();
        self
    }

    /// Returns the prompt as it was typed: files may have the special token in front of it in its text too.
    pub fn prompt(&self) -> String {
        let prompt = self.document.origin.prompt.as_str();
        let special = self.document.graph.tokens().first().map(|token| token.text.as_str());
        let special = special.filter(|text| text.starts_with('<') && text.ends_with('>'));
        harmless(special.and_then(|text| prompt.strip_prefix(text)).unwrap_or(prompt))
    }

    /// Returns how many edges are drawn, and how many are not.
    pub fn drawn_edges(&self) -> DrawnEdges {
        DrawnEdges { drawn: self.drawn.edges.len(), left_out: self.edges_left_out }
    }

    pub fn selection(&self) -> Selection<'a> {
        Selection::new(&self.document.graph, self.kept, self.edited, self.part)
    }

    pub fn node(&self, id: NodeId) -> &'a Node {
        self.document.graph.node(id)
    }

    /// Returns the shape of the drawn node at `at`.
    pub fn shape(&self, at: usize) -> Shape {
        let drawn = &self.drawn.nodes[at];
        match drawn.group {
            Some(_) => Shape::Group,
            None => Shape::of(self.node(drawn.members[0])),
        }
    }

    /// Returns a node's id, as all formats write it.
    pub fn name(&self, id: NodeId) -> &str {
        &self.names[id.index()]
    }

    /// Returns the id of the drawn node at `at`: of a group `supernode_` and its number.
    pub fn id(&self, at: usize) -> String {
        let drawn = &self.drawn.nodes[at];
        match drawn.group {
            Some(group) => format!("{GROUP}{group}"),
            None => self.name(drawn.members[0]).to_owned(),
        }
    }

    /// Returns the title of the drawn node at `at`: of a group its name, of a node its label, else its kind and number.
    pub fn title(&self, at: usize) -> String {
        let drawn = &self.drawn.nodes[at];
        match drawn.group {
            Some(group) => harmless(&self.edited.groups[group].name),
            None => self.node_title(drawn.members[0]),
        }
    }

    /// Returns a node's label, else its kind and number.
    pub fn node_title(&self, id: NodeId) -> String {
        match self.label(id) {
            Some(label) => harmless(label),
            None => self.what(id),
        }
    }

    /// Returns the title of the drawn node at `at` and, of a lone one in a layer, its place.
    pub fn title_at(&self, at: usize) -> String {
        let drawn = &self.drawn.nodes[at];
        if drawn.group.is_some() { self.title(at) } else { self.node_title_at(drawn.members[0]) }
    }

    /// Returns a node's title and, in a layer, its place.
    pub fn node_title_at(&self, id: NodeId) -> String {
        match Shape::of(self.node(id)) {
            Shape::Token | Shape::Logit => self.node_title(id),
            _ => format!("{} {}", self.node_title(id), self.place(id)),
        }
    }

    /// Returns the layer and token of a node and, where its label is its title, its number: `L16 “Dallas” #2268`.
    pub fn place(&self, id: NodeId) -> String {
        let layer = self.node(id).layer().map_or_else(String::new, |layer| format!("L{layer} "));
        let feature = self.node(id).feature().filter(|_| self.label(id).is_some());
        let number = feature.map_or_else(String::new, |at| format!(" #{}", at.feature));
        format!("{layer}{}{number}", quoted(self.document.graph.token_text(id)))
    }

    pub fn label(&self, id: NodeId) -> Option<&str> {
        label(&self.document.graph, self.edited, &self.document.labels, id).filter(|label| !label.is_empty())
    }

    /// Returns a node's kind and number, in a few characters.
    pub fn what(&self, id: NodeId) -> String {
        let token = || quoted(self.document.graph.token_text(id));
        match &self.node(id).kind {
            NodeKind::Feature { feature, .. } => format!("#{feature}"),
            NodeKind::Error { .. } => "error".to_owned(),
            NodeKind::Token { .. } => token(),
            NodeKind::Logit(logit) => format!("{} {}", token(), percent(logit.probability)),
            NodeKind::Other(other) => harmless(&other.kind),
        }
    }

    /// Returns the row that a node is drawn in: 0 for tokens, layers from 1, and one above all layers.
    pub fn row(&self, id: NodeId) -> usize {
        match self.node(id) {
            node if node.is_logit() => self.document.graph.n_layers() + 1,
            node => node.layer().map_or(0, |layer| layer.index() + 1),
        }
    }

    /// Returns the name of a row.
    pub fn row_name(&self, row: usize) -> String {
        match row {
            0 => "tokens".into(),
            row if row > self.document.graph.n_layers() => "logits".into(),
            row => format!("L{}", row - 1),
        }
    }

    /// Returns a node's influence; logits have none but where a file gives it.
    pub fn influence(&self, id: NodeId) -> Option<f32> {
        let is_computed = self.document.graph.is_whole();
        self.kept.influence_of(id).filter(|_| !(is_computed && self.node(id).is_logit()))
    }

    /// Returns the scores of the whole graph; of the pinned part, those of its subgraph.
    pub fn scores(&self) -> Scores {
        match self.part {
            Part::Pinned => subgraph_scores(&self.document.graph, &self.edited.pins),
            Part::All | Part::Pruned => scores(&self.document.graph, &self.kept.influence),
        }
    }

    /// Returns the name of the part.
    pub fn part_name(&self) -> &'static str {
        match self.part {
            Part::All => "whole graph",
            Part::Pruned => "pruned graph",
            Part::Pinned => "pinned subgraph",
        }
    }
}

/// Formats a probability in percent.
pub(super) fn percent(share: f32) -> String {
    let share = share * 100.0;
    if share >= 10.0 || share == 0.0 { format!("{share:.0}%") } else { format!("{share:.1}%") }
}

/// Formats a weight with its sign, which is a minus sign and no hyphen.
pub(super) fn signed(weight: f64) -> String {
    let decimals = if weight.abs() < 0.1 { 3 } else { 2 };
    format!("{}{:.decimals$}", if weight < 0.0 { '−' } else { '+' }, weight.abs())
}

/// Puts a token between quotation marks, so that its spaces are seen.
pub(super) fn quoted(token: &str) -> String {
    format!("“{}”", harmless(token))
}

/// Start of the ids of groups.
const GROUP: &str = "supernode_";

/// Returns the ids of the nodes, `[N]`. Foreign ones, which are texts of a file, are made harmless, and told apart
/// where that makes two the same or one the id of a group.
fn names(graph: &AttributionGraph) -> Vec<String> {
    let mut taken = HashSet::with_capacity(graph.n_nodes());
    let mut number = 0;
    let name = |id| {
        let own = harmless(&graph.node_name(id));
        let mut name = own.clone();
        while name.starts_with(GROUP) || !taken.insert(name.clone()) {
            number += 1;
            name = format!("node_{number}_{own}");
        }
        name
    };
    graph.node_ids().map(name).collect()
}

/// Characters of a text in an export, at most.
const LONGEST: usize = 500;

/// Returns the [`clean`] text, and no longer than anybody reads.
pub(super) fn harmless(text: &str) -> String {
    clean(&shorten(text, LONGEST))
}

/// Replaces the characters of a file's text that a reader's program would obey, or nobody would see: control characters
/// by their pictures, marks of direction and of no width by their code points.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('⏎'),
            '\t' => out.push('⇥'),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␀')),
            // The last two of a plane are no characters, and XML refuses those of the first.
            c if c.is_control() || is_hidden(c) || u32::from(c) & 0xfffe == 0xfffe => {
                // Writing to a text cannot fail.
                let _ = write!(out, "‹{:X}›", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
