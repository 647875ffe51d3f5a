//! Export of a graph: its format, its part of the graph, and its file.

pub(in crate::tui) mod update;

use crate::format::{Drawing, Format, Theme};
use crate::graph::Part;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Context, commands};
use crate::tui::screen::close_dialog;
use crate::tui::state::State;
use crate::tui::ui::{Look, TextEdit, line};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::path::{Path, PathBuf};
use tui_input::Input;

const PARTS: [(Part, &str); 3] = [
    (Part::Pruned, "what pruning keeps"),
    (Part::Pinned, "what is pinned, each group as one"),
    (Part::All, "everything"),
];

/// Least shares of an edge in a drawing, in the order in which they are offered.
const LEAST_SHARES: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.0, 0.005];

/// Dialog that chooses an export.
pub struct Export {
    format: Format,
    /// Part that was chosen; the format's usual one where none was.
    part: Option<Part>,
    has_pins: bool,
    drawing: Drawing,
    path: Input,
    /// True where a file of this name exists: exporting once more overwrites it.
    pub is_there: bool,
}

impl Export {
    /// Starts from a file name without its extension, a format, and whether anything is pinned.
    pub fn new(stem: &Path, format: Format, has_pins: bool) -> Self {
        let path = Input::new(format!("{}.{}", stem.display(), format.extension()));
        Self { format, part: None, has_pins, drawing: Drawing::default(), path, is_there: false }
    }

    /// Returns the format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the part of the graph.
    pub fn part(&self) -> Part {
        self.part.unwrap_or_else(|| self.format().usual_part(self.has_pins))
    }

    /// Returns the options of a drawing.
    pub fn drawing(&self) -> Drawing {
        self.drawing
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.path.value().trim())
    }

    /// Chooses another format; the file's extension follows where it was that of the format before.
    pub fn change_format(&mut self, by: isize) {
        let before = self.format.extension();
        let at = self.listed_at().saturating_add_signed(by).min(Format::all().len() - 1);
        self.format = Format::all().nth(at).unwrap_or_default();
        self.is_there = false;
        let typed = self.path.value();
        if let Some(stem) = typed.strip_suffix(before).filter(|stem| stem.ends_with('.')) {
            self.path = Input::new(format!("{stem}{}", self.format().extension()));
        }
    }

    fn listed_at(&self) -> usize {
        Format::all().position(|listed| listed == self.format).unwrap_or_default()
    }

    /// Chooses the next part.
    pub fn change_part(&mut self) {
        self.part = Some(PARTS[(self.part_at() + 1) % PARTS.len()].0);
    }

    fn part_at(&self) -> usize {
        let part = self.part();
        PARTS.iter().position(|(listed, _)| *listed == part).unwrap_or_default()
    }

    /// Chooses the next least share of the edges of a drawing.
    pub fn change_least_share(&mut self) {
        let at = LEAST_SHARES.iter().position(|share| *share == self.drawing.least_share).unwrap_or_default();
        self.drawing.least_share = LEAST_SHARES[(at + 1) % LEAST_SHARES.len()];
    }

    /// Chooses the other theme.
    pub fn change_theme(&mut self) {
        self.drawing.theme = match self.drawing.theme {
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Light,
        };
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        const LABEL: u16 = 9;
        let theme = &look.theme;
        let height = (Format::all().len() as u16 + 7).min(screen.height);
        let area = crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(100), height, "export", look, buf);
        if area.height < 4 || area.width < 20 {
            return None;
        }
        let room = usize::from(area.width);
        let field = Rect { x: area.x + LABEL, width: area.width - LABEL, height: 1, ..area };
        buf.set_string(area.x, area.y, "to", theme.quiet);
        let cursor = line::render(&self.path, field, theme.strong, look, buf);
        buf.set_string(area.x, area.y + 1, "part", theme.quiet);
        let part = PARTS[self.part_at()].1;
        buf.set_stringn(area.x + LABEL, area.y + 1, part, room - usize::from(LABEL), theme.text);
        if self.format().is_drawing() {
            let ground = match (self.format.has_theme(), self.drawing.theme) {
                (false, _) => "",
                (true, Theme::Light) => ", for a light background",
                (true, Theme::Dark) => ", for a dark background",
            };
            let edges = match self.drawing.least_share {
                0.0 => "edges of any weight".to_owned(),
                share => format!("edges from {} % of their target's input", 100.0 * share),
            };
            buf.set_string(area.x, area.y + 2, "drawing", theme.quiet);
            buf.set_stringn(area.x + LABEL, area.y + 2, edges + ground, room - usize::from(LABEL), theme.text);
        }
        if self.is_there {
            let asks = look.glyphs.fit("This file is there already: the same key again writes over it", room);
            buf.set_stringn(area.x, area.y + 3, asks, room, theme.alert);
        }
        let list = Rect { y: area.y + 5, height: area.height.saturating_sub(5), ..area };
        let from = (self.listed_at() + 1).saturating_sub(usize::from(list.height));
        for (y, format) in (list.top()..list.bottom()).zip(Format::all().skip(from)) {
            buf.set_stringn(list.x, y, format!("{:<14}", format.name()), room, theme.text);
            let room = room.saturating_sub(14);
            buf.set_stringn(list.x + 14, y, look.glyphs.fit(format.about(), room), room, theme.quiet);
            if format == self.format {
                buf.set_style(Rect { y, height: 1, ..list }, theme.selection);
            }
        }
        Some(cursor)
    }
}

const EXPORT: Context = Context::line("export");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "export-write", Edit, EXPORT, ["Enter"], Some("write"), |s, _| update::write_export(s), "Write the export; again to write over a file";
    "export-down", Edit, EXPORT, ["Down"], Some("format"), |s, _| update::change_export(s, |export| export.change_format(1)), "To the next format";
    "export-up", Edit, EXPORT, ["Up"], Some("format"), |s, _| update::change_export(s, |export| export.change_format(-1)), "To the format before";
    "export-part", Edit, EXPORT, ["Tab"], Some("part"), |s, _| update::change_export(s, |export| export.change_part()), "Export what is kept, what is pinned, or everything";
    "export-weight", Edit, EXPORT, ["Ctrl-g"], Some("least weight"), |s, _| update::change_export(s, |export| export.change_least_share()), "Leave weaker edges out of a drawing";
    "export-theme", Edit, EXPORT, ["Ctrl-t"], Some("light/dark"), |s, _| update::change_export(s, |export| export.change_theme()), "A figure for a light or a dark background";
    "export-copy", Edit, EXPORT, ["Ctrl-y"], Some("copy"), |s, _| update::copy_export(s), "Copy the export in place of writing it";
    "export-close", Edit, EXPORT, ["Esc"], Some("back"), |s, _| close_dialog(s), "Leave without exporting";
}

impl Dialog for Export {
    fn context(&self) -> Context {
        EXPORT
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.screen.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.is_there = false;
        line::edit(&mut self.path, edit)
    }
}
