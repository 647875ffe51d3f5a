//! Neuronpedia's API: the file of a graph, and the records of many features at once.

use super::DOWNLOADING;
use super::exchange::{Answer, Body, send};
use super::remote::{Failure, Remote, busy, is_redirect};
use crate::hub::{GraphLink, Hub, HubError};
use crate::job::Monitor;
use crate::untrusted::json_fault;
use serde::Deserialize;
use serde_json::Value;
use ureq::http::{Method, Uri};

/// Bytes of the largest record of a graph.
const MOST_RECORD: usize = 1 << 20;
/// Bytes of the largest file of a graph.
const MOST_GRAPH: usize = 512 << 20;
/// Bytes of the largest answer about features.
const MOST_FEATURES: usize = 128 << 20;
/// Tries of a request.
const TRIES: u32 = 4;

/// Neuronpedia's record of a graph.
#[derive(Deserialize)]
struct Record {
    url: Option<String>,
}

impl Hub {
    /// Fetches the file of the graph that a link leads to, as Neuronpedia has it.
    ///
    /// # Errors
    /// Fails where the network is forbidden or fails, there is no such graph, or the work was stopped.
    pub fn graph_of(&self, link: &GraphLink, monitor: &Monitor) -> Result<Vec<u8>, HubError> {
        let what = format!("graph {} of {}", link.slug, link.model);
        self.neuronpedia.allow(&what)?;
        let remote = Remote::new(&self.neuronpedia, monitor);
        let endpoint = &self.neuronpedia.endpoint;
        let url = format!("{endpoint}{}", link.record());
        let refused = |what: String| HubError::Refused { url: url.clone(), what };
        let record = remote.whole(&url, None, &what, MOST_RECORD, false)?;
        let record: Record =
            serde_json::from_slice(&record).map_err(|e| refused(format!("of its answer, {}", json_fault(&e))))?;
        let address = record.url.ok_or_else(|| refused("it does not say where the graph's file is".to_owned()))?;
        let address = if address.starts_with('/') { format!("{endpoint}{address}") } else { address };
        if !address.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(refused("it says that the graph's file is where it cannot be fetched safely".to_owned()));
        }
        remote.whole(&address, None, &what, MOST_GRAPH, true)
    }

    /// Fetches Neuronpedia's records of features, a JSON list, by a JSON list of them.
    ///
    /// # Errors
    /// Fails where the network is forbidden or fails, or the work was stopped.
    pub fn features_of(&self, asked: &Value, monitor: &Monitor) -> Result<Vec<u8>, HubError> {
        self.neuronpedia.allow("features of Neuronpedia")?;
        let url = format!("{}/api/features", self.neuronpedia.endpoint);
        let remote = Remote::new(&self.neuronpedia, monitor);
        remote.whole(&url, Some(asked.to_string().into_bytes()), "features", MOST_FEATURES, false)
    }
}

impl Remote<'_> {
    /// Fetches the whole answer of an address, at most `most` bytes; `what` names it in the error where there is none.
    /// `sent` is JSON. Bytes are reported where `reports` is set.
    fn whole(
        &self,
        url: &str,
        sent: Option<Vec<u8>>,
        what: &str,
        most: usize,
        reports: bool,
    ) -> Result<Vec<u8>, HubError> {
        self.patiently(TRIES, url, || {
            let (answer, body) = match &sent {
                Some(json) => self.post(url, json.clone())?,
                None => self.follow(url, &[])?,
            };
            self.take(&answer, url, what)?;
            let promised = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
            let mut body = if reports { body } else { body.small() };
            let mut bytes = Vec::new();
            while let Some(block) = body.block()? {
                bytes.extend(block);
                if bytes.len() > most {
                    let what = format!("the answer has more than {most} bytes");
                    return Err(HubError::Refused { url: url.to_owned(), what }.into());
                }
                if reports {
                    let total = promised.unwrap_or(0) as u64;
                    self.monitor().report(DOWNLOADING, bytes.len() as u64, total).map_err(HubError::from)?;
                }
            }
            match promised {
                Some(promised) if bytes.len() < promised => {
                    Err(Failure::Passing("the connection ended before the answer".to_owned()))
                }
                _ => Ok(bytes),
            }
        })
    }

    /// Sends JSON to the server that was asked and to no other.
    fn post(&self, url: &str, json: Vec<u8>) -> Result<(Answer, Body), Failure> {
        let refused = |what: String| Failure::Final(HubError::Refused { url: url.to_owned(), what });
        let at: Uri = url.parse().map_err(|e| refused(format!("it is no address: {e}")))?;
        let headers = [("accept-encoding", "identity".to_owned()), ("content-type", "application/json".to_owned())];
        let patience = self.access().patience;
        let (answer, body) =
            send(self.agent(), Method::POST, &at, &headers, Some(json), patience, self.monitor().cancel())?;
        if is_redirect(answer.status) {
            return Err(refused("the site leads elsewhere, and what is asked of it is told to nobody else".to_owned()));
        }
        Ok((answer, body))
    }

    /// Checks that an answer's status is a success.
    fn take(&self, answer: &Answer, url: &str, what: &str) -> Result<(), Failure> {
        match answer.status {
            200 => Ok(()),
            404 => Err(HubError::NotFound { endpoint: self.access().endpoint.clone(), what: what.to_owned() }.into()),
            429 | 503 => Err(busy(answer)),
            408 | 500..=599 => Err(Failure::Passing(format!("the server answers {}", answer.status))),
            status => Err(HubError::Status { url: url.to_owned(), status }.into()),
        }
    }
}
