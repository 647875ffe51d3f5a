//! Files of a model or a transcoder, in a directory, in the hub cache or embedded.

use crate::hub::{Cache, Reference, SetOptions};
use crate::untrusted;
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use thiserror::Error;

/// Error of opening a file.
#[derive(Debug, Error)]
pub enum FileSourceError {
    /// Directory that does not exist, or a path that is none.
    #[error("{0}: no such directory; give the folder that holds the model's or transcoder's files")]
    NoDirectory(PathBuf),
    /// File of a model that does not exist.
    #[error("{0}: no such file; give the GGUF file of a model, or a folder")]
    NoFile(PathBuf),
    /// Folder with several GGUF files.
    #[error("{place} holds several GGUF files ({}); give one of them", files.join(", "))]
    Several {
        /// Path of the directory.
        place: String,
        /// Some of the files.
        files: Vec<String>,
    },
    /// Missing file of a directory.
    #[error("{place}: {file} is missing; {hint}")]
    Missing {
        /// Path of the directory.
        place: String,
        /// Name of the file within it.
        file: String,
        /// Purpose of the file, or the remedy.
        hint: &'static str,
    },
    /// Missing file of a repository that the cache has only in part.
    #[error(
        "{reference}: {file} is not in the hub cache; fetch it with `circuitscope pull {reference}` or add --download"
    )]
    NotFetched {
        /// Repository, or a folder of it.
        reference: String,
        /// Name of the file within it.
        file: String,
    },
    /// Missing file of another repository, to which a list refers.
    #[error(
        "{place} refers to {reference}, which is neither beside it nor in the hub cache; put it there, or add --download \
         to fetch it"
    )]
    Elsewhere {
        /// Path of the list's directory.
        place: String,
        /// Reference of the file.
        reference: String,
    },
    /// File that the system refuses to open.
    #[error("{path}: {error}")]
    Io {
        /// Path of the file.
        path: String,
        /// Error of the system.
        error: io::Error,
    },
}

/// Bytes of a file: mapped into memory, or part of the program.
#[derive(Debug)]
pub enum Blob {
    /// Mapped file, read by the system as it is touched.
    Mapped(Mmap),
    /// Bytes embedded in the program.
    Embedded(&'static [u8]),
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl Blob {
    /// Releases the pages of `range` from this process's memory; the system reads them again where they are touched.
    pub fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // The system maps the neighbours of a touched page with it.
            const NEIGHBOURS: usize = 1 << 16;
            let start = range.start.saturating_sub(NEIGHBOURS);
            let length = range.end.saturating_add(NEIGHBOURS).min(map.len()) - start;
            // SAFETY: the map is read only, so that its pages can be had from the file again.
            let outcome = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, length) };
            // A system that keeps them costs memory and no more.
            drop(outcome);
        }
    }
}

/// Files embedded in the program: name and content.
pub type Embedded = &'static [(&'static str, &'static [u8])];

/// Folder of files. A file of another repository of the hub is named `hf://org/repo@revision/path`
/// ([`Reference::uri`]).
#[derive(Clone, Debug)]
pub enum FileSource {
    /// Directory on this machine.
    Directory(Folder),
    /// Files embedded in the program, under a name to show.
    Embedded(&'static str, Embedded),
}

/// Directory, and the cache of files of other repositories that it refers to.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// GGUF file that was named.
    gguf: Option<String>,
    /// Reference that it is a snapshot of.
    reference: Option<Reference>,
    cache: Option<Cache>,
    /// User's options for it, where it is a transcoder.
    said: SetOptions,
}

impl FileSource {
    /// Opens a directory on this machine, or a GGUF file with the directory that it lies in.
    ///
    /// # Errors
    /// Fails with [`FileSourceError::NoDirectory`] or [`FileSourceError::NoFile`] where there is none.
    pub fn directory(path: &Path) -> Result<Self, FileSourceError> {
        let folder = |path: &Path, gguf| Folder {
            path: path.to_owned(),
            gguf,
            reference: None,
            cache: None,
            said: SetOptions::default(),
        };
        if path.is_dir() {
            return Ok(Self::Directory(folder(path, None)));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        match name.filter(|name| is_gguf(name)) {
            Some(name) if path.is_file() => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                Ok(Self::Directory(folder(parent.unwrap_or(Path::new(".")), Some(name))))
            }
            Some(_) => Err(FileSourceError::NoFile(path.to_owned())),
            None => Err(FileSourceError::NoDirectory(path.to_owned())),
        }
    }

    /// Returns the GGUF file that holds the model: the one that was named, or the only one of a folder without other
    /// weights.
    ///
    /// # Errors
    /// Fails where there are several, or the folder cannot be listed.
    pub fn gguf(&self) -> Result<Option<String>, FileSourceError> {
        if let Self::Directory(Folder { gguf: Some(named), .. }) = self {
            return Ok(Some(named.clone()));
        }
        let mut files = self.files()?;
        if files.iter().any(|name| name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")) {
            return Ok(None);
        }
        files.retain(|name| is_gguf(name));
        match files.len() {
            0 | 1 => Ok(files.pop()),
            _ => {
                files.truncate(SHOWN);
                Err(FileSourceError::Several { place: self.name(), files })
            }
        }
    }

    /// Creates the source of the folder of the hub cache that holds the files of `reference`.
    pub(super) fn snapshot(reference: Reference, path: PathBuf, cache: &Cache) -> Self {
        let (reference, cache) = (Some(reference), Some(cache.clone()));
        Self::Directory(Folder { path, gguf: None, reference, cache, said: SetOptions::default() })
    }

    /// Sets the `cache` that holds files of other repositories.
    pub(super) fn with_cache(self, cache: &Cache) -> Self {
        match self {
            Self::Directory(folder) => Self::Directory(Folder { cache: Some(cache.clone()), ..folder }),
            embedded => embedded,
        }
    }

    /// Returns the same transcoder with the user's options.
    #[must_use]
    pub fn with_options(self, said: &SetOptions) -> Self {
        match self {
            Self::Directory(folder) => Self::Directory(Folder { said: said.clone(), ..folder }),
            embedded => embedded,
        }
    }

    /// Returns the user's options for it, where it is a transcoder.
    pub fn said(&self) -> &SetOptions {
        static NOTHING: LazyLock<SetOptions> = LazyLock::new(SetOptions::default);
        match self {
            Self::Directory(folder) => &folder.said,
            Self::Embedded(..) => &NOTHING,
        }
    }

    /// Returns the reference that it is a snapshot of, if it comes from the hub.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Directory(folder) => folder.reference.as_ref(),
            Self::Embedded(..) => None,
        }
    }

    /// Returns its path on this machine; `None` for embedded files.
    pub fn directory_path(&self) -> Option<&Path> {
        match self {
            Self::Directory(folder) => Some(&folder.path),
            Self::Embedded(..) => None,
        }
    }

    /// Returns its name for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Directory(Folder { reference: Some(reference), .. }) => reference.to_string(),
            Self::Directory(Folder { gguf: Some(file), path, .. }) => path.join(file).display().to_string(),
            Self::Directory(folder) => folder.path.display().to_string(),
            Self::Embedded(name, _) => (*name).to_owned(),
        }
    }

    /// Returns the name of the model or transcoder in it: the repository, or the directory's own name.
    pub fn short_name(&self) -> String {
        match self {
            Self::Directory(Folder { gguf: Some(file), .. }) => {
                Path::new(file).file_stem().map_or_else(|| file.clone(), |stem| stem.to_string_lossy().into_owned())
            }
            Self::Directory(Folder { reference: None, path, .. }) => {
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                whole.file_name().map_or_else(|| self.name(), |name| name.to_string_lossy().into_owned())
            }
            _ => self.name(),
        }
    }

    /// Returns the path of a file, for messages.
    pub fn path(&self, file: &str) -> String {
        match self {
            Self::Directory(folder) => folder.locate(file).display().to_string(),
            Self::Embedded(name, _) => format!("{name}/{file}"),
        }
    }

    /// Returns a file's bytes; `None` where there is no such file.
    ///
    /// # Errors
    /// Fails with [`FileSourceError::Io`] where it is there and cannot be read.
    pub fn find(&self, file: &str) -> Result<Option<Blob>, FileSourceError> {
        match self {
            Self::Directory(folder) => map(&folder.locate(file)),
            Self::Embedded(_, files) => {
                Ok(files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| Blob::Embedded(bytes)))
            }
        }
    }

    /// Returns a file's bytes as [`FileSource::find`] does, for a file that is parsed as a whole, which takes many
    /// times its length: it has at most `most` bytes.
    ///
    /// # Errors
    /// Fails as [`FileSource::find`] does, and where the file is longer.
    pub fn find_within(&self, file: &str, most: usize) -> Result<Option<Blob>, FileSourceError> {
        match self.find(file)? {
            Some(blob) if blob.len() > most => {
                Err(FileSourceError::Io { path: self.path(file), error: untrusted::too_long(most as u64) })
            }
            blob => Ok(blob),
        }
    }

    /// Returns a file's length in bytes; `None` where there is no such file.
    pub fn size(&self, file: &str) -> Option<u64> {
        match self {
            Self::Directory(folder) => {
                fs::metadata(folder.locate(file)).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
            }
            Self::Embedded(_, files) => {
                files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| bytes.len() as u64)
            }
        }
    }

    /// Reads the bytes `range` of a file at once: a file that is cut off later causes an error and does not end the
    /// program, as mapped bytes would. Fewer where the file ends before; `None` where there is no such file.
    ///
    /// # Errors
    /// Fails with [`FileSourceError::Io`] where it is there and cannot be read.
    pub fn part(&self, file: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, FileSourceError> {
        match self {
            Self::Directory(folder) => read_part(&folder.locate(file), range),
            Self::Embedded(_, files) => {
                let within = |bytes: &[u8]| {
                    let [start, end] = [range.start, range.end].map(|at| at.min(bytes.len() as u64) as usize);
                    bytes.get(start..end).unwrap_or_default().to_vec()
                };
                Ok(files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| within(bytes)))
            }
        }
    }

    /// Returns a file's bytes.
    ///
    /// # Errors
    /// Fails where there is no such file, with [`FileSourceError::Missing`] and `hint`, or with the file to be fetched
    /// from the hub; with [`FileSourceError::Io`] where it cannot be read.
    pub fn open(&self, file: &str, hint: &'static str) -> Result<Blob, FileSourceError> {
        self.find(file)?.ok_or_else(|| self.missing(file, hint))
    }

    /// Returns a file's bytes as [`FileSource::open`] does, for a file of at most `most` bytes.
    ///
    /// # Errors
    /// Fails as [`FileSource::open`] and [`FileSource::find_within`] do.
    pub fn open_within(&self, file: &str, most: usize, hint: &'static str) -> Result<Blob, FileSourceError> {
        self.find_within(file, most)?.ok_or_else(|| self.missing(file, hint))
    }

    fn missing(&self, file: &str, hint: &'static str) -> FileSourceError {
        match (Reference::parse(file).filter(|_| is_elsewhere(file)), self.reference()) {
            (Some(reference), _) => FileSourceError::Elsewhere { place: self.name(), reference: reference.to_string() },
            (None, Some(reference)) => {
                FileSourceError::NotFetched { reference: reference.to_string(), file: file.to_owned() }
            }
            (None, None) => FileSourceError::Missing { place: self.name(), file: file.to_owned(), hint },
        }
    }

    /// Returns the names of its files, sorted; folders within it are not entered.
    ///
    /// # Errors
    /// Fails with [`FileSourceError::Io`] where the directory cannot be listed.
    pub fn files(&self) -> Result<Vec<String>, FileSourceError> {
        match self {
            Self::Directory(Folder { path, .. }) => {
                entries(path, false).map_err(|error| FileSourceError::Io { path: path.display().to_string(), error })
            }
            Self::Embedded(..) => Ok(self.entries("", false)),
        }
    }

    /// Returns the names of the files in a folder within it, or of the folders there, sorted; none where there is no
    /// such folder.
    pub(super) fn entries(&self, folder: &str, folders: bool) -> Vec<String> {
        match self {
            Self::Directory(Folder { path, .. }) => entries(&path.join(folder), folders).unwrap_or_default(),
            Self::Embedded(_, files) => {
                let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
                let within = files.iter().filter_map(|(name, _)| name.strip_prefix(&prefix));
                let names = within.filter_map(|name| match name.split_once('/') {
                    Some((folder, _)) => folders.then_some(folder),
                    None => (!folders).then_some(name),
                });
                names.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
            }
        }
    }

    /// Returns SHA-256 by name of `files` and of every configuration, tokenizer and weight file in the folder itself.
    ///
    /// # Errors
    /// Fails with [`FileSourceError::Io`] where a file cannot be read.
    pub fn hashes(&self, files: &[String]) -> Result<BTreeMap<String, String>, FileSourceError> {
        let named = match self {
            Self::Directory(folder) => folder.gguf.as_ref(),
            Self::Embedded(..) => None,
        };
        let known = |name: &String| {
            let weighs = is_gguf(name) && named.is_none_or(|named| named == name);
            weighs || [".json", ".yaml", ".safetensors"].iter().any(|ending| name.ends_with(ending))
        };
        let top = self.files()?.into_iter().filter(known);
        let mut hashes = BTreeMap::new();
        for name in top.chain(files.iter().cloned()) {
            if let Some(blob) = self.find(&name)? {
                hashes.insert(name.clone(), hash(&name, &blob));
            }
        }
        Ok(hashes)
    }
}

impl Folder {
    /// Returns the path of a file, which need not exist.
    fn locate(&self, file: &str) -> PathBuf {
        let elsewhere = || self.cache.as_ref()?.find(&Reference::parse(file)?);
        let beside = self.path.join(file);
        if is_elsewhere(file) { elsewhere().unwrap_or(beside) } else { beside }
    }
}

/// Most files of a folder that a message names.
const SHOWN: usize = 4;

/// Returns true where a file is named as a GGUF file.
pub(super) fn is_gguf(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gguf")
}

/// Returns true where a file is named as one of another repository.
fn is_elsewhere(file: &str) -> bool {
    file.starts_with("hf://")
}

/// Hashes a small file by SHA-256; of a weight file its length and its header, so that hashing does not read gigabytes.
/// An archive keeps its header at its end, and of a file that is larger than any configuration only the ends are
/// hashed.
fn hash(name: &str, content: &[u8]) -> String {
    const ENDS: usize = 4096;
    const LONGEST_HEADER: usize = 100_000_000;
    const LONGEST: usize = 256 << 20;
    // Metadata without the end of a large vocabulary.
    const GGUF_HEADER: usize = 1 << 20;
    let mut hasher = Sha256::new();
    if name.ends_with(".safetensors") {
        hasher.update((content.len() as u64).to_le_bytes());
        let header = content.get(..8).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        let end =
            usize::try_from(header).unwrap_or(usize::MAX).saturating_add(8).min(content.len()).min(LONGEST_HEADER);
        hasher.update(&content[..end]);
    } else if is_gguf(name) {
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content[..GGUF_HEADER.min(content.len())]);
    } else if name.ends_with(".npz") || content.len() > LONGEST {
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content[..ENDS.min(content.len())]);
        hasher.update(&content[content.len().saturating_sub(ENDS)..]);
    } else {
        hasher.update(content);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the names of the files in a directory, or of the directories there, sorted.
fn entries(path: &Path, folders: bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let is_wanted = if folders { entry.path().is_dir() } else { entry.path().is_file() };
        if is_wanted && let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_part(path: &Path, range: Range<u64>) -> Result<Option<Vec<u8>>, FileSourceError> {
    let io = |error| FileSourceError::Io { path: path.display().to_string(), error };
    let mut file = match untrusted::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(range.start)).map_err(io)?;
    file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

fn map(path: &Path) -> Result<Option<Blob>, FileSourceError> {
    let io = |error| FileSourceError::Io { path: path.display().to_string(), error };
    let file = match untrusted::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if file.metadata().map_err(io)?.len() == 0 {
        return Ok(Some(Blob::Embedded(&[])));
    }
    // SAFETY: the map is read only. Whoever changes a weight file while it is traced gets other numbers, and whoever
    // truncates it ends the program: that is what mapping weights costs, and every loader of the field pays it.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    Ok(Some(Blob::Mapped(map)))
}
