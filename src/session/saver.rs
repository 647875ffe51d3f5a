//! Saving of a session as it changes, on a thread of its own.

use crate::graph::AttributionGraph;
use crate::session::{Session, SessionFile};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Time for which changes are gathered before they are written. A program that is killed loses no more than the changes
/// of this time, and those that were being written.
const GATHER: Duration = Duration::from_millis(300);

/// Time after which a failed save is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Saver of a session as it changes. A failed save is tried again, and a last time when the saver is dropped.
#[derive(Debug)]
pub struct Saver {
    sender: Option<Sender<Message>>,
    notices: Receiver<String>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<Option<PathBuf>>>,
}

enum Message {
    Changed(Box<Session>, Arc<AttributionGraph>),
    /// Save now; the sender is dropped once that was tried.
    Flush(Sender<()>),
}

impl Saver {
    /// Starts to save into `file`. `wake` is called there whenever there is a notice, or a flush was tried.
    ///
    /// # Errors
    /// Fails where the system has no thread left.
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

    /// Saves a session, within half a second, unless a later one replaces it before.
    pub fn save(&self, session: Session, graph: Arc<AttributionGraph>) {
        self.send(Message::Changed(Box::new(session), graph));
    }

    /// Saves the unsaved changes now. The receiver is disconnected once that was tried.
    pub fn flush(&self) -> Receiver<()> {
        let (sender, tried) = bounded(0);
        self.send(Message::Flush(sender));
        tried
    }

    /// Returns the next message for the user.
    pub fn notice(&self) -> Option<String> {
        self.notices.try_recv().ok()
    }

    /// Returns the reason why the session cannot be saved at present; `None` where it can.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Saves the unsaved changes, and ends. Returns the path of the session, if that is not where it belongs.
    ///
    /// # Errors
    /// Fails where it is not saved, and says why.
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
    /// Session to be saved.
    unsaved: Option<(Box<Session>, Arc<AttributionGraph>)>,
    /// Time by which it is saved.
    due: Instant,
    /// Reason why the last try failed.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Work {
    /// Works until all senders are gone; returns the path of the session if that is not where it belongs.
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

    /// Saves the unsaved session, which stays unsaved until that is known to have worked.
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

    /// Sets the present trouble; returns the former one.
    fn set_trouble(&self, trouble: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner), trouble)
    }

    fn tell(&self, notice: String) {
        // Whoever has stopped listening does not need to know.
        let _ = self.teller.send(notice);
        (self.wake)();
    }
}
