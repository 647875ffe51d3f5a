//! Output of commands: the only way to stdout and stderr. Control sequences are escaped here.

use crate::untrusted::{for_json, for_terminal};
use anyhow::{Context, Result};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Version of the JSON that commands print, as described in `assets/guide/json.md`. It grows where a field is renamed,
/// removed or changes its meaning, not where one is added.
pub const SCHEMA: u32 = 1;
/// True once the reader of stdout has closed it.
static IS_LEFT: AtomicBool = AtomicBool::new(false);
/// Message where writing to stdout fails.
const CLOSED: &str = "cannot write to stdout";
/// Length of the longest message; a path or two and a list of names fit.
const LONGEST: usize = 4000;

/// Prints a message on stderr, written as for `format!`.
macro_rules! note {
    ($($what:tt)*) => { $crate::cli::output::say(format_args!($($what)*)) };
}
pub(in crate::cli) use note;

/// Prints a message on stderr. Errors of writing it are ignored.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", for_terminal(&text.to_string()));
}

/// Prints on stderr the error that ends the program.
pub fn complain(error: &anyhow::Error) {
    let mut text = format!("circuitscope: {error:#}");
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    say(text);
}

/// Prints clap's message, its help or an error, and ends the program.
pub fn refuse(error: &clap::Error) -> ! {
    let plain = error.to_string();
    // The words of the command line that it quotes may be of a file.
    if let Cow::Owned(cleaned) = for_terminal(&plain) {
        say(cleaned.trim_end());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// Writes text to stdout.
///
/// # Errors
/// Fails where stdout cannot be written to its end.
pub fn print(text: &str) -> Result<()> {
    write(for_terminal(text).as_bytes())
}

/// Writes lines to stdout.
///
/// # Errors
/// Fails where stdout cannot be written to its end.
pub fn print_lines(lines: impl IntoIterator<Item = String>) -> Result<()> {
    print(&lines.into_iter().fold(String::new(), |all, line| all + &line + "\n"))
}

/// Writes a JSON object to stdout with its [`SCHEMA`], indented.
///
/// # Errors
/// Fails where stdout cannot be written to its end.
pub fn print_json(value: &Value) -> Result<()> {
    write(for_json(&format!("{:#}\n", with_schema(value))).as_bytes())
}

/// Writes a JSON object to stdout with its [`SCHEMA`], in a line.
///
/// # Errors
/// Fails where stdout cannot be written to its end.
pub fn print_json_line(value: &Value) -> Result<()> {
    write(for_json(&format!("{}\n", with_schema(value))).as_bytes())
}

fn with_schema(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("schema".to_owned(), SCHEMA.into());
    }
    value
}

/// Writes a result to stdout: as JSON, or as lines.
///
/// # Errors
/// Fails where stdout cannot be written to its end.
pub fn tell(json: bool, value: impl FnOnce() -> Value, lines: impl FnOnce() -> Vec<String>) -> Result<()> {
    if json { print_json(&value()) } else { print_lines(lines()) }
}

/// Writes the output of `write` to stdout as it comes: an export, whose own writer leaves no control sequences.
///
/// # Errors
/// Fails as `write` does, or where stdout cannot be written to its end.
pub fn print_from<E: std::error::Error + Send + Sync + 'static>(
    write: impl FnOnce(&mut dyn Write) -> Result<io::Result<()>, E>,
) -> Result<()> {
    let mut out = BufWriter::new(Stdout(io::stdout().lock()));
    write(&mut out)?.and_then(|()| out.flush()).context(CLOSED)
}

/// Returns true where the reader of stdout has closed it, as `head` does once it has enough: that is no failure, and
/// needs no message.
pub fn is_left() -> bool {
    IS_LEFT.load(Ordering::Relaxed)
}

/// Stdout, which records that its reader closed it.
struct Stdout<'a>(io::StdoutLock<'a>);

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(self.0.flush())
    }
}

fn noted<T>(written: io::Result<T>) -> io::Result<T> {
    if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        IS_LEFT.store(true, Ordering::Relaxed);
    }
    written
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut out = Stdout(io::stdout().lock());
    out.write_all(bytes).and_then(|()| out.flush()).context(CLOSED)
}
