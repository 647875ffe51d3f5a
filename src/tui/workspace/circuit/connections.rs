//! Connections of the selected node: its links on every side, and which of them is followed.

use crate::graph::{AttributionGraph, InputTotals, Kept, MainPath, input_totals, main_path};
use crate::ids::NodeId;
use crate::tui::workspace::{Links, Listing, Side};

/// Connections of the selected node, as they are listed.
pub struct Connections {
    /// The selected node's inputs.
    pub inputs: Links,
    /// The selected node's outputs.
    pub outputs: Links,
    /// Negative inputs of the selected node, kept or not.
    pub inhibitors: Links,
    /// Side of the three that is followed.
    pub side: Side,
    /// Side that is followed where the node has any links there.
    preferred: Side,
    /// Order and kinds of the listed connections.
    pub listing: Listing,
    /// Row under the cursor in the list of `side`.
    pub row: usize,
    /// Totals of the selected node's inputs.
    pub totals: InputTotals,
    /// Strongest path from the selected node down to a token.
    pub main_path: MainPath,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            inputs: Links::default(),
            outputs: Links::default(),
            inhibitors: Links::default(),
            side: Side::Inputs,
            preferred: Side::Inputs,
            listing: Listing::default(),
            row: 0,
            totals: InputTotals::default(),
            main_path: MainPath::default(),
        }
    }
}

impl Connections {
    /// Lists the connections of a node.
    pub fn of(graph: &AttributionGraph, kept: &Kept, node: NodeId, listing: Listing) -> Self {
        let mut this = Self { listing, ..Self::default() };
        this.arrive(graph, kept, node);
        this
    }

    /// Returns the links of the side that is followed.
    pub fn links(&self) -> &Links {
        self.links_of(self.side)
    }

    /// Returns the links of a side.
    pub fn links_of(&self, side: Side) -> &Links {
        match side {
            Side::Inputs => &self.inputs,
            Side::Outputs => &self.outputs,
            Side::Inhibitors => &self.inhibitors,
        }
    }

    /// Returns the share of the selected node's input that comes from errors; `None` where the node has no input.
    pub fn error_share(&self) -> Option<f64> {
        let all = self.totals.absolute();
        (all > 0.0).then(|| self.totals.errors.absolute() / all)
    }

    /// Numbers and follows another side, here and from here on.
    pub fn set_side(&mut self, side: Side) {
        self.preferred = side;
        if side != self.side {
            self.side = side;
            self.row = 0;
        }
    }

    /// Lists the connections of a node anew, with the cursor on the first.
    pub fn relist(&mut self, graph: &AttributionGraph, kept: &Kept, node: NodeId) {
        let links = |side| Links::new(graph, kept, node, side, &self.listing);
        [self.inputs, self.outputs, self.inhibitors] = Side::ALL.map(links);
        self.row = 0;
    }

    /// Takes over the connections of a node that was just selected.
    pub fn arrive(&mut self, graph: &AttributionGraph, kept: &Kept, node: NodeId) {
        self.relist(graph, kept, node);
        self.totals = input_totals(graph, node);
        self.main_path = main_path(graph, kept, node);
        // A token has no inputs and an answer no outputs: the side that has links is followed.
        let leads = |side: &Side| !self.links_of(*side).is_empty();
        let sides = [self.preferred, Side::Inputs, Side::Outputs];
        self.side = sides.into_iter().find(leads).unwrap_or(self.preferred);
    }
}
