//! The program: parse, dispatch, exit code.

use circuitscope::allocator::Allocator;
use circuitscope::cli::{self, Cli, output};
use circuitscope::tui::runtime::guard;
use std::env;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    let (cli, threads) = Cli::read().unwrap_or_else(|error| output::refuse(&error));
    if let Some(threads) = threads {
        // SAFETY: no other thread runs yet. candle and rayon take the number of theirs from nowhere else.
        unsafe { env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
    }
    match guard::install().map_err(Into::into).and_then(|()| cli::run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if output::is_left() => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
