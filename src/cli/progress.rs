//! Work on a thread of its own, with its progress on stderr, stopped by Ctrl-C.

use crate::cli::output::note;
use crate::features::build;
use crate::hub;
use crate::job::{Cancel, Job, Monitor, Progress};
use anyhow::{Context, Result, anyhow, bail};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Time between two checks of the work and of the signals; a request to stop is passed on within this.
const TICK: Duration = Duration::from_millis(20);

const COUNTED: &str = "{msg:14} {bar:40} {pos}/{len} {elapsed}";
const DOWNLOADED: &str = "{msg:14} {bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";

const READ: &str = "{msg:14} {bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left";

/// Time between two lines of progress where no bar can be drawn.
const EVERY: Duration = Duration::from_secs(10);

/// Lines of progress for a stderr that is no terminal: one when a phase begins, and one whenever [`EVERY`] has passed.
#[derive(Debug, Default)]
struct Lines {
    /// Phases that have begun, each with the time and the units done then.
    begun: Vec<(&'static str, Duration, u64)>,
    /// Time of the last line.
    last: Duration,
}

impl Lines {
    /// Returns the line to print at `now`, a time since the work began.
    fn line(&mut self, progress: &Progress, now: Duration) -> Option<String> {
        let Progress { phase, done, total } = *progress;
        if phase.is_empty() {
            return None;
        }
        let Some((_, since, first)) = self.begun.iter().find(|(begun, ..)| *begun == phase) else {
            self.begun.push((phase, now, done));
            self.last = now;
            return Some(phase.to_owned());
        };
        if now.saturating_sub(self.last) < EVERY {
            return None;
        }
        self.last = now;
        if total == 0 {
            return Some(format!("{phase}: {}", amount(phase, done)));
        }
        let percent = 100 * u128::from(done) / u128::from(total);
        let (passed, moved) = (now.saturating_sub(*since), done.saturating_sub(*first));
        let left = match moved {
            0 => String::new(),
            _ => {
                let left = passed.as_secs_f64() * total.saturating_sub(done) as f64 / moved as f64;
                format!(", about {left:.0} s left")
            }
        };
        Some(format!("{phase}: {} of {} ({percent} %){left}", amount(phase, done), amount(phase, total)))
    }
}

/// Formats an amount of a phase's units.
fn amount(phase: &str, units: u64) -> String {
    match phase {
        hub::DOWNLOADING | build::READING => DecimalBytes(units).to_string(),
        _ => units.to_string(),
    }
}

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

/// Runs `work` and shows its progress: a bar where stderr is a terminal, lines elsewhere. SIGINT and SIGTERM
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
    let (begun, mut lines, mut phase) = (Instant::now(), Lines::default(), "");
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
        }
        if bar.is_hidden()
            && let Some(line) = lines.line(&progress, begun.elapsed())
        {
            note!("{line}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_the_work_is_every_ten_seconds() {
        let mut lines = Lines::default();
        let mut at = |seconds: u64, phase, done, total| {
            lines.line(&Progress { phase, done, total }, Duration::from_secs(seconds))
        };
        assert_eq!(at(0, "", 0, 0), None);
        assert_eq!(at(1, "dashboards", 0, 400).as_deref(), Some("dashboards"));
        assert_eq!(at(10, "dashboards", 90, 400), None);
        assert_eq!(at(11, "dashboards", 100, 400).as_deref(), Some("dashboards: 100 of 400 (25 %), about 30 s left"));
        assert_eq!(at(20, "dashboards", 190, 400), None);
        assert_eq!(at(21, "dashboards", 200, 400).as_deref(), Some("dashboards: 200 of 400 (50 %), about 20 s left"));
        // A phase begins with a line at once, and one that is taken up again goes on silently.
        assert_eq!(at(22, "writing", 0, 0).as_deref(), Some("writing"));
        assert_eq!(at(23, "dashboards", 300, 400), None);
        assert_eq!(at(33, "writing", 7, 0).as_deref(), Some("writing: 7"));
        // What was done before the phase was seen says nothing about its speed.
        assert_eq!(at(40, build::READING, 1_000_000, 3_000_000).as_deref(), Some(build::READING));
        let stuck = at(60, build::READING, 1_000_000, 3_000_000).unwrap();
        assert!(stuck.contains("33 %") && !stuck.contains("left"), "{stuck}");
        assert!(at(80, build::READING, 2_000_000, 3_000_000).unwrap().contains("(66 %), about 40 s left"));
    }
}
