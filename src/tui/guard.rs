//! Last words of a program that is ended from within: the terminal is given back, and the reason is printed.

use crate::allocator;
use crate::tui::terminal;
use signal_hook::consts::{SIGABRT, SIGBUS, SIGXFSZ};
use signal_hook::low_level::{emulate_default_handler, exit, register};
use std::fmt::{self, Write};
use std::io;

/// Installs signal handlers, so that the program says why it ends where memory is refused, it aborts, or a mapped file
/// is cut short; and so that a file which becomes larger than the system allows is an error of its writing.
///
/// # Errors
/// Fails where the system refuses a handler.
pub fn install() -> io::Result<()> {
    // SAFETY: what is done in the handlers takes no lock and allocates nothing.
    unsafe {
        register(SIGABRT, || end(SIGABRT))?;
        // On other systems SIGBUS also says that a stack has overflowed, and the standard library handles it.
        if cfg!(target_os = "linux") {
            register(SIGBUS, || end(SIGBUS))?;
        }
        register(SIGXFSZ, || {})?;
    }
    Ok(())
}

/// Gives the terminal back, prints the reason and ends the program, in a signal's handler.
fn end(signal: i32) {
    terminal::give_back_now();
    let mut words = Words { text: [0; 400], used: 0 };
    // Text beyond the buffer is cut off, and a failed write loses nothing but the text.
    let _ = match (signal, allocator::refused()) {
        (SIGABRT, Some(bytes)) => writeln!(
            words,
            "circuitscope: there is not enough memory: {bytes} bytes more were refused. Allow more (ulimit -v, the limit of \
             the container or job), or ask for less (--max-memory, a shorter prompt, fewer features)"
        ),
        (SIGABRT, None) => writeln!(
            words,
            "circuitscope: it was aborted; where memory, threads or the stack are limited (ulimit), allow more"
        ),
        _ => writeln!(
            words,
            "circuitscope: a file was cut short, or its disk failed, while it was read; what it holds is not whole"
        ),
    };
    words.say();
    if signal == SIGABRT && allocator::refused().is_some() {
        exit(1);
    }
    // Where the default handler does nothing, the system ends the program.
    let _ = emulate_default_handler(signal);
}

/// Text that is written without allocating.
struct Words {
    text: [u8; 400],
    used: usize,
}

impl Words {
    fn say(&self) {
        let _ = rustix::io::write(rustix::stdio::stderr(), &self.text[..self.used]);
    }
}

impl Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.text[self.used..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.used += length;
        Ok(())
    }
}
