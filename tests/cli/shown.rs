//! Every command line that the README, the guide and the helps show is run on the demo, or at least understood.

use crate::circuitscope;
use circuitscope::cli;
use circuitscope::guide::TOPICS;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DALLAS: &str = "fact : the capital of the state containing Dallas is";
const OAKLAND: &str = "fact : the capital of the state containing Oakland is";

/// Marks of blocks that are not run, since they need what is not everywhere.
const NEEDS: [&str; 6] = ["needs-model", "needs-network", "needs-gpu", "needs-terminal", "needs-files", "build"];

/// Subcommands whose examples are not run, for the same reason.
const EXAMPLES_THAT_NEED: [&str; 9] =
    ["", "open", "start", "tour", "fetch", "pull", "features fetch", "features import", "train merge"];

/// A fenced block of shell commands.
struct Block {
    mark: String,
    /// Command lines, those that go on behind a backslash joined.
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some(mark) = info.strip_prefix("sh") {
            let joined = inside.join("\n").replace("\\\n", " ");
            blocks.push(Block {
                mark: mark.trim().to_owned(),
                lines: joined.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            });
        }
    }
    blocks
}

/// Checks that the command line is one that the program takes.
fn understand(line: &str, page: &str) {
    let words = shlex::split(line).unwrap_or_else(|| panic!("{page}: {line}"));
    let ours = words.into_iter().take_while(|word| !["|", ">", "&&"].contains(&word.as_str()));
    let parsed = cli::command().try_get_matches_from(ours);
    assert!(parsed.is_ok(), "{page}: {line}\n{}", parsed.unwrap_err());
}

/// A folder with what command lines name, and the ids that stand for SOURCE, TARGET and OTHER in them.
struct Prepared {
    folder: tempfile::TempDir,
    ids: [(&'static str, String); 3],
}

impl Prepared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (prompt, name) in [(DALLAS, "graph.safetensors"), (DALLAS, "a.safetensors"), (OAKLAND, "b.safetensors")] {
            circuitscope().args(["trace", "--prompt", prompt, "--out"]).arg(path(name)).assert().success();
        }
        let prompts = [DALLAS, OAKLAND];
        for name in ["prompts.txt", "corpus.txt"] {
            fs::write(path(name), prompts.join("\n")).unwrap();
        }
        fs::write(path("prompts.jsonl"), prompts.map(|prompt| format!("{{\"prompt\": \"{prompt}\"}}")).join("\n"))
            .unwrap();
        let graph = path("graph.safetensors");
        let asked = |query: &str| -> Value {
            let output = circuitscope().arg("filter").arg(&graph).args([query, "--json"]).output().unwrap();
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let edge = asked("from:feature to:logit")["edges"][0].clone();
        let [source, target] = ["source", "target"].map(|end| edge[end].as_str().unwrap().to_owned());
        let features = asked("type:feature");
        let mut ids = features["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned());
        let other = ids.rfind(|id| *id != source).unwrap();
        let group = format!("places={source},{other}");
        circuitscope().arg("edit").arg(&graph).args(["--group", &group]).assert().success();
        Self { folder, ids: [("SOURCE", source), ("TARGET", target), ("OTHER", other)] }
    }

    /// Runs a command line in a shell, in the folder, as a person would who has no home yet.
    fn run(&self, line: &str, page: &str) {
        let line = self.ids.iter().fold(line.to_owned(), |line, (word, id)| line.replace(word, id));
        let program = PathBuf::from(env!("CARGO_BIN_EXE_circuitscope"));
        let found = std::env::join_paths(
            [program.parent().unwrap().to_owned()]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &line]).current_dir(self.folder.path()).env("PATH", found.unwrap());
        shell.env("HOME", self.folder.path()).env("HF_HUB_OFFLINE", "1");
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"] {
            shell.env_remove(variable);
        }
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{page}: {line}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Runs or reads every block of a page; returns how many command lines were run, and how many only read.
fn try_page(page: &str, name: &str) -> (usize, usize) {
    let prepared = Prepared::new();
    let (mut run, mut read) = (0, 0);
    for Block { mark, lines } in blocks(page) {
        assert!(mark.is_empty() || NEEDS.contains(&mark.as_str()), "{name}: {mark} is no mark of a block");
        for line in lines {
            let is_ours = line.starts_with("circuitscope");
            assert!(is_ours || mark == "build", "{name}: {line} is no command line of the program");
            if is_ours {
                understand(&line, name);
            }
            if mark.is_empty() {
                prepared.run(&line, name);
                run += 1;
            } else {
                read += usize::from(is_ours);
            }
        }
    }
    (run, read)
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn what_the_readme_shows_works() {
    let (run, read) = try_page(&readme(), "README.md");
    assert!(run >= 4 && read >= 6, "{run} and {read}");
}

#[test]
fn the_readme_is_short() {
    assert!(readme().lines().count() <= 200);
}

#[test]
fn what_the_guide_shows_works() {
    for topic in &TOPICS {
        let (run, read) = try_page(topic.markdown, topic.name);
        assert!(run + read > 0, "{} shows no command", topic.name);
        println!("{}: {run} run, {read} read", topic.name);
    }
}

#[test]
fn a_page_begins_with_a_command() {
    for topic in &TOPICS {
        let begins = topic.markdown.split("\n## ").next().unwrap();
        let shown = blocks(begins).iter().any(|block| block.lines.iter().any(|line| line.starts_with("circuitscope")));
        assert!(shown || blocks(begins).iter().any(|block| block.mark == "build"), "{}", topic.name);
    }
}

/// Each subcommand with its help, nested ones too.
fn helps(command: &clap::Command, name: &str) -> Vec<(String, String)> {
    let own = (name.to_owned(), command.clone().term_width(100).render_long_help().to_string());
    let inner = command.get_subcommands().flat_map(|inner| {
        let name = format!("{name} {}", inner.get_name());
        helps(inner, name.trim_start())
    });
    [own].into_iter().chain(inner).collect()
}

#[test]
fn every_help_ends_with_an_example_that_works() {
    let prepared = Prepared::new();
    for shard in ["1/2", "2/2"] {
        prepared.run(&format!("circuitscope features build --corpus corpus.txt --out parts --shard {shard}"), "parts");
    }
    for (name, help) in helps(&cli::command(), "") {
        let example = help.lines().last().and_then(|line| line.strip_prefix("Example: "));
        let example = example.unwrap_or_else(|| panic!("the help of {name:?} ends with no example:\n{help}"));
        assert!(example.starts_with(format!("circuitscope {name}").trim_end()), "{name}: {example}");
        understand(example, &name);
        if !EXAMPLES_THAT_NEED.contains(&name.as_str()) {
            prepared.run(example, &name);
        }
    }
    let printed = circuitscope().args(["features", "build", "--help"]).output().unwrap();
    assert!(String::from_utf8_lossy(&printed.stdout).contains("\nExample: circuitscope features build "));
}

#[test]
fn a_topic_that_is_not_there_is_answered_with_the_nearest() {
    let refused = circuitscope().args(["guide", "filtres"]).assert().code(2);
    let said = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(said.contains("filtres") && said.contains("filters") && said.lines().count() == 1, "{said}");
}

#[test]
fn shells_complete_the_topics() {
    let script = circuitscope().args(["completions", "bash"]).output().unwrap();
    let script = String::from_utf8(script.stdout).unwrap();
    assert!(script.contains("interventions batches") || script.contains("export batches"), "{script}");
}
