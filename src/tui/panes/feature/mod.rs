//! The feature pane.

use crate::ids::NodeId;
use crate::service::library::Feature;
use crate::tui::runtime::jobs::RequestId;
use crate::tui::workspace::features::FeatureDetails;
use std::sync::Arc;

pub(in crate::tui) mod lookup;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

/// State of the pane: the shown member, and the scroll.
#[derive(Default)]
pub struct FeatureState {
    /// Id of the graph, and the node whose feature is shown.
    pub about: Option<(RequestId, NodeId)>,
    /// Index of the shown member of the supernode, the selected node's feature first; behind the last one all together.
    pub turn: usize,
    /// First line that is shown.
    pub scroll: usize,
    /// Number of cells by which contexts are shifted to the left.
    pub shift: isize,
    /// True where repeated contexts are shown too.
    pub unfolded: bool,
    /// All members together: their features, how many of them were read, and the details that are shown.
    pub union: Option<(Vec<Feature>, usize, Arc<FeatureDetails>)>,
}
