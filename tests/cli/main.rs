//! The program as a person or a script calls it.

mod alone;
mod arrays;
mod attention;
mod bad_input;
mod batch;
mod chat;
mod devices;
mod documented;
mod features;
mod guide;
mod hostile;
mod inspecting;
mod interventions;
mod limits;
mod manual;
mod pipeline;
mod pipes;
mod resuming;
mod shown;
mod stopping;
mod training;
mod verifying;
mod writing;

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};

/// A file or folder of the reference cases.
fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// The program.
fn circuitscope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_circuitscope"))
}

/// The program with a subcommand on a model and a transcoder.
fn on(command: &str, model: &Path, transcoder: &Path) -> Command {
    let mut program = circuitscope();
    program.arg(command).arg("--model").arg(model).arg("--transcoder").arg(transcoder);
    program
}

/// A copy of a case's model and transcoder, to be changed.
fn copy_of(case: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for which in ["model", "transcoder"] {
        fs::create_dir(folder.path().join(which)).unwrap();
        for entry in fs::read_dir(fixture(case).join(which)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(which).join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}
