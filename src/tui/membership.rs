//! Signs of the graphs in which something occurs: a letter and a tint, never a tint alone.

use crate::graph::{Difference, Occurrence};
use crate::text::glyph::Glyphs;
use crate::tui::theme::{Depth, Ground, Theme};
use ratatui::style::{Color, Modifier, Style};

/// Graphs by their letters.
const LETTERS: [&str; 26] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W",
    "X", "Y", "Z",
];

/// Tint for one graph, another, or both.
#[derive(Clone, Copy)]
enum Tint {
    First,
    Second,
    Both,
}

/// Returns the letter of a graph, counted from 0.
pub fn letter(graph: usize) -> &'static str {
    LETTERS.get(graph).copied().unwrap_or("*")
}

impl Glyphs {
    /// Returns the sign of a node that differs between graphs; `None` for one that is much the same in all.
    pub fn occurrence(&self, occurrence: Occurrence) -> Option<&'static str> {
        match occurrence {
            Occurrence::Everywhere => None,
            Occurrence::Changed => Some(self.differs),
            Occurrence::Only(graph) => Some(letter(graph)),
            Occurrence::In(_) => Some("+"),
        }
    }

    /// Returns the sign of a difference between two graphs.
    pub fn difference(&self, difference: Difference) -> &'static str {
        match difference {
            Difference::Shared => "=",
            Difference::Changed => self.differs,
            Difference::OnlyA => letter(0),
            Difference::OnlyB => letter(1),
        }
    }
}

impl Theme {
    /// Returns the tint of an occurrence: in the first graph or any one, in the second or in some, in all.
    pub fn occurrence(&self, occurrence: Occurrence, n_graphs: usize) -> Style {
        self.of_graphs(match occurrence {
            Occurrence::Only(graph) if graph == 0 || n_graphs > 2 => Tint::First,
            Occurrence::Only(_) | Occurrence::In(_) => Tint::Second,
            Occurrence::Everywhere | Occurrence::Changed => Tint::Both,
        })
    }

    /// Returns the tint of a difference between two graphs.
    pub fn difference(&self, difference: Difference) -> Style {
        self.of_graphs(match difference {
            Difference::OnlyA => Tint::First,
            Difference::OnlyB => Tint::Second,
            Difference::Shared | Difference::Changed => Tint::Both,
        })
    }

    /// Returns the tint of features of a dictionary, of which 0 is the model's own.
    pub fn dictionary(&self, at: usize) -> Style {
        self.of_graphs(if at == 0 { Tint::First } else { Tint::Second })
    }

    fn of_graphs(&self, tint: Tint) -> Style {
        let (first, second) = match (self.depth, self.ground) {
            (Depth::Mono, _) => {
                return match tint {
                    Tint::Both => self.text.add_modifier(Modifier::BOLD),
                    Tint::First | Tint::Second => self.text,
                };
            }
            (Depth::Ansi, Ground::Dark) => (Color::LightGreen, Color::LightRed),
            (Depth::Ansi, Ground::Light) => (Color::Green, Color::Magenta),
            (Depth::Indexed, Ground::Dark) => (Color::Indexed(114), Color::Indexed(176)),
            (Depth::Indexed, Ground::Light) => (Color::Indexed(28), Color::Indexed(127)),
            (Depth::True, Ground::Dark) => (Color::Rgb(0x7f, 0xc8, 0x7f), Color::Rgb(0xd4, 0x88, 0xd8)),
            (Depth::True, Ground::Light) => (Color::Rgb(0x1f, 0x7a, 0x33), Color::Rgb(0xa0, 0x2c, 0xa8)),
        };
        match tint {
            Tint::First => Style::new().fg(first),
            Tint::Second => Style::new().fg(second),
            Tint::Both => self.text,
        }
    }
}
