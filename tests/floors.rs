//! The crate's floors, held up by a test since one crate has no walls: an import runs downward only.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A module may use its own floor and those below.
const FLOORS: [&[&str]; 9] = [
    &["allocator", "array", "ids", "job", "parallel", "untrusted"],
    &["graph"],
    &["tokens", "model", "transcoder", "hub", "text"],
    &["demo", "features", "format", "intervention", "attribution", "verify"],
    &["training"],
    &["session"],
    &["service"],
    &["tui"],
    &["cli"],
];

/// Modules beside the floors, and who alone may use them.
const BESIDE: [(&str, &[&str]); 2] = [("config", &["cli", "tui", "service"]), ("guide", &["cli", "tui"])];

/// What the command line may know of the screen: the files of `cli` that name `tui`, and what they name of it, to start it,
/// to say how it looks, and to print its keys and marks.
const SCREEN: [(&str, &[&str]); 5] = [
    ("cli/tui", &["run", "require_terminal", "Start", "Left"]),
    ("cli/appearance_args", &["Options", "ThemeChoice"]),
    ("cli/guide", &["Keymap", "keys_page"]),
    ("cli/keys", &["Keymap"]),
    ("cli/manual", &["Keymap", "key_table", "LEGEND", "Mark"]),
];

/// Crates that only some modules may use, as prefixes of paths below `src`.
const CRATES: [(&str, &[&str]); 5] = [
    ("candle_core", &["model", "transcoder", "attribution", "intervention", "verify", "features/build", "training"]),
    ("candle_nn", &["model", "transcoder", "attribution", "intervention"]),
    ("candle_transformers", &["intervention"]),
    ("ureq", &["hub/download"]),
    ("crossterm", &["tui/runtime/terminal", "tui/runtime/event", "tui/runtime/clipboard"]),
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What follows each `root::` in the code: `graph` of `root::graph::Node`, `ids` and `graph` of `root::{ids, graph::X}`.
fn roots_used(code: &str, root: &str) -> Vec<String> {
    let lead = format!("{root}::");
    let starts = code.match_indices(&lead).filter(|(at, _)| !code[..*at].ends_with(is_word));
    let mut used = Vec::new();
    for (at, _) in starts {
        let rest = code[at + lead.len()..].trim_start();
        let Some(group) = rest.strip_prefix('{') else {
            used.push(rest.chars().take_while(|c| is_word(*c)).collect());
            continue;
        };
        let mut depth = 0;
        let inside = group.chars().take_while(|c| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth >= 0
        });
        let mut depth = 0;
        let mut name = String::new();
        for c in inside.chain([',']) {
            depth += i32::from(c == '{') - i32::from(c == '}');
            match c {
                ',' if depth == 0 => used.push(std::mem::take(&mut name)),
                _ if depth == 0 => name.push(c),
                _ => {}
            }
        }
    }
    let names = used.into_iter().map(|name| name.trim().chars().take_while(|c| is_word(*c)).collect());
    names.filter(|name: &String| !name.is_empty()).collect()
}

/// What the file at `path` (below `src`) uses and may not.
fn violations(path: &str, text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let place = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let own = place.split('/').next().unwrap_or_default();
    if matches!(own, "lib" | "main") {
        return Vec::new();
    }
    let beside = |module: &str| BESIDE.iter().find(|(name, _)| *name == module);
    let mut used = roots_used(&code, "crate");
    if place == own {
        // One level up is the crate's root.
        used.extend(roots_used(&code, "super").into_iter().filter(|module| floor(module).is_some()));
    }
    let mut wrong = Vec::new();
    if floor(own).is_none() && beside(own).is_none() {
        wrong.push(format!("src/{path}: `{own}` stands on no floor; give it one in tests/floors.rs"));
    }
    for module in used.iter().filter(|module| *module != own) {
        let allowed = match (floor(own), floor(module), beside(module)) {
            (_, _, Some((_, readers))) => readers.contains(&own),
            (Some(own), Some(other), None) => other <= own,
            // What is used by name alone, such as a macro of the crate, stands on no floor.
            (_, other, None) => other.is_none(),
        };
        if !allowed {
            wrong.push(format!("src/{path}: `{own}` uses `crate::{module}`, which is not below it"));
        }
    }
    if own == "cli" && used.iter().any(|module| module == "tui") {
        let known = SCREEN.iter().find(|(file, _)| *file == place).map_or(&[][..], |(_, names)| names);
        let renamed = roots_used(&code.replace("tui as ", "tui::as ").replace("tui::*", "tui::all"), "tui");
        for name in renamed.iter().filter(|name| *name != "self" && !known.contains(&name.as_str())) {
            wrong.push(format!("src/{path}: names `{name}` of `crate::tui`, which only starts the screen"));
        }
        if known.is_empty() {
            wrong.push(format!("src/{path}: the command line knows nothing of the screen but how to start it"));
        }
    }
    for (name, places) in CRATES {
        // ratatui hands crossterm's types on, which is how a view gets at a key.
        let code = code.replace(&format!("ratatui::{name}"), "ratatui::re_export");
        let uses = !roots_used(&code, name).is_empty();
        if uses && !places.iter().any(|at| place == *at || place.starts_with(&format!("{at}/"))) {
            wrong.push(format!("src/{path}: uses `{name}`, which only {} may", places.join(", ")));
        }
    }
    wrong
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn imports_run_downward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(files.len() > 10, "the sources are where they were");
    let wrong: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let below = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            violations(&below, &fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_that_runs_upward_is_caught() {
    let caught = |path: &str, text: &str| violations(path, text).len();
    assert_eq!(caught("graph/prune.rs", "use crate::tui::App;"), 1);
    assert_eq!(caught("graph/prune.rs", "use crate::{\n    ids::{NodeId, EdgeId},\n    format::raw,\n};"), 1);
    assert_eq!(caught("graph/prune.rs", "fn f() { crate::session::Session::new() }"), 1);
    assert_eq!(caught("graph/mod.rs", "use super::cli;"), 1);
    assert_eq!(caught("session.rs", "use crate::config::Config;"), 1);
    assert_eq!(caught("service/tracing.rs", "use crate::guide::TOPICS;"), 1);
    assert_eq!(caught("format/raw.rs", "use candle_core::Tensor;"), 1);
    assert_eq!(caught("tui/panes/graph/view.rs", "use crossterm::event::KeyCode;"), 1);
    assert_eq!(caught("service/tracing.rs", "use crate::tui::Start;"), 1);
    assert_eq!(caught("tui/state.rs", "use crate::cli::output::note;"), 1);
    assert_eq!(caught("stray.rs", ""), 1);
}

#[test]
fn the_command_line_knows_the_screen_by_what_starts_it_alone() {
    let caught = |path: &str, text: &str| violations(path, text).len();
    assert_eq!(caught("cli/tui.rs", "use crate::tui::{self, Left, Start};\nfn f() { tui::run(Start::Write) }"), 0);
    assert_eq!(caught("cli/tui.rs", "use crate::tui::{self, state::State, Start};"), 1);
    assert_eq!(caught("cli/tui.rs", "use crate::{config, tui};\nfn f() { tui::ui::theme::Look::detect() }"), 1);
    assert_eq!(caught("cli/tui.rs", "use crate::tui as screen;"), 1);
    assert_eq!(caught("cli/tui.rs", "use crate::tui::*;"), 1);
    assert!(caught("cli/graph.rs", "use crate::tui::run;") > 0);
    assert!(caught("cli/graph.rs", "use crate::tui;") > 0);
    assert_eq!(caught("cli/mod.rs", "mod tui;\nfn f() { tui::open() }"), 0);
}

#[test]
fn an_import_that_runs_downward_is_left_alone() {
    let caught = |path: &str, text: &str| violations(path, text);
    let nothing: Vec<String> = Vec::new();
    assert_eq!(caught("graph/prune.rs", "use crate::graph::Kept; // as crate::tui shows it"), nothing);
    assert_eq!(caught("tui/state.rs", "use crate::{config, session::Session, graph::{Kept, prune}};"), nothing);
    assert_eq!(caught("tui/state.rs", "use ratatui::crossterm::event::KeyCode;"), nothing);
    assert_eq!(caught("tui/runtime/event.rs", "use crossterm::event::KeyCode;"), nothing);
    assert_eq!(caught("attribution/rows.rs", "use candle_core::Tensor; use crate::model::Spec;"), nothing);
    assert_eq!(caught("cli/tui.rs", "use crate::{config::Config, tui, attribution};"), nothing);
}
