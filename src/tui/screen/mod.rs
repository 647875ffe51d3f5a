//! The terminal's screen: its look and size, the arrangement of the panes, and the lines around them. Drawing changes
//! nothing.

use crate::text;
use crate::tui::keymap::{Context, Key, Keymap};
use crate::tui::panes::{PaneId, graph};
use crate::tui::runtime::Effect;
use crate::tui::screen::layout::{LEAST, Layout, Slot, Windows};
use crate::tui::screen::tour::Tour;
use crate::tui::state::State;
use crate::tui::ui::{End, Look, frame, note};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use std::collections::HashSet;
use std::sync::Arc;

pub(in crate::tui) mod commands;
mod crumbs;
mod header;
pub(in crate::tui) mod hints;
pub mod layout;
pub mod mouse;
pub mod tour;
mod trust;
mod which_key;

pub(in crate::tui) use commands::close_dialog;
pub(in crate::tui) use hints::key_of;
pub use layout::inner;

/// Line for the user, shown until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Text of the line.
    pub text: String,
    /// True where something went wrong.
    pub alert: bool,
}

/// The terminal's screen: its size and look, the arrangement of the panes, and the focus.
pub struct Screen {
    /// Colours and signs.
    pub look: Look,
    /// Cells and lines of the terminal.
    pub size: (u16, u16),
    /// Arrangement of the panes, and whether one is zoomed.
    pub windows: Windows,
    /// Pane that has the focus.
    pub focus: PaneId,
    /// True where the mouse works here. Else the terminal has it, and its own selection of text works.
    pub mouse: bool,
    /// Context in which the second key of two is looked up, once the first was pressed.
    pub prefix: Option<Context>,
    /// Keys of all commands.
    pub keymap: Arc<Keymap>,
    /// Number of keys that were pressed so far.
    pub n_keys: usize,
    /// Number of keys that were pressed when it was said last that nothing is under way that could be stopped.
    pub told_to_leave: Option<usize>,
    /// Keys of which it was said that they do nothing, with where they were pressed: once is enough.
    pub told_unbound: HashSet<(Context, Key)>,
    /// Line for the user.
    pub notice: Option<Notice>,
    /// The tour, while it is taken.
    pub tour: Option<Tour>,
    /// Count of the frames of the sign for work that goes on.
    pub ticks: usize,
    /// Effects to be applied to the terminal, in order.
    pub effects: Vec<Effect>,
    /// True where the terminal does not show the present state.
    pub dirty: bool,
}

impl Screen {
    /// Creates the screen of a program that starts.
    pub fn new(look: Look, size: (u16, u16)) -> Self {
        Self {
            look,
            size,
            windows: Windows::default(),
            focus: graph::PANE,
            mouse: false,
            prefix: None,
            keymap: Keymap::usual(),
            n_keys: 0,
            told_to_leave: None,
            told_unbound: HashSet::new(),
            notice: None,
            tour: None,
            ticks: 0,
            effects: Vec::new(),
            dirty: true,
        }
    }

    /// Returns the areas of the panes; `None` on a terminal that is too small for any. The tour's lines stand over the
    /// hint line.
    pub fn layout(&self) -> Option<Layout> {
        let (width, height) = self.size;
        let lines = self.tour_lines();
        let mut layout = layout::layout((width, height - lines), self.focus, &self.windows)?;
        layout.tour = Rect { height: lines, ..layout.hints };
        layout.hints.y += lines;
        Some(layout)
    }

    /// Returns the room for dialogs: they leave the hint line free, which shows their keys, and the lines of the tour.
    pub fn dialog_room(&self) -> Rect {
        let (width, height) = self.size;
        Rect { x: 0, y: 0, width, height: height.saturating_sub(1 + self.tour_lines()) }
    }

    /// Returns the number of lines that the tour takes: none where it is not taken, or the terminal is too small.
    fn tour_lines(&self) -> u16 {
        self.tour.as_ref().map_or(0, |_| tour::LINES.min(self.size.1.saturating_sub(LEAST.1)))
    }

    /// Shows the user a line.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), alert: false });
    }

    /// Shows the user a line that says that something went wrong.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), alert: true });
    }
}

/// Draws everything; returns the place of the cursor, where there is one.
pub fn render(state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
    let Some(panes) = state.screen.layout() else {
        too_small(state, screen, buf);
        return None;
    };
    header::render(state, panes.header, buf);
    trust::render(state, panes.trust, buf);
    for slot in &panes.slots {
        let inner = frame_tabs(state, slot, buf);
        slot.shown.render(state, slot.area, inner, buf);
    }
    if let Some(area) = panes.crumbs {
        crumbs::render(state, area, buf);
    }
    tour::render(state, panes.tour, buf);
    hints::render(state, panes.hints, buf);
    if let Some(prefix) = state.screen.prefix {
        which_key::render(state, prefix, buf);
    }
    state.dialogs.top()?.render(state, state.screen.dialog_room(), buf)
}

fn too_small(state: &State, screen: Rect, buf: &mut Buffer) {
    let lines = [
        "too small".to_owned(),
        format!("{}x{} at least", LEAST.0, LEAST.1),
        format!("this is {}x{}", screen.width, screen.height),
    ];
    let top = screen.y + screen.height.saturating_sub(lines.len() as u16) / 2;
    for (line, y) in lines.iter().zip(top..screen.bottom()) {
        let x = screen.x + screen.width.saturating_sub(text::width(line) as u16) / 2;
        buf.set_stringn(x, y, line, usize::from(screen.width), state.screen.look.theme.text);
    }
}

/// Frames a pane under its title, and those of the panes that share its place; returns the area within.
fn frame_tabs(state: &State, slot: &Slot, buf: &mut Buffer) -> Rect {
    let theme = &state.screen.look.theme;
    let focused = has_focus(state, slot.shown);
    let inner = frame(slot.area, slot.shown.title(), focused, &state.screen.look, buf);
    let style = |pane: PaneId| match (pane == slot.shown, focused) {
        (true, true) => theme.accent.add_modifier(Modifier::BOLD),
        (true, false) => theme.strong,
        (false, _) => theme.faint,
    };
    if slot.tabs.len() > 1 {
        let mut parts = Vec::new();
        for pane in &slot.tabs {
            parts.extend([(pane.title(), style(*pane)), (" ", theme.faint)]);
        }
        parts.pop();
        note(slot.area, End::Left, &parts, buf);
    }
    inner
}

/// Returns the pane whose title is at a cell of a slot's frame.
pub(in crate::tui) fn tab_at(slot: &Slot, cell: Position) -> Option<PaneId> {
    let mut x = slot.area.x + 2;
    slot.tabs.iter().copied().filter(|_| cell.y == slot.area.y).find(|pane| {
        let from = x;
        x += pane.title().len() as u16 + 1;
        (from..x).contains(&cell.x)
    })
}

pub(in crate::tui) fn has_focus(state: &State, pane: PaneId) -> bool {
    state.screen.focus == pane && state.dialogs.is_empty()
}
