//! What the nodes of a graph are called on the screen.

use crate::graph::{AttributionGraph, Document, Edited, Labelled, NodeKind};
use crate::ids::{NodeId, Position};
use crate::tui::glyph::{Charset, Glyphs};
use std::collections::HashMap;
use std::sync::Arc;

/// Names of the nodes of one graph. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    graph: Arc<AttributionGraph>,
    /// Token texts that stand more than once in the prompt need their position beside them, `[tokens]`.
    repeated: Arc<[bool]>,
}

impl Names {
    /// The names of the nodes of `graph`.
    pub fn new(graph: Arc<AttributionGraph>) -> Self {
        let tokens = graph.tokens();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for token in tokens {
            *seen.entry(token.text.as_str()).or_default() += 1;
        }
        let repeated = tokens.iter().map(|token| seen[token.text.as_str()] > 1).collect();
        Self { graph, repeated }
    }

    /// A token's text as it is shown.
    pub fn token(&self, position: Position, glyphs: &Glyphs) -> String {
        let token = self.graph.tokens().get(position.index());
        token.map_or_else(String::new, |token| glyphs.visible(&token.text))
    }

    /// A token with its position beside it where its text stands more than once in the prompt.
    pub fn token_at(&self, position: Position, glyphs: &Glyphs) -> String {
        let text = self.token(position, glyphs);
        if self.repeated.get(position.index()) == Some(&true) {
            format!("{text}{}", subscript(position, glyphs.charset))
        } else {
            text
        }
    }

    /// What a node is called: `L2 #345 @is`.
    pub fn name(&self, node: NodeId, glyphs: &Glyphs) -> String {
        match &self.graph.node(node).kind {
            NodeKind::Feature { layer, position, feature } => {
                format!("L{layer} #{feature} @{}", self.token_at(*position, glyphs))
            }
            NodeKind::Error { layer, position } => format!("L{layer} error @{}", self.token_at(*position, glyphs)),
            NodeKind::Token { position, .. } => format!("token {}", self.token_at(*position, glyphs)),
            NodeKind::Logit { text, .. } => format!("logit {}", glyphs.visible(text)),
            NodeKind::Other { kind, name, position, .. } => {
                let (kind, name) = (glyphs.visible(kind), glyphs.visible(name));
                format!("{kind} {name} @{}", self.token_at(*position, glyphs))
            }
        }
    }
}

/// What a node was labelled: by the person, else by the file; whether by the person.
pub fn label_of<'a>(document: &'a Document, edited: &'a Edited, node: NodeId) -> Option<(&'a str, bool)> {
    let what = Labelled::of(node, document.graph.node(node));
    let own = edited.labels.get(&what).map(|label| (label.as_str(), true));
    own.or_else(|| document.labels.get(&what).map(|label| (label.as_str(), false)))
        .filter(|(label, _)| !label.is_empty())
}

fn subscript(position: Position, charset: Charset) -> String {
    match charset {
        Charset::Ascii => format!(":{position}"),
        Charset::Unicode | Charset::Braille => {
            position.to_string().bytes().filter_map(|digit| char::from_u32(0x2080 + u32::from(digit - b'0'))).collect()
        }
    }
}
