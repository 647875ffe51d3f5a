//! One request and its answer, on a thread of its own: a request to stop is heard while a name is looked up, a
//! connection is made or a server says nothing.

use crate::job::{Cancel, Cancelled};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::Read;
use std::thread;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Method, Request, Uri};

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 17;
/// Blocks that wait for whoever writes them.
const WAITING: usize = 8;
/// Between two looks at the flag that stops the work.
const TICK: Duration = Duration::from_millis(20);

/// The head of an answer.
pub(super) struct Answer {
    pub status: u16,
    headers: HeaderMap,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }
}

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection failed; a sentence's end that says how.
    Connection(String),
    /// The work was stopped on request.
    Cancelled(Cancelled),
}

impl From<Cancelled> for Broken {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

enum Piece {
    Answer(Answer),
    Block(Vec<u8>),
    End(Result<(), String>),
}

/// An answer's body, as it comes. Whoever drops it leaves the connection to its thread, which ends with the next block
/// or the time limit on reading.
pub(super) struct Body {
    pieces: Receiver<Piece>,
    cancel: Cancel,
}

/// Sends a request; redirects are not followed, and no status is an error.
pub(super) fn send(
    agent: &Agent,
    method: Method,
    url: &Uri,
    headers: &[(&str, String)],
    cancel: &Cancel,
) -> Result<(Answer, Body), Broken> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(()).map_err(|error| Broken::Connection(error.to_string()))?;
    let (sender, pieces) = bounded(WAITING);
    let agent = agent.clone();
    thread::Builder::new()
        .name("exchange".to_owned())
        .spawn(move || exchange(&agent, request, &sender))
        .map_err(|error| Broken::Connection(format!("no thread can be started: {error}")))?;
    let body = Body { pieces, cancel: cancel.clone() };
    match body.next()? {
        Piece::Answer(answer) => Ok((answer, body)),
        Piece::End(Err(why)) => Err(Broken::Connection(why)),
        Piece::Block(_) | Piece::End(Ok(())) => Err(Broken::Connection("the answer has no head".to_owned())),
    }
}

impl Body {
    fn next(&self) -> Result<Piece, Broken> {
        loop {
            self.cancel.check()?;
            match self.pieces.recv_timeout(TICK) {
                Ok(piece) => return Ok(piece),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Broken::Connection("the connection was given up".to_owned()));
                }
            }
        }
    }

    /// The next bytes; `None` at the end.
    pub fn block(&self) -> Result<Option<Vec<u8>>, Broken> {
        match self.next()? {
            Piece::Block(bytes) => Ok(Some(bytes)),
            Piece::End(Ok(())) => Ok(None),
            Piece::End(Err(why)) => Err(Broken::Connection(why)),
            Piece::Answer(_) => Err(Broken::Connection("a second head in one answer".to_owned())),
        }
    }
}

/// Sends and reads until the end, or until nobody listens any more.
fn exchange(agent: &Agent, request: Request<()>, sender: &Sender<Piece>) {
    let (head, mut body) = match agent.run(request) {
        Ok(response) => response.into_parts(),
        Err(error) => {
            let _ = sender.send(Piece::End(Err(error.to_string())));
            return;
        }
    };
    if sender.send(Piece::Answer(Answer { status: head.status.as_u16(), headers: head.headers })).is_err() {
        return;
    }
    let mut reader = body.as_reader();
    loop {
        let mut block = vec![0; BLOCK];
        let piece = match reader.read(&mut block) {
            Ok(0) => Piece::End(Ok(())),
            Ok(n) => {
                block.truncate(n);
                Piece::Block(block)
            }
            Err(error) => Piece::End(Err(error.to_string())),
        };
        let ended = matches!(piece, Piece::End(_));
        if sender.send(piece).is_err() || ended {
            return;
        }
    }
}
