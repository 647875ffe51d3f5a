//! Edges of a node as they are listed: one side, some kinds, in an order.

use crate::graph::{AttributionGraph, Edge, Kept, Node};
use crate::ids::NodeId;

/// Side of a node whose connections are numbered and followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// Edges into the node.
    #[default]
    Inputs,
    /// Edges out of the node.
    Outputs,
    /// Negative edges into the node, kept or not.
    Inhibitors,
}

/// Most inhibitors that are listed: there may be many thousands.
const INHIBITORS: usize = 500;

impl Side {
    /// All sides, in the order in which they are turned through.
    pub const ALL: [Self; 3] = [Self::Inputs, Self::Outputs, Self::Inhibitors];

    /// Returns the word for one connection of this side.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inputs => "input",
            Self::Outputs => "output",
            Self::Inhibitors => "inhibitor",
        }
    }

    /// Returns inputs for outputs, and else outputs for inputs. Inhibitors give way to inputs.
    pub fn other(self) -> Self {
        match self {
            Self::Inputs => Self::Outputs,
            Self::Outputs | Self::Inhibitors => Self::Inputs,
        }
    }

    /// Returns the direction of the edges on this side: inhibitors are inputs.
    pub fn way(self) -> Self {
        if self == Self::Inhibitors { Self::Inputs } else { self }
    }

    /// Returns the title of the list.
    pub fn title(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
            Self::Inhibitors => "inhibitors",
        }
    }
}

/// Edge of a node, as its list shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The edge.
    pub edge: Edge,
    /// Node at the other end.
    pub other: NodeId,
    /// Share of the target's total input, whatever the sign.
    pub share: f64,
}

impl Link {
    /// Creates the link of an edge as `side` of a node lists it.
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

/// Order in which connections are listed, and so numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the share of their target's input, whatever the sign.
    #[default]
    Share,
    /// By signed weight, the most positive first.
    Weight,
}

/// Kind of node that a list can leave out.
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
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Features, Self::Errors, Self::Tokens];

    /// Returns the kind's name, in the plural.
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

/// Order and kinds of listed connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Order of the connections.
    pub order: Order,
    /// Kinds that are left out.
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

    /// Returns true where a kind is listed.
    pub fn shows(&self, kind: Listed) -> bool {
        !self.without.contains(&kind)
    }
}

/// Kept edges of a node on one side; of inhibitors all, kept or not.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Listed edges, in their order.
    pub kept: Vec<Link>,
    /// Number of further edges that are not listed, because of their kind.
    pub left_out: usize,
    /// Sum of the shares of the kept edges, listed or not.
    pub share: f64,
    /// Number of such edges in the whole graph.
    pub all: usize,
    n_kept: usize,
}

impl Links {
    /// Lists the edges of `node` on `side` that are kept of `graph`.
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
            // Strongest first, which is the order by share and by weight alike.
            _ if side == Side::Inhibitors => {}
            Order::Share => listed.sort_by(|a, b| b.share.total_cmp(&a.share)),
            Order::Weight => listed.sort_by(|a, b| b.edge.weight.total_cmp(&a.edge.weight)),
        }
        Self { left_out: n_found - listed.len(), kept: listed, share, all, n_kept }
    }

    /// Returns the number of kept edges, listed or not.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// Returns true where there are no edges, of any kind.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.left_out == 0
    }

    /// Returns the largest share among the listed edges.
    pub fn strongest(&self) -> f64 {
        self.kept.iter().map(|link| link.share).fold(0.0, f64::max)
    }
}
