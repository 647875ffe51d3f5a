//! The terminal: claimed, drawn to in few bytes, and always given back.

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::{
    Attribute, Color as TermColor, Colors, Print, ResetColor, SetAttribute, SetColors, force_color_output,
};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType as TermClear, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{Command, execute, queue};
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, IntoCrossterm, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Whether the terminal is ours at the moment.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours. Dropping it gives the terminal back.
pub struct Claim(());

impl Claim {
    /// Switches to the alternate screen, raw input and bracketed paste.
    pub fn new() -> io::Result<Self> {
        // crossterm under NO_COLOR writes an empty colour sequence, which resets reversed text. What is coloured is
        // decided by the theme.
        force_color_output(true);
        claim()?;
        Ok(Self(()))
    }

    /// Gives the terminal back, stops until continued, and claims it again.
    pub fn suspend(&self) -> io::Result<()> {
        give_back();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        claim()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        give_back();
    }
}

/// Claims the terminal where it is not ours, such as after having been stopped from outside.
pub fn claim() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    CLAIMED.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)
}

/// Gives the terminal back as it was, once. Errors have nobody left to be told.
pub fn give_back() {
    if CLAIMED.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            ResetColor,
            SetAttribute(Attribute::Reset),
            DisableBracketedPaste,
            Show,
            LeaveAlternateScreen
        );
        let _ = terminal::disable_raw_mode();
    }
}

/// A panic of this thread gives the terminal back before it is reported; one of a worker is a result that its job
/// hands over, and must not tear the screen.
pub fn hook_panics() {
    let ui = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == ui {
            give_back();
            before(info);
        } else {
            tracing::error!("{info}");
        }
    }));
}

/// Cells and lines of the terminal.
pub fn size() -> io::Result<(u16, u16)> {
    terminal::size()
}

/// A terminal on the standard output, through one buffer.
pub fn open() -> io::Result<Terminal<Wire<BufWriter<io::Stdout>>>> {
    Terminal::new(Wire::new(BufWriter::with_capacity(64 * 1024, io::stdout())))
}

/// A backend that counts bytes: it moves by the shortest sequence, says nothing twice, and writes a frame at once.
pub struct Wire<W: Write> {
    writer: W,
    cursor_shown: Option<bool>,
    in_frame: bool,
    /// The size that is answered instead of the terminal's, which a test has none of.
    fixed_size: Option<Size>,
}

impl<W: Write> Wire<W> {
    /// A backend that writes to `writer` and asks the terminal for its size.
    pub fn new(writer: W) -> Self {
        Self { writer, cursor_shown: None, in_frame: false, fixed_size: None }
    }

    /// A backend of a fixed size.
    pub fn with_size(writer: W, size: Size) -> Self {
        Self { fixed_size: Some(size), ..Self::new(writer) }
    }

    /// Everything until [`Wire::end_frame`] appears at once, and nothing is written where nothing changes.
    pub fn end_frame(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.in_frame) {
            queue!(self.writer, EndSynchronizedUpdate)?;
            self.writer.flush()?;
        }
        Ok(())
    }

    fn put(&mut self, command: impl Command) -> io::Result<()> {
        if !std::mem::replace(&mut self.in_frame, true) {
            queue!(self.writer, BeginSynchronizedUpdate)?;
        }
        queue!(self.writer, command)
    }
}

/// Where the terminal's cursor is thought to be, and with which attributes it writes.
struct Head {
    at: Option<(u16, u16)>,
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl<W: Write> Backend for Wire<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut head = Head { at: None, fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };
        let mut wrote = false;
        for (x, y, cell) in content {
            wrote = true;
            self.go(&mut head, x, y)?;
            self.dress(&mut head, cell)?;
            self.put(Print(cell.symbol()))?;
            // A wide or combined character may take another width than is thought: the next cell is addressed anew.
            head.at = (cell.symbol().len() == 1 || is_single(cell.symbol())).then_some((x + 1, y));
        }
        if wrote && (head.fg != Color::Reset || head.bg != Color::Reset || !head.modifier.is_empty()) {
            self.put(SetAttribute(Attribute::Reset))?;
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown.replace(false) != Some(false) {
            self.put(Hide)?;
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown.replace(true) != Some(true) {
            self.put(Show)?;
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Asking the terminal would wait for its answer; nothing here depends on it.
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.put(MoveTo(x, y))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.put(SetAttribute(Attribute::Reset))?;
        self.put(Clear(match region {
            ClearType::All => TermClear::All,
            ClearType::AfterCursor => TermClear::FromCursorDown,
            ClearType::BeforeCursor => TermClear::FromCursorUp,
            ClearType::CurrentLine => TermClear::CurrentLine,
            ClearType::UntilNewLine => TermClear::UntilNewLine,
        }))
    }

    fn size(&self) -> io::Result<Size> {
        match self.fixed_size {
            Some(size) => Ok(size),
            None => size().map(|(width, height)| Size { width, height }),
        }
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        // A frame leaves whole, at its end.
        Ok(())
    }
}

impl<W: Write> Wire<W> {
    fn go(&mut self, head: &mut Head, x: u16, y: u16) -> io::Result<()> {
        match head.at {
            Some(at) if at == (x, y) => Ok(()),
            Some((from, line)) if line == y && from < x => self.put(Right(x - from)),
            _ => self.put(MoveTo(x, y)),
        }
    }

    fn dress(&mut self, head: &mut Head, cell: &Cell) -> io::Result<()> {
        if cell.modifier != head.modifier {
            // Bold and dim share their off switch, so modifiers are set from nothing when one goes.
            if !cell.modifier.contains(head.modifier) {
                self.put(SetAttribute(Attribute::Reset))?;
                *head = Head { at: head.at, fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };
            }
            for (flag, attribute) in [
                (Modifier::BOLD, Attribute::Bold),
                (Modifier::DIM, Attribute::Dim),
                (Modifier::ITALIC, Attribute::Italic),
                (Modifier::UNDERLINED, Attribute::Underlined),
                (Modifier::REVERSED, Attribute::Reverse),
                (Modifier::CROSSED_OUT, Attribute::CrossedOut),
            ] {
                if (cell.modifier - head.modifier).contains(flag) {
                    self.put(SetAttribute(attribute))?;
                }
            }
            head.modifier = cell.modifier;
        }
        let fg = (cell.fg != head.fg && cell.symbol() != " " || needs_fg(cell, head)).then(|| term_color(cell.fg));
        let bg = (cell.bg != head.bg).then(|| term_color(cell.bg));
        if fg.is_some() {
            head.fg = cell.fg;
        }
        head.bg = cell.bg;
        if fg.is_some() || bg.is_some() {
            self.put(SetColors(Colors { foreground: fg, background: bg }))?;
        }
        Ok(())
    }
}

/// A move to the right, shorter than an absolute position and than crossterm's own by the one that it need not say.
struct Right(u16);

impl Command for Right {
    fn write_ansi(&self, f: &mut impl fmt::Write) -> fmt::Result {
        match self.0 {
            1 => f.write_str("\x1b[C"),
            cells => write!(f, "\x1b[{cells}C"),
        }
    }
}

/// A blank shows its foreground only when it is underlined, struck through or reversed.
fn needs_fg(cell: &Cell, head: &Head) -> bool {
    cell.fg != head.fg && cell.modifier.intersects(Modifier::UNDERLINED | Modifier::CROSSED_OUT | Modifier::REVERSED)
}

fn term_color(color: Color) -> TermColor {
    color.into_crossterm()
}

/// One character of box drawing, block or Braille, or otherwise surely one cell wide.
fn is_single(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    matches!((chars.next(), chars.next()), (Some(c), None) if matches!(u32::from(c), 0xa0..=0x2ff | 0x2500..=0x259f | 0x2800..=0x28ff))
}
