//! Writing into the hub cache, in the layout in which Python's tools find the files.

use crate::hub::{Cache, HubError};
use crate::job::Monitor;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// A repository's folder in the cache.
pub(super) struct Store {
    folder: PathBuf,
    locks: PathBuf,
}

impl Store {
    pub fn new(cache: &Cache, repo: &str) -> Self {
        let folder = cache.repo(repo);
        let name = folder.file_name().map(PathBuf::from).unwrap_or_default();
        Self { locks: cache.root().join(".locks").join(name), folder }
    }

    /// Returns the path of the blob of a content.
    pub fn blob(&self, id: &str) -> PathBuf {
        self.folder.join("blobs").join(id)
    }

    /// Returns the path of an incomplete content.
    pub fn incomplete(&self, id: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{id}.incomplete"))
    }

    fn in_snapshot(&self, commit: &str, name: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit).join(name)
    }

    /// Returns the bytes of a file on this machine: in the snapshot, as another snapshot's blob, or as an incomplete
    /// blob.
    pub fn here(&self, commit: &str, name: &str, blob: &str, size: u64) -> u64 {
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
        if length(self.in_snapshot(commit, name)) == size || length(self.blob(blob)) == size {
            return size;
        }
        let come = length(self.incomplete(blob));
        if come <= size { come } else { 0 }
    }

    /// Returns true where a snapshot holds a file of this size.
    pub fn has(&self, commit: &str, name: &str, size: u64) -> bool {
        fs::metadata(self.in_snapshot(commit, name)).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
    }

    /// Waits until no other program, of Python's among them, fetches the same content. The lock ends with the handle.
    pub fn lock(&self, id: &str, monitor: &Monitor) -> Result<Option<File>, HubError> {
        let path = self.locks.join(format!("{id}.lock"));
        make_folder(&self.locks)?;
        let file = File::options().create(true).append(true).open(&path).map_err(HubError::write(&path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => {
                    monitor.report("waiting for another download", 0, 0)?;
                    thread::sleep(Duration::from_millis(50));
                }
                // Where files cannot be locked, two downloads of one file at the same time end in a wrong hash.
                Err(TryLockError::Error(_)) => return Ok(None),
            }
        }
    }

    /// Creates the folder of the blobs.
    pub fn prepare(&self) -> Result<(), HubError> {
        make_folder(&self.folder.join("blobs"))
    }

    /// Gives a blob its name in a snapshot: as a link, or as the file itself where links cannot be made.
    pub fn link(&self, commit: &str, name: &str, id: &str) -> Result<(), HubError> {
        let path = self.in_snapshot(commit, name);
        let folder = path.parent().unwrap_or(&self.folder).to_owned();
        make_folder(&folder)?;
        let up = "../".repeat(2 + name.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{id}"));
        if fs::read_link(&path).is_ok_and(|there| there == target) {
            return Ok(());
        }
        let linked = tempfile::Builder::new()
            .make_in(&folder, |temporary| symlink(&target, temporary))
            .map_err(|error| (error, None))
            .and_then(|link| {
                link.into_temp_path().persist(&path).map_err(|refused| (refused.error, Some(refused.path)))
            });
        match linked {
            Ok(()) => Ok(()),
            Err((error, Some(_))) => Err(HubError::Write { path, error }),
            Err((_, None)) => {
                let blob = self.blob(id);
                fs::hard_link(&blob, &path).or_else(|_| fs::rename(&blob, &path)).map_err(HubError::write(&path))
            }
        }
    }

    /// Writes the commit that a revision stands for; done last, so that only a whole snapshot is found.
    pub fn point(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        let folder = path.parent().unwrap_or(&self.folder);
        make_folder(folder)?;
        let write = || {
            let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
            temporary.write_all(commit.as_bytes())?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path)?;
            Ok(())
        };
        write().map_err(HubError::write(&path))
    }
}

fn make_folder(path: &Path) -> Result<(), HubError> {
    fs::create_dir_all(path).map_err(HubError::write(path))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// Returns the bytes that are free on the disk of `path`, which need not exist; `None` where that cannot be told.
#[cfg(unix)]
pub(super) fn free_space(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|folder| folder.exists())?;
    let system = rustix::fs::statvfs(there).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Returns the bytes that are free on the disk of `path`, which need not exist; `None` where that cannot be told.
#[cfg(not(unix))]
pub(super) fn free_space(_path: &Path) -> Option<u64> {
    None
}
