//! The edges of a node as they are listed: one side, some kinds, in an order.

use crate::graph::{AttributionGraph, Edge, Kept, Node};
use crate::ids::NodeId;

/// Which connections are numbered and followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// What flows into the node.
    #[default]
    Inputs,
    /// What the node flows into.
    Outputs,
    /// What takes away from the node, kept or not.
    Inhibitors,
}

/// Inhibitors listed at most: there may be many thousands.
const INHIBITORS: usize = 500;

impl Side {
    /// All of them, in the order in which they are turned through.
    pub const ALL: [Self; 3] = [Self::Inputs, Self::Outputs, Self::Inhibitors];

    /// What one of them is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inputs => "input",
            Self::Outputs => "output",
            Self::Inhibitors => "inhibitor",
        }
    }

    /// Inputs for outputs, and else outputs for inputs. Inhibitors give way to inputs.
    pub fn other(self) -> Self {
        match self {
            Self::Inputs => Self::Outputs,
            Self::Outputs | Self::Inhibitors => Self::Inputs,
        }
    }

    /// The way that edges go on this side: inhibitors are inputs.
    pub fn way(self) -> Self {
        if self == Self::Inhibitors { Self::Inputs } else { self }
    }

    /// What their list is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
            Self::Inhibitors => "inhibitors",
        }
    }
}

/// A kept edge of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The edge.
    pub edge: Edge,
    /// Its other end.
    pub other: NodeId,
    /// Its share of everything that flows into its target.
    pub share: f64,
}

impl Link {
    /// The edge as the node on `side` of it sees it.
    pub fn new(graph: &AttributionGraph, edge: Edge, side: Side) -> Self {
        let total = graph.input_total(edge.target);
        let share = if total > 0.0 { f64::from(edge.weight.abs()) / total } else { 0.0 };
        let other = match side {
            Side::Inputs | Side::Inhibitors => edge.source,
            Side::Outputs => edge.target,
        };
        Self { edge, other, share }
    }
}

/// In which order connections are listed, and so numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By their share of what flows into their target, whatever the sign.
    #[default]
    Share,
    /// By their signed weight, from what drives most to what holds back most.
    Weight,
}

/// A kind of node that a list can leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Features.
    Features,
    /// Errors.
    Errors,
    /// Tokens.
    Tokens,
}

impl Listed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Features, Self::Errors, Self::Tokens];

    /// What they are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Errors => "errors",
            Self::Tokens => "tokens",
        }
    }

    fn holds(self, node: &Node) -> bool {
        match self {
            Self::Features => node.is_feature(),
            Self::Errors => node.is_error(),
            Self::Tokens => node.is_token(),
        }
    }
}

/// How connections are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Their order.
    pub order: Order,
    /// The kinds that are left out.
    pub without: Vec<Listed>,
}

impl Listing {
    /// Leaves a kind out, or takes it in again.
    pub fn toggle(&mut self, kind: Listed) {
        if self.shows(kind) {
            self.without.push(kind);
        } else {
            self.without.retain(|left_out| *left_out != kind);
        }
    }

    /// Whether a kind is listed.
    pub fn shows(&self, kind: Listed) -> bool {
        !self.without.contains(&kind)
    }
}

/// The kept edges of a node on one side; of inhibitors all, kept or not.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Those that are listed, in their order.
    pub kept: Vec<Link>,
    /// How many more are kept but not listed: they are of kinds that are left out, or inhibitors too weak.
    pub left_out: usize,
    /// The shares of all that are kept, together.
    pub share: f64,
    /// How many the whole graph has.
    pub all: usize,
    n_kept: usize,
}

impl Links {
    /// The edges of `node` on `side` that are kept of `graph`.
    pub fn new(graph: &AttributionGraph, kept: &Kept, node: NodeId, side: Side, listing: &Listing) -> Self {
        let of_side = |edge| Link::new(graph, edge, side);
        let (links, all): (Vec<Link>, usize) = match side {
            Side::Inputs => (kept.incoming(graph, node).map(of_side).collect(), graph.incoming(node).len()),
            Side::Outputs => (kept.outgoing(graph, node).map(of_side).collect(), graph.outgoing(node).len()),
            Side::Inhibitors => {
                let all = graph.incoming(node).filter(|edge| edge.weight < 0.0).count();
                (graph.inhibitors(node, INHIBITORS).into_iter().map(of_side).collect(), all)
            }
        };
        let (n_found, share) = (links.len(), links.iter().map(|link| link.share).sum());
        let n_kept = match side {
            Side::Inputs | Side::Outputs => n_found,
            Side::Inhibitors => kept.incoming(graph, node).filter(|edge| edge.weight < 0.0).count(),
        };
        let is_listed = |link: &Link| !listing.without.iter().any(|kind| kind.holds(graph.node(link.other)));
        let mut listed: Vec<Link> = links.into_iter().filter(is_listed).collect();
        match listing.order {
            // Their order is by either.
            _ if side == Side::Inhibitors => {}
            Order::Share => listed.sort_by(|a, b| b.share.total_cmp(&a.share)),
            Order::Weight => listed.sort_by(|a, b| b.edge.weight.total_cmp(&a.edge.weight)),
        }
        Self { left_out: n_found - listed.len(), kept: listed, share, all, n_kept }
    }

    /// How many are kept, listed or not.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// Whether there is nothing to be listed, of any kind.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.left_out == 0
    }

    /// The largest share among those that are listed.
    pub fn strongest(&self) -> f64 {
        self.kept.iter().map(|link| link.share).fold(0.0, f64::max)
    }
}
