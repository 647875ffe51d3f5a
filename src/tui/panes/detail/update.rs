//! Movement in the detail.

use crate::tui::panes::detail;
use crate::tui::state::State;

pub(in crate::tui) fn scroll_detail(state: &mut State, by: isize) {
    let most = detail::view::overflow(state);
    state.detail_scroll = state.detail_scroll.min(most).saturating_add_signed(by).min(most);
}
