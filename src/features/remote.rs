//! Dashboards on the hub, read by ranges of bytes: the index once, then a record at a time, each kept on this machine.
//!
//! The requests disclose to the server which features the user looks at, so that nothing is sent before the user has
//! consented for this set.

use crate::features::record::Record;
use crate::features::store::{INDEX, Index, check_length, unpack};
use crate::features::{Dashboard, FeatureError, Sizes, folder_name};
use crate::format::write_atomically;
use crate::hub::{Hub, HubError, Reference};
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::untrusted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

/// Phase of a request.
pub const ASKING: &str = "asking the hub";
/// Bytes of the largest compressed index.
const MOST_INDEX: usize = 256 << 20;
/// Bytes of the largest files of this program's own: consents, kept records, a commit.
const MOST_CONSENTS: u64 = 1 << 20;
const MOST_RECORD: u64 = 32 << 20;
const MOST_COMMIT: u64 = 1 << 10;
/// Most bytes between two records that are fetched together: they take less time than another request.
const NEIGHBOURS: u64 = 256 << 10;
/// Most bytes of a part that holds several records.
const MOST_PIECE: u64 = 8 << 20;
/// Most bytes of a file that are skipped where a server sends it from its start.
const MOST_SKIPPED: usize = 64 << 20;

/// Sets for which the user has consented that the hub is asked for single features.
#[derive(Clone, Debug)]
pub struct Consents {
    path: Option<PathBuf>,
    given: BTreeSet<String>,
    /// Sets whose consent is saved.
    kept: BTreeSet<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct SavedConsents {
    features_from_hub: BTreeSet<String>,
}

impl Consents {
    /// Reads the consents in the file at `path`. A damaged file counts as empty.
    pub fn open(path: Option<PathBuf>) -> Self {
        let read =
            |path: &PathBuf| serde_json::from_slice::<SavedConsents>(&untrusted::read(path, MOST_CONSENTS).ok()?).ok();
        let given = path.as_ref().and_then(read).unwrap_or_default().features_from_hub;
        Self { path, kept: given.clone(), given }
    }

    /// Returns true where the hub may be asked for features of this set.
    pub fn has(&self, set: &Reference) -> bool {
        self.given.contains(&set.to_string())
    }

    /// Records the user's consent for this set until the program ends.
    pub fn give_for_now(&mut self, set: &Reference) {
        self.given.insert(set.to_string());
    }

    /// Saves the user's consent for this set.
    ///
    /// # Errors
    /// Fails where the file cannot be written; the consent holds until the program ends.
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

/// Part of a file that holds records of several features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    file: String,
    range: Range<u64>,
    records: Vec<((Layer, FeatureId), Range<u64>)>,
}

impl Piece {
    pub(super) fn n_records(&self) -> usize {
        self.records.len()
    }
}

/// Dashboards of a set on the hub.
#[derive(Debug)]
pub struct Remote {
    hub: Hub,
    set: Reference,
    /// Folder of kept records; `None` keeps nothing.
    kept: Option<PathBuf>,
    sizes: Option<Sizes>,
    index: Mutex<Option<Arc<Found>>>,
}

/// Files of a set on the hub.
#[derive(Debug)]
struct Found {
    commit: String,
    /// Index of its dashboards; `None` where it has none.
    index: Option<Index>,
}

impl Remote {
    /// Refers to the dashboards of `set`, at its commit on this machine or else the latest. Records are kept below
    /// `data`. Nothing is sent yet.
    pub fn new(hub: &Hub, set: &Reference, data: Option<&Path>, sizes: Option<Sizes>) -> Self {
        let kept = data.map(|data| data.join("features").join("hub"));
        Self { hub: hub.clone(), set: set.clone(), kept, sizes, index: Mutex::default() }
    }

    /// Returns the set.
    pub fn set(&self) -> &Reference {
        &self.set
    }

    /// Returns the setting that forbids the network, if any.
    pub fn offline(&self) -> Option<&'static str> {
        self.hub.access.offline
    }

    /// Returns the host of the server.
    pub fn host(&self) -> String {
        let shown = self.hub.access.shown();
        shown.split_once("://").map_or(shown.clone(), |(_, host)| host.to_owned())
    }

    /// Returns the kept dashboard of a feature, without a request.
    pub fn kept_of(&self, layer: Layer, feature: FeatureId) -> Option<Dashboard> {
        let bytes = fs::read(self.record(&self.commit_here()?, layer, feature)?).ok()?;
        unpack(&bytes).ok()
    }

    /// Returns true unless it is known here that the hub has no dashboard of the feature.
    pub fn may_know(&self, layer: Layer, feature: FeatureId) -> bool {
        match self.found_here() {
            Some(found) => found.index.as_ref().is_some_and(|index| index.record(layer, feature).is_some()),
            None => true,
        }
    }

    /// Returns the parts of files that hold these features, neighbouring ones together. Fetches the index if it is not
    /// kept.
    ///
    /// # Errors
    /// Fails as [`Remote::read`] does.
    pub(super) fn pieces(
        &self,
        features: &[(Layer, FeatureId)],
        monitor: &Monitor,
    ) -> Result<Vec<Piece>, FeatureError> {
        let found = self.found(monitor)?;
        let Some(index) = &found.index else { return Ok(Vec::new()) };
        let mut records: Vec<(&str, Range<u64>, (Layer, FeatureId))> = features
            .iter()
            .filter_map(|id| index.record(id.0, id.1).map(|(file, range)| (file, range, *id)))
            .filter(|(_, range, _)| check_length(range).is_ok())
            .collect();
        records.sort_by(|a, b| a.0.cmp(b.0).then(a.1.start.cmp(&b.1.start)));
        let mut pieces: Vec<Piece> = Vec::new();
        for (file, range, id) in records {
            match pieces.last_mut() {
                Some(piece)
                    if piece.file == file
                        && range.start <= piece.range.end + NEIGHBOURS
                        && range.end.saturating_sub(piece.range.start) <= MOST_PIECE =>
                {
                    piece.range.end = piece.range.end.max(range.end);
                    piece.records.push((id, range));
                }
                _ => pieces.push(Piece { file: file.to_owned(), range: range.clone(), records: vec![(id, range)] }),
            }
        }
        Ok(pieces)
    }

    /// Fetches a part of a file, and keeps its records. Returns the features whose records are sound.
    ///
    /// # Errors
    /// Fails where the network is forbidden or fails, or the work was stopped.
    pub(super) fn take(&self, piece: &Piece, monitor: &Monitor) -> Result<Vec<(Layer, FeatureId)>, FeatureError> {
        let found = self.found(monitor)?;
        let of = self.file(&piece.file);
        let bytes = self.hub.excerpt(&of, &found.commit, Some(&piece.range), MOST_SKIPPED, monitor)?;
        let mut came = Vec::new();
        for ((layer, feature), range) in &piece.records {
            // A piece is a few megabytes.
            let [start, end] = [range.start, range.end].map(|at| (at - piece.range.start) as usize);
            let record = bytes.get(start..end).ok_or_else(|| "the file ends before its record".to_owned());
            match record.and_then(|record| unpack(record).map(|_| record)) {
                Ok(record) => {
                    keep(self.record(&found.commit, *layer, *feature).as_deref(), record);
                    came.push((*layer, *feature));
                }
                Err(what) => tracing::warn!("feature {layer}:{feature} of {}: {what}", of.uri()),
            }
        }
        Ok(came)
    }

    /// Returns a feature's dashboard; `None` where the hub has none. The server is asked if it is not kept.
    ///
    /// # Errors
    /// Fails where the network is forbidden or fails, the record is damaged, or the work was stopped.
    pub fn read(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Option<Record>, FeatureError> {
        monitor.report(ASKING, 0, 0)?;
        let found = self.found(monitor)?;
        let Some((file, range)) = found.index.as_ref().and_then(|index| index.record(layer, feature)) else {
            return Ok(None);
        };
        let of = self.file(file);
        let wrong = |what: String| FeatureError::Record { layer, feature, file: of.uri(), what };
        check_length(&range).map_err(wrong)?;
        let kept = self.record(&found.commit, layer, feature);
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

    /// Returns the folder of kept records of a commit.
    fn kept(&self, commit: &str) -> Option<PathBuf> {
        let name = folder_name(&format!("{}/{}", self.set.repo(), self.set.path()));
        self.kept.as_ref().map(|kept| kept.join(name).join(commit))
    }

    /// Returns the path of a feature's kept record.
    fn record(&self, commit: &str, layer: Layer, feature: FeatureId) -> Option<PathBuf> {
        Some(self.kept(commit)?.join(format!("{layer}/{feature}.record")))
    }

    /// Returns the path of the file that records the commit of the set at the first request.
    fn pin(&self) -> Option<PathBuf> {
        self.kept(&format!("{}.commit", folder_name(self.set.revision())))
    }

    /// Returns the commit of the set, as far as it is recorded here.
    fn commit_here(&self) -> Option<String> {
        if self.hub.has(&self.set) {
            return self.hub.commit(&self.set, &Monitor::default()).ok();
        }
        let commit = untrusted::read_text(&self.pin()?, MOST_COMMIT).ok()?;
        commit.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(commit)
    }

    /// Returns the commit of the set: that of the weights, where those are here, else that of the first request, so
    /// that kept records are found again.
    fn commit(&self, monitor: &Monitor) -> Result<String, FeatureError> {
        if let Some(commit) = self.commit_here() {
            return Ok(commit);
        }
        let commit = self.hub.commit(&self.set, monitor)?;
        keep(self.pin().as_deref(), commit.as_bytes());
        Ok(commit)
    }

    /// Returns the files of the set on the hub: requested once, and by one thread at a time.
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

    /// Returns the files of the set on the hub as requested before, in this run or in another.
    fn found_here(&self) -> Option<Arc<Found>> {
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let commit = self.commit_here()?;
            let index = self.index_here(&commit)?.ok()?;
            *known = Some(Arc::new(Found { commit, index: Some(index) }));
        }
        known.clone()
    }

    /// Returns the kept index of a commit.
    fn index_here(&self, commit: &str) -> Option<Result<Index, FeatureError>> {
        let path = self.kept(commit)?.join(INDEX);
        let packed = untrusted::read(&path, MOST_INDEX as u64).ok()?;
        Some(Index::read(&packed, self.sizes.as_ref(), &path.display().to_string()))
    }

    fn ask(&self, monitor: &Monitor) -> Result<Found, FeatureError> {
        let commit = self.commit(monitor)?;
        if let Some(index) = self.index_here(&commit) {
            return Ok(Found { commit, index: Some(index?) });
        }
        let of = self.file(INDEX);
        let packed = match self.hub.excerpt(&of, &commit, None, MOST_INDEX, monitor) {
            Ok(packed) => packed,
            Err(HubError::NotFound { .. }) => return Ok(Found { commit, index: None }),
            Err(error) => return Err(error.into()),
        };
        let index = Index::read(&packed, self.sizes.as_ref(), &of.uri())?;
        keep(self.kept(&commit).map(|folder| folder.join(INDEX)).as_deref(), &packed);
        Ok(Found { commit, index: Some(index) })
    }
}

/// Saves a record. If that fails, it is requested again the next time, which is no error.
pub(super) fn keep(path: Option<&Path>, bytes: &[u8]) {
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
