//! What can keep a model or a transcoder from being had.

use crate::hub::{PlaceError, Reference};
use crate::job::Cancelled;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A reference that leads nowhere, or a download that failed. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum HubError {
    /// Neither a directory nor a reference.
    #[error(
        "{text}: no such directory, and not a hub reference (ORG/REPO, ORG/REPO/FOLDER, each with @REVISION) either"
    )]
    NotAReference {
        /// What was given.
        text: String,
    },
    /// A reference that this machine has nothing of.
    #[error(
        "{reference}: no such directory, and not in the hub cache {}; fetch it with `circuitscope pull {reference}` or \
         add --download",
        cache.display()
    )]
    NotHere {
        /// What was asked for.
        reference: Reference,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// A part of a model or a transcoder is not on this machine.
    #[error(
        "{reference} is in the hub cache only in part, without {}; fetch the rest with `circuitscope pull {reference}` or \
         add --download",
        list(files)
    )]
    Incomplete {
        /// The model or transcoder.
        reference: Reference,
        /// What is missing.
        files: Vec<String>,
    },
    /// A transcoder does not lead to its model.
    #[error("transcoder {transcoder} {what}; give --model")]
    NoModel {
        /// The transcoder.
        transcoder: String,
        /// What it says of its model.
        what: String,
    },
    /// A file of a place cannot be had.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A file that says what else is needed is not understood.
    #[error("{path}: {what}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
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
    /// The environment cannot be used.
    #[error("{0}")]
    Environment(String),
    /// The network would be needed and may not be used.
    #[error(
        "{what}: not all of it is on this machine, and {because} forbids the network; leave that out to download it"
    )]
    Offline {
        /// What is needed.
        what: String,
        /// Who forbids it.
        because: &'static str,
    },
    /// The program was built without the feature `hub`.
    #[error(
        "this build of circuitscope cannot download; fetch {what} with another tool into the hub cache, or build with \
         the feature hub"
    )]
    NoNetworkBuilt {
        /// What is needed.
        what: String,
    },
    /// The server cannot be reached, or the connection broke more often than is worth trying again.
    #[error(
        "{} cannot be reached: {}; check the network, then run it again: what was fetched is kept",
        without_passwords(url),
        without_passwords(why)
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
    /// The repository is for those who accepted its terms.
    #[error(
        "{repo} is gated or private: accept its terms at {} and set HF_TOKEN to a token of that account{}",
        without_passwords(page),
        if *had_token { " (the token that was sent does not open it)" } else { "" }
    )]
    Gated {
        /// The repository.
        repo: String,
        /// Where its terms stand.
        page: String,
        /// A token was sent.
        had_token: bool,
    },
    /// The server has no such thing.
    #[error("{} has no {what}; check the spelling", without_passwords(endpoint))]
    NotFound {
        /// The server.
        endpoint: String,
        /// The repository, revision or file.
        what: String,
    },
    /// The server answers with something else than was asked for.
    #[error("{}: the server answers {status}; try again later", without_passwords(url))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server does not want to be asked now.
    #[error(
        "{}: the server is busy ({status}{}) and asks to be left alone for {}; run it again then: what was fetched is \
         kept",
        without_passwords(url),
        if *status == 429 { ", too many requests" } else { "" },
        wait.map_or("a while".to_owned(), |wait| format!("{} s", wait.as_secs()))
    )]
    Busy {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How long, where it says so.
        wait: Option<Duration>,
    },
    /// The repository is no model and no transcoder.
    #[error("{reference}: {what}")]
    NotUsable {
        /// The repository or a folder of it.
        reference: Reference,
        /// What is wrong with it.
        what: String,
    },
    /// What the server says would do harm or makes no sense.
    #[error("{}: refused, {}", without_passwords(url), without_passwords(what))]
    Refused {
        /// What was asked for.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// The file that came is not the file that was promised.
    #[error("{file}: {what}; it was removed, run it again to fetch it anew")]
    Corrupt {
        /// The file.
        file: String,
        /// What differs.
        what: String,
    },
    /// There is not enough room.
    #[error("{} more bytes are needed in {} and {} are free; make room, or set HF_HUB_CACHE to another disk", need, folder.display(), free)]
    NoSpace {
        /// Bytes to come.
        need: u64,
        /// Bytes that are free.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
    /// A file of the cache cannot be written.
    #[error("{}: {}", path.display(), write_error(error))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

#[cfg(feature = "hub")]
impl HubError {
    /// An error about a file of the cache.
    pub(super) fn write(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Write { path: path.to_owned(), error }
    }
}

/// A text with addresses in it, each without the name and the password that may stand before the host.
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

/// The first few names, and how many more there are.
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
