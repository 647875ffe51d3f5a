//! One feature's JSON, whoever wrote it.

use crate::features::Dashboard;
use crate::features::neuronpedia::{self, Named};
use crate::untrusted::json_fault;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a JSON says of a feature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The dashboard.
    pub dashboard: Dashboard,
    /// What somebody called the feature.
    pub label: Option<String>,
    /// Which feature it is about, where it says so beyond doubt.
    pub named: Option<Named>,
}

/// Neuronpedia names the model in every row; circuit-tracer never does.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "modelId")]
    model: Option<IgnoredAny>,
}

/// Reads circuit-tracer's JSON of a feature, or Neuronpedia's.
///
/// # Errors
/// It is no JSON, or its parts do not fit each other; for the end of a sentence.
pub fn parse(bytes: &[u8]) -> Result<Record, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // A struct could be read from a list, too.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err("it is no JSON object".to_owned());
    }
    let probe: Probe = serde_json::from_slice(bytes).map_err(|e| json_fault(&e))?;
    if probe.model.is_some() {
        return neuronpedia::parse(bytes);
    }
    let dashboard: Dashboard = serde_json::from_slice(bytes).map_err(|e| json_fault(&e))?;
    dashboard.check()?;
    Ok(Record { dashboard, label: None, named: None })
}
