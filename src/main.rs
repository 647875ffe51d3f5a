//! The program: parse, dispatch, exit code.

use circuitscope::allocator::Allocator;
use circuitscope::cli::{self, Cli, output};
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| output::refuse(&error));
    match cli::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if output::is_left() => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
