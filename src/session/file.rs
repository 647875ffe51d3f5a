//! Reading and writing the file of a session.

use crate::format::{FormatError, write_atomically};
use crate::graph::{AttributionGraph, Document};
use crate::session::saved::{Absent, Made, Saved, VERSION, Versioned};
use crate::session::{Session, SessionPlace};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A session that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The session; without a saved one, what the graph's own file holds of a person's work.
    pub session: Session,
    /// Where it is saved from now on.
    pub file: SessionFile,
    /// Whether a saved one was found.
    pub is_saved: bool,
    /// What a person has to be told.
    pub notices: Vec<String>,
}

/// Where a session is saved, and what is known of what lies there.
#[derive(Debug)]
pub struct SessionFile {
    place: SessionPlace,
    /// The file that is written.
    path: Option<PathBuf>,
    /// Of what was last read from it or written to it.
    stamp: Option<Stamp>,
    absent: Absent,
    made: Made,
    /// The person was told that it cannot be saved.
    told: bool,
}

/// Tells contents apart.
type Stamp = [u8; 32];

/// Opens the session of a graph.
///
/// A file that cannot be read is moved aside, never overwritten. One of a newer program is left where it is, and the
/// session is saved beside it.
pub fn open(place: SessionPlace, document: &Document) -> Opened {
    let path = place.paths().next().cloned();
    let mut opened = Opened {
        session: Session { edited: document.edited.as_ref().clone(), ..Session::default() },
        file: SessionFile {
            path,
            place,
            stamp: None,
            absent: Absent::default(),
            made: Made::of(&document.origin),
            told: false,
        },
        is_saved: false,
        notices: Vec::new(),
    };
    // Where a folder could be written to only at times, the last one that was written counts.
    let written = |path: &PathBuf| fs::metadata(path).and_then(|there| there.modified()).ok();
    let there = opened.file.place.paths().filter_map(|path| Some((written(path)?, path.clone())));
    let Some((_, path)) = there.max_by_key(|(written, _): &(SystemTime, _)| *written) else { return opened };
    opened.read(path, document);
    opened
}

impl Opened {
    fn read(&mut self, path: PathBuf, document: &Document) {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.notices.push(format!("cannot read the session {}: {error}", path.display()));
                self.file.step_aside(&path);
                return;
            }
        };
        match parse(&bytes) {
            Ok(saved) => {
                let made = saved.graph.clone();
                let (session, absent) = saved.on(&document.graph);
                let n_absent = absent.n_nodes();
                if made.prompt != self.file.made.prompt && !made.prompt.is_empty() {
                    self.notices.push(format!("the session was saved on another prompt: {}", made.prompt));
                }
                if n_absent > 0 {
                    let nodes = if n_absent == 1 { "1 node".into() } else { format!("{n_absent} nodes") };
                    self.notices.push(format!("{nodes} of the session are not in this graph and stay in its file"));
                }
                self.session = session;
                self.file.absent = absent;
                self.file.stamp = Some(stamp(&bytes));
                self.file.path = Some(path);
                self.is_saved = true;
            }
            Err(Unread::Newer(version)) => {
                self.file.step_aside(&path);
                self.notices.push(format!(
                    "{} is of a newer program (version {version}) and is left alone; this session is saved elsewhere",
                    path.display()
                ));
            }
            Err(Unread::Bad(why)) => match move_aside(&path) {
                Ok(aside) => {
                    let (from, to) = (path.display(), aside.display());
                    self.notices.push(format!("{from} is no session ({why}) and was moved to {to}"));
                    self.file.path = Some(path);
                }
                Err(error) => {
                    self.file.step_aside(&path);
                    self.notices.push(format!(
                        "{} is no session ({why}) and cannot be moved ({error}); this session is saved elsewhere",
                        path.display()
                    ));
                }
            },
        }
    }
}

impl SessionFile {
    /// Where the session is saved; `None` where there is no place for it.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Saves a session, whole or not at all. Returns what a person has to be told: that another program had changed
    /// the file, so that this one was written beside it, or that it could not be written where it belongs.
    ///
    /// # Errors
    /// It cannot be written anywhere.
    pub fn save(&mut self, session: &Session, graph: &AttributionGraph) -> Result<Vec<String>, FormatError> {
        let Some(path) = self.path.clone() else { return Ok(self.tell("there is no folder to save the session in")) };
        let saved = Saved::new(session, &self.absent, graph, &self.made);
        let mut bytes = serde_json::to_vec_pretty(&saved)
            .map_err(|error| FormatError::Write { path: path.clone(), error: io::Error::from(error) })?;
        bytes.push(b'\n');
        let new = stamp(&bytes);
        if self.stamp == Some(new) && path.is_file() {
            return Ok(Vec::new());
        }
        let mut notices = Vec::new();
        let path = if self.was_changed(&path) {
            let beside = free_beside(&path);
            let (path, to) = (path.display(), beside.display());
            notices.push(format!("another program changed {path}; this session is saved in {to}"));
            beside
        } else {
            path
        };
        match write(&path, &bytes) {
            Ok(()) => self.path = Some(path),
            Err(error) => {
                let Some(second) = self.place.second.clone().filter(|second| *second != path) else {
                    return Err(error);
                };
                let second = if second.exists() { free_beside(&second) } else { second };
                write(&second, &bytes).map_err(|_| error)?;
                notices.push(format!(
                    "{} cannot be written; the session is saved in {}",
                    path.display(),
                    second.display()
                ));
                self.path = Some(second);
            }
        }
        self.stamp = Some(new);
        Ok(notices)
    }

    /// Whether what lies at `path` is not what this one read or wrote last.
    fn was_changed(&self, path: &Path) -> bool {
        match fs::read(path) {
            Ok(bytes) => self.stamp != Some(stamp(&bytes)),
            Err(error) => error.kind() != io::ErrorKind::NotFound && path.exists(),
        }
    }

    /// Leaves what lies at `path` alone, and saves elsewhere.
    fn step_aside(&mut self, path: &Path) {
        self.path = Some(free_beside(path));
    }

    fn tell(&mut self, what: &str) -> Vec<String> {
        if std::mem::replace(&mut self.told, true) { Vec::new() } else { vec![what.to_owned()] }
    }
}

/// Why a file is no session that can be read.
enum Unread {
    Newer(u64),
    Bad(String),
}

fn parse(bytes: &[u8]) -> Result<Saved, Unread> {
    let bad = |error: serde_json::Error| Unread::Bad(error.to_string());
    let Versioned { version } = serde_json::from_slice(bytes).map_err(bad)?;
    if version > VERSION {
        return Err(Unread::Newer(version));
    }
    let saved: Saved = serde_json::from_slice(bytes).map_err(bad)?;
    saved.wrong().map_or(Ok(saved), |why| Err(Unread::Bad(why)))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FormatError> {
    if let Some(folder) = path.parent() {
        // Where it cannot be made, writing says so.
        let _ = fs::create_dir_all(folder);
    }
    write_atomically(path, |out| out.write_all(bytes))
}

fn stamp(bytes: &[u8]) -> Stamp {
    Sha256::digest(bytes).into()
}

/// `x.session.json` as `x.session.2.json`, with the first number that is free.
fn free_beside(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let free = (2..).map(|number| path.with_file_name(format!("{name}.{number}.json"))).find(|path| !path.exists());
    free.unwrap_or_else(|| path.to_owned())
}

/// Gives a file a name that ends in `.bad`.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = (1..).map(|number| if number == 1 { format!("{name}.bad") } else { format!("{name}.{number}.bad") });
    let mut free = names.map(|name| path.with_file_name(name)).filter(|path| !path.exists());
    let aside = free.next().unwrap_or_else(|| path.with_extension("bad"));
    fs::rename(path, &aside)?;
    Ok(aside)
}
