//! Long texts on a terminal, a screen at a time.

use crate::cli::output::print;
use anyhow::{Context, Result};
use signal_hook::consts::SIGINT;
use std::env;
use std::io::{ErrorKind, IsTerminal as _, Write as _, stdout};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Pager where the user names none.
const DEFAULT: &str = "less -R";

/// Shows a text by the user's pager where stdout is a terminal, and prints it elsewhere, or where there is no pager.
///
/// # Errors
/// Fails where the pager cannot be fed, or stdout cannot be written to.
pub fn show(text: &str) -> Result<()> {
    let named = env::var("PAGER").unwrap_or_else(|_| DEFAULT.to_owned());
    let words = shlex::split(&named).unwrap_or_default();
    let Some((program, arguments)) = words.split_first().filter(|_| stdout().is_terminal()) else {
        return print(text);
    };
    // Ctrl-C is the pager's: it goes to both, and whoever is left behind would fight with the shell for the keys.
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false))).context("signals cannot be listened to")?;
    let Ok(mut pager) = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn() else {
        return print(text);
    };
    let fed = pager.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
    pager.wait().with_context(|| format!("the pager {program} cannot be waited for"))?;
    match fed {
        // It was left before the end.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        fed => fed.with_context(|| format!("the pager {program} cannot be written to; PAGER names another")),
    }
}
