//! A hub on loopback: it lists repositories, sends small files itself and large ones from a storage at another port.

use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// The storage ends the first answer after so many bytes.
    EndsAfter(usize),
    /// And sends the whole file whatever part is asked for.
    EndsAfterAndStartsOver(usize),
    /// It ends the first answer early and has nothing to send the second time.
    EndsAfterAndRangeIsRefused(usize),
    /// Every answer ends early: nothing moves.
    EndsAtOnce,
    /// The storage sends other bytes of the same length.
    OtherBytes,
    /// The storage goes on after the file's end.
    NeverEnds,
    /// The storage sends some bytes and then nothing, with the connection open.
    FallsSilent,
    /// Every file needs an accepted licence.
    Gated,
    /// The listing names a file outside.
    ListsOutside,
    /// The listing says that a file is larger than any disk.
    ListsHuge,
    /// The listing calls its commit something that is a path.
    CommitIsAPath,
    /// Files lead to themselves.
    RedirectsRoundAndRound,
    /// The hub sends other bytes of the same length of the small files it keeps itself.
    OtherSmallBytes,
    /// Every file has one ETag, and no file has another id.
    OneEtag,
    /// The listing does not say what files hash to.
    ListsNoIds,
    /// The first so many requests are answered with this status, and with so many seconds to wait where it says so.
    Busy(usize, u16, Option<u64>),
    /// A byte now and then, without end: in the listing, or of what is stored.
    DripsListing,
    DripsStored,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of the storage, not of the hub.
    pub storage: bool,
    pub path: String,
    pub range: Option<String>,
    pub token: Option<String>,
    /// What was sent with it.
    pub body: String,
}

type Files = BTreeMap<String, Vec<u8>>;

struct Shared {
    repos: Mutex<BTreeMap<String, (String, Files)>>,
    fault: Mutex<Fault>,
    asked: Mutex<Vec<Asked>>,
    storage: u16,
    /// What is at paths of its own, beside repositories.
    pages: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Features by model, layer and index, as Neuronpedia has them.
    features: Mutex<BTreeMap<(String, String, u64), Value>>,
    /// How long an answer takes to come.
    delay: Mutex<Duration>,
    /// Requests that are being answered, and how many were at once.
    answering: Mutex<(usize, usize)>,
}

/// The hub, and its storage.
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Server {
    pub fn start() -> Self {
        let [hub, storage] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let port = hub.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            repos: Mutex::default(),
            fault: Mutex::default(),
            asked: Mutex::default(),
            storage: storage.local_addr().unwrap().port(),
            pages: Mutex::default(),
            features: Mutex::default(),
            delay: Mutex::default(),
            answering: Mutex::default(),
        });
        for (listener, is_storage) in [(hub, false), (storage, true)] {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    // A client that has gone away is nothing to a server.
                    thread::spawn(move || drop(serve(&shared, stream, is_storage)));
                }
            });
        }
        Self { shared, port }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Offers a folder's files as a repository, below `prefix`.
    pub fn offer(&self, repo: &str, folder: &Path, prefix: &str) {
        let mut files = Files::new();
        read(folder, prefix, &mut files);
        // What no one who traces needs.
        files.insert("pytorch_model.bin".to_owned(), vec![0; 64]);
        files.insert("README.md".to_owned(), b"read me".to_vec());
        self.shared.repos.lock().unwrap().entry(repo.to_owned()).or_insert((COMMIT.to_owned(), files));
    }

    /// Offers what is at a path.
    pub fn offer_page(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.shared.pages.lock().unwrap().insert(path.to_owned(), content.into());
    }

    /// Offers a feature in Neuronpedia's form.
    pub fn offer_feature(&self, feature: Value) {
        let text = |name: &str| feature[name].as_str().unwrap().to_owned();
        let key = (text("modelId"), text("layer"), text("index").parse().unwrap());
        self.shared.features.lock().unwrap().insert(key, feature);
    }

    /// Lets every answer take so long.
    pub fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    /// How many requests are being answered.
    pub fn answering(&self) -> usize {
        self.shared.answering.lock().unwrap().0
    }

    /// The most requests that were answered at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.answering.lock().unwrap().1
    }

    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

fn read(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Large files are kept in the storage, by their hash.
fn is_large(name: &str) -> bool {
    [".safetensors", ".npz", ".bin"].iter().any(|ending| name.ends_with(ending))
}

fn serve(shared: &Shared, mut stream: TcpStream, storage: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let value = |line: &String| {
            line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|kv| kv.1.to_owned())
        };
        lines.iter().find_map(value)
    };
    let mut words = lines[0].split(' ');
    let path = words.nth(1).unwrap().to_owned();
    let range = header("range");
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    {
        let mut answering = shared.answering.lock().unwrap();
        answering.0 += 1;
        answering.1 = answering.1.max(answering.0);
    }
    thread::sleep(*shared.delay.lock().unwrap());
    shared.answering.lock().unwrap().0 -= 1;
    let earlier = {
        let mut asked = shared.asked.lock().unwrap();
        let earlier = asked.iter().filter(|asked| asked.storage && asked.path == path).count();
        let token = header("authorization");
        asked.push(Asked { storage, path: path.clone(), range: range.clone(), token, body: body.clone() });
        earlier
    };
    let fault = *shared.fault.lock().unwrap();
    if let Fault::Busy(first, status, wait) = fault
        && shared.asked.lock().unwrap().len() <= first
    {
        let wait = wait.map(|seconds| ("Retry-After", seconds.to_string()));
        return answer(&mut stream, &format!("{status} Busy"), wait.as_slice(), b"");
    }
    if storage {
        let part = range.and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((from.parse().ok()?, to.parse().ok()))
        });
        return send_stored(shared, &mut stream, &path, part, fault, earlier);
    }
    if path == "/api/features" {
        return send_features(shared, &mut stream, &body, fault);
    }
    if let Some(page) = shared.pages.lock().unwrap().get(&path) {
        return answer(&mut stream, "200 OK", &[], page);
    }
    if path.starts_with("/api/graph/") {
        return answer(&mut stream, "404 Not Found", &[], b"");
    }
    send_own(shared, &mut stream, &path, fault)
}

/// What Neuronpedia knows of the features that are asked for, in whatever order.
fn send_features(shared: &Shared, stream: &mut TcpStream, body: &str, fault: Fault) -> std::io::Result<()> {
    let asked: Vec<Value> = serde_json::from_str(body).unwrap();
    let features = shared.features.lock().unwrap().clone();
    let known = asked.iter().rev().filter_map(|feature| {
        let text = |name: &str| feature[name].as_str().unwrap().to_owned();
        features.get(&(text("modelId"), text("layer"), feature["index"].as_u64().unwrap()))
    });
    let answers = serde_json::to_vec(&known.collect::<Vec<_>>()).unwrap();
    match fault {
        Fault::EndsAtOnce => {
            head(stream, "200 OK", &[("Content-Length", answers.len().to_string())])?;
            stream.write_all(&answers[..answers.len() / 2])
        }
        Fault::FallsSilent => {
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.read(&mut [0; 1]).map(drop)
        }
        _ => answer(stream, "200 OK", &[], &answers),
    }
}

fn head(stream: &mut TcpStream, status: &str, headers: &[(&str, String)]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    stream.write_all((text + "\r\n").as_bytes())
}

fn answer(stream: &mut TcpStream, status: &str, headers: &[(&str, String)], body: &[u8]) -> std::io::Result<()> {
    let mut headers = headers.to_vec();
    headers.push(("Content-Length", body.len().to_string()));
    head(stream, status, &headers)?;
    stream.write_all(body)
}

fn send_own(shared: &Shared, stream: &mut TcpStream, path: &str, fault: Fault) -> std::io::Result<()> {
    let repos = shared.repos.lock().unwrap().clone();
    let not_found =
        |stream: &mut TcpStream, code: &str| answer(stream, "404 Not Found", &[("X-Error-Code", code.to_owned())], b"");
    if let Some(rest) = path.strip_prefix("/api/models/") {
        let (repo, _revision) = rest.split_once("/revision/").unwrap();
        return match repos.get(repo) {
            Some(_) if fault == Fault::DripsListing => drip(stream),
            Some((commit, files)) => answer(stream, "200 OK", &[], &listing(commit, files, fault)),
            None => not_found(stream, "RepoNotFound"),
        };
    }
    let (repo, rest) = path[1..].split_once("/resolve/").unwrap();
    let (commit, name) = rest.split_once('/').unwrap();
    assert_eq!(commit, COMMIT, "files are asked for by commit");
    if fault == Fault::Gated {
        return answer(stream, "401 Unauthorized", &[("X-Error-Code", "GatedRepo".to_owned())], b"");
    }
    if fault == Fault::RedirectsRoundAndRound {
        return answer(stream, "307 Temporary Redirect", &[("Location", path.to_owned())], b"");
    }
    let Some(content) = repos.get(repo).and_then(|(_, files)| files.get(name)) else {
        return not_found(stream, "EntryNotFound");
    };
    let mut headers = vec![("X-Repo-Commit", COMMIT.to_owned())];
    if is_large(name) {
        let hash = sha256(content);
        headers.push(("X-Linked-Etag", format!("\"{hash}\"")));
        headers.push(("X-Linked-Size", content.len().to_string()));
        headers.push(("Location", format!("http://127.0.0.1:{}/{hash}", shared.storage)));
        return answer(stream, "302 Found", &headers, b"");
    }
    let etag = if fault == Fault::OneEtag { oid(b"one") } else { oid(content) };
    headers.push(("ETag", format!("\"{etag}\"")));
    if fault == Fault::OtherSmallBytes && name != "config.json" {
        let other: Vec<u8> = content.iter().map(|byte| byte ^ 1).collect();
        return answer(stream, "200 OK", &headers, &other);
    }
    answer(stream, "200 OK", &headers, content)
}

/// A byte every few milliseconds until the client goes.
fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "200 OK", &[("Content-Length", (1u64 << 30).to_string())])?;
    loop {
        stream.write_all(b" ")?;
        stream.flush()?;
        thread::sleep(Duration::from_millis(5));
    }
}

/// Git's name for a content.
pub fn oid(content: &[u8]) -> String {
    let hash = Sha1::new_with_prefix(format!("blob {}\0", content.len())).chain_update(content).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn listing(commit: &str, files: &Files, fault: Fault) -> Vec<u8> {
    let mut siblings: Vec<_> = files
        .iter()
        .map(|(name, content)| {
            let lfs = serde_json::json!({ "sha256": sha256(content), "size": content.len(), "pointerSize": 130 });
            let size = if fault == Fault::ListsHuge { 1 << 41 } else { content.len() };
            let lfs = if is_large(name) && fault != Fault::ListsHuge { lfs } else { serde_json::Value::Null };
            let id = if fault == Fault::ListsNoIds { "what?".to_owned() } else { oid(content) };
            serde_json::json!({ "rfilename": name, "size": size, "blobId": id, "lfs": lfs })
        })
        .collect();
    if fault == Fault::ListsOutside {
        siblings.push(serde_json::json!({ "rfilename": "../../../../evil.json", "size": 4, "blobId": oid(b"evil") }));
    }
    let commit = if fault == Fault::CommitIsAPath { "../../../evil" } else { commit };
    serde_json::to_vec(&serde_json::json!({ "sha": commit, "siblings": siblings })).unwrap()
}

fn send_stored(
    shared: &Shared,
    stream: &mut TcpStream,
    path: &str,
    part: Option<(usize, Option<usize>)>,
    fault: Fault,
    earlier: usize,
) -> std::io::Result<()> {
    let repos = shared.repos.lock().unwrap().clone();
    let contents = repos.values().flat_map(|(_, files)| files.values());
    let Some(content) = contents.into_iter().find(|content| path[1..] == sha256(content)).cloned() else {
        return answer(stream, "404 Not Found", &[], b"");
    };
    let cut = match fault {
        Fault::EndsAfter(n) | Fault::EndsAfterAndStartsOver(n) | Fault::EndsAfterAndRangeIsRefused(n)
            if earlier == 0 =>
        {
            Some(n)
        }
        Fault::EndsAtOnce => Some(0),
        _ => None,
    };
    if let Some(n) = cut {
        head(stream, "200 OK", &[("Content-Length", content.len().to_string())])?;
        return stream.write_all(&content[..n.min(content.len() - 1)]);
    }
    match (fault, part) {
        (Fault::DripsStored, _) => drip(stream),
        (Fault::OtherBytes, _) => {
            let other: Vec<u8> = content.iter().map(|byte| byte ^ 1).collect();
            answer(stream, "200 OK", &[], &other)
        }
        (Fault::NeverEnds, _) => {
            head(stream, "200 OK", &[])?;
            stream.write_all(&content)?;
            loop {
                stream.write_all(&[0; 4096])?;
            }
        }
        (Fault::FallsSilent, _) => {
            head(stream, "200 OK", &[("Content-Length", content.len().to_string())])?;
            stream.write_all(&content[..content.len() / 2])?;
            stream.flush()?;
            // Until the client goes.
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.read(&mut [0; 1]).map(drop)
        }
        (Fault::EndsAfterAndRangeIsRefused(_), Some(_)) => answer(stream, "416 Range Not Satisfiable", &[], b""),
        (Fault::EndsAfterAndStartsOver(_), _) | (_, None) => answer(stream, "200 OK", &[], &content),
        (_, Some((from, _))) if from >= content.len() => answer(stream, "416 Range Not Satisfiable", &[], b""),
        (_, Some((from, to))) => {
            let end = to.map_or(content.len(), |to| content.len().min(to + 1));
            let range = format!("bytes {from}-{}/{}", end - 1, content.len());
            answer(stream, "206 Partial Content", &[("Content-Range", range)], &content[from..end])
        }
    }
}
