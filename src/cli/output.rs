//! What commands say: the one way to stdout and to stderr. Nothing leaves here that a terminal would obey.

use crate::untrusted::{for_json, for_terminal};
use anyhow::{Context, Result};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of the JSON that commands print; `assets/guide/json.md` says what it holds. It grows where a field is renamed,
/// taken away or comes to mean something else, not where one is added.
pub const SCHEMA: u32 = 1;
/// Whether whoever read stdout has left.
static IS_LEFT: AtomicBool = AtomicBool::new(false);
/// What is said where stdout takes no more.
const CLOSED: &str = "cannot write to stdout";
/// The longest message; a path or two and a list of names fit.
const LONGEST: usize = 4000;

/// Says something on stderr, written as for `format!`.
macro_rules! note {
    ($($what:tt)*) => { $crate::cli::output::say(format_args!($($what)*)) };
}
pub(in crate::cli) use note;

/// Says something on stderr. Where nobody hears it, nothing is lost but that.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", for_terminal(&text.to_string()));
}

/// Says on stderr why the program ends.
pub fn complain(error: &anyhow::Error) {
    let mut text = format!("circuitscope: {error:#}");
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    say(text);
}

/// Shows what clap says, its help or what it does not understand, and ends the program.
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
/// Nobody reads stdout to its end.
pub fn print(text: &str) -> Result<()> {
    write(for_terminal(text).as_bytes())
}

/// Writes lines to stdout.
///
/// # Errors
/// Nobody reads stdout to its end.
pub fn print_lines(lines: impl IntoIterator<Item = String>) -> Result<()> {
    print(&lines.into_iter().fold(String::new(), |all, line| all + &line + "\n"))
}

/// Writes a JSON object to stdout with its [`SCHEMA`], laid out for a person.
///
/// # Errors
/// Nobody reads stdout to its end.
pub fn print_json(value: &Value) -> Result<()> {
    write(for_json(&format!("{:#}\n", with_schema(value))).as_bytes())
}

/// Writes a JSON object to stdout with its [`SCHEMA`], in a line.
///
/// # Errors
/// Nobody reads stdout to its end.
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
/// Nobody reads stdout to its end.
pub fn tell(json: bool, value: impl FnOnce() -> Value, lines: impl FnOnce() -> Vec<String>) -> Result<()> {
    if json { print_json(&value()) } else { print_lines(lines()) }
}

/// Writes what `write` gives to stdout as it comes: an export, whose own writer leaves nothing to obey.
///
/// # Errors
/// What `write` cannot give; nobody reads stdout to its end.
pub fn print_from<E: std::error::Error + Send + Sync + 'static>(
    write: impl FnOnce(&mut dyn Write) -> Result<io::Result<()>, E>,
) -> Result<()> {
    let mut out = BufWriter::new(Stdout(io::stdout().lock()));
    write(&mut out)?.and_then(|()| out.flush()).context(CLOSED)
}

/// Whether whoever read stdout has left, as `head` does once it has enough: that is no failure, and nothing more need be
/// said.
pub fn is_left() -> bool {
    IS_LEFT.load(Ordering::Relaxed)
}

/// Stdout, which takes note when its reader leaves.
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
