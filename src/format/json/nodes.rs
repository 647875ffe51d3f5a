//! Nodes of a graph, made from those of a file.

use super::clerp;
use super::features::Features;
use super::kind::{self, Class, Layers};
use super::names::{Name, Names};
use super::node::FileNode;
use super::signs::Signs;
use super::written::Written;
use crate::graph::{Fields, FileNames, Labelled, Labels, Node, NodeKind, Token, usual_name};
use crate::ids::{Layer, NodeId};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Nodes of a graph, and their other fields in the file, `[N]` each.
#[derive(Default)]
pub(super) struct Nodes<'a> {
    pub nodes: Vec<Node>,
    pub js_ids: Vec<Option<Cow<'a, str>>>,
    /// Numbers of features (`feature`) as they stand in the file.
    pub numbers: Vec<Option<i128>>,
    /// Labels; those of logits are read into their nodes.
    pub labels: Vec<Cow<'a, str>>,
    pub scores: Vec<Option<f32>>,
    /// Fields that are written again as they stand.
    pub unread: Vec<Fields>,
    /// Supernodes that the labels of logits name.
    pub groups: Vec<(NodeId, String)>,
    /// QK attributions of attention features.
    pub qk: Vec<(NodeId, &'a RawValue)>,
    /// Identities of the features.
    known: Features,
    names: Vec<Name>,
    layers: Vec<Option<Cow<'a, str>>>,
    is_target: Vec<bool>,
    probabilities: Vec<Option<f32>>,
    /// Layer at which the file draws its logits.
    logit_layer: Option<Layer>,
    /// True where a logit is named as by circuit-tracer, which leaves a layer free below them.
    is_circuit_tracers: bool,
    /// True where an id has another form than circuit-tracer's `{layer}_{index}_{position}`.
    has_foreign_ids: bool,
}

/// Unusable nodes of a file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Number of these nodes.
    pub count: usize,
    /// Fault of the first of them.
    pub first: Option<String>,
}

impl Faults {
    pub fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(what);
    }
}

impl<'a> Nodes<'a> {
    /// Makes the nodes of a file, each with its index there, on a prompt of `n_tokens` tokens; those that make no sense
    /// are left out and counted in `faults`.
    ///
    /// # Errors
    /// Fails where there are more than a graph can hold.
    pub fn new(
        file: Vec<(usize, FileNode<'a>)>,
        n_tokens: usize,
        signs: Signs,
        is_comparison: bool,
        names: &mut Names<'a>,
        faults: &mut Faults,
    ) -> Result<Self, String> {
        let (places, file): (Vec<usize>, Vec<FileNode<'a>>) = file.into_iter().unzip();
        let layers = Layers::of(&file);
        let mut this = Self { known: Features::of(&file, layers, is_comparison), ..Self::default() };
        // Of an id that names several nodes, what was seen with it.
        let mut seen: HashSet<(Name, Class, Option<Cow<'a, str>>)> = HashSet::new();
        for (at, node) in file.into_iter().enumerate() {
            let place = places[at];
            if node.position as usize >= n_tokens {
                faults.add(|| format!("nodes[{place}]: position {} of a prompt of {n_tokens} tokens", node.position));
                continue;
            }
            let is = match kind::of(&node, layers, this.known.id(at), signs) {
                Ok(is) => is,
                Err(what) => {
                    faults.add(|| format!("nodes[{place}]: {what}"));
                    continue;
                }
            };
            let name = names.intern(node.id.clone())?;
            let id = NodeId::from(this.nodes.len());
            if !seen.insert((name, Class::of(&node), node.js_id.clone())) {
                faults.add(|| format!("nodes[{place}]: its id {:?} is that of another node", node.id));
                continue;
            }
            names.add(name, id);
            this.known.found(at, id);
            this.push(name, is, node, layers);
        }
        Ok(this)
    }

    fn push(&mut self, name: Name, is: NodeKind, node: FileNode<'a>, layers: Layers) {
        let id = NodeId::from(self.nodes.len());
        if matches!(is, NodeKind::Logit { .. }) {
            let layer = layers.layer(&node).ok().flatten();
            self.logit_layer = self.logit_layer.max(layer);
            self.is_circuit_tracers |= node.js_id.as_deref().is_some_and(|id| id.starts_with("L_"));
            self.groups.extend(clerp::parse(&node.label).group.map(|group| (id, group.to_owned())));
        }
        self.has_foreign_ids |= node.id.split('_').count() != 3;
        self.qk.extend(node.qk.map(|raw| (id, raw)));
        let activation = node.activation.filter(|_| matches!(is, NodeKind::Feature { .. } | NodeKind::Other { .. }));
        let mut unread = node.unread;
        if activation.is_none() && node.activation.is_some() {
            keep(&mut unread, "activation", &node.activation);
        }
        self.nodes.push(Node { kind: is, activation });
        self.js_ids.push(node.js_id);
        self.numbers.push(node.feature);
        self.labels.push(node.label);
        self.scores.push(node.influence);
        self.unread.push(unread);
        self.names.push(name);
        self.layers.push(node.layer);
        self.is_target.push(node.is_target_logit);
        self.probabilities.push(node.probability);
    }

    /// Returns the number of layers of the model. A file draws its logits at the layer after the last one or, as
    /// circuit-tracer does, leaves one free between them.
    pub fn n_layers(&self, said: Option<u32>) -> usize {
        let needed = self.nodes.iter().filter_map(Node::layer).max().map_or(0, |layer| layer.index() + 1);
        let said = said.map(|said| said as usize).filter(|said| (needed..1_000).contains(said));
        let logits = self.logit_layer.map_or(0, Layer::index);
        said.unwrap_or(match logits.checked_sub(needed) {
            None | Some(0) => needed,
            Some(_) if self.has_foreign_ids && !self.is_circuit_tracers => logits,
            Some(_) => logits - 1,
        })
    }

    /// Returns the tokens of the prompt, with the vocabulary indices that their nodes give.
    pub fn tokens(&self, texts: Vec<String>) -> Vec<Token> {
        let mut tokens: Vec<Token> = texts.into_iter().map(|text| Token { id: 0, text }).collect();
        for node in &self.nodes {
            if let NodeKind::Token { position, id } = node.kind
                && let Some(token) = tokens.get_mut(position.index())
            {
                token.id = id;
            }
        }
        tokens
    }

    /// Returns the file's names of its nodes, in a graph of `n_layers` layers. Every node gets a name of its own: those
    /// that share an id get circuit-tracer's, with a number behind where that is taken.
    pub fn called(&mut self, n_layers: usize, names: &Names<'a>) -> FileNames {
        let given = names.texts();
        let mut ids = HashMap::new();
        let mut shared = Vec::new();
        for (at, name) in self.names.iter().enumerate() {
            let usual = usual_name(&self.nodes[at], n_layers);
            let given = given[*name as usize];
            if names.is_shared(*name) {
                shared.push((NodeId::from(at), usual));
            } else if usual != given {
                ids.insert(NodeId::from(at), given.into());
            }
        }
        if !shared.is_empty() {
            let alone = self.names.iter().filter(|name| !names.is_shared(**name));
            let mut taken: HashSet<Cow<'_, str>> = alone.map(|name| Cow::Borrowed(given[*name as usize])).collect();
            let mut again: HashMap<String, usize> = HashMap::new();
            for (id, usual) in shared {
                let mut own = usual.clone();
                let count = again.entry(usual.clone()).or_insert(1);
                while !taken.insert(Cow::Owned(own.clone())) {
                    *count += 1;
                    own = format!("{usual}~{count}");
                }
                if own != usual {
                    ids.insert(id, own.into_boxed_str());
                }
            }
        }
        for (id, name) in &ids {
            if let NodeKind::Other { name: own, .. } = &mut self.nodes[id.index()].kind {
                *own = name.as_ref().into();
            }
        }
        self.known.called(ids, &self.nodes)
    }

    /// Takes the fields of nodes that would be written otherwise than they stand in the file, by node. `labels` are the
    /// file's.
    pub fn take_unread(&mut self, n_layers: usize, labels: &Labels) -> HashMap<NodeId, Fields> {
        let mut all = HashMap::new();
        let mut has_logit = false;
        for at in 0..self.nodes.len() {
            let mut unread = std::mem::take(&mut self.unread[at]);
            let node = &self.nodes[at];
            let written = Written::of(node, n_layers);
            if self.numbers[at].is_some_and(|number| number != written.feature) {
                keep(&mut unread, "feature", &self.numbers[at]);
            }
            if let Some(js_id) = self.js_ids[at].as_deref().filter(|id| *id != written.js_node_id) {
                keep(&mut unread, "jsNodeId", js_id);
            }
            if let Some(layer) = self.layers[at].as_deref().filter(|layer| *layer != written.layer)
                && !unread.iter().any(|(key, _)| key == "layer")
            {
                keep(&mut unread, "layer", layer);
            }
            let is_first_logit = node.is_logit() && !has_logit;
            has_logit |= node.is_logit();
            if self.is_target[at] != is_first_logit {
                keep(&mut unread, "is_target_logit", &self.is_target[at]);
            }
            if let (Some(probability), false) = (self.probabilities[at], node.is_logit())
                && probability != 0.0
            {
                keep(&mut unread, "token_prob", &probability);
            }
            let label = self.labels[at].as_ref();
            let is_written = match labels.get(&Labelled::of(NodeId::from(at), node)) {
                _ if node.is_logit() => label == written.label,
                Some(known) => label == known,
                None => label.is_empty(),
            };
            if !is_written {
                keep(&mut unread, "clerp", label);
            }
            if !unread.is_empty() {
                all.insert(NodeId::from(at), unread);
            }
        }
        all
    }
}

/// Keeps a value as it is to be written.
fn keep<T: serde::Serialize + ?Sized>(unread: &mut Fields, key: &str, value: &T) {
    // Of texts and numbers that were read there is always a JSON.
    if let Ok(raw) = serde_json::value::to_raw_value(value) {
        unread.push((key.to_owned(), raw));
    }
}
