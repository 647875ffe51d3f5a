//! Downloads: first an offer of the files with their sizes, then the download itself.

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

/// Phase under which bytes are reported.
pub const DOWNLOADING: &str = "downloading";

/// A needed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFile {
    /// Path within the repository.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Bytes of it that are on this machine already, at most `size`.
    pub here: u64,
    /// Hash that its content must have.
    pub id: ContentId,
}

/// Hash of a file's content, as the hub lists it; the name of its blob in the cache too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentId {
    /// SHA-256, of files that Git LFS keeps, in hexadecimal.
    Sha256(String),
    /// Git's name for a content, of other files: SHA-1 of its length and its bytes, in hexadecimal.
    Git(String),
}

impl ContentId {
    /// Returns the hash in hexadecimal.
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }
}

/// Needed files of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoOffer {
    /// `org/repo`.
    pub repo: String,
    /// Branch, tag or commit that was asked for.
    pub revision: String,
    /// Commit that it stands for now.
    pub commit: String,
    /// Needed files.
    pub files: Vec<OfferedFile>,
}

impl RepoOffer {
    /// Returns the bytes in all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Returns the bytes still to be downloaded.
    pub fn to_come(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size.saturating_sub(file.here)))
    }
}

/// Offer of a download.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Needed files by repository.
    pub repos: Vec<RepoOffer>,
    /// Model that the transcoder asked for was trained for, as its `config.yaml` calls it.
    pub model_name: Option<String>,
}

impl Offer {
    /// Returns the bytes in all.
    pub fn bytes(&self) -> u64 {
        self.repos.iter().fold(0, |sum, repo| sum.saturating_add(repo.bytes()))
    }

    /// Returns the bytes still to be downloaded.
    pub fn to_come(&self) -> u64 {
        self.repos.iter().fold(0, |sum, repo| sum.saturating_add(repo.to_come()))
    }

    /// Returns a line a repository: its name and its size.
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

/// A number of bytes, shown with powers of 1000 and three digits.
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
    /// Asks the server for the files of `request` that have to be downloaded. For what is complete on this machine the
    /// server is not asked, unless `anew`: then it is asked for the commit that the revision stands for now.
    ///
    /// # Errors
    /// Fails where the network is forbidden or cannot be reached; where there is no such repository, it is gated, or
    /// holds nothing that can be traced; where the work was stopped.
    #[cfg(feature = "hub")]
    pub fn offer(&self, request: &Request, anew: bool, monitor: &Monitor) -> Result<Offer, HubError> {
        self.access.allow(request)?;
        plan::offer(self, request, anew, monitor)
    }

    /// Downloads the offered files into the hub cache. An interrupted download is resumed the next time.
    ///
    /// # Errors
    /// As [`Hub::offer`]; or where there is no room, or a file is not the one in the listing.
    #[cfg(feature = "hub")]
    pub fn fetch(&self, offer: &Offer, monitor: &Monitor) -> Result<(), HubError> {
        if offer.repos.is_empty() {
            return Ok(());
        }
        self.access.allow(offer)?;
        file::fetch(self, offer, monitor)
    }

    /// Returns true where this machine has any files of a reference.
    pub fn has(&self, reference: &Reference) -> bool {
        self.cache.commit(reference.repo(), reference.revision()).is_some()
    }

    /// Returns the commit that a reference stands for: the one on this machine, else the server's.
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

    /// Fetches the bytes `range` of the file that a reference names, as it was at a commit, or all of it; at most
    /// `most` bytes, and fewer where the file ends before. Nothing is kept.
    ///
    /// # Errors
    /// As [`Hub::offer`]; with [`HubError::NotFound`] where there is no such file.
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

    /// Returns the commit on this machine; this build cannot ask the server.
    ///
    /// # Errors
    /// Fails where this machine has none.
    #[cfg(not(feature = "hub"))]
    pub fn commit(&self, reference: &Reference, _monitor: &Monitor) -> Result<String, HubError> {
        let here = self.cache.commit(reference.repo(), reference.revision());
        here.ok_or_else(|| HubError::NoNetworkBuilt { what: reference.to_string() })
    }

    /// Fails, as this build is without the feature `hub`.
    ///
    /// # Errors
    /// Fails always.
    #[cfg(not(feature = "hub"))]
    pub fn graph_of(&self, link: &GraphLink, _monitor: &Monitor) -> Result<Vec<u8>, HubError> {
        self.neuronpedia.allow(link)?;
        Err(HubError::NoNetworkBuilt { what: link.to_string() })
    }

    /// Fails, as this build is without the feature `hub`.
    ///
    /// # Errors
    /// Fails always.
    #[cfg(not(feature = "hub"))]
    pub fn features_of(&self, _asked: &serde_json::Value, _monitor: &Monitor) -> Result<Vec<u8>, HubError> {
        let what = "features of Neuronpedia";
        self.neuronpedia.allow(what)?;
        Err(HubError::NoNetworkBuilt { what: what.to_owned() })
    }

    /// Fails, as this build is without the feature `hub`.
    ///
    /// # Errors
    /// Fails always.
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

    /// Fails, as this build is without the feature `hub`.
    ///
    /// # Errors
    /// Fails always.
    #[cfg(not(feature = "hub"))]
    pub fn offer(&self, request: &Request, _anew: bool, _monitor: &Monitor) -> Result<Offer, HubError> {
        self.access.allow(request)?;
        Err(HubError::NoNetworkBuilt { what: request.to_string() })
    }

    /// Fails, as this build is without the feature `hub`.
    ///
    /// # Errors
    /// Fails always.
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
