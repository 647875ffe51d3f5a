//! A backend that counts bytes: over a slow line they are what a frame costs.
//!
//! Cells of one style are written together, since a change of colour costs more than a move; moves take their shortest
//! form; a frame leaves in one write, and one in which nothing changed leaves none at all.

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use std::io::{self, Write};

const BEGIN_FRAME: &str = "\x1b[?2026h";
const END_FRAME: &str = "\x1b[?2026l";

/// Fewest blanks that erasing writes shorter than spaces.
const WORTH_ERASING: usize = 6;

/// Backend of the terminal. Its output is held back until [`DiffBackend::end_frame`].
pub struct DiffBackend<W: Write> {
    writer: W,
    frame: String,
    size: Box<dyn Fn() -> io::Result<Size> + Send>,
    cursor_shown: Option<bool>,
    cursor: Option<Position>,
}

/// Style of a cell, as far as it is seen.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Dress {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Dress {
    fn of(cell: &Cell) -> Self {
        let plain_blank = is_blank(cell) && !cell.modifier.intersects(Modifier::UNDERLINED | Modifier::REVERSED);
        Self {
            // The foreground of a blank shows only where it is underlined or reversed.
            fg: if plain_blank { Color::Reset } else { cell.fg },
            bg: cell.bg,
            modifier: if plain_blank { Modifier::empty() } else { cell.modifier },
        }
    }
}

impl<W: Write> DiffBackend<W> {
    /// Creates a backend that writes to `writer` and learns from `size` how large the screen is.
    pub fn new(writer: W, size: impl Fn() -> io::Result<Size> + Send + 'static) -> Self {
        Self { writer, frame: String::new(), size: Box::new(size), cursor_shown: None, cursor: None }
    }

    /// Writes all changes of the frame, to appear at once.
    ///
    /// # Errors
    /// Fails where the writer fails.
    pub fn end_frame(&mut self) -> io::Result<()> {
        if !self.frame.is_empty() {
            self.frame.insert_str(0, BEGIN_FRAME);
            self.frame.push_str(END_FRAME);
            self.writer.write_all(self.frame.as_bytes())?;
            self.writer.flush()?;
            self.frame.clear();
        }
        Ok(())
    }

    /// Writes a sequence that changes nothing on the screen.
    ///
    /// # Errors
    /// Fails where the writer fails.
    pub fn pass(&mut self, sequence: &str) -> io::Result<()> {
        self.writer.write_all(sequence.as_bytes())?;
        self.writer.flush()
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        let _ = self.frame.write_fmt(text);
    }

    /// Moves the cursor from where it is thought to be, in the shortest way.
    fn go(&mut self, from: Option<(u16, u16)>, to: (u16, u16)) {
        if from == Some(to) {
            return;
        }
        let mut best = format!("\x1b[{};{}H", to.1 + 1, to.0 + 1);
        if let Some((x, y)) = from.filter(|from| from.1 <= to.1) {
            // Without output processing a line feed goes straight down.
            let mut steps = "\n".repeat(usize::from(to.1 - y).min(3));
            push_steps(&mut steps, (to.1 - y).saturating_sub(3), 'B');
            if to.0 < x && x - to.0 <= 3 {
                steps.extend(std::iter::repeat_n('\x08', usize::from(x - to.0)));
            } else if to.0 < x {
                push_steps(&mut steps, x - to.0, 'D');
            } else {
                push_steps(&mut steps, to.0 - x, 'C');
            }
            if steps.len() < best.len() {
                best = steps;
            }
        }
        self.frame.push_str(&best);
    }

    fn dress(&mut self, from: Dress, to: Dress) {
        let mut from = from;
        if !to.modifier.contains(from.modifier) {
            // Bold and dim share their off switch, so what goes, goes with everything.
            self.frame.push_str("\x1b[m");
            from = Dress::default();
        }
        let mut codes = String::new();
        for (flag, code) in [
            (Modifier::BOLD, "1;"),
            (Modifier::DIM, "2;"),
            (Modifier::ITALIC, "3;"),
            (Modifier::UNDERLINED, "4;"),
            (Modifier::REVERSED, "7;"),
            (Modifier::CROSSED_OUT, "9;"),
        ] {
            if (to.modifier - from.modifier).contains(flag) {
                codes.push_str(code);
            }
        }
        if to.fg != from.fg {
            push_color(&mut codes, to.fg, 30);
        }
        if to.bg != from.bg {
            push_color(&mut codes, to.bg, 40);
        }
        if codes.pop().is_some() {
            self.put(format_args!("\x1b[{codes}m"));
        }
    }
}

impl<W: Write> Backend for DiffBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let width = (self.size)()?.width;
        let mut dresses = vec![Dress::default()];
        let mut cells: Vec<(usize, u16, u16, &Cell)> = content
            .map(|(x, y, cell)| {
                let dress = Dress::of(cell);
                let at = dresses.iter().position(|known| *known == dress).unwrap_or_else(|| {
                    dresses.push(dress);
                    dresses.len() - 1
                });
                (at, y, x, cell)
            })
            .collect();
        cells.sort_unstable_by_key(|(dress, y, x, _)| (*dress, *y, *x));

        let mut at = None;
        let mut worn = Dress::default();
        for run in in_order(&cells) {
            let (dress, y, x, _) = run[0];
            self.go(at, (x, y));
            self.dress(worn, dresses[dress]);
            worn = dresses[dress];
            if worn == Dress::default() && run.len() >= WORTH_ERASING && run.iter().all(|(.., cell)| is_blank(cell)) {
                // Erasing leaves the cursor where it is.
                self.put(format_args!("\x1b[{}X", run.len()));
                at = Some((x, y));
                continue;
            }
            for (.., cell) in run {
                self.frame.push_str(cell.symbol());
            }
            at = run.last().filter(|(.., x, _)| x + 1 < width).map(|(_, y, x, _)| (x + 1, *y));
            // A wide or combined character may take another width than is thought: what follows is addressed anew.
            at = at.filter(|_| run.iter().all(|(.., cell)| is_single(cell.symbol())));
        }
        if worn != Dress::default() {
            self.frame.push_str("\x1b[m");
        }
        if !cells.is_empty() {
            self.cursor = None;
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown.replace(false) != Some(false) {
            self.frame.push_str("\x1b[?25l");
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown.replace(true) != Some(true) {
            self.frame.push_str("\x1b[?25h");
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Asking the terminal would wait for its answer, and nothing here depends on it.
        Ok(self.cursor.unwrap_or(Position::ORIGIN))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor.replace(position) != Some(position) {
            self.go(None, (position.x, position.y));
        }
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.frame.push_str(match region {
            ClearType::All => "\x1b[m\x1b[2J",
            ClearType::AfterCursor => "\x1b[m\x1b[J",
            ClearType::BeforeCursor => "\x1b[m\x1b[1J",
            ClearType::CurrentLine => "\x1b[m\x1b[2K",
            ClearType::UntilNewLine => "\x1b[m\x1b[K",
        });
        // The program before may have shown or hidden the cursor.
        self.cursor_shown = None;
        self.cursor = None;
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        (self.size)()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        // A frame leaves whole, at its end.
        Ok(())
    }
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " "
}

/// Cell that changed: the index of its dress, its line, its column, and the cell itself.
type Changed<'a> = (usize, u16, u16, &'a Cell);

/// Orders the runs of cells side by side so that moves are short: one dress after the other, from the upper left, but
/// after a run the one that begins close below it, so that a line that falls is followed as it falls.
fn in_order<'a, 'b>(cells: &'b [Changed<'a>]) -> Vec<&'b [Changed<'a>]> {
    let follows = |a: &Changed<'_>, b: &Changed<'_>| {
        // What comes after a character of uncertain width is addressed anew, and so begins a run.
        a.0 == b.0 && a.1 == b.1 && a.2 + 1 == b.2 && is_single(a.3.symbol()) && is_blank(a.3) == is_blank(b.3)
    };
    let runs: Vec<&[Changed<'_>]> = cells.chunk_by(follows).collect();
    let mut done = vec![false; runs.len()];
    let mut order = Vec::with_capacity(runs.len());
    for first in 0..runs.len() {
        let mut next = Some(first);
        while let Some(at) = next.filter(|at| !done[*at]) {
            done[at] = true;
            order.push(runs[at]);
            let (dress, y, x, _) = runs[at][runs[at].len() - 1];
            let below =
                runs.partition_point(|run| (run[0].0, run[0].1, run[0].2) < (dress, y + 1, x.saturating_sub(4)));
            let near = (below..runs.len()).take_while(|at| {
                let (its_dress, its_y, its_x, _) = runs[*at][0];
                its_dress == dress && its_y == y + 1 && its_x <= x + 4
            });
            next = near.filter(|at| !done[*at]).min_by_key(|at| runs[*at][0].2.abs_diff(x + 1));
        }
    }
    order
}

fn push_steps(out: &mut String, steps: u16, direction: char) {
    // Writing into a string does not fail.
    let _ = match steps {
        0 => Ok(()),
        1 => write!(out, "\x1b[{direction}"),
        _ => write!(out, "\x1b[{steps}{direction}"),
    };
}

/// Appends a colour's code with a semicolon after it; `base` is 30 for the foreground, 40 for the background.
fn push_color(out: &mut String, color: Color, base: u8) {
    let named = |offset: u8| if offset < 8 { base + offset } else { base + 52 + offset };
    let offset = match color {
        Color::Reset => 9,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Rgb(..) | Color::Indexed(_) => 0,
    };
    // Writing into a string does not fail.
    let _ = match color {
        Color::Rgb(r, g, b) => write!(out, "{};2;{r};{g};{b};", base + 8),
        Color::Indexed(index) => write!(out, "{};5;{index};", base + 8),
        Color::Reset => write!(out, "{};", base + 9),
        _ => write!(out, "{};", named(offset)),
    };
}

/// Returns true for a single character that is surely one cell wide everywhere.
fn is_single(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    matches!(
        (chars.next(), chars.next()),
        (Some(c), None) if matches!(u32::from(c), 0x20..=0x7e | 0xa1..=0x2ff | 0x2500..=0x259f | 0x2800..=0x28ff)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::buffer::Buffer;
    use ratatui::style::Style;
    use std::num::NonZero;
    use std::sync::{Arc, Mutex};

    /// Writer into a terminal that is read back.
    #[derive(Clone)]
    struct Screen(Arc<Mutex<vt100::Parser>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().process(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const SIZE: Size = Size { width: 24, height: 8 };

    fn scribble(buffer: &mut Buffer, seed: u64, texts: &[&str]) {
        // Any mixture will do, as long as every frame is another.
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let colors = [Color::Reset, Color::Red, Color::LightCyan, Color::Indexed(75), Color::Rgb(1, 20, 255)];
        let modifiers = [Modifier::empty(), Modifier::BOLD, Modifier::DIM, Modifier::REVERSED, Modifier::UNDERLINED];
        for _ in 0..30 {
            let (x, y) = (random(24) as u16, random(8) as u16);
            let text = texts[random(texts.len() as u64) as usize];
            let style = Style::new()
                .fg(colors[random(5) as usize])
                .bg(colors[random(5) as usize])
                .add_modifier(modifiers[random(5) as usize]);
            // Without it modifiers would add up, and bold and dim together are not told apart everywhere.
            buffer.set_stringn(x, y, text, usize::from(24 - x), Style::reset().patch(style));
        }
    }

    /// Draws frame after frame and looks at what the terminal shows, at its styles where `styles`.
    fn draw_and_compare(texts: &[&str], styles: bool) {
        let (rows, columns) = (NonZero::new(SIZE.height).unwrap(), NonZero::new(SIZE.width).unwrap());
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let mut terminal = Terminal::new(DiffBackend::new(Screen(Arc::clone(&parser)), || Ok(SIZE))).unwrap();
        for seed in 1..200 {
            let mut wanted = Buffer::default();
            terminal
                .draw(|frame| {
                    scribble(frame.buffer_mut(), seed, texts);
                    wanted = frame.buffer_mut().clone();
                })
                .unwrap();
            terminal.backend_mut().end_frame().unwrap();
            let parser = parser.lock().unwrap();
            for y in 0..SIZE.height {
                let mut x = 0;
                while x < SIZE.width {
                    let (wanted, shown) = (&wanted[(x, y)], parser.screen().cell(y, x).unwrap());
                    let symbol = if shown.contents().is_empty() { " " } else { shown.contents() };
                    assert_eq!(wanted.symbol(), symbol, "frame {seed}, {x},{y}");
                    if styles {
                        compare_styles(wanted, shown);
                    }
                    x += crate::text::width(wanted.symbol()).max(1) as u16;
                }
            }
        }
    }

    fn compare_styles(wanted: &Cell, shown: &vt100::Cell) {
        assert_eq!(wanted.modifier.contains(Modifier::REVERSED), shown.inverse());
        assert_eq!(seen(wanted.bg), shown.bgcolor());
        if wanted.symbol() != " " {
            assert_eq!(seen(wanted.fg), shown.fgcolor());
            assert_eq!(wanted.modifier.contains(Modifier::BOLD), shown.bold());
            assert_eq!(wanted.modifier.contains(Modifier::DIM), shown.dim());
        }
    }

    #[test]
    fn the_terminal_shows_what_was_drawn() {
        draw_and_compare(&["abc", "⣿⡇", "         ", "─", "é", " x "], true);
    }

    #[test]
    fn wide_characters_end_up_where_they_belong() {
        // Terminals differ in how they colour what is left of a wide character that is half covered.
        draw_and_compare(&["abc", "⣿⡇", "東京", "         ", "─", "é", " x "], false);
    }

    fn seen(color: Color) -> vt100::Color {
        match color {
            Color::Red => vt100::Color::Idx(1),
            Color::LightCyan => vt100::Color::Idx(14),
            Color::Indexed(index) => vt100::Color::Idx(index),
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            _ => vt100::Color::Default,
        }
    }
}
