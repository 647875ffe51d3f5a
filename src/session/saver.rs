//! Saves a session as it changes, on a thread of its own.

use crate::graph::AttributionGraph;
use crate::session::{Session, SessionFile};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long changes are gathered before they are written. A program that is killed loses no more than this.
const GATHER: Duration = Duration::from_millis(500);

/// Saves a session as it changes. What is not saved yet when it goes is saved then.
#[derive(Debug)]
pub struct Saver {
    sender: Option<Sender<Message>>,
    notices: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Changed(Box<Session>, Arc<AttributionGraph>),
    /// Save now, and answer once that is done.
    Flush(Sender<()>),
}

impl Saver {
    /// Starts to save into `file`. `wake` is called there whenever there is a notice.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(file: SessionFile, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (sender, messages) = unbounded();
        let (teller, notices) = unbounded();
        let work = Work { file, teller, wake: Box::new(wake), unsaved: None, failed: false };
        let thread = thread::Builder::new().name("session".into()).spawn(move || work.run(&messages))?;
        Ok(Self { sender: Some(sender), notices, thread: Some(thread) })
    }

    /// Has a session saved, within half a second, unless a later one replaces it before.
    pub fn save(&self, session: Session, graph: Arc<AttributionGraph>) {
        self.send(Message::Changed(Box::new(session), graph));
    }

    /// Saves what is not saved yet, and waits until it is.
    pub fn flush(&self) {
        let (sender, done) = bounded(1);
        self.send(Message::Flush(sender));
        // Where the thread is gone there is nothing to wait for.
        let _ = done.recv();
    }

    /// The next thing that a person has to be told.
    pub fn notice(&self) -> Option<String> {
        self.notices.try_recv().ok()
    }

    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // The thread goes last; it cannot be gone before the sender.
            let _ = sender.send(message);
        }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        // Without a sender the thread saves what is left, and ends.
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    file: SessionFile,
    teller: Sender<String>,
    wake: Box<dyn Fn() + Send>,
    /// What is to be saved, and by when.
    unsaved: Option<(Box<Session>, Arc<AttributionGraph>, Instant)>,
    /// The last attempt failed, and the person knows.
    failed: bool,
}

impl Work {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match &self.unsaved {
                Some((.., due)) => messages.recv_deadline(*due),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::Changed(session, graph)) => {
                    let due = self.unsaved.take().map_or_else(|| Instant::now() + GATHER, |(.., due)| due);
                    self.unsaved = Some((session, graph, due));
                }
                Ok(Message::Flush(done)) => {
                    self.save();
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.save(),
                Err(RecvTimeoutError::Disconnected) => return self.save(),
            }
        }
    }

    fn save(&mut self) {
        let Some((session, graph, _)) = self.unsaved.take() else { return };
        match self.file.save(&session, &graph) {
            Ok(notices) => {
                self.failed = false;
                notices.into_iter().for_each(|notice| self.tell(notice));
            }
            Err(error) if !self.failed => {
                self.failed = true;
                self.tell(format!("the session is not saved: {error}"));
            }
            Err(_) => {}
        }
    }

    fn tell(&self, notice: String) {
        // Whoever has stopped listening does not need to know.
        let _ = self.teller.send(notice);
        (self.wake)();
    }
}
