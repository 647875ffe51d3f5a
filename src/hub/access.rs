//! Access to the hub's server: its address, the token, and the reason where the network is forbidden.

use crate::hub::error::without_passwords;
use crate::hub::{Env, GraphLink, HubError, SITE};
use crate::untrusted;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SERVER: &str = "https://huggingface.co";

/// Bytes of the largest file that holds a token.
const TOKEN_BYTES: u64 = 1 << 16;

/// Access to the hub's server.
#[derive(Clone)]
pub struct Access {
    /// Address of the server, without a slash at its end.
    pub endpoint: String,
    /// Token of the user's account.
    #[cfg_attr(not(feature = "hub"), expect(dead_code, reason = "only a request carries it"))]
    pub(super) token: Option<Token>,
    /// Name of the setting that forbids the network, if any does.
    pub offline: Option<&'static str>,
    /// Limits on waiting for the server.
    pub patience: Patience,
    /// Time until which a busy server asked to be left alone, in answer to any request. Clones share it.
    #[cfg_attr(not(feature = "hub"), expect(dead_code, reason = "only a request waits"))]
    pub(super) rest: Arc<Mutex<Option<Instant>>>,
    /// Fault of the environment; it matters only where the network is used.
    wrong: Option<&'static str>,
}

/// Limits on waiting for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Least bytes a second of an answer, over each `stretch` of waiting for it.
    pub least_rate: u64,
    /// Time of waiting after which the rate is checked.
    pub stretch: Duration,
    /// Longest time for a listing or a configuration as a whole.
    pub small: Duration,
    /// Pause before a busy server that names no pause is asked again; doubled each time.
    pub pause: Duration,
    /// Longest pause that a server may ask for.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            least_rate: 8 << 10,
            stretch: Duration::from_secs(60),
            small: Duration::from_secs(300),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
        }
    }
}

/// A secret; it never shows in a message.
#[derive(Clone)]
#[cfg_attr(not(feature = "hub"), expect(dead_code, reason = "only a request carries it"))]
pub(super) struct Token(pub String);

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("endpoint", &self.shown())
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Access {
    /// Reads `HF_ENDPOINT`, `HF_TOKEN` (or `HUGGING_FACE_HUB_TOKEN`, or the token that a login saved) and
    /// `HF_HUB_OFFLINE`, as Python's huggingface_hub does. Endpoint and token are checked only when the network is
    /// about to be used, by [`Access::allow`].
    pub(super) fn from_env(env: Env, home: &Path, offline: bool) -> Self {
        let text = |name: &str| env(name).and_then(|value| value.into_string().ok());
        let set = |name: &str| text(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| SERVER.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let saved = || {
            let path =
                set("HF_TOKEN_PATH").map_or_else(|| super::cache::hub_home(env, home).join("token"), PathBuf::from);
            let text = untrusted::read_text(&path, TOKEN_BYTES).ok();
            text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let token = set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(saved);
        let is_address = ["https://", "http://"].iter().any(|scheme| endpoint.starts_with(scheme));
        // What they hold is not repeated: a password may be part of it.
        let wrong = if !is_address {
            Some("HF_ENDPOINT is no address; it has to begin with https://")
        } else if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            Some("the token for the hub holds characters that no token has; see HF_TOKEN and HF_TOKEN_PATH")
        } else {
            None
        };
        let forbidden = set("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()));
        let offline = match (offline, forbidden) {
            (true, _) => Some("--offline"),
            (false, true) => Some("HF_HUB_OFFLINE"),
            (false, false) => None,
        };
        Self { endpoint, token: token.map(Token), offline, patience: Patience::default(), rest: Arc::default(), wrong }
    }

    /// Returns the access to Neuronpedia: at `NEURONPEDIA_ENDPOINT`, else its own address. It is forbidden where the
    /// hub is, and no token is sent.
    pub(super) fn of_neuronpedia(env: Env, hub: &Self) -> Self {
        let said = env("NEURONPEDIA_ENDPOINT").and_then(|value| value.into_string().ok());
        let said = said.map(|value| value.trim().trim_end_matches('/').to_owned()).filter(|value| !value.is_empty());
        let endpoint = said.unwrap_or_else(|| SITE.to_owned());
        let wrong = (!GraphLink::is_link(&endpoint))
            .then_some("NEURONPEDIA_ENDPOINT is no address; it has to begin with https://");
        Self { endpoint, token: None, offline: hub.offline, patience: hub.patience, rest: Arc::default(), wrong }
    }

    /// Checks that the network may be used; `what` is what it is needed for.
    ///
    /// # Errors
    /// Fails with [`HubError::Offline`] where the network is forbidden, with [`HubError::Environment`] where the
    /// environment gives no usable address or token.
    pub fn allow(&self, what: impl fmt::Display) -> Result<(), HubError> {
        match (self.offline, self.wrong) {
            (Some(because), _) => Err(HubError::Offline { what: what.to_string(), because }),
            (None, Some(wrong)) => Err(HubError::Environment(wrong.to_owned())),
            (None, None) => Ok(()),
        }
    }

    /// Returns the server's address as it may be shown: without a password.
    pub fn shown(&self) -> String {
        without_passwords(&self.endpoint).into_owned()
    }
}
