//! The files of a model or a transcoder, wherever they lie.

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

/// A file that cannot be had.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// Not there, or not a directory.
    #[error("{0}: no such directory; give the folder that holds the model's or transcoder's files")]
    NoDirectory(PathBuf),
    /// A model's file is not there.
    #[error("{0}: no such file; give the GGUF file of a model, or a folder")]
    NoFile(PathBuf),
    /// A folder with several GGUF files.
    #[error("{place} holds several GGUF files ({}); give one of them", files.join(", "))]
    Several {
        /// The directory.
        place: String,
        /// Some of the files.
        files: Vec<String>,
    },
    /// A file of the place is missing.
    #[error("{place}: {file} is missing; {hint}")]
    Missing {
        /// The directory.
        place: String,
        /// The file within it.
        file: String,
        /// What it is for, or what to do.
        hint: &'static str,
    },
    /// A file of a repository that the cache has only in part.
    #[error(
        "{reference}: {file} is not in the hub cache; fetch it with `circuitscope pull {reference}` or add --download"
    )]
    NotFetched {
        /// The repository, or a folder of it.
        reference: String,
        /// The file within it.
        file: String,
    },
    /// A file of another repository, which a list refers to.
    #[error(
        "{place} refers to {reference}, which is neither beside it nor in the hub cache; put it there, or add --download \
         to fetch it"
    )]
    Elsewhere {
        /// Who refers to it.
        place: String,
        /// The file.
        reference: String,
    },
    /// The system refuses it.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// The bytes of a file: mapped into memory, or part of the program.
#[derive(Debug)]
pub enum Blob {
    /// Read by the system as it is touched.
    Mapped(Mmap),
    /// Embedded in the program.
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
    /// Takes the pages of `range` out of this process's memory; the system reads them again where they are touched.
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

/// Files of the program itself: name and content.
pub type Embedded = &'static [(&'static str, &'static [u8])];

/// A folder of files. A file of another repository of the hub is named `hf://org/repo@revision/path`
/// ([`Reference::uri`]).
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory on this machine.
    Directory(Folder),
    /// Files that are part of the program, under a name to show.
    Embedded(&'static str, Embedded),
}

/// A directory, and where files of other repositories that it refers to may lie.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// The GGUF file that was named.
    gguf: Option<String>,
    /// What it is a snapshot of.
    reference: Option<Reference>,
    cache: Option<Cache>,
    /// What the person says of it, where it is a transcoder.
    said: SetOptions,
}

impl Place {
    /// A directory on this machine, or a GGUF file with the directory that it lies in.
    ///
    /// # Errors
    /// [`PlaceError::NoDirectory`] or [`PlaceError::NoFile`] where there is none.
    pub fn directory(path: &Path) -> Result<Self, PlaceError> {
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
            Some(_) => Err(PlaceError::NoFile(path.to_owned())),
            None => Err(PlaceError::NoDirectory(path.to_owned())),
        }
    }

    /// The GGUF file that holds the model: the one that was named, or the only one of a folder without other weights.
    ///
    /// # Errors
    /// There are several, or the folder cannot be listed.
    pub fn gguf(&self) -> Result<Option<String>, PlaceError> {
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
                Err(PlaceError::Several { place: self.name(), files })
            }
        }
    }

    /// The folder of the hub cache that holds what `reference` names.
    pub(super) fn snapshot(reference: Reference, path: PathBuf, cache: &Cache) -> Self {
        let (reference, cache) = (Some(reference), Some(cache.clone()));
        Self::Directory(Folder { path, gguf: None, reference, cache, said: SetOptions::default() })
    }

    /// Looks in `cache` for files of other repositories.
    pub(super) fn with_cache(self, cache: &Cache) -> Self {
        match self {
            Self::Directory(folder) => Self::Directory(Folder { cache: Some(cache.clone()), ..folder }),
            embedded => embedded,
        }
    }

    /// The same transcoder, of which the person says something.
    #[must_use]
    pub fn with_options(self, said: &SetOptions) -> Self {
        match self {
            Self::Directory(folder) => Self::Directory(Folder { said: said.clone(), ..folder }),
            embedded => embedded,
        }
    }

    /// What the person says of it, where it is a transcoder.
    pub fn said(&self) -> &SetOptions {
        static NOTHING: LazyLock<SetOptions> = LazyLock::new(SetOptions::default);
        match self {
            Self::Directory(folder) => &folder.said,
            Self::Embedded(..) => &NOTHING,
        }
    }

    /// What it is a snapshot of, if it comes from the hub.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Directory(folder) => folder.reference.as_ref(),
            Self::Embedded(..) => None,
        }
    }

    /// Where it lies on this machine; `None` for what is part of the program.
    pub fn directory_path(&self) -> Option<&Path> {
        match self {
            Self::Directory(folder) => Some(&folder.path),
            Self::Embedded(..) => None,
        }
    }

    /// What to call it in a message.
    pub fn name(&self) -> String {
        match self {
            Self::Directory(Folder { reference: Some(reference), .. }) => reference.to_string(),
            Self::Directory(Folder { gguf: Some(file), path, .. }) => path.join(file).display().to_string(),
            Self::Directory(folder) => folder.path.display().to_string(),
            Self::Embedded(name, _) => (*name).to_owned(),
        }
    }

    /// What to call what lies in it: the repository, or the directory's own name.
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

    /// The path of a file, for messages.
    pub fn path(&self, file: &str) -> String {
        match self {
            Self::Directory(folder) => folder.locate(file).display().to_string(),
            Self::Embedded(name, _) => format!("{name}/{file}"),
        }
    }

    /// A file's bytes; `None` where there is no such file.
    ///
    /// # Errors
    /// [`PlaceError::Io`] where it is there and cannot be read.
    pub fn find(&self, file: &str) -> Result<Option<Blob>, PlaceError> {
        match self {
            Self::Directory(folder) => map(&folder.locate(file)),
            Self::Embedded(_, files) => {
                Ok(files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| Blob::Embedded(bytes)))
            }
        }
    }

    /// [`Place::find`], for a file that is parsed as a whole, which takes many times its length: it has at most `most`
    /// bytes.
    ///
    /// # Errors
    /// As there; or it is longer.
    pub fn find_within(&self, file: &str, most: usize) -> Result<Option<Blob>, PlaceError> {
        match self.find(file)? {
            Some(blob) if blob.len() > most => {
                Err(PlaceError::Io { path: self.path(file), error: untrusted::too_long(most as u64) })
            }
            blob => Ok(blob),
        }
    }

    /// A file's length in bytes; `None` where there is no such file.
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

    /// The bytes `range` of a file, read when asked for: what is cut off later costs an error and not the program, as
    /// mapped bytes would. Fewer where the file ends before; `None` where there is no such file.
    ///
    /// # Errors
    /// [`PlaceError::Io`] where it is there and cannot be read.
    pub fn part(&self, file: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, PlaceError> {
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

    /// A file's bytes.
    ///
    /// # Errors
    /// Where there is no such file [`PlaceError::Missing`] with `hint`, or what is to be fetched from the hub;
    /// [`PlaceError::Io`] where it cannot be read.
    pub fn open(&self, file: &str, hint: &'static str) -> Result<Blob, PlaceError> {
        self.find(file)?.ok_or_else(|| self.missing(file, hint))
    }

    /// [`Place::open`], for a file of at most `most` bytes, as [`Place::find_within`].
    ///
    /// # Errors
    /// As both.
    pub fn open_within(&self, file: &str, most: usize, hint: &'static str) -> Result<Blob, PlaceError> {
        self.find_within(file, most)?.ok_or_else(|| self.missing(file, hint))
    }

    fn missing(&self, file: &str, hint: &'static str) -> PlaceError {
        match (Reference::parse(file).filter(|_| is_elsewhere(file)), self.reference()) {
            (Some(reference), _) => PlaceError::Elsewhere { place: self.name(), reference: reference.to_string() },
            (None, Some(reference)) => {
                PlaceError::NotFetched { reference: reference.to_string(), file: file.to_owned() }
            }
            (None, None) => PlaceError::Missing { place: self.name(), file: file.to_owned(), hint },
        }
    }

    /// The names of its files, sorted; folders within it are not entered.
    ///
    /// # Errors
    /// [`PlaceError::Io`] where the directory cannot be listed.
    pub fn files(&self) -> Result<Vec<String>, PlaceError> {
        match self {
            Self::Directory(Folder { path, .. }) => {
                entries(path, false).map_err(|error| PlaceError::Io { path: path.display().to_string(), error })
            }
            Self::Embedded(..) => Ok(self.entries("", false)),
        }
    }

    /// The names of the files in a folder of it, or of the folders there, sorted; none where there is no such folder.
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

    /// SHA-256 by name of `files` and of every configuration, tokenizer and weight file on top.
    ///
    /// # Errors
    /// [`PlaceError::Io`] where a file cannot be read.
    pub fn hashes(&self, files: &[String]) -> Result<BTreeMap<String, String>, PlaceError> {
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
    /// Where a file lies or would lie.
    fn locate(&self, file: &str) -> PathBuf {
        let elsewhere = || self.cache.as_ref()?.find(&Reference::parse(file)?);
        let beside = self.path.join(file);
        if is_elsewhere(file) { elsewhere().unwrap_or(beside) } else { beside }
    }
}

/// Files of a folder that a message names.
const SHOWN: usize = 4;

/// Whether a file is named as a GGUF file.
pub(super) fn is_gguf(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gguf")
}

/// Whether a file is named as one of another repository.
fn is_elsewhere(file: &str) -> bool {
    file.starts_with("hf://")
}

/// SHA-256 of a small file; of a weight file its length and its header, so that hashing does not read gigabytes. An
/// archive keeps its header at its end, and of a file that is larger than any configuration the ends have to do.
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

/// The names of the files in a directory, or of the directories there, sorted.
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

fn read_part(path: &Path, range: Range<u64>) -> Result<Option<Vec<u8>>, PlaceError> {
    let io = |error| PlaceError::Io { path: path.display().to_string(), error };
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

fn map(path: &Path) -> Result<Option<Blob>, PlaceError> {
    let io = |error| PlaceError::Io { path: path.display().to_string(), error };
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
