//! The program: parse, dispatch, exit code.

use circuitscope::cli::{self, Cli};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("circuitscope: {error:#}");
            ExitCode::FAILURE
        }
    }
}
