//! Circuit of a node, unrolled: its strongest connections, theirs, and so on, as far as branches are opened.

use crate::graph::{AttributionGraph, Kept};
use crate::ids::NodeId;
use crate::tui::links::{Link, Links, Listed, Listing, Order, Side};
use std::collections::HashSet;
use std::sync::Arc;

/// Number of branches that a node has at first, and at most.
const TOP: (usize, usize) = (5, 40);

/// State of a branch's twigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// The branch has no twigs.
    Leaf,
    /// The branch has twigs, and is closed.
    Closed,
    /// The branch is open: its twigs follow.
    Open,
}

/// Shown node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Nodes from the root to this one, both included.
    pub path: Vec<NodeId>,
    /// Edge to the node before; `None` at the root.
    pub link: Option<Link>,
    /// Product of the signed shares from the root to here, 1 at the root.
    pub reach: f64,
    /// State of the twigs.
    pub fold: Fold,
    /// True where the node stands further above already, on another branch or on its own (in a graph with cycles).
    pub repeated: bool,
    /// Number of all twigs, and of those among the strongest.
    pub twigs: (usize, usize),
}

impl Branch {
    /// Returns the node at the branch's end.
    pub fn node(&self) -> NodeId {
        self.path[self.path.len() - 1]
    }

    /// Returns the number of edges from the root.
    pub fn depth(&self) -> usize {
        self.path.len() - 1
    }
}

/// Tree of a circuit. Its root is the selected node, unless one is held.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Root and unrolled side, while they are held.
    held: Option<(NodeId, Side)>,
    root: NodeId,
    side: Side,
    without: Vec<Listed>,
    /// Most branches of a node.
    pub top: usize,
    opened: HashSet<Vec<NodeId>>,
    cursor: Vec<NodeId>,
    rows: Vec<Branch>,
    /// Root, side and kept nodes that the rows were grown from; `None` where a branch was opened or closed since.
    grown_from: Option<(NodeId, Side, Arc<Kept>)>,
}

impl Tree {
    /// Creates the tree of a node; it is empty until it is grown.
    pub fn new(root: NodeId) -> Self {
        Self {
            held: None,
            root,
            side: Side::Inputs,
            without: Vec::new(),
            top: TOP.0,
            opened: HashSet::new(),
            cursor: Vec::new(),
            rows: Vec::new(),
            grown_from: None,
        }
    }

    /// Returns the shown branches, the root first.
    pub fn rows(&self) -> &[Branch] {
        &self.rows
    }

    /// Returns the row under the cursor.
    pub fn at(&self) -> usize {
        self.rows.iter().position(|row| row.path == self.cursor).unwrap_or(0)
    }

    /// Returns the branch under the cursor.
    pub fn branch(&self) -> Option<&Branch> {
        self.rows.get(self.at())
    }

    /// Returns the side that is unrolled.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Returns true where the root stays while the walk goes on.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Holds the root, or lets it follow the walk again.
    pub fn toggle_hold(&mut self) {
        self.held = if self.is_held() { None } else { Some((self.root, self.side)) };
    }

    /// Replaces every node by its id in another graph, which `to` gives.
    pub fn renumber(&mut self, to: impl Fn(NodeId) -> NodeId) {
        let path = |path: &Vec<NodeId>| path.iter().map(|node| to(*node)).collect::<Vec<_>>();
        self.held = self.held.map(|(root, side)| (to(root), side));
        self.root = to(self.root);
        self.opened = self.opened.iter().map(path).collect();
        self.cursor = path(&self.cursor);
        self.rows.clear();
        self.grown_from = None;
    }

    /// Unrolls the other side of a held root; returns true where there is one.
    pub fn turn(&mut self) -> bool {
        self.held = self.held.map(|(root, side)| (root, side.other()));
        self.is_held()
    }

    /// Moves the cursor.
    pub fn move_by(&mut self, by: isize) {
        let at = self.at().saturating_add_signed(by).min(self.rows.len().saturating_sub(1));
        self.cursor = self.rows.get(at).map_or_else(Vec::new, |row| row.path.clone());
    }

    /// Moves the cursor to a row.
    pub fn move_to(&mut self, at: usize) {
        if let Some(row) = self.rows.get(at) {
            self.cursor.clone_from(&row.path);
        }
    }

    /// Opens the branch under the cursor, or goes on to its first twig.
    pub fn open(&mut self) {
        match self.branch().map(|branch| branch.fold) {
            Some(Fold::Closed) => {
                self.opened.insert(self.cursor.clone());
                self.grown_from = None;
            }
            Some(Fold::Open) => self.move_by(1),
            Some(Fold::Leaf) | None => {}
        }
    }

    /// Closes the branch under the cursor, or goes back to the one that it grows from.
    pub fn close(&mut self) {
        if self.opened.remove(&self.cursor) {
            self.grown_from = None;
        } else if self.cursor.len() > 1 {
            self.cursor.pop();
        }
    }

    /// Opens a closed branch and closes an open one.
    pub fn toggle(&mut self) {
        if self.opened.contains(&self.cursor) {
            self.close();
        } else {
            self.open();
        }
    }

    /// Grows more or fewer branches at every node.
    pub fn add_to_top(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by).clamp(1, TOP.1);
        self.grown_from = None;
    }

    /// Grows the rows anew, where the selected node, the side, the kept nodes or the listed kinds changed.
    pub fn grow(&mut self, graph: &AttributionGraph, kept: &Arc<Kept>, selected: (NodeId, Side), without: &[Listed]) {
        // The held root may no longer be kept.
        self.held = self.held.filter(|(root, _)| kept.has_node(*root));
        let (root, side) = self.held.unwrap_or(selected);
        let same = |from: &(NodeId, Side, Arc<Kept>)| (from.0, from.1) == (root, side) && Arc::ptr_eq(&from.2, kept);
        if self.grown_from.as_ref().is_some_and(same) && self.without == without {
            return;
        }
        self.grown_from = Some((root, side, Arc::clone(kept)));
        if (root, side) != (self.root, self.side) || self.cursor.is_empty() {
            (self.root, self.side) = (root, side);
            self.opened = HashSet::from([vec![root]]);
            self.cursor = vec![root];
        }
        self.without = without.to_vec();
        let mut rows = Vec::new();
        let mut seen = HashSet::new();
        // Without recursion, which a long chain of open branches could exhaust.
        let mut waiting = vec![(vec![root], None, 1.0)];
        while let Some((path, link, reach)) = waiting.pop() {
            let (branch, twigs) = self.branch_at(graph, kept, path, link, reach, &mut seen);
            for twig in twigs.into_iter().rev() {
                let path = [&branch.path[..], &[twig.other]].concat();
                let sign = f64::from(twig.edge.weight.signum());
                waiting.push((path, Some(twig), branch.reach * twig.share * sign));
            }
            rows.push(branch);
        }
        self.rows = rows;
        // Where the branch under the cursor is gone, the cursor goes to the nearest one that it grew from.
        while self.cursor.len() > 1 && !self.rows.iter().any(|row| row.path == self.cursor) {
            self.cursor.pop();
        }
    }

    /// Returns a branch, and its twigs where it is open.
    fn branch_at(
        &self,
        graph: &AttributionGraph,
        kept: &Kept,
        path: Vec<NodeId>,
        link: Option<Link>,
        reach: f64,
        seen: &mut HashSet<NodeId>,
    ) -> (Branch, Vec<Link>) {
        let node = path[path.len() - 1];
        let listing = Listing { order: Order::Share, without: self.without.clone() };
        let mut twigs = Links::new(graph, kept, node, self.side, &listing).kept;
        // Only a file can hold a cycle. It is not walked around.
        let closes_cycle = path[..path.len() - 1].contains(&node);
        let repeated = !seen.insert(node);
        let all = twigs.len();
        twigs.truncate(self.top);
        let fold = match (all, self.opened.contains(&path)) {
            _ if closes_cycle => Fold::Leaf,
            (0, _) => Fold::Leaf,
            (_, false) => Fold::Closed,
            (_, true) => Fold::Open,
        };
        let counts = (all, twigs.len());
        if fold != Fold::Open {
            twigs.clear();
        }
        (Branch { path, link, reach, fold, repeated, twigs: counts }, twigs)
    }
}
