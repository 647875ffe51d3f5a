//! The question before the network is used, where the command line did not answer it.

use crate::cli::output::{note, say};
use anyhow::{Context, Result, bail};
use std::io::{self, IsTerminal, Write};

/// Asks whether to do what `lines` tell, unless the person has said `yes` beforehand.
///
/// # Errors
/// They say no, or there is nobody to ask.
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
