//! What is installed beside the program: the manual page and the shells' completions.

use crate::circuitscope;
use circuitscope::graph::query::FIELDS;
use circuitscope::tui::keymap::command::all_commands;

fn printed(args: &[&str]) -> String {
    let output = circuitscope().args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_manual_page_lists_every_option_subcommand_and_key() {
    let page = printed(&["manual"]).replace("\\-", "-").replace("\\*(Aq", "'");
    assert!(page.contains(".TH circuitscope 1"), "{page}");
    for word in ["--transcoder", "circuitscope-trace(1)", "circuitscope-export(1)"] {
        assert!(page.contains(word), "{word} is not in the page:\n{page}");
    }
    for field in FIELDS {
        let line = page.lines().find(|line| line.trim_start().starts_with(field.example));
        assert!(line.is_some_and(|line| line.ends_with(field.doc)), "{} is not in the page:\n{page}", field.name);
    }
    for command in all_commands() {
        assert!(page.contains(command.doc), "{} is not in the page:\n{page}", command.name);
    }
}

#[test]
fn every_page_ends_with_examples_exit_codes_files_and_environment() {
    let subcommands = circuitscope::cli::command();
    let pages = subcommands.get_subcommands().map(|subcommand| vec!["manual", subcommand.get_name()]);
    for arguments in pages.chain([vec!["manual"]]) {
        let page = printed(&arguments).replace("\\-", "-").replace("\\*(Aq", "'");
        let sections = ["\n.SH EXAMPLES\n", "\n.SH \"EXIT STATUS\"\n", "\n.SH FILES\n", "\n.SH ENVIRONMENT\n"];
        let starts = sections.map(|section| page.find(section).unwrap_or_else(|| panic!("{arguments:?}: {section}")));
        assert!(starts.is_sorted(), "{arguments:?}: {starts:?}");
        let [examples, status, files, environment] = starts;
        let command = format!("circuitscope {}", arguments.get(1).copied().unwrap_or_default());
        assert!(page[examples..status].contains(command.trim_end()), "{arguments:?}");
        assert!(page[files..environment].contains("graph.safetensors.session.json"), "{arguments:?}");
        assert!(page[environment..].contains("HF_TOKEN") && page[environment..].contains("PAGER"), "{arguments:?}");
    }
}

#[test]
fn a_subcommand_has_a_page_of_its_own() {
    let page = printed(&["manual", "trace"]).replace("\\-", "-");
    assert!(page.contains(".TH circuitscope-trace 1") && page.contains("--max-feature-nodes"), "{page}");
    let none = circuitscope().args(["manual", "no-such"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no subcommand \"no-such\"; there are "));
}

#[test]
fn every_shell_completes_the_subcommands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("intervene") && script.contains("max-feature-nodes"), "{shell}:\n{script}");
    }
}
