//! Consent to use the network, where the command line did not give it.

use crate::cli::output::{note, say};
use anyhow::{Context, Result, bail};
use std::io::{self, IsTerminal, Write};

/// Asks for consent to what `lines` say, unless `yes` was given beforehand.
///
/// # Errors
/// Fails where the user declines, or stdin or stderr is no terminal.
pub fn ask(lines: &[String], yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!("{}; --yes lets it happen", lines.join("; "));
    }
    lines.iter().for_each(say);
    note!("Go on? [y/N]");
    io::stderr().flush().context("nobody can be asked")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("nobody can be asked")?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was asked of anybody"),
    }
}
