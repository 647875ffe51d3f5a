//! Atomic writing of a file: it appears whole or not at all.

use crate::format::FormatError;
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::NamedTempFile;

const BUFFER: usize = 1 << 20;

/// Start of the name of a file that is still being written.
const PREFIX: &str = ".circuitscope-";
/// Number of random letters and digits behind it.
const RANDOM: usize = 6;

/// Writes a file under another name in the same directory, makes it durable, and only then gives it its name.
///
/// A file at `path` is replaced at the end, with its permissions kept, or, after a failure, still there. A link is
/// followed; a pipe or a device is written to as it is, since giving a file its name would replace it. Unfinished files
/// that a killed program left in the directory are removed.
///
/// # Errors
/// Fails with [`FormatError::DiskFull`] or [`FormatError::Write`]; nothing is left behind then.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FormatError> {
    try_write(path, write).map_err(|error| FormatError::writing(path, error))
}

fn try_write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A new file has no canonical path yet.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = match fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        Ok(there) if !there.is_file() => return fill(File::options().write(true).open(&path)?, write).map(drop),
        Ok(there) => Some(there.permissions()),
        Err(_) => None,
    };
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !directory.is_dir() {
        let missing = format!("there is no directory {}", directory.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, missing));
    }
    clean(&directory);
    let temporary = temporary_in(&directory, before)?;
    fill(temporary.as_file().try_clone()?, write)?.sync_all()?;
    temporary.persist(&path)?;
    // The new name is durable once its directory is. Where a directory cannot be opened this is a nicety forgone.
    if let Ok(directory) = File::open(&directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Creates a file to be filled, under a lock that keeps other programs from cleaning it up.
fn temporary_in(directory: &Path, before: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).rand_bytes(RANDOM);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is its owner's alone; this one becomes an ordinary file, so the umask decides.
        builder.permissions(before.clone().unwrap_or_else(|| fs::Permissions::from_mode(0o666)));
    }
    loop {
        let temporary = builder.tempfile_in(directory)?;
        match temporary.as_file().try_lock() {
            // Where files cannot be locked, none is cleaned away either.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => continue,
        }
        // It may have been cleaned away before it was locked.
        if temporary.path().exists() {
            if let Some(before) = before {
                temporary.as_file().set_permissions(before)?;
            }
            return Ok(temporary);
        }
    }
}

/// Removes the unfinished files of programs that were killed while they wrote, once for each directory.
fn clean(directory: &Path) {
    static CLEANED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if !CLEANED.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned()) {
        return;
    }
    // What cannot be read or removed stays: it is in nobody's way.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(|rest| rest.len() == RANDOM);
        if is_ours
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = File::options().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(BUFFER, file);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_program_left_is_removed_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = |name: &str| folder.path().join(name);
        for name in [".circuitscope-aB3dE6", ".circuitscope-notes", ".circuitscope-0123456"] {
            fs::write(in_folder(name), "half").unwrap();
        }
        let writing = temporary_in(folder.path(), None).unwrap();
        write_atomically(&in_folder("a.json"), |out| out.write_all(b"whole")).unwrap();
        assert!(!in_folder(".circuitscope-aB3dE6").exists());
        assert!(writing.path().exists(), "another program is still writing it");
        assert!(in_folder(".circuitscope-0123456").exists(), "somebody else's file");
        assert_eq!(fs::read(in_folder("a.json")).unwrap(), b"whole");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_as_they_were() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for mode in [0o600, 0o640, 0o666, 0o400] {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let mut during = 0;
            write_atomically(&path, |out| {
                let temporary = fs::read_dir(folder.path())?.flatten().find(|entry| entry.path() != path);
                during = temporary.unwrap().metadata()?.permissions().mode() & 0o777;
                out.write_all(b"new")
            })
            .unwrap();
            let after = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!((during, after), (mode, mode), "never wider, not even while it is written");
            fs::remove_file(&path).unwrap();
        }
    }
}
