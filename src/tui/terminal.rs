//! The terminal: claimed, and always given back.

use crate::tui::background;
use crate::tui::diff_backend::DiffBackend;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::style::{Attribute, Print, ResetColor, SetAttribute, force_color_output};
use crossterm::terminal::{self, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::Terminal;
use ratatui::layout::Size;
use rustix::termios::{self, OptionalActions, QueueSelector, Termios};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::panic;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// True while the terminal is ours.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// True where the mouse is to be ours while the terminal is.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Terminal and its modes as they were before it was claimed.
static BEFORE: OnceLock<(OwnedFd, Termios)> = OnceLock::new();

/// Sequence that reports presses, drags and the wheel, in coordinates of any size. Crossterm's own reports every motion
/// too.
const MOUSE_ON: &str = "\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l";

/// Claim to the terminal. Dropping it gives the terminal back.
pub struct Claim(());

impl Claim {
    /// Switches to the alternate screen, raw input and bracketed paste.
    pub fn new() -> io::Result<Self> {
        // Under NO_COLOR crossterm writes an empty colour sequence. Here the theme decides about colours.
        force_color_output(true);
        let terminal = if io::stdin().is_terminal() {
            rustix::stdio::stdin().try_clone_to_owned()?
        } else {
            File::options().read(true).write(true).open("/dev/tty")?.into()
        };
        let modes = termios::tcgetattr(&terminal)?;
        // Of several claims the first one found the terminal as it was.
        let _ = BEFORE.set((terminal, modes));
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

/// Claims the terminal where it is not ours, such as after having been stopped from outside. Where a step of that
/// fails, the terminal is given back.
pub fn claim() -> io::Result<()> {
    CLAIMED.store(true, Ordering::SeqCst);
    let claimed = terminal::enable_raw_mode()
        .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide))
        .and_then(|()| take_mouse(MOUSE.load(Ordering::SeqCst)));
    claimed.inspect_err(|_| give_back())
}

/// Returns true while the terminal is ours.
pub fn is_claimed() -> bool {
    CLAIMED.load(Ordering::SeqCst)
}

/// Takes the mouse, or leaves it to the terminal, from now on.
pub fn take_mouse(wanted: bool) -> io::Result<()> {
    let had = MOUSE.swap(wanted, Ordering::SeqCst);
    if wanted {
        execute!(io::stdout(), Print(MOUSE_ON))
    } else if had {
        execute!(io::stdout(), Print(MOUSE_OFF))
    } else {
        Ok(())
    }
}

/// Asks the terminal for its background; returns true where there is one to ask. Its answer comes among the keys.
pub fn ask_background() -> io::Result<bool> {
    let is_there = io::stdin().is_terminal() && io::stdout().is_terminal();
    if is_there {
        execute!(io::stdout(), Print(background::QUERY))?;
    }
    Ok(is_there)
}

/// Gives the terminal back as it was, once. Errors are dropped, as nobody is left to be told.
pub fn give_back() {
    if CLAIMED.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            Print(if MOUSE.load(Ordering::SeqCst) { MOUSE_OFF } else { "" }),
            ResetColor,
            SetAttribute(Attribute::Reset),
            DisableBracketedPaste,
            Show,
            LeaveAlternateScreen
        );
        let _ = terminal::disable_raw_mode();
    }
}

/// Gives the terminal back whatever the drawing thread is doing: from a signal's handler, or beside a thread that does
/// not answer. Waits for no lock and allocates nothing.
pub fn give_back_now() {
    const BACK: &[u8] = b"\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[m\x1b[?2004l\x1b[?25h\x1b[?1049l";
    if !CLAIMED.swap(false, Ordering::SeqCst) {
        return;
    }
    let out = rustix::stdio::stdout();
    if let Some((terminal, modes)) = BEFORE.get() {
        // Unread output must not keep the sequence below from being written.
        let _ = termios::tcflush(terminal.as_fd(), QueueSelector::OFlush);
        let _ = termios::tcsetattr(terminal.as_fd(), OptionalActions::Now, modes);
    }
    let _ = rustix::io::write(out, BACK);
}

/// Installs a panic hook: a panic of this thread gives the terminal back before it is reported; one of a worker is a
/// result that its job hands over, and must not tear the screen.
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

/// Makes sure that there is a terminal to draw on.
///
/// # Errors
/// Fails where stdout is no terminal.
pub fn require_terminal() -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        return Ok(());
    }
    anyhow::bail!("it draws on a terminal, and stdout is none; the subcommands print (circuitscope --help)")
}

/// Returns the terminal's cells and lines.
pub fn size() -> io::Result<(u16, u16)> {
    terminal::size()
}

/// Opens a terminal on the standard output, through one buffer.
pub fn open() -> io::Result<Terminal<DiffBackend<BufWriter<io::Stdout>>>> {
    let writer = BufWriter::with_capacity(64 * 1024, io::stdout());
    Terminal::new(DiffBackend::new(writer, || size().map(|(width, height)| Size { width, height })))
}
