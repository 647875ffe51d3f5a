//! `circuitscope manual` and `circuitscope completions`: files that a packager installs beside the program.

use crate::cli::Cli;
use crate::cli::output::print;
use crate::graph::query::grammar;
use crate::text::glyph::{Charset, Glyphs};
use crate::tui::{LEGEND, Mark, key_table};
use anyhow::{Result, bail};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const NAME: &str = "circuitscope";

/// Prints the manual page, in roff, with every key of the full-screen program and the grammar of filters.
///
/// `circuitscope manual | man -l -` shows it.
#[derive(Clone, Debug, clap::Args)]
pub struct ManualArgs {
    /// The page of a subcommand instead
    subcommand: Option<String>,
}

/// Prints a script that completes the command line in a shell.
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints a manual page.
///
/// # Errors
/// Fails where there is no such subcommand, or stdout cannot be written to.
pub fn manual(args: &ManualArgs) -> Result<()> {
    let page = match &args.subcommand {
        Some(name) => page_of(name)?,
        None => page()?,
    };
    print(&String::from_utf8_lossy(&page))
}

/// Prints a completion script.
///
/// # Errors
/// Fails where stdout cannot be written to.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn page() -> Result<Vec<u8>> {
    let man = Man::new(Cli::command());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    keys().to_writer(&mut page)?;
    marks().to_writer(&mut page)?;
    filters().to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn page_of(name: &str) -> Result<Vec<u8>> {
    let mut all = Cli::command();
    all.build();
    let Some(subcommand) = all.find_subcommand(name) else {
        let known: Vec<_> = all.get_subcommands().map(clap::Command::get_name).collect();
        bail!("there is no subcommand {name:?}; there are {}", known.join(", "));
    };
    let mut page = Vec::new();
    Man::new(subcommand.clone()).render(&mut page)?;
    Ok(page)
}

/// Returns the grammar of filters, with its line breaks.
fn filters() -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["FILTERS"]);
    roff.text([roman("In the prompt on the screen and in circuitscope filter:")]);
    roff.control("PP", []);
    roff.control("nf", []);
    for line in grammar().lines() {
        // An empty line has its own request.
        if line.is_empty() {
            roff.control("sp", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []);
    roff
}

/// Returns the meanings of the marks on the screen, as they look in most terminals.
fn marks() -> Roff {
    let glyphs = Glyphs::new(Charset::Unicode);
    let mut roff = Roff::default();
    roff.control("SH", ["MARKS"]);
    for (place, marks) in LEGEND {
        roff.control("SS", [place]);
        for Mark { sign, doc } in marks {
            roff.control("TP", []);
            roff.text([bold(sign(&glyphs))]);
            roff.text([roman(*doc)]);
        }
    }
    roff
}

/// Returns the keys, from the table of the screen's help.
fn keys() -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["KEYS"]);
    for (title, rows) in key_table() {
        roff.control("SS", [title]);
        for (keys, doc) in rows {
            roff.control("TP", []);
            let mut line = Vec::new();
            for key in keys {
                if !line.is_empty() {
                    line.push(roman(", "));
                }
                line.push(bold(key));
            }
            roff.text(line);
            roff.text([roman(doc)]);
        }
    }
    roff
}
