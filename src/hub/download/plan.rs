//! Plan of a download, asked of the server: listings, and the small files that name further files.

use super::remote::{Listed, Listing, Remote};
use super::store::Store;
use crate::hub::contents::FileListing;
use crate::hub::request::{elsewhere, model_of};
use crate::hub::{
    Access, Contents, Hub, HubError, Offer, OfferedFile, Reference, RepoOffer, Request, Role, SetOptions, Source,
};
use crate::job::Monitor;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn offer(hub: &Hub, request: &Request, anew: bool, monitor: &Monitor) -> Result<Offer, HubError> {
    monitor.report("asking the hub", 0, 0)?;
    let mut plan = Plan {
        hub,
        remote: Remote::new(&hub.access, monitor),
        anew,
        listings: BTreeMap::new(),
        offer: Offer::default(),
    };
    match request {
        Request::Pair { model, transcoder, said } => {
            let name = plan.add(transcoder, Some(Role::Transcoder), said)?;
            plan.offer.model_name.clone_from(&name);
            let model = match model {
                Some(model) => model.clone(),
                None => model_of(&request.to_string(), name.as_deref())?,
            };
            plan.add(&model, Some(Role::Model), &SetOptions::default())?;
        }
        Request::Each(references, said) => {
            for reference in references {
                let name = plan.add(&Source::Hub(reference.clone()), None, said)?;
                plan.offer.model_name = name.or(plan.offer.model_name);
            }
        }
    }
    Ok(plan.offer)
}

struct Plan<'a> {
    hub: &'a Hub,
    remote: Remote<'a>,
    anew: bool,
    /// Listings by repository and revision.
    listings: BTreeMap<(String, String), Listing>,
    offer: Offer,
}

impl Plan<'_> {
    /// Adds the missing files of a model or transcoder; returns the model that a transcoder names.
    fn add(&mut self, source: &Source, role: Option<Role>, said: &SetOptions) -> Result<Option<String>, HubError> {
        // Which one of several sets is meant matters to transcoders alone.
        let role = role.or((said.width.is_some() || said.l0.is_some()).then_some(Role::Transcoder));
        if let Some(contents) = self.on_disk(source, role, said)? {
            let elsewhere: Vec<_> = contents.missing.iter().filter_map(|name| elsewhere(name)).collect();
            // What a directory of the user's own lacks is not in any repository; its loader says so.
            let is_directory = matches!(source, Source::Directory(_));
            if contents.missing.is_empty() || is_directory {
                self.add_files(&elsewhere)?;
                return Ok(contents.model_name);
            }
        }
        let Source::Hub(reference) = source else { return Ok(None) };
        let listing = self.listing(reference)?;
        let names = listing.below(reference);
        let mut shelf =
            OnServer { remote: &self.remote, access: &self.hub.access, reference, listing: &listing, names };
        let top = shelf.top()?;
        let unusable = |what: &str| HubError::NotUsable { reference: reference.clone(), what: what.to_owned() };
        let role = role.or_else(|| Role::of(&top)).ok_or_else(|| {
            unusable(
                "it holds neither a config.json (a model) nor a config.yaml (a transcoder); name the folder that does",
            )
        })?;
        let needed = role.needs(&mut shelf, said)?;
        let lacking: Vec<&str> = needed.files.iter().filter(|name| !shelf.has(name)).map(String::as_str).collect();
        if !lacking.is_empty() {
            return Err(unusable(&format!(
                "it has no {}, so it cannot be traced with",
                lacking.iter().take(3).copied().collect::<Vec<_>>().join(", no ")
            )));
        }
        let within = |name: &String| match reference.path() {
            "" => name.clone(),
            path => format!("{path}/{name}"),
        };
        let files: Vec<_> = needed.files.iter().map(|name| reference.with_path(within(name))).collect();
        self.add_files(&files)?;
        self.add_files(&needed.elsewhere)?;
        Ok(needed.model_name)
    }

    /// Returns the contents on this machine; `None` where there are none, or where the server is to be asked anyway.
    fn on_disk(&self, source: &Source, role: Option<Role>, said: &SetOptions) -> Result<Option<Contents>, HubError> {
        if self.anew && matches!(source, Source::Hub(_)) {
            return Ok(None);
        }
        let place = match self.hub.place(source) {
            Ok(place) => place.with_options(said),
            Err(HubError::NotHere { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match role.or(Role::of(&place.files()?)) {
            Some(role) => Contents::of(&place, role).map(Some),
            None => Ok(None),
        }
    }

    fn listing(&mut self, reference: &Reference) -> Result<Listing, HubError> {
        let key = (reference.repo().to_owned(), reference.revision().to_owned());
        if let Some(listing) = self.listings.get(&key) {
            return Ok(listing.clone());
        }
        let listing = self.remote.listing(&key.0, &key.1)?;
        self.listings.insert(key, listing.clone());
        Ok(listing)
    }

    /// Adds files by reference, each repository's together.
    fn add_files(&mut self, files: &[Reference]) -> Result<(), HubError> {
        for reference in files {
            let listing = self.listing(reference)?;
            let listed = listing.file(&self.hub.access, reference)?;
            let file = self.offered(reference, &listing.commit, listed);
            let repos = &mut self.offer.repos;
            let same = |repo: &RepoOffer| repo.repo == reference.repo() && repo.revision == reference.revision();
            let at = repos.iter().position(same).unwrap_or_else(|| {
                repos.push(RepoOffer {
                    repo: reference.repo().to_owned(),
                    revision: reference.revision().to_owned(),
                    commit: listing.commit.clone(),
                    files: Vec::new(),
                });
                repos.len() - 1
            });
            if !repos[at].files.iter().any(|there| there.name == file.name) {
                repos[at].files.push(file);
            }
        }
        Ok(())
    }

    fn offered(&self, reference: &Reference, commit: &str, listed: &Listed) -> OfferedFile {
        let store = Store::new(&self.hub.cache, reference.repo());
        OfferedFile {
            name: reference.path().to_owned(),
            size: listed.size,
            here: store.here(commit, reference.path(), listed.id.hex(), listed.size),
            id: listed.id.clone(),
        }
    }
}

/// Listing of a repository on the server.
struct OnServer<'a> {
    remote: &'a Remote<'a>,
    access: &'a Access,
    reference: &'a Reference,
    listing: &'a Listing,
    /// Names below the reference's folder.
    names: BTreeSet<String>,
}

impl OnServer<'_> {
    /// The names below a folder, as seen from there.
    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.names.iter().filter_map(move |name| name.strip_prefix(&prefix))
    }

    /// A file's path in the repository.
    fn path(&self, name: &str) -> String {
        match self.reference.path() {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        }
    }
}

impl FileListing for OnServer<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn files(&self, folder: &str) -> Vec<String> {
        self.below(folder).filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    fn folders(&self, within: &str) -> Vec<String> {
        let folder = |name: &str| name.split_once('/').map(|(folder, _)| folder.to_owned());
        self.below(within).filter_map(folder).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn name(&self, file: &str) -> String {
        if file.is_empty() {
            self.reference.to_string()
        } else {
            format!("{}/{}", self.reference.repo(), self.path(file))
        }
    }

    fn set_name(&self, set: &str) -> String {
        self.reference.join(set).to_string()
    }

    fn is_on_disk(&self) -> bool {
        false
    }

    fn is_own(&self) -> bool {
        false
    }

    fn top(&self) -> Result<Vec<String>, HubError> {
        Ok(self.names.iter().filter(|name| !name.contains('/')).cloned().collect())
    }

    fn text(&mut self, name: &str, most: usize) -> Result<(String, String), HubError> {
        let path = self.path(name);
        let file = self.reference.with_path(path.clone());
        let listed = self.listing.file(self.access, &file)?;
        let text = self.remote.small_file(&file, &self.listing.commit, listed, most)?;
        Ok((text, format!("{}/{path}", self.reference.repo())))
    }
}
