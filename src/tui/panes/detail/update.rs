//! Movement in the detail.

use crate::tui::panes::detail;
use crate::tui::state::State;

pub(in crate::tui) fn scroll_detail(state: &mut State, by: isize) {
    let most = detail::view::overflow(state);
    state.panes.detail.scroll = state.panes.detail.scroll.min(most).saturating_add_signed(by).min(most);
}
