//! Downloads: what would come and how large it is, and then the coming of it.

#[cfg(feature = "hub")]
mod address;
#[cfg(feature = "hub")]
mod exchange;
#[cfg(feature = "hub")]
mod file;
#[cfg(feature = "hub")]
mod hasher;
#[cfg(feature = "hub")]
mod plan;
#[cfg(feature = "hub")]
mod remote;
#[cfg(feature = "hub")]
mod site;
#[cfg(feature = "hub")]
mod store;

#[cfg(not(feature = "hub"))]
use crate::hub::GraphLink;
use crate::hub::{Hub, HubError, Reference, Request};
use crate::job::Monitor;
use std::fmt;
use std::ops::Range;

/// The phase under which bytes are reported.
pub const DOWNLOADING: &str = "downloading";

/// A file that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFile {
    /// Its path within the repository.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Bytes of it that are on this machine already, at most `size`.
    pub here: u64,
    /// What it has to hash to.
    pub id: ContentId,
}

/// What a file's content hashes to, as the hub lists it; the name of its blob in the cache too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentId {
    /// Of files that Git LFS keeps, in hexadecimal.
    Sha256(String),
    /// Of the others: Git's name for a content, SHA-1 of its length and its bytes, in hexadecimal.
    Git(String),
}

impl ContentId {
    /// In hexadecimal.
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }
}

/// The files that are needed of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoOffer {
    /// `org/repo`.
    pub repo: String,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit that it stands for now.
    pub commit: String,
    /// The files.
    pub files: Vec<OfferedFile>,
}

impl RepoOffer {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Bytes that are not here yet.
    pub fn to_come(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size.saturating_sub(file.here)))
    }
}

/// What would be downloaded, before it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// By repository.
    pub repos: Vec<RepoOffer>,
    /// The model that an asked for transcoder was trained for, as its `config.yaml` calls it.
    pub model_name: Option<String>,
}

impl Offer {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.repos.iter().fold(0, |sum, repo| sum.saturating_add(repo.bytes()))
    }

    /// Bytes that are not here yet.
    pub fn to_come(&self) -> u64 {
        self.repos.iter().fold(0, |sum, repo| sum.saturating_add(repo.to_come()))
    }

    /// A line a repository: what and how large.
    pub fn lines(&self) -> Vec<String> {
        let line = |repo: &RepoOffer| {
            let (all, to_come) = (repo.bytes(), repo.to_come());
            let here = match to_come {
                0 => ", all here".to_owned(),
                _ if to_come < all => format!(", {} of it here", Bytes(all - to_come)),
                _ => String::new(),
            };
            let files = if repo.files.len() == 1 { "file" } else { "files" };
            format!("{}@{}: {} {files}, {}{here}", repo.repo, repo.revision, repo.files.len(), Bytes(all))
        };
        self.repos.iter().map(line).collect()
    }
}

/// A number of bytes, for a person to read: powers of 1000, three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut units = ["kB", "MB", "GB", "TB", "PB", "EB"].iter();
        let mut unit = "bytes";
        while value >= 999.5
            && let Some(next) = units.next()
        {
            value /= 1000.0;
            unit = next;
        }
        match unit {
            "bytes" => write!(f, "{value} {unit}"),
            _ if value < 9.995 => write!(f, "{value:.2} {unit}"),
            _ if value < 99.95 => write!(f, "{value:.1} {unit}"),
            _ => write!(f, "{value:.0} {unit}"),
        }
    }
}

impl Hub {
    /// Asks the server what of `request` would have to be downloaded. Of what is complete on this machine nothing is
    /// asked, unless `anew`: then what the revision stands for now is.
    ///
    /// # Errors
    /// The network is forbidden or cannot be reached; there is no such repository, it is gated, or holds nothing that
    /// can be traced; the work was stopped.
    #[cfg(feature = "hub")]
    pub fn offer(&self, request: &Request, anew: bool, monitor: &Monitor) -> Result<Offer, HubError> {
        self.access.allow(request)?;
        plan::offer(self, request, anew, monitor)
    }

    /// Downloads what was offered into the hub cache. What is interrupted goes on where it was the next time.
    ///
    /// # Errors
    /// As [`Hub::offer`]; there is no room, or what came is not what was promised.
    #[cfg(feature = "hub")]
    pub fn fetch(&self, offer: &Offer, monitor: &Monitor) -> Result<(), HubError> {
        if offer.repos.is_empty() {
            return Ok(());
        }
        self.access.allow(offer)?;
        file::fetch(self, offer, monitor)
    }

    /// Whether this machine has something of what a reference names.
    pub fn has(&self, reference: &Reference) -> bool {
        self.cache.commit(reference.repo(), reference.revision()).is_some()
    }

    /// The commit that a reference stands for: by what is on this machine, else by what the server says.
    ///
    /// # Errors
    /// As [`Hub::offer`].
    #[cfg(feature = "hub")]
    pub fn commit(&self, reference: &Reference, monitor: &Monitor) -> Result<String, HubError> {
        if let Some(commit) = self.cache.commit(reference.repo(), reference.revision()) {
            return Ok(commit);
        }
        self.access.allow(reference)?;
        Ok(remote::Remote::new(&self.access, monitor).listing(reference.repo(), reference.revision())?.commit)
    }

    /// The bytes `range` of the file that a reference names, as it was at a commit, or all of it; at most `most` bytes,
    /// and fewer where the file ends before. Nothing is kept.
    ///
    /// # Errors
    /// As [`Hub::offer`]; [`HubError::NotFound`] where there is no such file.
    #[cfg(feature = "hub")]
    pub fn excerpt(
        &self,
        file: &Reference,
        commit: &str,
        range: Option<&Range<u64>>,
        most: usize,
        monitor: &Monitor,
    ) -> Result<Vec<u8>, HubError> {
        self.access.allow(file)?;
        remote::Remote::new(&self.access, monitor).excerpt(file.repo(), commit, file.path(), range, most)
    }

    /// This build cannot ask.
    ///
    /// # Errors
    /// Where what is on this machine does not tell.
    #[cfg(not(feature = "hub"))]
    pub fn commit(&self, reference: &Reference, _monitor: &Monitor) -> Result<String, HubError> {
        let here = self.cache.commit(reference.repo(), reference.revision());
        here.ok_or_else(|| HubError::NoNetworkBuilt { what: reference.to_string() })
    }

    /// This build cannot ask.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "hub"))]
    pub fn graph_of(&self, link: &GraphLink, _monitor: &Monitor) -> Result<Vec<u8>, HubError> {
        self.neuronpedia.allow(link)?;
        Err(HubError::NoNetworkBuilt { what: link.to_string() })
    }

    /// This build cannot ask.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "hub"))]
    pub fn features_of(&self, _asked: &serde_json::Value, _monitor: &Monitor) -> Result<Vec<u8>, HubError> {
        let what = "features of Neuronpedia";
        self.neuronpedia.allow(what)?;
        Err(HubError::NoNetworkBuilt { what: what.to_owned() })
    }

    /// This build cannot ask.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "hub"))]
    pub fn excerpt(
        &self,
        file: &Reference,
        _commit: &str,
        _range: Option<&Range<u64>>,
        _most: usize,
        _monitor: &Monitor,
    ) -> Result<Vec<u8>, HubError> {
        self.access.allow(file)?;
        Err(HubError::NoNetworkBuilt { what: file.to_string() })
    }

    /// This build cannot ask.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "hub"))]
    pub fn offer(&self, request: &Request, _anew: bool, _monitor: &Monitor) -> Result<Offer, HubError> {
        self.access.allow(request)?;
        Err(HubError::NoNetworkBuilt { what: request.to_string() })
    }

    /// This build cannot download.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "hub"))]
    pub fn fetch(&self, offer: &Offer, _monitor: &Monitor) -> Result<(), HubError> {
        Err(HubError::NoNetworkBuilt { what: offer.to_string() })
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.repos.iter().map(|repo| repo.repo.as_str()).collect();
        f.write_str(&names.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_well() {
        let shown = |n| Bytes(n).to_string();
        assert_eq!(shown(0), "0 bytes");
        assert_eq!(shown(999), "999 bytes");
        assert_eq!(shown(1000), "1.00 kB");
        assert_eq!(shown(9_996), "10.0 kB");
        assert_eq!(shown(999_600), "1.00 MB");
        assert_eq!(shown(10_450_000_000), "10.4 GB");
        assert_eq!(shown(u64::MAX), "18.4 EB");
    }
}
