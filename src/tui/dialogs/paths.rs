//! Strongest paths between two nodes.

use crate::graph::{Path, Paths as Found};
use crate::ids::NodeId;
use crate::text;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Dialog of the paths between two nodes.
pub struct Paths {
    from: NodeId,
    to: NodeId,
    /// Paths that were found; `None` while they are being searched.
    found: Option<Found>,
    row: usize,
}

impl Paths {
    /// Waits for the paths from `from` to `to`.
    pub fn new(from: NodeId, to: NodeId) -> Self {
        Self { from, to, found: None, row: 0 }
    }

    /// Takes the paths that were found.
    pub fn take(&mut self, found: Found) {
        self.found = Some(found);
    }

    /// Moves the cursor by `by` rows.
    pub fn move_by(&mut self, by: isize) {
        let last = self.found.as_ref().map_or(0, |found| found.found.len()).saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
    }

    /// Returns the path under the cursor.
    pub fn chosen(&self) -> Option<&Path> {
        self.found.as_ref()?.found.get(self.row)
    }

    /// Draws the paths.
    fn draw(&self, circuit: &Circuit, screen: Rect, look: &Look, buf: &mut Buffer) {
        const STRENGTH: usize = 11;
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let lines = self.found.as_ref().map_or(0, |found| found.found.len());
        let height = (lines as u16 + 4).clamp(5, 26).min(screen.height);
        let area = crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(130), height, "paths", look, buf);
        if area.height < 3 {
            return;
        }
        let room = usize::from(area.width);
        let name = |node: &NodeId| circuit.name(*node, glyphs);
        let ends = format!("from {} to {}: ", name(&self.from), name(&self.to));
        let head = match &self.found {
            None => format!("{ends}looking{}", glyphs.ellipsis),
            Some(found) if found.found.is_empty() => format!("{ends}no path of kept edges"),
            Some(found) => {
                let count = text::counted(found.found.len(), "path");
                format!("{ends}{count}, {} of the strength of all", text::percent(found.coverage()).trim_start())
            }
        };
        buf.set_stringn(area.x, area.y, glyphs.fit(&head, room), room, theme.quiet);
        let list = Rect { y: area.y + 2, height: area.height - 2, ..area };
        let found = self.found.iter().flat_map(|found| &found.found);
        let from = (self.row + 1).saturating_sub(usize::from(list.height));
        for (y, (at, path)) in (list.top()..list.bottom()).zip(found.enumerate().skip(from)) {
            let names: Vec<String> = path.nodes.iter().map(name).collect();
            let way = glyphs.fit(&names.join(&format!(" {} ", glyphs.to_output)), room.saturating_sub(STRENGTH));
            buf.set_stringn(list.x, y, way, room.saturating_sub(STRENGTH), theme.text);
            let strength = text::weight(path.strength as f32);
            let x = list.right().saturating_sub(text::width(&strength) as u16).max(list.x);
            buf.set_stringn(x, y, strength, usize::from(list.right() - x), theme.sign(path.strength as f32));
            if at == self.row {
                buf.set_style(Rect { y, height: 1, ..list }, theme.selection);
            }
        }
    }
}

const PATHS: Context = Context::dialog("paths");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "paths-down", Find, PATHS, ["Down", "j"], Some("choose"), |s, _| act::move_in_paths(s, 1), "To the next path";
    "paths-up", Find, PATHS, ["Up", "k"], Some("choose"), |s, _| act::move_in_paths(s, -1), "To the path before";
    "paths-show", Find, PATHS, ["Enter"], Some("show"), |s, _| act::show_path(s), "Draw this path in the link graph";
    "paths-pin", Find, PATHS, ["p"], Some("pin"), |s, _| act::pin_path(s), "Pin every node of this path";
    "paths-close", Find, PATHS, ["Esc", "q"], Some("back"), |s, _| act::close_dialog(s), "Leave the paths";
}

impl Dialog for Paths {
    fn context(&self) -> Context {
        PATHS
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(circuit) = &state.circuit {
            self.draw(circuit, screen, &state.look, buf);
        }
        None
    }
}
