//! How the hub's server would be reached: where it is, who asks, and whether asking is forbidden.

use crate::hub::{Env, HubError};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

const SERVER: &str = "https://huggingface.co";

/// How the hub's server would be reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// The server's address, without a slash at its end.
    pub endpoint: String,
    /// Who asks.
    #[cfg_attr(not(feature = "hub"), expect(dead_code, reason = "only a request carries it"))]
    pub(super) token: Option<Token>,
    /// Who forbids the network, if anyone.
    pub offline: Option<&'static str>,
}

/// A secret; it never shows in a message.
#[derive(Clone)]
#[cfg_attr(not(feature = "hub"), expect(dead_code, reason = "only a request carries it"))]
pub(super) struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Access {
    /// Reads `HF_ENDPOINT`, `HF_TOKEN` (or `HUGGING_FACE_HUB_TOKEN`, or the token that a login saved) and
    /// `HF_HUB_OFFLINE`, as Python's huggingface_hub does.
    ///
    /// # Errors
    /// The endpoint is no address, or the token cannot be one.
    pub(super) fn from_env(env: Env, home: &Path, offline: bool) -> Result<Self, HubError> {
        let text = |name: &str| env(name).and_then(|value| value.into_string().ok());
        let set = |name: &str| text(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| SERVER.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(HubError::Environment(format!("HF_ENDPOINT is {endpoint:?}; it has to begin with https://")));
        }
        let saved = || {
            let path =
                set("HF_TOKEN_PATH").map_or_else(|| super::cache::hub_home(env, home).join("token"), PathBuf::from);
            fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let token = set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(saved);
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            let what = "the token for the hub holds characters that no token has; see HF_TOKEN and HF_TOKEN_PATH";
            return Err(HubError::Environment(what.to_owned()));
        }
        let forbidden = set("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()));
        let offline = match (offline, forbidden) {
            (true, _) => Some("--offline"),
            (false, true) => Some("HF_HUB_OFFLINE"),
            (false, false) => None,
        };
        Ok(Self { endpoint, token: token.map(Token), offline })
    }

    /// # Errors
    /// [`HubError::Offline`] where the network is forbidden; `what` is what it is needed for.
    pub fn allow(&self, what: impl fmt::Display) -> Result<(), HubError> {
        match self.offline {
            Some(because) => Err(HubError::Offline { what: what.to_string(), because }),
            None => Ok(()),
        }
    }
}
