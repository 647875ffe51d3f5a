//! One request and its answer, on a thread of its own, so that a request to stop takes effect while a name is looked
//! up, a connection is made or a server does not answer.

use crate::hub::Patience;
use crate::job::{Cancel, Cancelled};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{HeaderMap, Method, Request, Uri};

/// Bytes read at a time.
const BLOCK: usize = 1 << 17;
/// Blocks that wait to be taken, at most.
const WAITING: usize = 8;
/// Time between two checks of the flag that stops the work.
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

/// Reason why an answer is missing or incomplete.
#[derive(Debug)]
pub(super) enum Broken {
    /// Connection that failed; a sentence's end that says how.
    Connection(String),
    /// Request to stop.
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

/// Body of an answer, as it comes. When it is dropped, its thread closes the connection after the next block or the
/// time limit on reading.
pub(super) struct Body {
    pieces: Receiver<Piece>,
    cancel: Cancel,
    pace: Pace,
}

/// Pace of an answer, while it is waited for.
struct Pace {
    patience: Patience,
    /// Time waited in all.
    waited: Duration,
    /// Time waited since the rate was last checked.
    stretch: Duration,
    /// Bytes that came since then.
    bytes: u64,
    /// Longest time for all of it.
    most: Option<Duration>,
}

impl Pace {
    fn waited(&mut self, time: Duration) -> Result<(), Broken> {
        self.waited += time;
        self.stretch += time;
        if self.most.is_some_and(|most| self.waited > most) {
            return Err(Broken::Connection(format!("the answer takes more than {:?}", self.patience.small)));
        }
        if self.stretch >= self.patience.stretch {
            let least = self.patience.least_rate as f64 * self.stretch.as_secs_f64();
            if (self.bytes as f64) < least {
                let rate = self.patience.least_rate;
                return Err(Broken::Connection(format!("the answer comes at less than {rate} bytes a second")));
            }
            (self.stretch, self.bytes) = (Duration::ZERO, 0);
        }
        Ok(())
    }
}

/// Sends a request, with a body where something is `sent`; redirects are not followed, and no status is an error.
pub(super) fn send(
    agent: &Agent,
    method: Method,
    url: &Uri,
    headers: &[(&str, String)],
    sent: Option<Vec<u8>>,
    patience: Patience,
    cancel: &Cancel,
) -> Result<(Answer, Body), Broken> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(sent).map_err(|error| Broken::Connection(error.to_string()))?;
    let (sender, pieces) = bounded(WAITING);
    let agent = agent.clone();
    thread::Builder::new()
        .name("exchange".to_owned())
        .spawn(move || exchange(&agent, request, &sender))
        .map_err(|error| Broken::Connection(format!("no thread can be started: {error}")))?;
    let pace = Pace { patience, waited: Duration::ZERO, stretch: Duration::ZERO, bytes: 0, most: None };
    let mut body = Body { pieces, cancel: cancel.clone(), pace };
    match body.next(false)? {
        Piece::Answer(answer) => Ok((answer, body)),
        Piece::End(Err(why)) => Err(Broken::Connection(why)),
        Piece::Block(_) | Piece::End(Ok(())) => Err(Broken::Connection("the answer has no head".to_owned())),
    }
}

impl Body {
    /// Returns the next piece; where it is `paced`, it has to come fast enough.
    fn next(&mut self, paced: bool) -> Result<Piece, Broken> {
        loop {
            self.cancel.check()?;
            let begun = Instant::now();
            let piece = self.pieces.recv_timeout(TICK);
            if paced {
                self.pace.waited(begun.elapsed())?;
            }
            match piece {
                Ok(piece) => return Ok(piece),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Broken::Connection("the connection was given up".to_owned()));
                }
            }
        }
    }

    /// Limits the whole body to the time for small answers.
    pub fn small(mut self) -> Self {
        self.pace.most = Some(self.pace.patience.small);
        self
    }

    /// Returns the next bytes; `None` at the end.
    pub fn block(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        match self.next(true)? {
            Piece::Block(bytes) => {
                self.pace.bytes += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Piece::End(Ok(())) => Ok(None),
            Piece::End(Err(why)) => Err(Broken::Connection(why)),
            Piece::Answer(_) => Err(Broken::Connection("a second head in one answer".to_owned())),
        }
    }
}

/// Sends the request and reads until the end, or until the receiver is gone.
fn exchange(agent: &Agent, request: Request<Option<Vec<u8>>>, sender: &Sender<Piece>) {
    let (head, sent) = request.into_parts();
    let answer = match sent {
        Some(sent) => agent.run(Request::from_parts(head, sent)),
        None => agent.run(Request::from_parts(head, ())),
    };
    let (head, mut body) = match answer {
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
