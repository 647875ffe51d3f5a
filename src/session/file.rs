//! Reading and writing of a session's file.

use crate::format::{FormatError, write_atomically};
use crate::graph::{AttributionGraph, Document};
use crate::session::lock::Lock;
use crate::session::merge::merge;
use crate::session::saved::{Absent, Made, Saved, VERSION, Versioned};
use crate::session::{Session, SessionPlace};
use crate::untrusted::{self, json_fault};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes of a session's file, at most: a session is a few pages of text.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// An opened session.
#[derive(Debug)]
pub struct Opened {
    /// Session; without a saved one, the user's work in the graph's own file.
    pub session: Session,
    /// File where it is saved from now on.
    pub file: SessionFile,
    /// True where a saved one was found.
    pub is_saved: bool,
    /// Messages for the user.
    pub notices: Vec<String>,
}

/// File of a session, and the states of it that are known.
#[derive(Debug)]
pub struct SessionFile {
    /// Paths where it is saved, the later ones where the earlier cannot be written.
    places: Vec<PathBuf>,
    /// Path where it belongs.
    home: Option<PathBuf>,
    /// Session as this program knew it last, from which its own changes are told.
    base: Saved,
    /// Contents of the file at that time, other programs' edits among them; `None` where there was no file.
    there: Option<Saved>,
    /// Older sessions that were at the other places when the session was opened.
    passed_over: Vec<(PathBuf, Saved)>,
    absent: Absent,
    made: Made,
    told: Told,
}

/// Messages that the user has had already.
#[derive(Debug, Default)]
struct Told {
    nowhere: bool,
    others: bool,
}

/// Opens the session of a graph.
///
/// A file that is no session is moved aside, never overwritten. One of a newer program, or one that cannot be read, is
/// left where it is, and the session is saved beside it.
pub fn open(place: SessionPlace, document: &Document) -> Opened {
    let session = Session { edited: document.edited.as_ref().clone(), ..Session::default() };
    let (absent, made) = (Absent::default(), Made::of(&document.origin));
    let base = Saved::new(&session, &absent, &document.graph, &made);
    let file = SessionFile {
        places: place.paths().cloned().collect(),
        home: place.first.clone(),
        base,
        there: None,
        passed_over: Vec::new(),
        absent,
        made,
        told: Told::default(),
    };
    let mut opened = Opened { session, file, is_saved: false, notices: Vec::new() };
    // Where a folder could be written to only at times, the last one that was written counts.
    let places = place.paths().flat_map(|path| [path.clone(), beside(path)]);
    let mut there: Vec<(SystemTime, PathBuf)> = places.filter_map(written).collect();
    there.sort_by_key(|(written, _)| std::cmp::Reverse(*written));
    let mut left_alone = Vec::new();
    for (_, path) in there {
        match read(&path) {
            There::Nothing => {}
            There::Session(saved) if opened.is_saved => opened.file.passed_over.push((path, *saved)),
            There::Session(saved) => opened.take(path, *saved, document),
            There::Closed(why) => {
                left_alone.push(format!("{} is left alone: {why}", path.display()));
                opened.file.step_beside(&path);
            }
            There::Bad(why) => match move_aside(&path) {
                Ok(aside) => {
                    let (from, to) = (path.display(), aside.display());
                    opened.notices.push(format!("{from} is no session ({why}) and was moved to {to}"));
                }
                Err(error) => {
                    left_alone.push(format!("{} is no session ({why}) and cannot be moved ({error})", path.display()));
                    opened.file.step_beside(&path);
                }
            },
        }
    }
    if let (false, Some(path)) = (left_alone.is_empty(), opened.file.path()) {
        opened.notices.push(format!("{}; the session is in {}", left_alone.join("; "), path.display()));
    }
    opened
}

/// Returns the time when a file was written, where there is one.
fn written(path: PathBuf) -> Option<(SystemTime, PathBuf)> {
    Some((fs::metadata(&path).and_then(|there| there.modified()).ok()?, path))
}

impl Opened {
    fn take(&mut self, path: PathBuf, saved: Saved, document: &Document) {
        if saved.graph.prompt != self.file.made.prompt && !saved.graph.prompt.is_empty() {
            self.notices.push(format!("the session was saved on another prompt: {}", saved.graph.prompt));
        }
        self.file.there = Some(saved.clone());
        let (session, absent) = saved.on(&document.graph);
        let n_absent = absent.n_nodes();
        if n_absent > 0 {
            let nodes = if n_absent == 1 { "1 node".into() } else { format!("{n_absent} nodes") };
            self.notices.push(format!("{nodes} of the session are not in this graph and stay in its file"));
        }
        self.file.base = Saved::new(&session, &absent, &document.graph, &self.file.made);
        self.file.absent = absent;
        self.session = session;
        self.file.settle_at(path);
        self.is_saved = true;
    }
}

impl SessionFile {
    /// Returns the path where the session is saved; `None` where there is no place for it.
    pub fn path(&self) -> Option<&Path> {
        self.places.first().map(PathBuf::as_path)
    }

    /// Returns that path where there is a session and it is not where it belongs.
    pub fn elsewhere(&self) -> Option<&Path> {
        self.path().filter(|path| self.there.is_some() && self.home.as_deref() != Some(*path))
    }

    /// Returns the contents of the file when it was last read or written, other programs' edits among them, on a graph.
    pub fn contents(&self, graph: &AttributionGraph) -> Option<Session> {
        Some(self.there.clone()?.on(graph).0)
    }

    /// Saves a session, whole or not at all. Other programs' edits that were saved there meanwhile stay: this program's
    /// edits since the last time are made on top of them. Returns messages for the user: that there were such edits, or
    /// that it could not be written where it belongs.
    ///
    /// # Errors
    /// Fails where it cannot be written anywhere. The unsaved edits are saved with the next session that can be.
    pub fn save(&mut self, session: &Session, graph: &AttributionGraph) -> Result<Vec<String>, FormatError> {
        let Some(wanted) = self.path().map(Path::to_owned) else {
            let is_new = !std::mem::replace(&mut self.told.nowhere, true);
            return Ok(is_new.then(|| "there is no folder to save the session in".to_owned()).into_iter().collect());
        };
        let ours = Saved::new(session, &self.absent, graph, &self.made);
        if self.there.is_some() && ours == self.base && wanted.is_file() {
            return Ok(Vec::new());
        }
        let mut notices = Vec::new();
        let mut refused: Option<FormatError> = None;
        for place in self.places.clone() {
            let mut path = place;
            let mut outcome = self.save_at(&path, &ours, &mut notices);
            if let Err(Refused::Closed(error)) = outcome {
                self.step_beside(&path);
                refused = refused.or(Some(error));
                path = beside(&path);
                outcome = self.save_at(&path, &ours, &mut notices);
            }
            match outcome {
                Ok(()) => {
                    self.base = ours;
                    if let Some(error) = refused {
                        notices.push(format!("{error}; the session is saved in {}", path.display()));
                    }
                    self.settle_at(path);
                    return Ok(notices);
                }
                // Somewhere else it would be another session than that program's.
                Err(Refused::Held(error)) => return Err(error),
                Err(Refused::Closed(error) | Refused::Failed(error)) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(FormatError::Write { path: wanted, error: io::ErrorKind::NotFound.into() }))
    }

    /// Saves at one of the places.
    fn save_at(&mut self, path: &Path, ours: &Saved, notices: &mut Vec<String>) -> Result<(), Refused> {
        let failed = |error| Refused::Failed(FormatError::writing(path, error));
        if let Some(folder) = path.parent() {
            // Where it cannot be made, writing says so.
            let _ = fs::create_dir_all(folder);
        }
        let _lock = Lock::take(path).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Refused::Held(FormatError::writing(path, error)),
            _ => failed(error),
        })?;
        let there = match read(path) {
            There::Nothing => None,
            There::Session(there) => Some(*there),
            There::Closed(why) => return Err(Refused::Closed(FormatError::writing(path, io::Error::other(why)))),
            There::Bad(why) => {
                let aside = move_aside(path).map_err(failed)?;
                notices.push(format!("{} is no session ({why}) and was moved to {}", path.display(), aside.display()));
                None
            }
        };
        let is_old = |there: &Saved| self.passed_over.iter().any(|(place, old)| place == path && old == there);
        let merged = match &there {
            Some(there) if !is_old(there) => merge(&self.base, ours, there),
            _ => ours.clone(),
        };
        let is_others = there.is_some() && there != self.there && self.path() == Some(path);
        let write = write_atomically(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &merged)?;
            out.write_all(b"\n")
        });
        write.map_err(Refused::Failed)?;
        self.there = Some(merged);
        if is_others && !std::mem::replace(&mut self.told.others, true) {
            notices.push(format!(
                "another program edited {} too: its edits and these are both in it, and seen when it is opened again",
                path.display()
            ));
        }
        Ok(())
    }

    /// Leaves the file at `path` alone, and saves beside it.
    fn step_beside(&mut self, path: &Path) {
        for place in self.places.iter_mut().filter(|place| *place == path) {
            *place = beside(path);
        }
    }

    /// Saves at `path` first from now on.
    fn settle_at(&mut self, path: PathBuf) {
        self.places.retain(|place| *place != path);
        self.places.insert(0, path);
    }
}

/// Reason why a session was not saved at a place.
enum Refused {
    /// File there that must not be touched.
    Closed(FormatError),
    /// Another program that is writing there, and does not end.
    Held(FormatError),
    /// Place that cannot be written to.
    Failed(FormatError),
}

/// Contents of a session's place.
enum There {
    Nothing,
    Session(Box<Saved>),
    /// File that must not be touched, and why.
    Closed(String),
    /// File that is no session, and why.
    Bad(String),
}

fn read(path: &Path) -> There {
    let bytes = match untrusted::read(path, MOST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return There::Nothing,
        Err(error) => return There::Closed(format!("it cannot be read ({error})")),
    };
    let parse = || -> Result<There, serde_json::Error> {
        let Versioned { version } = serde_json::from_slice(&bytes)?;
        if version > VERSION {
            return Ok(There::Closed(format!("it is of a newer program (session version {version})")));
        }
        let saved: Saved = serde_json::from_slice(&bytes)?;
        Ok(saved.wrong().map_or_else(|| There::Session(Box::new(saved)), There::Bad))
    };
    parse().unwrap_or_else(|error| There::Bad(json_fault(&error)))
}

/// Returns the path of the session where the file at `path` is to be left alone: always the same, so that it is found
/// again.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.v{VERSION}.json"))
}

/// Renames a file so that its name ends in `.bad`, and returns the new path.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = (1..).map(|number| if number == 1 { format!("{name}.bad") } else { format!("{name}.{number}.bad") });
    let mut free = names.map(|name| path.with_file_name(name)).filter(|path| !path.exists());
    let aside = free.next().unwrap_or_else(|| path.with_extension("bad"));
    fs::rename(path, &aside)?;
    Ok(aside)
}
