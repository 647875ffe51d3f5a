//! Writing a file so that it is there whole or not at all.

use crate::format::FormatError;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const BUFFER: usize = 1 << 20;

/// Writes a file under another name in the same directory, makes it durable, and only then gives it its name.
///
/// What stood at `path` before is replaced at the end or, after a failure, still there. A link is followed; a pipe or
/// a device is written to as it is, since giving a file its name would replace it.
///
/// # Errors
/// [`FormatError::DiskFull`] or [`FormatError::Write`]; nothing is left behind then.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FormatError> {
    try_write(path, write).map_err(|error| FormatError::writing(path, error))
}

fn try_write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A new file has no canonical path yet.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        Ok(there) if !there.is_file() => return fill(File::options().write(true).open(&path)?, write).map(drop),
        _ => {}
    }
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !directory.is_dir() {
        let missing = format!("there is no directory {}", directory.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, missing));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".circuitscope-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is its owner's alone; this one becomes an ordinary file, so the umask decides.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(&directory)?;
    fill(temporary.as_file().try_clone()?, write)?.sync_all()?;
    temporary.persist(&path)?;
    // The new name is durable once its directory is. Where a directory cannot be opened this is a nicety forgone.
    if let Ok(directory) = File::open(&directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(BUFFER, file);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}
