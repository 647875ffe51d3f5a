//! Work on a thread of its own, with its progress on stderr, stopped by Ctrl-C.

use crate::cli::output::note;
use crate::features::build;
use crate::hub;
use crate::job::{Cancel, Job, Monitor};
use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

/// Time between two checks of the work and of the signals; a request to stop is passed on within this.
const TICK: Duration = Duration::from_millis(20);

const COUNTED: &str = "{msg:14} {bar:40} {pos}/{len} {elapsed}";
const DOWNLOADED: &str = "{msg:14} {bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";

const READ: &str = "{msg:14} {bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left";

/// Outcome of work that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStopped {
    /// Abandoned at once.
    Abandon,
    /// Asked for its result so far.
    Keep,
    /// Abandoned at once; the next run continues there.
    Resume,
}

/// Runs `work` and shows its progress: a bar where stderr is a terminal, a line a phase elsewhere. SIGINT and SIGTERM
/// ask it to stop.
///
/// # Errors
/// Fails as `work` does, where it was stopped, or where no thread could be started.
pub fn watch<T: Send + 'static>(
    stopped: WhenStopped,
    work: impl FnOnce(&Monitor) -> Result<T> + Send + 'static,
) -> Result<T> {
    let stop = Cancel::default();
    let signals: Vec<_> = [SIGINT, SIGTERM]
        .into_iter()
        .map(|signal| signal_hook::flag::register(signal, stop.flag()))
        .collect::<std::io::Result<_>>()
        .context("signals cannot be listened to")?;
    let job = Job::spawn("work", work, || {}).context("no thread can be started")?;
    let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    set_style(&bar, COUNTED);
    let mut phase = "";
    let outcome = loop {
        if let Some(outcome) = job.wait(TICK) {
            break outcome;
        }
        if stop.is_cancelled() {
            job.cancel();
            let said = match stopped {
                WhenStopped::Abandon => Some("stopped; nothing was written"),
                WhenStopped::Resume => Some("stopped; what has come is kept, and the next run goes on there"),
                WhenStopped::Keep => None,
            };
            if let Some(said) = said {
                bar.finish_and_clear();
                bail!(said);
            }
        }
        let progress = job.progress();
        if progress.phase != phase {
            phase = progress.phase;
            set_style(
                &bar,
                match phase {
                    hub::DOWNLOADING => DOWNLOADED,
                    build::READING => READ,
                    _ => COUNTED,
                },
            );
            bar.set_message(phase);
            if bar.is_hidden() {
                note!("{phase}");
            }
        }
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    bar.finish_and_clear();
    signals.into_iter().for_each(|id| {
        signal_hook::low_level::unregister(id);
    });
    outcome.map_err(|_| anyhow!("the work failed unexpectedly; this is a bug, please report it with the command"))?
}

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
