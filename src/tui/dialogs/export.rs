//! Export of a graph: its format, its part of the graph, and its file.

use crate::format::{Format, Theme};
use crate::graph::Part;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::path::{Path, PathBuf};
use tui_input::Input;

const FORMATS: [(Format, &str, &str); 10] = [
    (Format::Json, "json", "the graph JSON of circuit-tracer and Neuronpedia, with pins, groups and labels"),
    (
        Format::Url,
        "url",
        "the link at which Neuronpedia shows the graph with pins, groups and thresholds, where it has it",
    ),
    (Format::Dot, "dot", "a graph for graphviz"),
    (Format::Svg, "svg", "a figure"),
    (Format::Mermaid, "mermaid", "a Mermaid flowchart"),
    (Format::Markdown, "markdown", "a lab note"),
    (Format::CsvNodes, "csv-nodes", "a table of nodes"),
    (Format::CsvEdges, "csv-edges", "a table of edges"),
    (Format::Dense, "dense", "a safetensors file with adjacency matrix, scores and masks"),
    (Format::Interventions, "interventions", "what is done to the model, as JSON for circuitscope intervene"),
];

const PARTS: [(Part, &str); 3] = [
    (Part::Pruned, "what pruning keeps"),
    (Part::Pinned, "what is pinned, each group as one"),
    (Part::All, "everything"),
];

/// Dialog that chooses an export.
pub struct Export {
    format: usize,
    part: usize,
    theme: Theme,
    path: Input,
    /// True where a file of this name exists: exporting once more overwrites it.
    pub is_there: bool,
}

impl Export {
    /// Starts from a file name without its extension, and a format.
    pub fn new(stem: &Path, format: Format) -> Self {
        let path = Input::new(format!("{}.{}", stem.display(), format.extension()));
        let format = FORMATS.iter().position(|(listed, ..)| *listed == format).unwrap_or_default();
        Self { format, part: 0, theme: Theme::Light, path, is_there: false }
    }

    /// Returns the format.
    pub fn format(&self) -> Format {
        FORMATS[self.format].0
    }

    /// Returns the part of the graph.
    pub fn part(&self) -> Part {
        PARTS[self.part].0
    }

    /// Returns the theme of a figure, for a light or a dark background.
    pub fn theme(&self) -> Theme {
        self.theme
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.path.value().trim())
    }

    /// Chooses another format; the file's extension follows where it was that of the format before.
    pub fn change_format(&mut self, by: isize) {
        let before = self.format().extension();
        self.format = self.format.saturating_add_signed(by).min(FORMATS.len() - 1);
        self.is_there = false;
        let typed = self.path.value();
        if let Some(stem) = typed.strip_suffix(before).filter(|stem| stem.ends_with('.')) {
            self.path = Input::new(format!("{stem}{}", self.format().extension()));
        }
    }

    /// Chooses the next part.
    pub fn change_part(&mut self) {
        self.part = (self.part + 1) % PARTS.len();
    }

    /// Chooses the other theme.
    pub fn change_theme(&mut self) {
        self.theme = match self.theme {
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Light,
        };
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        const LABEL: u16 = 9;
        let theme = &look.theme;
        let height = (FORMATS.len() as u16 + 7).min(screen.height);
        let area = crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(100), height, "export", look, buf);
        if area.height < 4 || area.width < 20 {
            return None;
        }
        let room = usize::from(area.width);
        let field = Rect { x: area.x + LABEL, width: area.width - LABEL, height: 1, ..area };
        buf.set_string(area.x, area.y, "to", theme.quiet);
        let cursor = line::render(&self.path, field, theme.strong, look, buf);
        buf.set_string(area.x, area.y + 1, "part", theme.quiet);
        let part = PARTS[self.part].1;
        buf.set_stringn(area.x + LABEL, area.y + 1, part, room - usize::from(LABEL), theme.text);
        let ground = if self.theme == Theme::Light { "for a light background" } else { "for a dark background" };
        if self.format() == Format::Svg {
            buf.set_string(area.x, area.y + 2, "figure", theme.quiet);
            buf.set_stringn(area.x + LABEL, area.y + 2, ground, room - usize::from(LABEL), theme.text);
        }
        if self.is_there {
            let asks = look.glyphs.fit("This file is there already: the same key again writes over it", room);
            buf.set_stringn(area.x, area.y + 3, asks, room, theme.alert);
        }
        let list = Rect { y: area.y + 5, height: area.height.saturating_sub(5), ..area };
        let from = (self.format + 1).saturating_sub(usize::from(list.height));
        for (y, (at, (_, name, doc))) in (list.top()..list.bottom()).zip(FORMATS.iter().enumerate().skip(from)) {
            buf.set_stringn(list.x, y, format!("{name:<14}"), room, theme.text);
            let room = room.saturating_sub(14);
            buf.set_stringn(list.x + 14, y, look.glyphs.fit(doc, room), room, theme.quiet);
            if at == self.format {
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
    "export-down", Edit, EXPORT, ["Down"], Some("format"), |s, _| act::change_export(s, |export| export.change_format(1)), "To the next format";
    "export-up", Edit, EXPORT, ["Up"], Some("format"), |s, _| act::change_export(s, |export| export.change_format(-1)), "To the format before";
    "export-part", Edit, EXPORT, ["Tab"], Some("part"), |s, _| act::change_export(s, |export| export.change_part()), "Export what is kept, what is pinned, or everything";
    "export-theme", Edit, EXPORT, ["Ctrl-t"], Some("light/dark"), |s, _| act::change_export(s, |export| export.change_theme()), "A figure for a light or a dark background";
    "export-write", Edit, EXPORT, ["Enter"], Some("write"), |s, _| act::write_export(s), "Write the export; again to write over a file";
    "export-copy", Edit, EXPORT, ["Ctrl-y"], Some("copy"), |s, _| act::copy_export(s), "Copy the export in place of writing it";
    "export-close", Edit, EXPORT, ["Esc"], Some("back"), |s, _| act::close_dialog(s), "Leave without exporting";
}

impl Dialog for Export {
    fn context(&self) -> Context {
        EXPORT
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.look, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.is_there = false;
        line::edit(&mut self.path, edit)
    }
}
