//! Line of tokens, each tinted by a feature's activation on it, the strongest in the middle.

use crate::features::Example;
use crate::service::library::Feature;
use crate::text;
use crate::tui::theme::{Depth, Look};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthChar;

/// Tokens of a context or of a prompt, with a feature's activations.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationContext {
    /// Texts of the pieces, each with the feature's activation.
    pieces: Vec<(String, f32)>,
    /// Separator of two pieces that bring no spaces along.
    spacer: &'static str,
    /// Index of the piece that stands in the middle.
    peak: usize,
    /// Activation of the deepest tint.
    most: f32,
    /// The feature; `None` in a prompt.
    pub feature: Option<Feature>,
}

/// Character on the screen with the marks that belong to it.
struct Cell {
    symbol: String,
    wide: usize,
    /// Index of the piece that the character is of; `None` between two.
    piece: Option<usize>,
}

impl ActivationContext {
    /// Returns the strip of a context; `None` where the context is empty.
    pub fn of(example: &Example, spacer: &'static str, most: f32, feature: Option<Feature>) -> Option<Self> {
        let strongest = example.strongest()?;
        let pieces = example.pieces();
        let peak = pieces.iter().position(|piece| piece.tokens.contains(&strongest))?;
        let pieces = pieces.into_iter().map(|piece| (piece.text, piece.activation)).collect();
        Some(Self { pieces, spacer, peak, most, feature })
    }

    /// Returns the strip of tokens with their activations, around the token `peak`; `None` where there is no such
    /// token.
    pub fn of_tokens(pieces: Vec<(String, f32)>, spacer: &'static str, peak: usize, most: f32) -> Option<Self> {
        (peak < pieces.len()).then_some(Self { pieces, spacer, peak, most, feature: None })
    }

    /// Returns the activation of the deepest tint.
    pub fn most(&self) -> f32 {
        self.most
    }

    /// Returns the feature's activation on the token in the middle.
    pub fn activation(&self) -> f32 {
        self.pieces[self.peak].1
    }

    /// Returns the middle token's activation as a share of the deepest tint's.
    pub fn share(&self) -> f32 {
        self.share_of(self.peak)
    }

    /// Returns the text of all pieces.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(self.spacer)
    }

    /// Returns true where the text contains `wanted`, whatever the case.
    pub fn has(&self, wanted: &str) -> bool {
        self.text().to_lowercase().contains(&wanted.to_lowercase())
    }

    fn share_of(&self, piece: usize) -> f32 {
        let activation = self.pieces[piece].1;
        if self.most > 0.0 && activation > 0.0 { (activation / self.most).min(1.0) } else { 0.0 }
    }

    /// Returns the strip cell by cell. Where there is no colour, strong tokens stand in brackets.
    fn cells(&self, look: &Look) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for (piece, (text, _)) in self.pieces.iter().enumerate() {
            if piece > 0 && !self.spacer.is_empty() {
                cells.push(Cell { symbol: self.spacer.to_owned(), wide: text::width(self.spacer), piece: None });
            }
            let shown = look.glyphs.visible_within(text);
            let bracketed = look.theme.depth == Depth::Mono && self.share_of(piece) >= BRACKETED;
            let shown = if bracketed { format!("[{shown}]") } else { shown };
            for c in shown.chars() {
                let wide = c.width().unwrap_or(0);
                match cells.last_mut() {
                    Some(before) if wide == 0 => before.symbol.push(c),
                    _ => cells.push(Cell { symbol: c.to_string(), wide, piece: Some(piece) }),
                }
            }
        }
        cells
    }

    /// Draws the strip into a line: the strongest token in the middle, everything `shift` cells further to the left.
    /// Where that takes the strongest token out of view, it is held at the edge. Occurrences of `wanted` are marked.
    pub fn draw(&self, area: Rect, shift: isize, wanted: &str, look: &Look, buf: &mut Buffer) {
        let room = usize::from(area.width) as isize;
        if room < 4 || area.height == 0 {
            return;
        }
        let cells = self.cells(look);
        let found = found(&cells, wanted);
        let width_of = |cells: &[Cell]| cells.iter().map(|cell| cell.wide).sum::<usize>() as isize;
        let first = cells.iter().position(|cell| cell.piece == Some(self.peak)).unwrap_or(0);
        let last = cells.iter().rposition(|cell| cell.piece == Some(self.peak)).map_or(first, |last| last + 1);
        let (before, peak, all) = (width_of(&cells[..first]), width_of(&cells[first..last]), width_of(&cells));
        let start = before + peak / 2 - room / 2 + shift;
        let mut x = -start;
        let mut put = |x: isize, at: usize| {
            let cell = &cells[at];
            let style = self.style(cell, found[at], look);
            let to = area.x + x as u16;
            buf.set_stringn(to, area.y, &cell.symbol, (room - x) as usize, style);
        };
        // Room for the sign that something is left out.
        let (from, to) = (isize::from(start > 0), room - isize::from(all - start > room));
        for (at, cell) in cells.iter().enumerate() {
            let wide = cell.wide as isize;
            if x >= from && x + wide <= to {
                put(x, at);
            }
            x += wide;
        }
        let sign = |x: isize, buf: &mut Buffer| {
            buf.set_stringn(area.x + x as u16, area.y, look.glyphs.ellipsis, 1, look.theme.faint);
        };
        if start > 0 {
            sign(0, buf);
        }
        if all - start > room {
            sign(room - 1, buf);
        }
        let (left, right) = (before - start, before - start + peak);
        if left < from || right > to {
            self.hold(&cells[first..last], left < from, area, look, buf);
        }
    }

    /// Draws the strongest token at the edge behind which it is.
    fn hold(&self, cells: &[Cell], at_left: bool, area: Rect, look: &Look, buf: &mut Buffer) {
        let room = usize::from(area.width).saturating_sub(1);
        let wide = cells.iter().map(|cell| cell.wide).sum::<usize>().min(room);
        let mut x = if at_left { area.x } else { area.right() - wide as u16 - 1 };
        if !at_left {
            buf.set_stringn(x, area.y, look.glyphs.elsewhere, 1, look.theme.frame_focus);
            x += 1;
        }
        let end = x + wide as u16;
        for cell in cells {
            if x + cell.wide as u16 > end {
                break;
            }
            buf.set_stringn(x, area.y, &cell.symbol, cell.wide, self.style(cell, false, look));
            x += cell.wide as u16;
        }
        if at_left {
            buf.set_stringn(x, area.y, look.glyphs.elsewhere, 1, look.theme.frame_focus);
        }
    }

    fn style(&self, cell: &Cell, is_found: bool, look: &Look) -> Style {
        let mut style = look.theme.tint(cell.piece.map_or(0.0, |piece| self.share_of(piece)));
        if cell.piece == Some(self.peak) {
            style = style.add_modifier(Modifier::BOLD);
        }
        if is_found { style.patch(look.theme.selection) } else { style }
    }
}

/// Share of the deepest tint from which on a token stands in brackets where there is no colour.
const BRACKETED: f32 = 0.6;

/// Marks the cells, `[cells]`, that belong to an occurrence of `wanted`, whatever the case.
fn found(cells: &[Cell], wanted: &str) -> Vec<bool> {
    let mut found = vec![false; cells.len()];
    let wanted: Vec<String> = wanted.chars().map(|c| c.to_lowercase().collect()).collect();
    if wanted.is_empty() {
        return found;
    }
    let symbols: Vec<String> = cells.iter().map(|cell| cell.symbol.to_lowercase()).collect();
    for (at, run) in symbols.windows(wanted.len()).enumerate() {
        if run == wanted {
            found[at..at + wanted.len()].fill(true);
        }
    }
    found
}

/// Draws a bar for each number, as high as its share of the largest; any number but 0 has some height. Where there are
/// more numbers than fit into `room`, the largest of neighbours stands for them.
pub fn sparkline(numbers: &[f32], room: usize, look: &Look) -> String {
    let (bars, room) = (look.glyphs.sparks, room.max(1));
    let largest = numbers.iter().copied().fold(0.0, f32::max);
    let per = numbers.len().div_ceil(room).max(1);
    let shown = numbers.chunks(per).map(|some| some.iter().copied().fold(0.0, f32::max));
    let most = bars.len() - 1;
    let bar = |number: f32| {
        let height = if largest > 0.0 { (number / largest * most as f32).ceil() } else { 0.0 };
        bars[(height as usize).min(most)]
    };
    let line: String = shown.map(bar).collect();
    debug_assert!(text::width(&line) <= room);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::glyph::{Charset, Glyphs};
    use crate::tui::theme::{Ground, Theme};

    fn look(depth: Depth) -> Look {
        Look { theme: Theme::new(depth, Ground::Dark), glyphs: Glyphs::new(Charset::Braille) }
    }

    fn strip(tokens: &[(&str, f32)]) -> ActivationContext {
        let example = Example {
            tokens: tokens.iter().map(|(token, _)| (*token).to_owned()).collect(),
            activations: tokens.iter().map(|(_, activation)| *activation).collect(),
            ..Example::default()
        };
        ActivationContext::of(&example, "", 4.0, None).unwrap()
    }

    fn drawn(strip: &ActivationContext, width: u16, shift: isize, look: &Look) -> (String, Buffer) {
        let area = Rect::new(0, 0, width, 1);
        let mut buf = Buffer::empty(area);
        strip.draw(area, shift, "", look, &mut buf);
        (buf.content.iter().map(ratatui::buffer::Cell::symbol).collect(), buf)
    }

    const DALLAS: &[(&str, f32)] =
        &[("in", 0.0), (" the", 0.0), (" city", 1.0), (" of", 0.0), (" Dallas", 4.0), (",", 0.0), (" Texas", 2.0)];

    #[test]
    fn the_strongest_token_stands_in_the_middle() {
        let look = look(Depth::True);
        let (line, buf) = drawn(&strip(DALLAS), 41, 0, &look);
        let at = line.find(" Dallas").unwrap();
        assert!((at + 3).abs_diff(20) <= 1, "{line:?}");
        let tint = |at: usize| buf[(at as u16, 0)].bg;
        let theme = &look.theme;
        assert_eq!(tint(at + 1), theme.tint(1.0).bg.unwrap());
        assert_eq!(tint(line.find("Texas").unwrap()), theme.tint(0.5).bg.unwrap());
        assert_eq!(tint(line.find("the").unwrap()), ratatui::style::Color::Reset);
    }

    #[test]
    fn it_stays_in_view_however_far_it_is_shifted() {
        let look = look(Depth::True);
        for width in [12, 20, 41] {
            for shift in -60..60 {
                let (line, _) = drawn(&strip(DALLAS), width, shift, &look);
                assert!(line.contains("Dallas"), "{width} {shift}: {line:?}");
            }
        }
    }

    #[test]
    fn without_colour_strong_tokens_stand_in_brackets_and_weak_ones_are_underlined() {
        let (line, buf) = drawn(&strip(DALLAS), 60, 0, &look(Depth::Mono));
        assert!(line.contains("city of[ Dallas], Texas"), "{line:?}");
        let modifier = |text: &str| buf[(line.find(text).unwrap() as u16, 0)].modifier;
        assert!(modifier("city").contains(Modifier::UNDERLINED) && modifier("Texas").contains(Modifier::UNDERLINED));
        assert!(!modifier("the").contains(Modifier::UNDERLINED));
    }

    #[test]
    fn tokens_that_are_words_stand_apart() {
        let example = Example {
            tokens: ["of", "Texas", "is"].map(str::to_owned).to_vec(),
            activations: vec![0.0, 4.0, 0.0],
            ..Example::default()
        };
        let words = ActivationContext::of(&example, " ", 4.0, None).unwrap();
        let look = look(Depth::True);
        let (line, buf) = drawn(&words, 30, 0, &look);
        let at = line.find("of Texas is").unwrap() as u16;
        assert_eq!(buf[(at + 3, 0)].bg, look.theme.tint(1.0).bg.unwrap());
        assert_eq!(buf[(at + 2, 0)].bg, ratatui::style::Color::Reset);
        assert!(words.has("texas is"));
    }

    #[test]
    fn nothing_a_terminal_would_obey_gets_through_and_wide_characters_keep_their_cells() {
        let odd = strip(&[("\x1b[2J", 0.0), ("東京", 4.0), ("\u{301}\u{200d}", 1.0), ("\n", 2.0), ("\\xe6", 0.0)]);
        for width in 4..40 {
            for shift in -20..20 {
                let (line, buf) = drawn(&odd, width, shift, &look(Depth::True));
                assert!(!line.contains('\x1b') && !line.contains('\u{200d}'), "{line:?}");
                let wide = buf.content.iter().map(|cell| text::width(cell.symbol())).sum::<usize>();
                // The cell under the second half of a wide character is blank.
                assert!(wide >= usize::from(width), "{line:?}");
            }
        }
        let (line, _) = drawn(&odd, 40, 0, &look(Depth::True));
        assert!(line.contains("␛[2J東"), "{line:?}");
        assert!(line.contains("<200d>⏎\\xe6"), "{line:?}");
    }

    #[test]
    fn what_is_looked_for_is_marked() {
        let area = Rect::new(0, 0, 41, 1);
        let mut buf = Buffer::empty(area);
        let look = look(Depth::True);
        strip(DALLAS).draw(area, 0, "tex", &look, &mut buf);
        let marked: String = buf
            .content
            .iter()
            .filter(|cell| Some(cell.bg) == look.theme.selection.bg)
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        assert_eq!(marked, "Tex");
        assert!(strip(DALLAS).has("dallas, tex") && !strip(DALLAS).has("austin"));
    }

    #[test]
    fn a_sparkline_fits_its_room() {
        let look = look(Depth::True);
        assert_eq!(sparkline(&[0.0, 0.001, 4.0, 8.0], 10, &look), " ▁▄█");
        assert_eq!(sparkline(&[1.0, 8.0, 0.0, 0.0], 2, &look), "█ ");
        assert_eq!(sparkline(&[], 5, &look), "");
    }
}
