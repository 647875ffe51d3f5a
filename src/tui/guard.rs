//! The last words of a program that is about to be ended from within: the terminal is given back, and why is said.

use crate::allocator;
use crate::tui::terminal;
use signal_hook::consts::{SIGABRT, SIGBUS, SIGXFSZ};
use signal_hook::low_level::{emulate_default_handler, exit, register};
use std::fmt::{self, Write};
use std::io;

/// Sees to it that the program does not end without a word where memory is refused, it aborts, or a file that is mapped is
/// cut short; and that a file which becomes larger than the system allows is an error of its writing.
///
/// # Errors
/// The system does not let it.
pub fn install() -> io::Result<()> {
    // SAFETY: what is done in the handlers takes no lock and allocates nothing.
    unsafe {
        register(SIGABRT, || end(SIGABRT))?;
        // Elsewhere it also says that a stack has overflowed, and is the standard library's.
        if cfg!(target_os = "linux") {
            register(SIGBUS, || end(SIGBUS))?;
        }
        register(SIGXFSZ, || {})?;
    }
    Ok(())
}

/// Ends the program in a signal's handler.
fn end(signal: i32) {
    terminal::give_back_now();
    let mut words = Words { text: [0; 400], used: 0 };
    // What has no room is cut off, and where nobody hears it nothing is lost but that.
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
    // Where that does nothing, the system ends it.
    let _ = emulate_default_handler(signal);
}

/// Text that is put together without allocating.
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
