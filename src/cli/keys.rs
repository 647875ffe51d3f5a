//! `circuitscope keys`: the keys of the screen, as the file that changes them.

use crate::cli::output::{note, print, print_json};
use crate::config;
use crate::text::counted;
use crate::tui::Keymap;
use anyhow::{Result, bail};
use serde_json::json;

/// Prints the keys of the screen, as the TOML that changes them.
///
/// The keys that are set in keymap.toml, in the folder of settings, take the place of the usual ones. What is wrong with
/// that file is said, and the exit status is 1.
#[derive(Clone, Debug, clap::Args)]
pub struct KeysArgs {
    /// Print the usual keys, whatever keymap.toml says
    #[arg(long)]
    default: bool,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the keymap.
///
/// # Errors
/// Fails where keymap.toml cannot be read or has faults, or stdout cannot be written to.
pub fn run(args: &KeysArgs) -> Result<()> {
    let (keymap, faults) = if args.default { (Keymap::usual(), Vec::new()) } else { Keymap::of_user() };
    if args.json {
        let file = config::keymap_file().filter(|_| !args.default);
        print_json(&json!({ "file": file, "faults": faults, "keys": keymap.rows() }))?;
    } else {
        print(&keymap.to_toml())?;
    }
    for fault in &faults {
        note!("circuitscope: {fault}");
    }
    match faults.len() {
        0 => Ok(()),
        n => bail!("keymap.toml has {}", counted(n, "fault")),
    }
}
