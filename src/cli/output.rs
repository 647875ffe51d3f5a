//! What commands say: the one way to stdout and to stderr. Nothing leaves here that a terminal would obey.

use crate::untrusted::{for_json, for_terminal};
use anyhow::{Context, Result};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, Write};

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

/// Writes JSON to stdout, laid out for a person.
///
/// # Errors
/// Nobody reads stdout to its end.
pub fn print_json(value: &Value) -> Result<()> {
    write(for_json(&format!("{value:#}\n")).as_bytes())
}

/// Writes JSON to stdout in a line.
///
/// # Errors
/// Nobody reads stdout to its end.
pub fn print_json_line(value: &Value) -> Result<()> {
    write(for_json(&format!("{value}\n")).as_bytes())
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
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out)?.and_then(|()| out.flush()).context(CLOSED)
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context(CLOSED)
}
