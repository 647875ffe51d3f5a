//! Errors of finding or downloading a model or a transcoder.

use crate::hub::{FileSourceError, Reference};
use crate::job::Cancelled;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A reference that leads nowhere, or a download that failed. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum HubError {
    /// Text that is neither a directory nor a reference.
    #[error(
        "{text}: no such directory, and not a hub reference (ORG/REPO, ORG/REPO/FOLDER, each with @REVISION) either"
    )]
    NotAReference {
        /// Text that was given.
        text: String,
    },
    /// Reference without any files on this machine.
    #[error(
        "{reference}: no such directory, and not in the hub cache {}; fetch it with `circuitscope pull {reference}` or \
         add --download",
        cache.display()
    )]
    NotHere {
        /// Reference that was asked for.
        reference: Reference,
        /// Folder of the cache that was searched.
        cache: PathBuf,
    },
    /// Model or transcoder of which this machine has only a part.
    #[error(
        "{reference} is in the hub cache only in part, without {}; fetch the rest with `circuitscope pull {reference}` or \
         add --download",
        list(files)
    )]
    Incomplete {
        /// The model or transcoder.
        reference: Reference,
        /// Missing files.
        files: Vec<String>,
    },
    /// Transcoder that does not lead to its model.
    #[error("transcoder {transcoder} {what}; give --model")]
    NoModel {
        /// The transcoder.
        transcoder: String,
        /// Its fault, for the message.
        what: String,
    },
    /// File of a model or transcoder that cannot be had.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// File that names further files and cannot be understood.
    #[error("{path}: {what}")]
    Unreadable {
        /// Path of the file.
        path: String,
        /// Description of the fault.
        what: String,
    },
    /// A transcoder that is not there in any layout.
    #[error("{place}: {what}")]
    NoLayout {
        /// The folder.
        place: String,
        /// What was looked for, and what was missing for the nearest.
        what: String,
    },
    /// Environment that cannot be used.
    #[error("{0}")]
    Environment(String),
    /// Network that is needed and forbidden.
    #[error(
        "{what}: not all of it is on this machine, and {because} forbids the network; leave that out to download it"
    )]
    Offline {
        /// Thing that is needed.
        what: String,
        /// Setting that forbids it.
        because: &'static str,
    },
    /// Build without the feature `hub`.
    #[error(
        "this build of circuitscope cannot download; fetch {what} with another tool into the hub cache, or build with \
         the feature hub"
    )]
    NoNetworkBuilt {
        /// Thing that is needed.
        what: String,
    },
    /// Server that cannot be reached, or a connection that broke more often than is worth trying again.
    #[error(
        "{} cannot be reached: {}; check the network, then run it again: what was fetched is kept",
        without_passwords(url),
        without_passwords(why)
    )]
    Unreachable {
        /// Address that was asked for.
        url: String,
        /// Reason of the failure.
        why: String,
    },
    /// Repository whose terms have to be accepted.
    #[error(
        "{repo} is gated or private: accept its terms at {} and set HF_TOKEN to a token of that account{}",
        without_passwords(page),
        if *had_token { " (the token that was sent does not open it)" } else { "" }
    )]
    Gated {
        /// The repository.
        repo: String,
        /// Address of its terms.
        page: String,
        /// True where a token was sent.
        had_token: bool,
    },
    /// Repository, revision or file that the server does not have.
    #[error("{} has no {what}; check the spelling", without_passwords(endpoint))]
    NotFound {
        /// Address of the server.
        endpoint: String,
        /// Repository, revision or file.
        what: String,
    },
    /// Answer of an unexpected status.
    #[error("{}: the server answers {status}; try again later", without_passwords(url))]
    Status {
        /// Address that was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Server that is too busy to answer.
    #[error(
        "{}: the server is busy ({status}{}) and asks to be left alone for {}; run it again then: what was fetched is \
         kept",
        without_passwords(url),
        if *status == 429 { ", too many requests" } else { "" },
        wait.map_or("a while".to_owned(), |wait| format!("{} s", wait.as_secs()))
    )]
    Busy {
        /// Address that was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Pause that it asks for, where it names one.
        wait: Option<Duration>,
    },
    /// Repository that is no model and no transcoder.
    #[error("{reference}: {what}")]
    NotUsable {
        /// Repository or a folder of it.
        reference: Reference,
        /// Description of the fault.
        what: String,
    },
    /// Answer of the server that would do harm or makes no sense.
    #[error("{}: refused, {}", without_passwords(url), without_passwords(what))]
    Refused {
        /// Address that was asked for.
        url: String,
        /// Description of the fault.
        what: String,
    },
    /// File that differs from the one in the listing.
    #[error("{file}: {what}; it was removed, run it again to fetch it anew")]
    Corrupt {
        /// The file.
        file: String,
        /// Description of the difference.
        what: String,
    },
    /// Disk without enough room.
    #[error("{} more bytes are needed in {} and {} are free; make room, or set HF_HUB_CACHE to another disk", need, folder.display(), free)]
    NoSpace {
        /// Bytes still to be downloaded.
        need: u64,
        /// Bytes that are free.
        free: u64,
        /// Folder of the download.
        folder: PathBuf,
    },
    /// File of the cache that cannot be written.
    #[error("{}: {}", path.display(), write_error(error))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Request to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

#[cfg(feature = "hub")]
impl HubError {
    /// Returns a function that makes the error about a file of the cache.
    pub(super) fn write(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Write { path: path.to_owned(), error }
    }
}

/// Returns a text with addresses in it, each without the name and the password that may stand before the host.
pub(super) fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        let authority = behind.find(['/', '?', '#', '"', ' ']).unwrap_or(behind.len());
        out.push_str(before);
        rest = match behind[..authority].rfind('@') {
            Some(at) => &behind[at + 1..],
            None => behind,
        };
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + rest) }
}

fn write_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "no space is left; make room, or set HF_HUB_CACHE to another disk".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Returns the first few names, and the number of the others.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_left_in_a_text() {
        for (text, shown) in [
            ("https://hub.example/a@main", "https://hub.example/a@main"),
            ("https://me:secret@hub.example:80/a", "https://hub.example:80/a"),
            ("it redirects to http://me:p@ss@hub.example, bad", "it redirects to http://hub.example, bad"),
            ("a://b@c d://e@f/g@h", "a://c d://f/g@h"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
