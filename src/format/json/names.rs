//! Ids of a file, each held once, and the nodes that they name.

use crate::graph::{Node, NodeKind};
use crate::ids::NodeId;
use std::borrow::Cow;
use std::collections::HashMap;

/// Index of an id among all ids. Links may name nodes that come later in the file.
pub(super) type Name = u32;

/// A link between ids.
pub(super) type NamedLink = (Name, Name, f32);

const NOBODY: u32 = u32::MAX;
/// Nodes of one id that links may lead to, at most: old files have two, and of thousands none can be told.
const MOST_NAMESAKES: usize = 8;

/// The ids of a file. Most are borrowed from it.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    known: HashMap<Cow<'a, str>, Name>,
    /// First node of each id.
    first: Vec<u32>,
    /// Further nodes of ids that name several, ascending.
    further: HashMap<Name, Vec<NodeId>>,
}

impl<'a> Names<'a> {
    /// Returns the id's index; a new id is added.
    pub fn intern(&mut self, id: Cow<'a, str>) -> Result<Name, String> {
        if let Some(name) = self.known.get(&id) {
            return Ok(*name);
        }
        let name = Name::try_from(self.first.len()).map_err(|_| "there are more ids than a graph can hold nodes")?;
        self.known.insert(id, name);
        self.first.push(NOBODY);
        Ok(name)
    }

    /// Makes an id name a node, beside those that it names already. Nodes are added in their order.
    pub fn add(&mut self, name: Name, node: NodeId) {
        match &mut self.first[name as usize] {
            first if *first == NOBODY => *first = node.0,
            _ => {
                let further = self.further.entry(name).or_default();
                if further.len() + 1 < MOST_NAMESAKES {
                    further.push(node);
                }
            }
        }
    }

    /// Returns the ids, by index.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = vec![""; self.first.len()];
        self.known.iter().for_each(|(id, name)| texts[*name as usize] = id);
        texts
    }

    /// Returns true where an id names more than one node.
    pub fn is_shared(&self, name: Name) -> bool {
        self.further.contains_key(&name)
    }

    /// Iterates over the nodes that an id names, ascending.
    pub fn nodes(&self, name: Name) -> impl Iterator<Item = NodeId> + '_ {
        let first = Some(self.first[name as usize]).filter(|first| *first != NOBODY).map(NodeId);
        first.into_iter().chain(self.further.get(&name).into_iter().flatten().copied())
    }

    /// Returns the nodes that an id names, ascending; none where no node has that id.
    pub fn find(&self, id: &str) -> Vec<NodeId> {
        self.known.get(id).map_or_else(Vec::new, |name| self.nodes(*name).collect())
    }

    /// Returns the links between nodes, in their order, and the number of links left out because an end is no node.
    ///
    /// Old files give error nodes the ids that features of layer 0 may have. Of the nodes that share an id, a link
    /// leads to the one that has inputs, which an error and a token have not; it comes from one that lies below its
    /// target. Where both do, the order of the file decides, which lists a target's links by source: it is the first
    /// whose index is after that of the source before.
    pub fn resolve(&self, links: Vec<NamedLink>, nodes: &[Node]) -> (Vec<(NodeId, NodeId, f32)>, usize) {
        let n_links = links.len();
        let resolved: Vec<_> = if self.further.is_empty() {
            // The common case: there may be tens of millions.
            let of = |name: Name| Some(NodeId(self.first[name as usize])).filter(|id| id.0 != NOBODY);
            links.into_iter().filter_map(|(source, target, weight)| Some((of(source)?, of(target)?, weight))).collect()
        } else {
            let mut last: Option<(NodeId, NodeId)> = None;
            let resolve = |(source, target, weight)| {
                let to = self.nodes(target).find(|id| has_inputs(nodes, *id)).or_else(|| self.nodes(target).next())?;
                let from = || self.nodes(source).filter(|id| lies_below(nodes, *id, to));
                let before = last.filter(|(_, target)| *target == to).map(|(source, _)| source);
                let next = from().find(|id| before.is_none_or(|before| *id > before));
                let from = next.or_else(|| from().next()).or_else(|| self.nodes(source).next())?;
                last = Some((from, to));
                Some((from, to, weight))
            };
            links.into_iter().filter_map(resolve).collect()
        };
        let n_left_out = n_links - resolved.len();
        (resolved, n_left_out)
    }
}

fn has_inputs(nodes: &[Node], id: NodeId) -> bool {
    !matches!(nodes[id.index()].kind, NodeKind::Error { .. } | NodeKind::Token { .. })
}

fn lies_below(nodes: &[Node], id: NodeId, target: NodeId) -> bool {
    let (node, target) = (&nodes[id.index()], &nodes[target.index()]);
    match (node.layer(), target.layer()) {
        _ if node.is_logit() => false,
        (Some(layer), Some(above)) => layer < above,
        _ => true,
    }
}
