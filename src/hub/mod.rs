//! Where models and transcoders come from: a directory, the hub cache that this machine shares with Python's tools, or,
//! when asked, the hub itself.
//!
//! Nothing here opens a connection but methods of [`Hub`], and those only where neither `HF_HUB_OFFLINE` nor the caller
//! forbids it. Neuronpedia, which has graphs and what is known of their features, is reached in the same way.

mod access;
mod cache;
mod contents;
mod download;
mod error;
mod inventory;
mod layout;
mod link;
mod place;
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
pub use inventory::{Inventory, Pair, Part};
pub use link::{GraphLink, SITE};
pub use place::{Blob, Embedded, Folder, Place, PlaceError};
pub use preset::{PRESETS, Preset};
pub use published::Published;
pub use reference::{Reference, Source, is_inside};
pub use request::Request;
pub use set_options::{KeyValue, SetOptions};

use std::ffi::OsString;

/// How the environment is asked, so that nothing here reads it behind the caller's back.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The hub as this machine sees it: its cache, and how the server would be reached.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Where downloads of every tool lie.
    pub cache: Cache,
    /// The server, who asks, and whether asking is forbidden.
    pub access: Access,
    /// The same for Neuronpedia.
    pub neuronpedia: Access,
}

impl Hub {
    /// What the environment says; `offline` forbids the network whatever it says. What it says of the server is looked
    /// at only where the network is used.
    pub fn from_env(env: Env, offline: bool) -> Self {
        let home = cache::home(env);
        let access = Access::from_env(env, &home, offline);
        Self { cache: Cache::from_env(env, &home), neuronpedia: Access::of_neuronpedia(env, &access), access }
    }
}
