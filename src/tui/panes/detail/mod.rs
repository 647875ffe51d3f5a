//! Description of the selected node, with what its feature promotes.

pub(in crate::tui) mod attention;
pub(in crate::tui) mod view;

use crate::tui::keymap::{Command, Context, commands};
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// State of the pane.
#[derive(Default)]
pub struct DetailState {
    /// First line that is shown.
    pub scroll: usize,
}

/// Pane of the selected node's description.
struct Detail;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&Detail);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("detail");

commands! {
    /// Commands of the pane.
    pub const BINDINGS;
    "scroll-down", Lists, CONTEXT, ["Down", "j"], Some("scroll"), |s, _| scroll_detail(s, 1), "The detail, a line further";
    "scroll-up", Lists, CONTEXT, ["Up", "k"], Some("scroll"), |s, _| scroll_detail(s, -1), "The detail, a line back";
    "scroll-page-down", Lists, CONTEXT, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| scroll_detail(s, 10), "The detail, ten lines further";
    "scroll-page-up", Lists, CONTEXT, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| scroll_detail(s, -10), "The detail, ten lines back";
    "scroll-first", Lists, CONTEXT, ["g", "Home"], None, |s, _| scroll_detail(s, isize::MIN), "To the top of the detail";
    "scroll-last", Lists, CONTEXT, ["G", "End"], None, |s, _| scroll_detail(s, isize::MAX), "To the end of the detail";
}

impl Pane for Detail {
    fn title(&self) -> &'static str {
        "detail"
    }

    fn context(&self) -> Context {
        CONTEXT
    }

    fn region(&self) -> Region {
        Region::Detail
    }

    fn bindings(&self) -> &'static [Command] {
        BINDINGS
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    fn scroll(&self, state: &mut State, by: isize) {
        scroll_detail(state, by);
    }
}

/// Scrolls the detail, no further than its last line.
fn scroll_detail(state: &mut State, by: isize) {
    let most = view::overflow(state);
    state.panes.detail.scroll = state.panes.detail.scroll.min(most).saturating_add_signed(by).min(most);
}
