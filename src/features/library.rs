//! Library of a transcoder's dashboards and labels, from all sources.

use crate::features::label::{Label, LabelOrigin};
use crate::features::labels::{self, LABELS, LabelMap};
use crate::features::origin::{Kind, Origin};
use crate::features::remote::{Consents, Remote};
use crate::features::search::{Backing, Search, Source};
use crate::features::site::{Kept, Site};
use crate::features::store::Store;
use crate::features::{Dashboard, FeatureError};
use crate::graph::SourceSet;
use crate::hub::{FileSource, Hub, Reference};
use crate::ids::{FeatureId, Layer};
use crate::job::{Cancelled, Monitor};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Dashboard and label of one feature, as found.
#[derive(Debug, Default)]
pub struct Found {
    /// Dashboard of the first source that has one, and that source.
    pub dashboard: Option<(Dashboard, Origin)>,
    /// Lower ends of the histogram's bars, `[bars]`, where they are not evenly wide.
    pub bins: Option<Vec<f32>>,
    /// Label that takes precedence over all others of the library.
    pub label: Option<Label>,
    /// Faults of sources that should have had more.
    pub notices: Vec<String>,
    /// True where nothing was found here and the hub may have it; it is asked once the user consents.
    pub hub_may_know: bool,
}

/// Sources of a transcoder's dashboards and labels, in order of precedence.
#[derive(Debug, Default)]
pub struct Library {
    sources: Vec<Source>,
    /// Labels by origin.
    labels: Vec<(LabelOrigin, LabelMap)>,
    remote: Option<(Remote, Mutex<Consents>)>,
    site: Option<Site>,
    notices: Vec<String>,
    /// Densities of features whose dashboards were read.
    densities: Mutex<HashMap<(Layer, FeatureId), f32>>,
}

impl Library {
    /// Opens the sources that exist. One that was not named and cannot be used is left out; [`Library::notices`] then
    /// has a notice of it.
    ///
    /// # Errors
    /// Fails where a folder or a file that the user named holds nothing, is damaged, or is for another transcoder, or
    /// where the work was stopped.
    pub fn open(search: &Search, monitor: &Monitor) -> Result<Self, FeatureError> {
        let mut library = Self::default();
        for path in search.labels {
            let origin = LabelOrigin::File(path.display().to_string());
            library.labels.push((origin, labels::read(path, monitor)?));
        }
        for path in search.folders {
            monitor.cancel().check()?;
            let place = FileSource::directory(path)?;
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
        if let Backing::Store(store) = &source.shelf
            && let Some(path) = store.file(LABELS).filter(|path| path.is_file())
        {
            self.labels.push((LabelOrigin::Source(source.origin.path.clone()), labels::read(&path, monitor)?));
        }
        self.sources.push(source);
        Ok(())
    }

    /// Adds the hub as the last source for features of `set`, used once the user has consented to it.
    pub fn with_hub(mut self, hub: &Hub, set: &Reference, search: &Search, consents: Consents) -> Self {
        let remote = Remote::new(hub, set, search.data, search.sizes.cloned());
        self.remote = Some((remote, Mutex::new(consents)));
        self
    }

    /// Adds Neuronpedia as a source: features fetched earlier, and others once the user consents.
    pub fn with_site(self, hub: &Hub, set: &SourceSet, data: Option<&Path>) -> Self {
        Self { site: Some(Site::new(hub, set, data)), ..self }
    }

    /// Returns Neuronpedia, where the graph's features are there.
    pub(super) fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// Returns the hub, where the transcoder is there.
    pub(super) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref().map(|(remote, _)| remote)
    }

    /// Returns true where a dashboard of a feature is on this machine.
    pub(super) fn has_dashboard(&self, layer: Layer, feature: FeatureId) -> bool {
        self.read_here(layer, feature).dashboard.is_some()
    }

    /// Returns notices of sources that were found and cannot be used.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Returns the origins of dashboards, in order of precedence; the hub is last where it may be asked.
    pub fn origins(&self) -> Vec<Origin> {
        let hub = self.remote.as_ref().filter(|_| self.may_ask_hub());
        let hub = hub.map(|(remote, _)| Origin { kind: Kind::Hub, path: remote.set().to_string() });
        self.sources.iter().map(|source| source.origin.clone()).chain(hub).collect()
    }

    /// Returns true where there is no source, and no server to ask.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.labels.is_empty() && self.remote.is_none() && self.site.is_none()
    }

    /// Returns the set for which the user has to consent before the hub is asked; `None` where they have, or where the
    /// hub cannot be asked.
    pub fn asks_for(&self) -> Option<&Reference> {
        let (remote, consents) = self.remote.as_ref()?;
        let is_open = remote.offline().is_none() && !locked(consents).has(remote.set());
        is_open.then(|| remote.set())
    }

    /// Records the user's consent to ask the hub, also for later runs.
    ///
    /// # Errors
    /// Fails where it cannot be saved; it holds until the program ends.
    pub fn allow_hub(&self) -> Result<(), FeatureError> {
        match &self.remote {
            Some((remote, consents)) => locked(consents).give(remote.set()),
            None => Ok(()),
        }
    }

    fn may_ask_hub(&self) -> bool {
        self.remote.as_ref().is_some_and(|(remote, consents)| locked(consents).has(remote.set()))
    }

    /// Returns what is known of a feature. Sources are asked in their order until one has a dashboard, the hub last;
    /// while it is asked, [`ASKING`](crate::features::remote::ASKING) is reported.
    ///
    /// # Errors
    /// Fails where the work was stopped.
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

    /// Returns what is known of a feature on this machine, within milliseconds.
    pub fn read_here(&self, layer: Layer, feature: FeatureId) -> Found {
        let of_site = self.site.as_ref().map(|site| (site, site.kept(layer, feature)));
        let label = Label::first([self.own_label(layer, feature), of_site.as_ref().and_then(label_of)]);
        let mut found = Found { label, hub_may_know: self.remote.is_some(), ..Found::default() };
        for source in &self.sources {
            let read = match &source.shelf {
                Backing::Store(store) => store.read(layer, feature).map(|dashboard| dashboard.map(|it| (it, None))),
                Backing::Folder(folder) => {
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
        // What was fetched is here as well.
        if let (None, Some((site, Kept::Known(record)))) = (&found.dashboard, of_site)
            && record.dashboard.examples().next().is_some()
        {
            let origin = Origin { kind: Kind::Neuronpedia, path: site.name() };
            self.take(&mut found, record.dashboard, origin, (layer, feature));
        }
        if found.dashboard.is_none()
            && let Some((remote, dashboard)) = self.remote().and_then(|it| Some((it, it.kept_of(layer, feature)?)))
        {
            let origin = Origin { kind: Kind::Hub, path: remote.set().to_string() };
            self.take(&mut found, dashboard, origin, (layer, feature));
            found.hub_may_know = false;
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

    /// Returns the label of a feature from files of labels and from sources that hold labels, Neuronpedia among them.
    /// Labels of the user or of a graph's file are not in the library, and take precedence over some of these: see
    /// [`Label::first`].
    pub fn label(&self, layer: Layer, feature: FeatureId) -> Option<Label> {
        let of_site = self.site.as_ref().map(|site| (site, site.kept(layer, feature)));
        Label::first([self.own_label(layer, feature), of_site.as_ref().and_then(label_of)])
    }

    /// Returns the label of a feature from files and stores.
    fn own_label(&self, layer: Layer, feature: FeatureId) -> Option<Label> {
        let all = self.labels.iter().filter_map(|(origin, labels)| {
            let text = labels.get(&(layer, feature))?.clone();
            Some(Some(Label { text, origin: origin.clone() }))
        });
        Label::first(all)
    }

    /// Returns the share of tokens on which a feature fires, where it is known without reading its dashboard: from a
    /// store with a summary, or since its dashboard was read.
    pub fn density(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        let summed = self.stores().find_map(|store| store.density(layer, feature));
        summed.or_else(|| locked(&self.densities).get(&(layer, feature)).copied())
    }

    /// Returns a feature's largest activation, where a store with a summary has it.
    pub fn maximum(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        self.stores().find_map(|store| store.maximum(layer, feature))
    }

    /// Returns the stores among the sources, in their order.
    pub fn stores(&self) -> impl Iterator<Item = &Store> {
        self.sources.iter().filter_map(|source| match &source.shelf {
            Backing::Store(store) => Some(store.as_ref()),
            Backing::Folder(_) => None,
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns Neuronpedia's label of a feature.
fn label_of((site, kept): &(&Site, Kept)) -> Option<Label> {
    let Kept::Known(record) = kept else { return None };
    let text = record.label.clone()?;
    Some(Label { text, origin: LabelOrigin::Source(site.name()) })
}
