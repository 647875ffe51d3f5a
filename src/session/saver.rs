//! Saves a session as it changes, on a thread of its own.

use crate::graph::AttributionGraph;
use crate::session::{Session, SessionFile};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long changes are gathered before they are written. A program that is killed loses no more than this, and what was
/// being written.
const GATHER: Duration = Duration::from_millis(300);

/// How long it takes until what could not be saved is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Saves a session as it changes. What cannot be saved is kept and tried again, and a last time when the saver goes.
#[derive(Debug)]
pub struct Saver {
    sender: Option<Sender<Message>>,
    notices: Receiver<String>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<Option<PathBuf>>>,
}

enum Message {
    Changed(Box<Session>, Arc<AttributionGraph>),
    /// Save now; the sender goes once that was tried.
    Flush(Sender<()>),
}

impl Saver {
    /// Starts to save into `file`. `wake` is called there whenever there is a notice, or a flush was tried.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(file: SessionFile, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (sender, messages) = unbounded();
        let (teller, notices) = unbounded();
        let trouble = Arc::default();
        let work = Work {
            file,
            teller,
            wake: Box::new(wake),
            unsaved: None,
            due: Instant::now(),
            trouble: Arc::clone(&trouble),
        };
        let thread = thread::Builder::new().name("session".into()).spawn(move || work.run(&messages))?;
        Ok(Self { sender: Some(sender), notices, trouble, thread: Some(thread) })
    }

    /// Has a session saved, within half a second, unless a later one replaces it before.
    pub fn save(&self, session: Session, graph: Arc<AttributionGraph>) {
        self.send(Message::Changed(Box::new(session), graph));
    }

    /// Has what is not saved yet saved now. The receiver is disconnected once that was tried.
    pub fn flush(&self) -> Receiver<()> {
        let (sender, tried) = bounded(0);
        self.send(Message::Flush(sender));
        tried
    }

    /// The next thing that a person has to be told.
    pub fn notice(&self) -> Option<String> {
        self.notices.try_recv().ok()
    }

    /// Why what there is cannot be saved at present; `None` where all is well.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Saves what is left, and ends. Where the session lies, if that is not where it belongs.
    ///
    /// # Errors
    /// Why it is not saved.
    pub fn close(mut self) -> Result<Option<PathBuf>, String> {
        let path = self.end();
        self.trouble().map_or(Ok(path), Err)
    }

    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // The thread goes last; it cannot be gone before the sender.
            let _ = sender.send(message);
        }
    }

    fn end(&mut self) -> Option<PathBuf> {
        // Without a sender the thread saves what is left, and ends.
        self.sender = None;
        self.thread.take()?.join().ok()?
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.end();
    }
}

struct Work {
    file: SessionFile,
    teller: Sender<String>,
    wake: Box<dyn Fn() + Send>,
    /// What is to be saved.
    unsaved: Option<(Box<Session>, Arc<AttributionGraph>)>,
    /// By when it is.
    due: Instant,
    /// Why it could not be when it was tried last.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Work {
    /// Works until nobody can ask for anything any more; gives where the session lies if that is not where it belongs.
    fn run(mut self, messages: &Receiver<Message>) -> Option<PathBuf> {
        loop {
            let message = match &self.unsaved {
                Some(_) => messages.recv_deadline(self.due),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::Changed(session, graph)) => {
                    // What waits already is not put off by what comes on top.
                    if self.unsaved.replace((session, graph)).is_none() {
                        self.due = Instant::now() + GATHER;
                    }
                }
                Ok(Message::Flush(tried)) => {
                    self.save();
                    drop(tried);
                    (self.wake)();
                }
                Err(RecvTimeoutError::Timeout) => self.save(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.save();
                    return self.file.elsewhere().map(ToOwned::to_owned);
                }
            }
        }
    }

    /// Saves what is unsaved, which it stays until it is known to be.
    fn save(&mut self) {
        let Some((session, graph)) = &self.unsaved else { return };
        match self.file.save(session, graph) {
            Ok(notices) => {
                self.unsaved = None;
                if self.set_trouble(None).is_some() {
                    self.tell("the session is saved again".to_owned());
                }
                notices.into_iter().for_each(|notice| self.tell(notice));
            }
            Err(error) => {
                self.due = Instant::now() + RETRY;
                if self.set_trouble(Some(error.to_string())).is_none() {
                    self.tell(format!("the session is not saved: {error}"));
                }
            }
        }
    }

    /// Takes note of the trouble there is; gives what there was.
    fn set_trouble(&self, trouble: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner), trouble)
    }

    fn tell(&self, notice: String) {
        // Whoever has stopped listening does not need to know.
        let _ = self.teller.send(notice);
        (self.wake)();
    }
}
