//! Lock that lets one program at a time read and write a session's file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a lock. Its holder writes a small file; one that takes longer is stopped, or its disk does not
/// answer.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// Lock that keeps other programs from a session's file until it is dropped. It is a file beside the session's, removed
/// with it; one that a killed program left blocks nobody.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Lock file; `None` where files cannot be locked: there the last program to write wins.
    file: Option<File>,
}

impl Lock {
    /// Waits until no other program writes the session at `path`.
    ///
    /// # Errors
    /// Fails where nothing can be written in its folder, or another program does not release it.
    pub fn take(path: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".lock");
        let path = path.with_file_name(name);
        let start = Instant::now();
        loop {
            match open(&path) {
                Ok(file) => match file.try_lock() {
                    // Whoever had it before has taken the file away, so that others lock another one.
                    Ok(()) if !is_at(&file, &path) => continue,
                    Ok(()) => return Ok(Self { path, file: Some(file) }),
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(_)) => return Ok(Self { path, file: None }),
                },
                // Another user's, for the moment that they write.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.exists() => {}
                Err(error) => return Err(error),
            }
            if start.elapsed() > PATIENCE {
                let held = format!("another program does not let go of {}", path.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, held));
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked: who waits for this file finds that it is gone. Elsewhere it may be the next one's.
        if self.file.is_some() && cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        let what = format!("{} is in the way: it is no file", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    File::options().write(true).create(true).truncate(false).open(path)
}

/// Returns true where a file is still the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_at_a_time_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.session.json");
        // As a killed program leaves it.
        fs::write(folder.path().join(".a.session.json.lock"), "").unwrap();
        let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let lock = Lock::take(&path).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        turns.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(turns.into_inner(), 160);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
