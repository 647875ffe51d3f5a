//! What is pinned, as a small layered drawing.

use crate::tui::app::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(state: &State, _area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(_circuit) = &state.circuit else { return };
    buf.set_stringn(inner.x, inner.y, "nothing is pinned", usize::from(inner.width), state.look.theme.faint);
}
