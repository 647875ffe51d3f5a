//! All that is known of a transcoder's features, wherever it comes from.

use crate::features::label::{Label, LabelOrigin};
use crate::features::labels::{self, LABELS, LabelMap};
use crate::features::remote::{Consents, Remote};
use crate::features::store::Store;
use crate::features::{Dashboard, FeatureError, Folder, Sizes};
use crate::hub::{Hub, Place, Reference};
use crate::ids::{FeatureId, Layer};
use crate::job::{Cancelled, Monitor};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What kind of source dashboards come from, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Made by this program from a corpus.
    Made,
    /// Published with the transcoder, in circuit-tracer's binary form.
    Published,
    /// A JSON file for each feature.
    Files,
    /// Imported from another program's exports.
    Imported,
    /// The hub, a feature at a time.
    Hub,
}

/// Where a dashboard comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What kind of source it is.
    pub kind: Kind,
    /// Its folder, or its reference on the hub.
    pub path: String,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made => "made here",
            Self::Published => "published with the transcoder",
            Self::Files => "a file for each feature",
            Self::Imported => "imported",
            Self::Hub => "from the hub",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path, self.kind)
    }
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Search<'a> {
    /// Folders that the person named. They go before all others, in the order in which they are named.
    pub folders: &'a [PathBuf],
    /// Files of labels that the person named.
    pub labels: &'a [PathBuf],
    /// The transcoder's files, where they are here.
    pub transcoder: Option<&'a Place>,
    /// What the transcoder is called: its `scan`, or else its folder's name.
    pub name: &'a str,
    /// How many features it has, where that is known.
    pub sizes: Option<&'a Sizes>,
    /// The folder of what is the program's own.
    pub data: Option<&'a Path>,
}

/// What is known of one feature.
#[derive(Debug, Default)]
pub struct Found {
    /// The dashboard, of the first source that has one, and that source.
    pub dashboard: Option<(Dashboard, Origin)>,
    /// Where the bars of its histogram begin, `[bars]`, where they are not evenly wide.
    pub bins: Option<Vec<f32>>,
    /// The label that goes before all others that the library knows.
    pub label: Option<Label>,
    /// What has to be said of sources that should have known more.
    pub notices: Vec<String>,
    /// Nothing is known here, and the hub may have it; it is asked once the person says yes.
    pub hub_may_know: bool,
}

/// The sources of a transcoder's dashboards and labels, in the order in which they are asked.
#[derive(Debug, Default)]
pub struct Library {
    sources: Vec<Source>,
    /// Labels by who gave them.
    labels: Vec<(LabelOrigin, LabelMap)>,
    remote: Option<(Remote, Mutex<Consents>)>,
    notices: Vec<String>,
    /// Densities of features whose dashboards were read.
    densities: Mutex<HashMap<(Layer, FeatureId), f32>>,
}

#[derive(Debug)]
struct Source {
    origin: Origin,
    shelf: Shelf,
}

#[derive(Debug)]
enum Shelf {
    Store(Box<Store>),
    Folder(Folder),
}

impl Source {
    /// Where the bars of a histogram begin, if the source says. The last bar is that of the bin with the maximum.
    fn bins(&self, dashboard: &Dashboard) -> Option<Vec<f32>> {
        let Shelf::Store(store) = &self.shelf else { return None };
        let bins = &store.manifest()?.bins;
        let end = bins.partition_point(|begin| *begin <= dashboard.max);
        let bars = bins.get(end.checked_sub(dashboard.histogram.len())?..end)?;
        (!bars.is_empty()).then(|| bars.to_vec())
    }
}

/// A name made safe as that of a folder: what is neither a letter, a digit, `.`, `_` nor `-` becomes `--`.
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

/// Where a store that is made here lies if nobody says otherwise, by the name of its transcoder.
pub fn own_folder(data: &Path, transcoder: &str) -> PathBuf {
    data.join("features").join(folder_name(transcoder))
}

/// Where what is imported lies if nobody says otherwise.
pub fn imported_folder(data: &Path, transcoder: &str) -> PathBuf {
    own_folder(data, transcoder).join("imported")
}

impl Library {
    /// Opens what there is. A source that was not named and cannot be used is left out, which [`Library::notices`]
    /// tell.
    ///
    /// # Errors
    /// A folder or a file that the person named holds nothing, is damaged, or is for another transcoder; the work was
    /// stopped.
    pub fn open(search: &Search, monitor: &Monitor) -> Result<Self, FeatureError> {
        let mut library = Self::default();
        for path in search.labels {
            let origin = LabelOrigin::File(path.display().to_string());
            library.labels.push((origin, labels::read(path, monitor)?));
        }
        for path in search.folders {
            monitor.cancel().check()?;
            let place = Place::directory(path)?;
            let source = match search.any(&place, Some(path), "")? {
                Some(source) => source,
                None => search.any(&place, Some(&path.join("features")), "features/")?.ok_or_else(|| {
                    let what = "it holds no dashboards: neither index.json.gz nor files such as 123.json".to_owned();
                    FeatureError::Source { file: path.display().to_string(), what }
                })?,
            };
            library.add(source, monitor)?;
        }
        let first_found = library.sources.len();
        for source in search.unnamed() {
            let added = match source {
                Ok(Some(source)) => library.add(source, monitor),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            match added {
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => library.notices.push(error.to_string()),
                Ok(()) => {}
            }
        }
        library.sources[first_found..].sort_by_key(|source| source.origin.kind);
        Ok(library)
    }

    fn add(&mut self, source: Source, monitor: &Monitor) -> Result<(), FeatureError> {
        if let Shelf::Store(store) = &source.shelf
            && let Some(path) = store.file(LABELS).filter(|path| path.is_file())
        {
            self.labels.push((LabelOrigin::Source(source.origin.path.clone()), labels::read(&path, monitor)?));
        }
        self.sources.push(source);
        Ok(())
    }

    /// Lets the hub be asked for features of `set` that nothing here knows, once the person has said yes for it.
    pub fn with_hub(mut self, hub: &Hub, set: &Reference, search: &Search, consents: Consents) -> Self {
        let remote = Remote::new(hub, set, search.data, search.sizes.cloned());
        self.remote = Some((remote, Mutex::new(consents)));
        self
    }

    /// What has to be said of sources that were found and cannot be used.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Where dashboards come from, in the order in which sources are asked; the hub stands last where it may be asked.
    pub fn origins(&self) -> Vec<Origin> {
        let hub = self.remote.as_ref().filter(|_| self.may_ask_hub());
        let hub = hub.map(|(remote, _)| Origin { kind: Kind::Hub, path: remote.set().to_string() });
        self.sources.iter().map(|source| source.origin.clone()).chain(hub).collect()
    }

    /// Whether it knows nothing at all and cannot ask either.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.labels.is_empty() && self.remote.is_none()
    }

    /// The set for which the person has to say yes before the hub is asked; `None` where they have, or where the hub
    /// cannot be asked.
    pub fn asks_for(&self) -> Option<&Reference> {
        let (remote, consents) = self.remote.as_ref()?;
        let is_open = remote.offline().is_none() && !locked(consents).has(remote.set());
        is_open.then(|| remote.set())
    }

    /// Lets the hub be asked from now on, and keeps that for the next time.
    ///
    /// # Errors
    /// It cannot be kept; it holds until the program ends.
    pub fn allow_hub(&self) -> Result<(), FeatureError> {
        match &self.remote {
            Some((remote, consents)) => locked(consents).give(remote.set()),
            None => Ok(()),
        }
    }

    fn may_ask_hub(&self) -> bool {
        self.remote.as_ref().is_some_and(|(remote, consents)| locked(consents).has(remote.set()))
    }

    /// What is known of a feature. Sources are asked in their order until one has a dashboard, the hub at last; while
    /// that is asked, [`ASKING`](crate::features::remote::ASKING) is reported.
    ///
    /// # Errors
    /// The work was stopped.
    pub fn read(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> Result<Found, Cancelled> {
        let mut found = self.read_here(layer, feature);
        if found.dashboard.is_some() {
            return Ok(found);
        }
        if self.may_ask_hub()
            && let Some((remote, _)) = &self.remote
        {
            match remote.read(layer, feature, monitor) {
                Ok(Some(record)) => {
                    let origin = Origin { kind: Kind::Hub, path: remote.set().to_string() };
                    self.take(&mut found, record.dashboard, origin, (layer, feature));
                }
                Ok(None) => {}
                Err(error) if error.is_cancelled() => return Err(Cancelled),
                Err(error) => found.notices.push(error.to_string()),
            }
            found.hub_may_know = false;
        }
        Ok(found)
    }

    /// What is known of a feature on this machine: a matter of milliseconds.
    pub fn read_here(&self, layer: Layer, feature: FeatureId) -> Found {
        let mut found =
            Found { label: self.label(layer, feature), hub_may_know: self.remote.is_some(), ..Found::default() };
        for source in &self.sources {
            let read = match &source.shelf {
                Shelf::Store(store) => store.read(layer, feature).map(|dashboard| dashboard.map(|it| (it, None))),
                Shelf::Folder(folder) => {
                    folder.read(layer, feature).map(|record| record.map(|it| (it.dashboard, it.label)))
                }
            };
            match read {
                Ok(Some((dashboard, label))) => {
                    let label = label.map(|text| {
                        let origin = LabelOrigin::Source(source.origin.path.clone());
                        Label { text, origin }
                    });
                    found.label = Label::first([found.label.take(), label]);
                    found.bins = source.bins(&dashboard);
                    self.take(&mut found, dashboard, source.origin.clone(), (layer, feature));
                    found.hub_may_know = false;
                    break;
                }
                Ok(None) => {}
                Err(error) => found.notices.push(error.to_string()),
            }
        }
        found
    }

    fn take(&self, found: &mut Found, dashboard: Dashboard, origin: Origin, key: (Layer, FeatureId)) {
        if let Some(density) = dashboard.density {
            locked(&self.densities).insert(key, density);
        }
        if found.label.is_none() {
            found.label = Label::automatic(&dashboard);
        }
        found.dashboard = Some((dashboard, origin));
    }

    /// What a feature is called by files of labels and by sources that hold labels. What a person or a graph's file calls
    /// it is not the library's to know, and goes before some of these: see [`Label::first`].
    pub fn label(&self, layer: Layer, feature: FeatureId) -> Option<Label> {
        let all = self.labels.iter().filter_map(|(origin, labels)| {
            let text = labels.get(&(layer, feature))?.clone();
            Some(Some(Label { text, origin: origin.clone() }))
        });
        Label::first(all)
    }

    /// The share of tokens on which a feature fires, as far as it is known without reading its dashboard: from a store
    /// with a summary, or since its dashboard was read.
    pub fn density(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        let summed = self.stores().find_map(|store| store.density(layer, feature));
        summed.or_else(|| locked(&self.densities).get(&(layer, feature)).copied())
    }

    /// A feature's largest activation, where a store with a summary knows it.
    pub fn maximum(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        self.stores().find_map(|store| store.maximum(layer, feature))
    }

    /// The stores among the sources, in their order.
    pub fn stores(&self) -> impl Iterator<Item = &Store> {
        self.sources.iter().filter_map(|source| match &source.shelf {
            Shelf::Store(store) => Some(store.as_ref()),
            Shelf::Folder(_) => None,
        })
    }
}

impl Search<'_> {
    /// What lies in a folder: a store, or files of features.
    fn any(&self, place: &Place, path: Option<&Path>, prefix: &str) -> Result<Option<Source>, FeatureError> {
        if let Some(store) = Store::open(place, prefix, self.sizes)? {
            self.check_name(&store)?;
            let kind = match store.manifest() {
                Some(manifest) if manifest.corpus.is_some() => Kind::Made,
                Some(_) => Kind::Imported,
                None => Kind::Published,
            };
            let origin = Origin { kind, path: store.path() };
            return Ok(Some(Source { origin, shelf: Shelf::Store(Box::new(store)) }));
        }
        Ok(path.and_then(|path| Folder::open(path, self.name)).map(|folder| {
            let origin = Origin { kind: Kind::Files, path: folder.path().display().to_string() };
            Source { origin, shelf: Shelf::Folder(folder) }
        }))
    }

    /// # Errors
    /// A store that was made here says that it is for another transcoder, which sizes alone need not show. What was
    /// imported has the other program's name for it.
    fn check_name(&self, store: &Store) -> Result<(), FeatureError> {
        let Some(manifest) = store.manifest().filter(|manifest| manifest.corpus.is_some()) else { return Ok(()) };
        let own = &manifest.transcoder;
        // A set that has no name of its own is called by its folder, which may since lie elsewhere.
        let folder = self.transcoder.filter(|place| place.reference().is_none()).map(Place::short_name);
        let is_folder = folder.is_some_and(|folder| Path::new(own).file_name() == Some(folder.as_ref()));
        if own.is_empty() || self.name.is_empty() || own == self.name || is_folder {
            return Ok(());
        }
        let what = format!("it was made with {own}, this one is {}", self.name);
        Err(FeatureError::OtherTranscoder { file: store.path(), what })
    }

    /// What lies where it is looked for without being told.
    fn unnamed(&self) -> impl Iterator<Item = Result<Option<Source>, FeatureError>> {
        let own = self.data.filter(|_| !self.name.is_empty());
        let made = own.map(|data| own_folder(data, self.name));
        let imported = own.map(|data| imported_folder(data, self.name));
        let own = made.into_iter().chain(imported).filter_map(|path| {
            let place = Place::directory(&path).ok()?;
            Some(self.any(&place, Some(&path), ""))
        });
        let beside = self.transcoder.map(|place| {
            let path = place.directory_path().map(|path| path.join("features"));
            self.any(place, path.as_deref(), "features/")
        });
        own.chain(beside)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
