//! Verification of the graph on the screen by the model: the questions asked, and the answers.

use crate::graph::Freeze;
use crate::verify::{Answer, Question, TOP};

/// Most answers that are kept of a graph, the newest ones.
const KEPT: usize = 200;

/// Fewest and most features that can be ablated: each is compared at every other one.
const ABLATED: (usize, usize) = (5, 200);

/// Subject of the checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Chosen connection.
    #[default]
    Edge,
    /// Pinned nodes, or the most influential features.
    Subgraph,
    /// Whole graph.
    Graph,
}

impl View {
    /// All subjects.
    pub const ALL: [Self; 3] = [Self::Edge, Self::Subgraph, Self::Graph];

    /// Returns the name of the subject.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Subgraph => "subgraph",
            Self::Graph => "graph",
        }
    }
}

/// Question that the model is working on.
#[derive(Debug)]
struct Wait {
    question: Question,
    so_far: Option<Answer>,
}

/// Content of the panel.
pub enum Shown<'a> {
    /// Reason why the question cannot be asked, or failed.
    Why(&'a str),
    /// Answer so far, and true while the model is still working on it.
    Known(Option<&'a Answer>, bool),
}

/// Questions that were asked of a graph, and the answers.
#[derive(Debug)]
pub struct VerificationPanel {
    /// Subject of the checks.
    pub view: View,
    /// Parts of the model that stay frozen where features are ablated.
    pub freeze: Freeze,
    /// Number of features that are ablated where none is pinned.
    pub top: usize,
    /// Chosen pair of the table, or the first line that is shown.
    pub row: usize,
    /// True where the plot stands in place of the table, where there is no room for both.
    pub draws: bool,
    /// Shown question, or the reason why it cannot be asked.
    about: Option<Result<Question, String>>,
    waits: Option<Wait>,
    known: Vec<(Question, Answer)>,
    /// Error of the shown question.
    failed: Option<String>,
}

impl Default for VerificationPanel {
    fn default() -> Self {
        Self {
            view: View::default(),
            freeze: Freeze::default(),
            top: TOP,
            row: 0,
            draws: false,
            about: None,
            waits: None,
            known: Vec::new(),
            failed: None,
        }
    }
}

impl VerificationPanel {
    /// Shows a question, the same or another one; returns it where it is to be asked.
    pub fn turn_to(&mut self, about: Result<Question, String>) -> Option<Question> {
        if self.about.as_ref() != Some(&about) {
            self.about = Some(about);
            self.failed = None;
            self.row = 0;
        }
        let question = self.question()?;
        let waits = self.waits.as_ref().is_some_and(|wait| wait.question == *question);
        (self.failed.is_none() && !waits && self.answer(question).is_none()).then(|| question.clone())
    }

    /// Returns the shown question, where it can be asked.
    pub fn question(&self) -> Option<&Question> {
        self.about.as_ref()?.as_ref().ok()
    }

    fn answer(&self, question: &Question) -> Option<&Answer> {
        self.known.iter().find(|(known, _)| known == question).map(|(_, answer)| answer)
    }

    /// Waits for the answer to this question, and for no other one.
    pub fn wait(&mut self, question: Question) {
        self.waits = Some(Wait { question, so_far: None });
    }

    /// Returns true where an answer is waited for.
    pub fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// Takes the part of the answer that is there so far.
    pub fn take_part(&mut self, part: Answer) {
        if let Some(wait) = &mut self.waits {
            wait.so_far = Some(part);
        }
    }

    /// Takes the answer.
    pub fn take(&mut self, result: Result<Answer, String>) {
        let Some(wait) = self.waits.take() else { return };
        match result {
            Ok(answer) => self.keep(wait.question, answer),
            Err(why) if self.question() == Some(&wait.question) => self.failed = Some(why),
            Err(_) => {}
        }
    }

    fn keep(&mut self, question: Question, answer: Answer) {
        self.known.retain(|(known, _)| *known != question);
        if self.known.len() >= KEPT {
            self.known.remove(0);
        }
        self.known.push((question, answer));
    }

    /// Waits no longer, and keeps the answer so far; returns true where an answer was waited for.
    pub fn stop(&mut self) -> bool {
        let Some(wait) = self.waits.take() else { return false };
        match wait.so_far {
            Some(so_far) => self.keep(wait.question, so_far),
            None if self.question() == Some(&wait.question) => self.failed = Some("it was stopped".to_owned()),
            None => {}
        }
        true
    }

    /// Forgets the answer to the shown question, or its error.
    pub fn again(&mut self) {
        self.failed = None;
        if let Some(question) = self.question().cloned() {
            self.known.retain(|(known, _)| *known != question);
        }
    }

    /// Shows no question, so that a failed one is tried anew when it is shown again. Answers stay.
    pub fn close(&mut self) {
        self.about = None;
        self.failed = None;
    }

    /// Forgets all questions and answers: they were of another graph.
    pub fn forget(&mut self) {
        let Self { view, freeze, top, draws, .. } = *self;
        *self = Self { view, freeze, top, draws, ..Self::default() };
    }

    /// Ablates `by` more features where none is pinned.
    pub fn ablate_more(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by).clamp(ABLATED.0, ABLATED.1);
    }

    /// Returns the content of the panel.
    pub fn shown(&self) -> Shown<'_> {
        match (&self.about, &self.failed) {
            (Some(Err(why)), _) | (_, Some(why)) => Shown::Why(why),
            (Some(Ok(question)), None) => {
                let wait = self.waits.as_ref().filter(|wait| wait.question == *question);
                let known = self.answer(question).or(wait.and_then(|wait| wait.so_far.as_ref()));
                Shown::Known(known, wait.is_some())
            }
            (None, None) => Shown::Known(None, false),
        }
    }
}
