//! Where models come from: the hub cache, and a hub that the test serves on loopback.
#![cfg(feature = "hub")]

mod broken;
mod features;
mod links;
mod naming;
mod pull;
mod refused;
mod screen;
mod server;

use assert_cmd::Command;
use server::Server;
use std::fs;
use std::path::{Path, PathBuf};

/// A file or folder of the reference cases.
fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// A machine of its own: an empty home, and a hub that answers on loopback alone.
struct Machine {
    home: tempfile::TempDir,
    endpoint: String,
}

impl Machine {
    fn new(server: &Server) -> Self {
        Self { home: tempfile::tempdir().unwrap(), endpoint: server.endpoint() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    /// The folder of a repository in the cache.
    fn repo(&self, repo: &str) -> PathBuf {
        self.path("hub").join(format!("models--{}", repo.replace('/', "--")))
    }

    /// The program with a subcommand, in this machine's environment.
    fn run(&self, args: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
        program.env_clear().env("HOME", self.home.path()).env("HF_HOME", self.home.path());
        program.env("HF_ENDPOINT", &self.endpoint).env("NEURONPEDIA_ENDPOINT", &self.endpoint).args(args);
        program
    }

    /// Runs what has to succeed; gives what it says on stderr.
    #[track_caller]
    fn succeeds(&self, args: &[&str]) -> String {
        said(&self.run(args).assert().success())
    }

    /// Runs what has to fail with one sentence, and gives it.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> String {
        complaint(&self.run(args).assert().code(1))
    }

    /// Traces and gives the tensors of the graph.
    #[track_caller]
    fn trace(&self, args: &[&str]) -> Vec<(String, Vec<u8>)> {
        let out = self.path("graph.safetensors");
        let out_text = out.display().to_string();
        let mut all = vec!["trace", "--prompt", "the capital of France is", "--out", &out_text];
        all.extend_from_slice(args);
        self.succeeds(&all);
        let bytes = fs::read(&out).unwrap();
        fs::remove_file(&out).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> =
            tensors.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
        tensors.sort();
        tensors
    }
}

fn said(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// The last line on stderr.
#[track_caller]
fn complaint(assert: &assert_cmd::assert::Assert) -> String {
    let said = said(assert);
    assert!(!said.contains("panicked"), "{said}");
    let line = said.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("circuitscope: "), "{said}");
    line
}

#[track_caller]
fn says(complaint: &str, parts: &[&str]) {
    for part in parts {
        assert!(complaint.contains(part), "{complaint:?} does not say {part:?}");
    }
}
