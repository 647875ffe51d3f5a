//! JSON record of one feature, in circuit-tracer's or Neuronpedia's form.

use crate::features::Dashboard;
use crate::features::neuronpedia::{self, Named};
use crate::untrusted::json_fault;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Contents of a feature's JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Dashboard.
    pub dashboard: Dashboard,
    /// Label of the feature.
    pub label: Option<String>,
    /// Feature that it is about, where that is unambiguous.
    pub named: Option<Named>,
}

/// Field that tells the forms apart: Neuronpedia names the model in every row; circuit-tracer never does.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "modelId")]
    model: Option<IgnoredAny>,
}

/// Reads circuit-tracer's JSON of a feature, or Neuronpedia's.
///
/// # Errors
/// Fails where it is no JSON, or its parts do not fit each other; with the end of a sentence.
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
