//! Ids of a file, each held once, and the nodes that they name.

use crate::graph::{Node, NodeKind};
use crate::ids::NodeId;
use std::borrow::Cow;
use std::collections::HashMap;

/// An id, by its place among all ids. Links may name nodes that come later in the file.
pub(super) type Name = u32;

/// A link between ids.
pub(super) type NamedLink = (Name, Name, f32);

const NOBODY: u32 = u32::MAX;

/// The ids of a file. Most are borrowed from it.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    known: HashMap<Cow<'a, str>, Name>,
    /// The first node that each id names.
    first: Vec<u32>,
    /// Further nodes of ids that name several, ascending.
    further: HashMap<Name, Vec<NodeId>>,
}

impl<'a> Names<'a> {
    /// The id's place; it is taken up where it is new.
    pub fn intern(&mut self, id: Cow<'a, str>) -> Result<Name, String> {
        if let Some(name) = self.known.get(&id) {
            return Ok(*name);
        }
        let name = Name::try_from(self.first.len()).map_err(|_| "there are more ids than a graph can hold nodes")?;
        self.known.insert(id, name);
        self.first.push(NOBODY);
        Ok(name)
    }

    /// Makes an id name a node, beside those that it names.
    pub fn add(&mut self, name: Name, node: NodeId) {
        match &mut self.first[name as usize] {
            first if *first == NOBODY => *first = node.0,
            _ => self.further.entry(name).or_default().push(node),
        }
    }

    /// The nodes that an id names, ascending.
    pub fn nodes(&self, name: Name) -> impl Iterator<Item = NodeId> + '_ {
        let first = Some(self.first[name as usize]).filter(|first| *first != NOBODY).map(NodeId);
        first.into_iter().chain(self.further.get(&name).into_iter().flatten().copied())
    }

    /// The nodes that an id names, ascending; none where nobody has that id.
    pub fn find(&self, id: &str) -> Vec<NodeId> {
        self.known.get(id).map_or_else(Vec::new, |name| self.nodes(*name).collect())
    }

    /// The links between nodes, in their order.
    ///
    /// Old files give error nodes the ids that features of layer 0 may have. Of the nodes that share an id, a link leads
    /// to the one that has inputs, which an error and a token have not; it comes from one that lies below its target.
    /// Where both do, it is told by the order of the file, which lists a target's links by source: the first whose
    /// place is after that of the source before.
    ///
    /// # Errors
    /// An id that names no node, and the link that has it.
    pub fn resolve(&self, links: Vec<NamedLink>, nodes: &[Node]) -> Result<Vec<(NodeId, NodeId, f32)>, String> {
        let mut last: Option<(NodeId, NodeId)> = None;
        let mut resolved = Vec::with_capacity(if self.further.is_empty() { 0 } else { links.len() });
        if self.further.is_empty() {
            // The common case in place: there may be tens of millions.
            let of = |name: Name| NodeId(self.first[name as usize]);
            if let Some(at) = links.iter().position(|&(s, t, _)| of(s).0 == NOBODY || of(t).0 == NOBODY) {
                let (source, target, _) = links[at];
                return Err(self.unknown(at, source, target));
            }
            return Ok(links.into_iter().map(|(source, target, weight)| (of(source), of(target), weight)).collect());
        }
        for (at, (source, target, weight)) in links.into_iter().enumerate() {
            let to = self.nodes(target).find(|id| has_inputs(nodes, *id)).or_else(|| self.nodes(target).next());
            let to = to.ok_or_else(|| self.unknown(at, source, target))?;
            let from: Vec<NodeId> = self.nodes(source).filter(|id| lies_below(nodes, *id, to)).collect();
            let before = last.filter(|(_, target)| *target == to).map(|(source, _)| source);
            let next = from.iter().copied().find(|id| before.is_none_or(|before| *id > before));
            let from = next.or(from.first().copied()).or_else(|| self.nodes(source).next());
            let from = from.ok_or_else(|| self.unknown(at, source, target))?;
            resolved.push((from, to, weight));
            last = Some((from, to));
        }
        Ok(resolved)
    }

    fn unknown(&self, link: usize, source: Name, target: Name) -> String {
        let (end, name) = if self.nodes(source).next().is_none() { ("source", source) } else { ("target", target) };
        let id = self.known.iter().find(|(_, known)| **known == name).map_or("", |(id, _)| id);
        format!("links[{link}]: its {end} is {id:?}, which is no node")
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
