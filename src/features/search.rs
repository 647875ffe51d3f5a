//! Search for the dashboards of a transcoder, in named folders and in the usual ones.

use crate::features::origin::{Kind, Origin};
use crate::features::store::Store;
use crate::features::{Dashboard, FeatureError, Folder, Sizes};
use crate::hub::FileSource;
use std::path::{Path, PathBuf};

/// Places to search.
#[derive(Clone, Debug, Default)]
pub struct Search<'a> {
    /// Folders that the user named, in that order. They take precedence over all others.
    pub folders: &'a [PathBuf],
    /// Files of labels that the user named.
    pub labels: &'a [PathBuf],
    /// Files of the transcoder, where they are here.
    pub transcoder: Option<&'a FileSource>,
    /// Name of the transcoder: its `scan`, or else its folder's name.
    pub name: &'a str,
    /// Number of features of each layer, where known.
    pub sizes: Option<&'a Sizes>,
    /// Data folder of this program.
    pub data: Option<&'a Path>,
}

#[derive(Debug)]
pub(super) struct Source {
    pub origin: Origin,
    pub shelf: Backing,
}

#[derive(Debug)]
pub(super) enum Backing {
    Store(Box<Store>),
    Folder(Folder),
}

impl Source {
    /// Returns the lower ends of a histogram's bars, where the source has them. The last bar is that of the bin with
    /// the maximum.
    pub fn bins(&self, dashboard: &Dashboard) -> Option<Vec<f32>> {
        let Backing::Store(store) = &self.shelf else { return None };
        let bins = &store.manifest()?.bins;
        let end = bins.partition_point(|begin| *begin <= dashboard.max);
        let bars = bins.get(end.checked_sub(dashboard.histogram.len())?..end)?;
        (!bars.is_empty()).then(|| bars.to_vec())
    }
}

/// Converts a name to a safe one for a folder: any character but letters, digits, `.`, `_` and `-` becomes `--`.
pub fn folder_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim_matches('/').chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => out.push(c),
            _ => out.push_str("--"),
        }
    }
    if out.chars().all(|c| c == '.') { format!("-{out}") } else { out }
}

/// Returns the default folder of a store built by this program, by the name of its transcoder.
pub fn own_folder(data: &Path, transcoder: &str) -> PathBuf {
    data.join("features").join(folder_name(transcoder))
}

/// Returns the default folder of an imported store.
pub fn imported_folder(data: &Path, transcoder: &str) -> PathBuf {
    own_folder(data, transcoder).join("imported")
}

impl Search<'_> {
    /// Opens the source in a folder: a store, or files of features.
    pub(super) fn any(
        &self,
        place: &FileSource,
        path: Option<&Path>,
        prefix: &str,
    ) -> Result<Option<Source>, FeatureError> {
        if let Some(store) = Store::open(place, prefix, self.sizes)? {
            self.check_name(&store)?;
            let kind = match store.manifest() {
                Some(manifest) if manifest.corpus.is_some() => Kind::Made,
                Some(_) => Kind::Imported,
                None => Kind::Published,
            };
            let origin = Origin { kind, path: store.path() };
            return Ok(Some(Source { origin, shelf: Backing::Store(Box::new(store)) }));
        }
        Ok(path.and_then(|path| Folder::open(path, self.name)).map(|folder| {
            let origin = Origin { kind: Kind::Files, path: folder.path().display().to_string() };
            Source { origin, shelf: Backing::Folder(folder) }
        }))
    }

    /// Checks that a store was built for this transcoder, by its name.
    ///
    /// # Errors
    /// Fails where a store built by this program names another transcoder, which sizes alone need not show. An imported
    /// store has the other program's name of it.
    fn check_name(&self, store: &Store) -> Result<(), FeatureError> {
        let Some(manifest) = store.manifest().filter(|manifest| manifest.corpus.is_some()) else { return Ok(()) };
        let own = &manifest.transcoder;
        // A set that has no name of its own is called by its folder, which may since lie elsewhere.
        let folder = self.transcoder.filter(|place| place.reference().is_none()).map(FileSource::short_name);
        let is_folder = folder.is_some_and(|folder| Path::new(own).file_name() == Some(folder.as_ref()));
        if own.is_empty() || self.name.is_empty() || own == self.name || is_folder {
            return Ok(());
        }
        let what = format!("it was made with {own}, this one is {}", self.name);
        Err(FeatureError::OtherTranscoder { file: store.path(), what })
    }

    /// Opens the sources in the usual places, which the user did not name.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = Result<Option<Source>, FeatureError>> {
        let own = self.data.filter(|_| !self.name.is_empty());
        let made = own.map(|data| own_folder(data, self.name));
        let imported = own.map(|data| imported_folder(data, self.name));
        let own = made.into_iter().chain(imported).filter_map(|path| {
            let place = FileSource::directory(&path).ok()?;
            Some(self.any(&place, Some(&path), ""))
        });
        let beside = self.transcoder.map(|place| {
            let path = place.directory_path().map(|path| path.join("features"));
            self.any(place, path.as_deref(), "features/")
        });
        own.chain(beside)
    }
}
