//! Activations and contexts of the selected feature, or of its supernode.

pub(in crate::tui) mod lookup;
mod main_paths;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

use crate::ids::NodeId;
use crate::service::library::Feature;
use crate::tui::keymap::{Context, commands};
use crate::tui::panes::feature::update::{scroll_contexts, shift_contexts, toggle_repeated, turn_member};
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::runtime::RequestId;
use crate::tui::state::State;
use crate::tui::workspace::features::FeatureDetails;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

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

/// Pane of the feature's contexts.
struct FeaturePane;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&FeaturePane);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("feature");

commands! {
    /// Commands of the pane, and of the dialog that shows it on the whole screen.
    pub const CONTEXTS;
    "contexts-down", Contexts, CONTEXT, ["Down", "j"], Some("scroll"), |s, _| scroll_contexts(s, 1), "Contexts, a line further";
    "contexts-up", Contexts, CONTEXT, ["Up", "k"], Some("scroll"), |s, _| scroll_contexts(s, -1), "Contexts, a line back";
    "contexts-left", Contexts, CONTEXT, ["Left", "h"], Some("shift"), |s, _| shift_contexts(s, -8), "What stands before, in every context";
    "contexts-right", Contexts, CONTEXT, ["Right", "l"], Some("shift"), |s, _| shift_contexts(s, 8), "What stands after, in every context";
    "contexts-page-down", Contexts, CONTEXT, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| scroll_contexts(s, 10), "Contexts, ten lines further";
    "contexts-page-up", Contexts, CONTEXT, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| scroll_contexts(s, -10), "Contexts, ten lines back";
    "contexts-first", Contexts, CONTEXT, ["g", "Home"], None, |s, _| scroll_contexts(s, isize::MIN), "To the strongest contexts";
    "contexts-last", Contexts, CONTEXT, ["G", "End"], None, |s, _| scroll_contexts(s, isize::MAX), "To the last lines";
    "contexts-next-member", Contexts, CONTEXT, [")"], Some("member"), |s, _| turn_member(s, 1), "The supernode's next member, then all together";
    "contexts-previous-member", Contexts, CONTEXT, ["("], Some("member"), |s, _| turn_member(s, -1), "The supernode's member before";
    "contexts-repeated", Contexts, CONTEXT, ["r"], Some("repeated"), |s, _| toggle_repeated(s), "Unfold contexts that are repeated, or fold them";
}

impl Pane for FeaturePane {
    fn title(&self) -> &'static str {
        "contexts"
    }

    fn context(&self) -> Context {
        CONTEXT
    }

    fn region(&self) -> Region {
        Region::Contexts
    }

    fn update(&self, state: &mut State, _room: Option<Rect>) {
        lookup::request_feature(state);
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    fn scroll(&self, state: &mut State, by: isize) {
        update::scroll_contexts(state, by);
    }
}
