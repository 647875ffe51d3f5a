//! `circuitscope manual` and `circuitscope completions`: files that a packager installs beside the program.

use crate::cli::output::print;
use crate::cli::{command, examples};
use crate::graph::query::grammar;
use crate::guide;
use crate::text::glyph::{Charset, Glyphs};
use crate::tui::{Keymap, LEGEND, Mark, key_table};
use anyhow::{Result, bail};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const NAME: &str = "circuitscope";

/// Exit codes and their meanings.
const STATUS: [(&str, &str); 3] = [
    ("0", "It did what was asked."),
    ("1", "It failed; a sentence on stderr says why. Of many prompts or graphs, at least one failed."),
    ("2", "The command line is not valid."),
];

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
    clap_complete::generate(args.shell, &mut command(), NAME, &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn page() -> Result<Vec<u8>> {
    let man = Man::new(command());
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
    let all = command();
    let own = [(String::new(), &all)];
    let subcommands = all.get_subcommands().map(|subcommand| (subcommand.get_name().to_owned(), subcommand));
    ending(own.into_iter().chain(subcommands)).to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn page_of(name: &str) -> Result<Vec<u8>> {
    let mut all = command();
    all.build();
    let Some(subcommand) = all.find_subcommand(name) else {
        let known: Vec<_> = all.get_subcommands().map(clap::Command::get_name).collect();
        bail!("there is no subcommand {name:?}; there are {}", known.join(", "));
    };
    let mut page = Vec::new();
    // A subcommand has no version of its own.
    let man = Man::new(subcommand.clone().version(env!("CARGO_PKG_VERSION")));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let has_more = subcommand.get_subcommands().any(|inner| inner.get_name() != "help");
    if has_more {
        man.render_subcommands_section(&mut page)?;
    }
    if name == "filter" {
        filters().to_writer(&mut page)?;
    }
    let own = [(name.to_owned(), subcommand)];
    let inner = subcommand.get_subcommands().map(|inner| (format!("{name} {}", inner.get_name()), inner));
    ending(own.into_iter().chain(inner)).to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Returns what every page ends with: examples of the commands, exit codes, files and the environment.
fn ending<'a>(commands: impl Iterator<Item = (String, &'a clap::Command)>) -> Roff {
    let examples = commands.filter_map(|(name, command)| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        Some((examples::of(&name)?.to_owned(), about))
    });
    let files = guide::topic("files");
    let rows = |heading| {
        let rows = files.into_iter().flat_map(move |files| files.rows(heading));
        rows.map(|(first, second)| (first, second.replace('`', ""))).collect::<Vec<_>>()
    };
    let status = STATUS.map(|(code, meaning)| (code.to_owned(), meaning.to_owned()));
    let mut roff = Roff::default();
    for (title, rows) in [
        ("EXAMPLES", examples.collect()),
        ("EXIT STATUS", status.to_vec()),
        ("FILES", rows("Files")),
        ("ENVIRONMENT", rows("Environment")),
    ] {
        roff.control("SH", [title]);
        for (first, second) in rows {
            roff.control("TP", []);
            roff.text([bold(first)]);
            roff.text([roman(second)]);
        }
    }
    roff
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
    for (title, rows) in key_table(&Keymap::usual()) {
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
