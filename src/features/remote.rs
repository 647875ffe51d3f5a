//! Dashboards on the hub, read by ranges of bytes: the index once, then a record at a time, each kept on this machine.
//!
//! Which features somebody looks at is known to the server then, so that nothing is asked before the person has said
//! yes for this set.

use crate::features::record::Record;
use crate::features::store::{INDEX, Index, check_length, unpack};
use crate::features::{FeatureError, Sizes, folder_name};
use crate::format::write_atomically;
use crate::hub::{Hub, HubError, Reference};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::untrusted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

/// What a request is reported as.
pub const ASKING: &str = "asking the hub";
/// The largest packed index.
const MOST_INDEX: usize = 256 << 20;
/// The largest files of this program's own: what was consented to, a record as it came, a commit.
const MOST_CONSENTS: u64 = 1 << 20;
const MOST_RECORD: u64 = 32 << 20;
const MOST_COMMIT: u64 = 1 << 10;
/// How much of a file is read through where a server sends it from its start.
const MOST_SKIPPED: usize = 64 << 20;

/// The sets for which the person has said that the hub may be asked for single features.
#[derive(Clone, Debug)]
pub struct Consents {
    path: Option<PathBuf>,
    given: BTreeSet<String>,
    /// Those among them that are to last.
    kept: BTreeSet<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct SavedConsents {
    features_from_hub: BTreeSet<String>,
}

impl Consents {
    /// Those that stand in the file at `path`. One that cannot be understood holds none.
    pub fn open(path: Option<PathBuf>) -> Self {
        let read =
            |path: &PathBuf| serde_json::from_slice::<SavedConsents>(&untrusted::read(path, MOST_CONSENTS).ok()?).ok();
        let given = path.as_ref().and_then(read).unwrap_or_default().features_from_hub;
        Self { path, kept: given.clone(), given }
    }

    /// Whether the hub may be asked for features of this set.
    pub fn has(&self, set: &Reference) -> bool {
        self.given.contains(&set.to_string())
    }

    /// The person has said yes for this set until the program ends.
    pub fn give_for_now(&mut self, set: &Reference) {
        self.given.insert(set.to_string());
    }

    /// Keeps that the person has said yes for this set.
    ///
    /// # Errors
    /// The file cannot be written; the yes holds until the program ends.
    pub fn give(&mut self, set: &Reference) -> Result<(), FeatureError> {
        self.given.insert(set.to_string());
        self.kept.insert(set.to_string());
        self.save()
    }

    fn save(&self) -> Result<(), FeatureError> {
        let Some(path) = &self.path else { return Ok(()) };
        if let Some(folder) = path.parent() {
            // Where it cannot be made, writing says so.
            let _ = fs::create_dir_all(folder);
        }
        let saved = SavedConsents { features_from_hub: self.kept.clone() };
        Ok(write_atomically(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &saved)?;
            out.write_all(b"\n")
        })?)
    }
}

/// A set's dashboards on the hub.
#[derive(Debug)]
pub struct Remote {
    hub: Hub,
    set: Reference,
    /// Where what came is kept; `None` keeps nothing.
    kept: Option<PathBuf>,
    sizes: Option<Sizes>,
    index: Mutex<Option<Arc<Found>>>,
}

/// What the hub has of a set.
#[derive(Debug)]
struct Found {
    commit: String,
    /// `None` where it has no dashboards.
    index: Option<Index>,
}

impl Remote {
    /// The dashboards of `set`, at the commit of it that is on this machine or else the latest. What comes is kept below
    /// `data`. Nothing is asked yet.
    pub fn new(hub: &Hub, set: &Reference, data: Option<&Path>, sizes: Option<Sizes>) -> Self {
        let kept = data.map(|data| data.join("features").join("hub"));
        Self { hub: hub.clone(), set: set.clone(), kept, sizes, index: Mutex::default() }
    }

    /// The set.
    pub fn set(&self) -> &Reference {
        &self.set
    }

    /// Who forbids the network, if anyone.
    pub fn offline(&self) -> Option<&'static str> {
        self.hub.access.offline
    }

    /// A feature's dashboard; `None` where the hub has none of it. The server is asked for what is not kept already.
    ///
    /// # Errors
    /// The network is forbidden or fails, what came is damaged, or the work was stopped.
    pub fn read(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Option<Record>, FeatureError> {
        monitor.report(ASKING, 0, 0)?;
        let found = self.found(monitor)?;
        let Some((file, range)) = found.index.as_ref().and_then(|index| index.record(layer, feature)) else {
            return Ok(None);
        };
        let of = self.file(file);
        let wrong = |what: String| FeatureError::Record { layer, feature, file: of.uri(), what };
        check_length(&range).map_err(wrong)?;
        let kept = self.kept(&found.commit).map(|folder| folder.join(format!("{layer}/{feature}.record")));
        if let Some(bytes) = kept.as_ref().and_then(|path| untrusted::read(path, MOST_RECORD).ok())
            && let Ok(dashboard) = unpack(&bytes)
        {
            return Ok(Some(Record { dashboard, ..Record::default() }));
        }
        let length = range.end - range.start;
        let bytes = self.hub.excerpt(&of, &found.commit, Some(&range), MOST_SKIPPED, monitor)?;
        if (bytes.len() as u64) < length {
            return Err(wrong(format!("the file ends before byte {}, where its record ends", range.end)));
        }
        let dashboard = unpack(&bytes).map_err(wrong)?;
        keep(kept.as_deref(), &bytes);
        Ok(Some(Record { dashboard, ..Record::default() }))
    }

    fn file(&self, name: &str) -> Reference {
        self.set.join(&format!("features/{name}"))
    }

    /// The folder of what came of a commit.
    fn kept(&self, commit: &str) -> Option<PathBuf> {
        let name = folder_name(&format!("{}/{}", self.set.repo(), self.set.path()));
        self.kept.as_ref().map(|kept| kept.join(name).join(commit))
    }

    /// The commit that the set stands for: that of the weights, where those are here, else what it was when the hub was
    /// asked first, so that what was kept is found again.
    fn commit(&self, monitor: &Monitor) -> Result<String, FeatureError> {
        let pin = self.kept(&format!("{}.commit", folder_name(self.set.revision())));
        if !self.hub.has(&self.set)
            && let Some(commit) = pin.as_ref().and_then(|pin| untrusted::read_text(pin, MOST_COMMIT).ok())
            && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Ok(commit);
        }
        let commit = self.hub.commit(&self.set, monitor)?;
        keep(pin.as_deref(), commit.as_bytes());
        Ok(commit)
    }

    /// What the hub has of the set: asked once, and by one thread at a time.
    fn found(&self, monitor: &Monitor) -> Result<Arc<Found>, FeatureError> {
        let mut known = loop {
            match self.index.try_lock() {
                Ok(known) => break known,
                Err(TryLockError::Poisoned(poisoned)) => break PoisonError::into_inner(poisoned),
                Err(TryLockError::WouldBlock) => {
                    monitor.cancel().check()?;
                    thread::sleep(Duration::from_millis(10));
                }
            }
        };
        if let Some(found) = known.as_ref() {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(self.ask(monitor)?);
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    fn ask(&self, monitor: &Monitor) -> Result<Found, FeatureError> {
        let commit = self.commit(monitor)?;
        let of = self.file(INDEX);
        let kept = self.kept(&commit).map(|folder| folder.join(INDEX));
        let read = |packed: &[u8], file: &str| Index::read(packed, self.sizes.as_ref(), file);
        if let Some(path) = &kept
            && let Ok(packed) = untrusted::read(path, MOST_INDEX as u64)
        {
            return Ok(Found { commit, index: Some(read(&packed, &path.display().to_string())?) });
        }
        let packed = match self.hub.excerpt(&of, &commit, None, MOST_INDEX, monitor) {
            Ok(packed) => packed,
            Err(HubError::NotFound { .. }) => return Ok(Found { commit, index: None }),
            Err(error) => return Err(error.into()),
        };
        let index = read(&packed, &of.uri())?;
        keep(kept.as_deref(), &packed);
        Ok(Found { commit, index: Some(index) })
    }
}

/// Keeps what came. Where it cannot be kept it is asked for again the next time, which is no error.
fn keep(path: Option<&Path>, bytes: &[u8]) {
    let Some(path) = path else { return };
    if let Some(folder) = path.parent()
        && let Err(error) = fs::create_dir_all(folder)
    {
        tracing::warn!("{}: {error}", folder.display());
        return;
    }
    if let Err(error) = write_atomically(path, |out| out.write_all(bytes)) {
        tracing::warn!("{error}");
    }
}
