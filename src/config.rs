//! Paths of the program's own files, and its log.

use directories::ProjectDirs;
use std::path::PathBuf;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};

const NAME: &str = "circuitscope";

/// Returns the folder of the log; none where the user has no home.
pub fn log_folder() -> Option<PathBuf> {
    let folders = ProjectDirs::from("", "", NAME)?;
    Some(folders.state_dir().unwrap_or_else(|| folders.cache_dir()).to_owned())
}

/// Returns the folder of the program's lasting data, such as sessions; none where the user has no home.
pub fn data_folder() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", NAME)?.data_dir().to_owned())
}

/// Returns the file of the transcoders for which the user lets the hub be asked for single features; none where the
/// user has no home.
pub fn consents_file() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", NAME)?.config_dir().join("features.json"))
}

/// Sends what the program logs to a file, since the screen is taken: one a day, kept for a week, until the guard is
/// dropped. Where the log cannot be written, there is none.
pub fn log_to_file() -> Option<WorkerGuard> {
    let folder = log_folder()?;
    // The appender complains on stderr where the folder is not there yet.
    std::fs::create_dir_all(&folder).ok()?;
    let builder = RollingFileAppender::builder().rotation(Rotation::DAILY).filename_prefix(NAME);
    let appender = builder.filename_suffix("log").max_log_files(7).build(folder).ok()?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    tracing_subscriber::fmt().with_writer(writer).with_ansi(false).try_init().ok()?;
    Some(guard)
}
