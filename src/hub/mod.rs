//! Sources of models and transcoders: a directory, the hub cache that this machine shares with Python's tools, or, when
//! asked, the hub itself.
//!
//! Only methods of [`Hub`] open a connection, and only where neither `HF_HUB_OFFLINE` nor the caller forbids it.
//! Neuronpedia, for graphs and the records of their features, is reached in the same way.

mod access;
mod cache;
mod contents;
mod download;
mod error;
mod file_source;
mod inventory;
mod layout;
mod link;
mod preset;
mod published;
mod reference;
mod request;
mod set_options;

pub use access::{Access, Patience};
pub use cache::Cache;
pub use contents::{CONFIG_BYTES, Contents, Role, drop_repeated};
pub use download::{Bytes, ContentId, DOWNLOADING, Offer, OfferedFile, RepoOffer};
pub use error::HubError;
pub use file_source::{Blob, Embedded, FileSource, FileSourceError, Folder};
pub use inventory::{Inventory, Pair, Part};
pub use link::{GraphLink, SITE};
pub use preset::{PRESETS, Preset};
pub use published::Published;
pub use reference::{Reference, Source, is_inside};
pub use request::Request;
pub use set_options::{KeyValue, SetOptions};

use std::ffi::OsString;

/// Reader of environment variables, so that nothing here reads them behind the caller's back.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The hub as this machine reaches it: its cache, and the access to the server.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Cache of all tools' downloads.
    pub cache: Cache,
    /// Access to the hub's server.
    pub access: Access,
    /// Access to Neuronpedia.
    pub neuronpedia: Access,
}

impl Hub {
    /// Reads the environment; `offline` forbids the network whatever the environment says. The server's settings are
    /// checked only where the network is used.
    pub fn from_env(env: Env, offline: bool) -> Self {
        let home = cache::home(env);
        let access = Access::from_env(env, &home, offline);
        Self { cache: Cache::from_env(env, &home), neuronpedia: Access::of_neuronpedia(env, &access), access }
    }
}
