//! The hub's server: listings of repositories, with the name and size of each file, and the files.

use super::ContentId;
use super::address::{escape, origin, resolve};
use super::exchange::{Answer, Body, Broken, send};
use super::hasher::Hasher;
use crate::hub::cache::is_commit;
use crate::hub::reference::is_inside;
use crate::hub::{Access, HubError, Reference};
use crate::job::Monitor;
use crate::untrusted::{excerpt, json_fault};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{Method, Uri};

/// Bytes of the largest listing of a repository that is read.
const MOST_TEXT: usize = 64 << 20;
/// Bytes of the largest file that a server may offer: above every weight file there is.
const MOST_FILE: u64 = 1 << 42;
/// Files that a repository may list, at most.
const MOST_FILES: usize = 1 << 20;
/// Redirects that are followed, at most.
const HOPS: usize = 8;
/// Tries of a short request.
const TRIES: u32 = 3;
/// Tries where the server is busy.
const BUSY_TRIES: u32 = 6;
/// Simultaneous requests to one server, at most.
const AT_ONCE: usize = 4;
/// Phase that is reported while a busy server is left alone.
const WAITING: &str = "waiting, as the server asks";

/// Client of the hub's server.
pub(super) struct Remote<'a> {
    access: &'a Access,
    agent: Agent,
    monitor: &'a Monitor,
}

/// Returns the HTTP client: one for the program, so that connections are reused.
fn agent() -> Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    let seconds = |n| Some(Duration::from_secs(n));
    let new = || {
        Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("circuitscope/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(seconds(15))
            .timeout_connect(seconds(20))
            .timeout_recv_response(seconds(60))
            .timeout_per_read(seconds(30))
            .max_idle_connections_per_host(AT_ONCE)
            .build()
            .new_agent()
    };
    AGENT.get_or_init(new).clone()
}

/// A file of a repository.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub size: u64,
    pub id: ContentId,
}

/// A repository at a commit.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub commit: String,
    /// Files by path.
    pub files: BTreeMap<String, Listed>,
}

/// Answer of a busy server, with the pause that it asks for where it names one.
#[derive(Debug)]
pub(super) struct Busy {
    status: u16,
    wait: Option<Duration>,
}

impl Busy {
    /// Returns the error where the server stays busy.
    pub fn error(&self, url: &str) -> HubError {
        HubError::Busy { url: url.to_owned(), status: self.status, wait: self.wait }
    }
}

/// Reason why a request failed.
pub(super) enum Failure {
    /// Failure that may pass; the end of a sentence that says how it failed.
    Passing(String),
    /// Busy server, which may answer after a pause.
    Busy(Busy),
    /// Failure that will not pass.
    Final(HubError),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Connection(why) => Self::Passing(why),
            Broken::Cancelled(cancelled) => Self::Final(cancelled.into()),
        }
    }
}

#[derive(Deserialize)]
struct ModelInfo {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl<'a> Remote<'a> {
    pub fn new(access: &'a Access, monitor: &'a Monitor) -> Self {
        Self { access, agent: agent(), monitor }
    }

    pub(super) fn access(&self) -> &Access {
        self.access
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(super) fn monitor(&self) -> &Monitor {
        self.monitor
    }

    /// Returns the files of a repository at a revision.
    pub fn listing(&self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        let url = format!("{}/api/models/{repo}/revision/{}?blobs=true", self.access.endpoint, escape(revision, false));
        let text = self.text(&url, &Subject { repo, revision, file: None }, MOST_TEXT)?;
        let refused = |what: String| HubError::Refused { url: url.clone(), what };
        let info: ModelInfo =
            serde_json::from_str(&text).map_err(|e| refused(format!("of its listing, {}", json_fault(&e))))?;
        if !is_commit(&info.sha) {
            return Err(refused(format!("it calls its commit {:?}", excerpt(&info.sha))));
        }
        if info.siblings.len() > MOST_FILES {
            return Err(refused(format!("it lists {} files", info.siblings.len())));
        }
        let mut files = BTreeMap::new();
        for sibling in info.siblings {
            let name = sibling.rfilename;
            if !is_inside(&name) {
                let name = excerpt(&name);
                return Err(refused(format!("it lists a file {name:?}, which would lead out of the cache")));
            }
            let (lfs_size, sha256) = sibling.lfs.map_or((None, None), |lfs| (lfs.size, lfs.sha256));
            let Some(size) = lfs_size.or(sibling.size) else {
                return Err(refused(format!("it does not say how large {} is", excerpt(&name))));
            };
            if size > MOST_FILE {
                return Err(refused(format!("{} is said to have {size} bytes", excerpt(&name))));
            }
            let sha256 = sha256.filter(|hash| is_sha256(hash)).map(ContentId::Sha256);
            let git = sibling.blob_id.filter(|id| is_commit(id)).map(ContentId::Git);
            let Some(id) = sha256.or(git) else {
                return Err(refused(format!("it does not say what {} hashes to", excerpt(&name))));
            };
            files.insert(name, Listed { size, id });
        }
        Ok(Listing { commit: info.sha, files })
    }

    /// Returns the content of a small file, which is checked against the listing.
    pub fn small_file(&self, file: &Reference, commit: &str, listed: &Listed, most: usize) -> Result<String, HubError> {
        let (repo, path) = (file.repo(), file.path());
        let subject = Subject { repo, revision: commit, file: Some(path) };
        let text = self.text(&self.address(repo, commit, path), &subject, most)?;
        let mut hasher = Hasher::new(&listed.id, text.len() as u64);
        hasher.update(text.as_bytes());
        let corrupt = |what: String| HubError::Corrupt { file: format!("{repo}/{path}"), what };
        hasher.check(&listed.id).map_err(corrupt)?;
        Ok(text)
    }

    /// Returns the address of a file at a commit.
    pub fn address(&self, repo: &str, commit: &str, file: &str) -> String {
        format!("{}/{repo}/resolve/{commit}/{}", self.access.endpoint, escape(file, true))
    }

    /// Requests a file from byte `start` on. The status is 200, 206 or 416.
    pub fn file(&self, repo: &str, commit: &str, file: &str, start: u64) -> Result<(Answer, Body), Failure> {
        let (url, subject) = (self.address(repo, commit, file), Subject { repo, revision: commit, file: Some(file) });
        let range = (start > 0).then(|| ("range", format!("bytes={start}-")));
        let (answer, body) = self.follow(&url, range.as_slice())?;
        if answer.status == 416 {
            return Ok((answer, body));
        }
        Ok((self.accept(answer, &url, &subject)?, body))
    }

    /// Returns the bytes `range` of a file, or all of it, at most `most` bytes. Fewer where the file ends before.
    pub fn excerpt(
        &self,
        repo: &str,
        commit: &str,
        file: &str,
        range: Option<&Range<u64>>,
        most: usize,
    ) -> Result<Vec<u8>, HubError> {
        let (url, subject) = (self.address(repo, commit, file), Subject { repo, revision: commit, file: Some(file) });
        let header = range.map(|range| ("range", format!("bytes={}-{}", range.start, range.end.saturating_sub(1))));
        let refused = |what: String| HubError::Refused { url: url.clone(), what };
        let too_long = || refused(format!("the answer has more than {most} bytes"));
        let bytes = self.patiently(TRIES, &url, || {
            let (answer, mut body) = self.follow(&url, header.as_slice())?;
            // Nothing lies there.
            if answer.status == 416 {
                return Ok(Vec::new());
            }
            let answer = self.accept(answer, &url, &subject)?;
            let start = match (range, answer.status) {
                (Some(range), 206) => {
                    let said = answer.header("content-range").unwrap_or_default();
                    if !said.starts_with(&format!("bytes {}-", range.start)) {
                        return Err(refused(format!("the answer is another part of the file: {said:?}")).into());
                    }
                    0
                }
                (range, _) => range.map_or(0, |range| range.start),
            };
            // A server that knows no ranges sends the file from its start.
            let skip = usize::try_from(start).ok().filter(|skip| *skip <= most).ok_or_else(too_long)?;
            let wanted = range.map_or(most, |range| usize::try_from(range.end - range.start).unwrap_or(usize::MAX));
            let promised = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
            let mut bytes = Vec::new();
            while let Some(block) = body.block()? {
                bytes.extend(block);
                if range.is_some() && bytes.len() >= skip.saturating_add(wanted) {
                    break;
                }
                if bytes.len() > most {
                    return Err(too_long().into());
                }
            }
            if promised.is_some_and(|promised| bytes.len() < promised.min(skip.saturating_add(wanted))) {
                return Err(Failure::Passing("the connection ended before the answer".to_owned()));
            }
            bytes.drain(..skip.min(bytes.len()));
            bytes.truncate(wanted);
            Ok(bytes)
        })?;
        Ok(bytes)
    }

    /// Tries a request until it works, fails for good, or was tried `tries` times; waits longer each time. A busy
    /// server is not asked during the pause that it asked for.
    pub fn patiently<T>(
        &self,
        tries: u32,
        url: &str,
        mut request: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, HubError> {
        let mut tried = 0;
        loop {
            self.rest()?;
            match request() {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Busy(busy)) => {
                    tried += 1;
                    if tried >= BUSY_TRIES {
                        return Err(busy.error(url));
                    }
                    self.leave_alone(&busy, tried, url)?;
                }
                Err(Failure::Passing(why)) => {
                    tried += 1;
                    if tried >= tries {
                        return Err(HubError::Unreachable { url: url.to_owned(), why });
                    }
                    self.wait(tried)?;
                }
            }
        }
    }

    /// Waits before the next try: a quarter of a second, then twice as long each time.
    pub fn wait(&self, tried: u32) -> Result<(), HubError> {
        self.pause(Duration::from_millis(125 << tried.min(6)))
    }

    /// Leaves a busy server alone as long as it asks for, or longer each time where it names no pause; all other
    /// requests to it wait too.
    ///
    /// # Errors
    /// Fails where it asks for more than the longest pause, or where the work was stopped.
    pub fn leave_alone(&self, busy: &Busy, tried: u32, url: &str) -> Result<(), HubError> {
        let patience = self.access.patience;
        let wait = busy.wait.unwrap_or_else(|| patience.pause.saturating_mul(1 << tried.saturating_sub(1).min(8)));
        if wait > patience.longest_pause {
            return Err(busy.error(url));
        }
        let until = Instant::now() + wait;
        {
            let mut rest = self.access.rest.lock().unwrap_or_else(PoisonError::into_inner);
            *rest = (*rest).max(Some(until));
        }
        self.rest()
    }

    /// Waits until the server may be asked again.
    fn rest(&self) -> Result<(), HubError> {
        loop {
            let until = *self.access.rest.lock().unwrap_or_else(PoisonError::into_inner);
            let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            self.monitor.report(WAITING, 0, 0)?;
            self.pause(left)?;
        }
    }

    fn pause(&self, time: Duration) -> Result<(), HubError> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.monitor.cancel().check()?;
            thread::sleep(Duration::from_millis(20).min(time));
        }
        Ok(())
    }

    fn text(&self, url: &str, subject: &Subject, most: usize) -> Result<String, HubError> {
        let refused = |what: &str| HubError::Refused { url: url.to_owned(), what: what.to_owned() };
        let bytes = self.patiently(TRIES, url, || {
            let (answer, body) = self.follow(url, &[])?;
            self.accept(answer, url, subject)?;
            let mut body = body.small();
            let mut bytes = Vec::new();
            while let Some(block) = body.block()? {
                bytes.extend(block);
                if bytes.len() > most {
                    return Err(refused("the answer does not end where such a file ends").into());
                }
            }
            Ok(bytes)
        })?;
        String::from_utf8(bytes).map_err(|_| refused("the answer is no text"))
    }

    /// Sends a request and follows redirects. The token goes to the hub's own server alone.
    pub(super) fn follow(&self, url: &str, headers: &[(&str, String)]) -> Result<(Answer, Body), Failure> {
        let refused = |url: &str, what: String| Failure::Final(HubError::Refused { url: url.to_owned(), what });
        let parse = |url: &str| url.parse::<Uri>().map_err(|e| refused(url, format!("it is no address: {e}")));
        let home = origin(&parse(&self.access.endpoint)?);
        let mut at = parse(url)?;
        for _ in 0..HOPS {
            let mut all = vec![("accept-encoding", "identity".to_owned())];
            all.extend_from_slice(headers);
            if let Some(token) = &self.access.token
                && origin(&at) == home
            {
                all.push(("authorization", format!("Bearer {}", token.0)));
            }
            let (answer, body) =
                send(&self.agent, Method::GET, &at, &all, None, self.access.patience, self.monitor.cancel())?;
            let location = if is_redirect(answer.status) { answer.header("location") } else { None };
            let Some(location) = location else { return Ok((answer, body)) };
            let next = parse(&resolve(&at, location))?;
            match (at.scheme_str(), next.scheme_str()) {
                (Some("https"), Some("https")) | (Some("http"), Some("http" | "https")) => at = next,
                _ => return Err(refused(url, format!("it redirects to {next}, which is not as safe"))),
            }
        }
        Err(refused(url, "it redirects without end".to_owned()))
    }

    /// Returns the answer where its status is a success or a redirect.
    fn accept(&self, answer: Answer, url: &str, subject: &Subject) -> Result<Answer, Failure> {
        let not_found = |what: String| HubError::NotFound { endpoint: self.access.endpoint.clone(), what };
        let why = answer.header("x-error-code").unwrap_or_default().to_owned();
        match (answer.status, why.as_str()) {
            (200 | 206, _) => Ok(answer),
            (status, _) if is_redirect(status) => Ok(answer),
            (401, "RepoNotFound") | (404, "RepoNotFound") => {
                let hint = "if it is private, set HF_TOKEN";
                Err(not_found(format!("repository {} ({hint})", subject.repo)).into())
            }
            (401 | 403, _) => Err(HubError::Gated {
                repo: subject.repo.to_owned(),
                page: format!("{}/{}", self.access.endpoint, subject.repo),
                had_token: self.access.token.is_some(),
            }
            .into()),
            (404, _) => Err(not_found(match subject.file {
                Some(file) => format!("file {file} in {}", subject.repo),
                None => format!("repository {} with a revision {}", subject.repo, subject.revision),
            })
            .into()),
            (429 | 503, _) => Err(busy(&answer)),
            (408 | 500..=599, _) => Err(Failure::Passing(format!("the server answers {}", answer.status))),
            (status, _) => Err(HubError::Status { url: url.to_owned(), status }.into()),
        }
    }
}

/// Subject of a request, for messages.
struct Subject<'a> {
    repo: &'a str,
    revision: &'a str,
    file: Option<&'a str>,
}

impl Listing {
    /// Returns the listed size and hash of a file.
    ///
    /// # Errors
    /// Fails with [`HubError::NotFound`] where it is not listed.
    pub fn file(&self, access: &Access, reference: &Reference) -> Result<&Listed, HubError> {
        self.files.get(reference.path()).ok_or_else(|| {
            let what = format!("file {} in {}@{}", reference.path(), reference.repo(), reference.revision());
            HubError::NotFound { endpoint: access.endpoint.clone(), what }
        })
    }

    /// Returns the names below a reference's folder, relative to it.
    pub fn below(&self, reference: &Reference) -> BTreeSet<String> {
        let prefix = match reference.path() {
            "" => String::new(),
            path => format!("{path}/"),
        };
        self.files.keys().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect()
    }
}

/// Returns the failure for a busy server's answer.
pub(super) fn busy(answer: &Answer) -> Failure {
    let wait = answer.header("retry-after").and_then(|said| said.parse().ok()).map(Duration::from_secs);
    Failure::Busy(Busy { status: answer.status, wait })
}

pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
