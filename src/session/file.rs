//! Reading and writing the file of a session.

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

/// A session is a few pages of text; nothing that is longer is one.
pub(super) const MOST_BYTES: u64 = 64 << 20;

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
    /// Where it is saved, and where it goes if it cannot be written there.
    places: Vec<PathBuf>,
    /// Where it belongs.
    home: Option<PathBuf>,
    /// The session as this program knew it last: what it changes is told from it.
    base: Saved,
    /// What its file held then, other programs' edits among it; `None` where there was no file.
    there: Option<Saved>,
    /// What lay at the other places when the session was opened, and is older than it.
    passed_over: Vec<(PathBuf, Saved)>,
    absent: Absent,
    made: Made,
    told: Told,
}

/// What a person was told of before.
#[derive(Debug, Default)]
struct Told {
    nowhere: bool,
    others: bool,
}

/// Opens the session of a graph.
///
/// What is no session is moved aside, never overwritten. One of a newer program, or one that cannot be read, is left
/// where it is, and the session has a place beside it.
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

/// When a file was written, where there is one.
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
    /// Where the session is saved; `None` where there is no place for it.
    pub fn path(&self) -> Option<&Path> {
        self.places.first().map(PathBuf::as_path)
    }

    /// The same where there is a session and it is not where it belongs.
    pub fn elsewhere(&self) -> Option<&Path> {
        self.path().filter(|path| self.there.is_some() && self.home.as_deref() != Some(*path))
    }

    /// What the file held when it was last read or written, other programs' edits among it, on a graph.
    pub fn contents(&self, graph: &AttributionGraph) -> Option<Session> {
        Some(self.there.clone()?.on(graph).0)
    }

    /// Saves a session, whole or not at all. What other programs saved there meanwhile stays: the edits since the last
    /// time are made on top of it. Returns what a person has to be told: that there were such edits, or that it could not
    /// be written where it belongs.
    ///
    /// # Errors
    /// It cannot be written anywhere. What is not saved is saved with the next that can be.
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

    /// Leaves what lies at `path` alone, and saves beside it.
    fn step_beside(&mut self, path: &Path) {
        for place in self.places.iter_mut().filter(|place| *place == path) {
            *place = beside(path);
        }
    }

    /// Saves there first from now on.
    fn settle_at(&mut self, path: PathBuf) {
        self.places.retain(|place| *place != path);
        self.places.insert(0, path);
    }
}

/// Why a session was not saved at a place.
enum Refused {
    /// What lies there is not to be touched.
    Closed(FormatError),
    /// Another program is writing there, and does not end.
    Held(FormatError),
    /// It cannot be written there.
    Failed(FormatError),
}

/// What lies where a session can be.
enum There {
    Nothing,
    Session(Box<Saved>),
    /// Something that is not to be touched, and why.
    Closed(String),
    /// No session.
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

/// Where the session goes where what lies at `path` is to be left alone: always the same place, so that it is found
/// again.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.v{VERSION}.json"))
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
