//! Whether the graph on the screen is true: what was asked of the model, and the answers.

use crate::graph::Freeze;
use crate::verify::{Answer, Question, TOP};

/// Answers that are kept of a graph, the newest ones.
const KEPT: usize = 200;

/// The fewest features that can be asked for, and the most: each is compared at every other one.
const ABLATED: (usize, usize) = (5, 200);

/// What is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The chosen connection.
    #[default]
    Edge,
    /// What is pinned, or the most influential features.
    Subgraph,
    /// The whole graph.
    Graph,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Edge, Self::Subgraph, Self::Graph];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Subgraph => "subgraph",
            Self::Graph => "graph",
        }
    }
}

/// A question that the model is working on.
#[derive(Debug)]
struct Wait {
    question: Question,
    so_far: Option<Answer>,
}

/// What there is to show.
pub enum Shown<'a> {
    /// It cannot be asked, or went wrong.
    Why(&'a str),
    /// What is known of the answer, and whether it is still being worked on.
    Known(Option<&'a Answer>, bool),
}

/// What was asked of a graph, and the answers.
#[derive(Debug)]
pub struct VerificationPanel {
    /// What is checked.
    pub view: View,
    /// What stays frozen where features are ablated.
    pub freeze: Freeze,
    /// How many features are ablated where none is pinned.
    pub top: usize,
    /// The chosen pair of the table, or the first line that is shown.
    pub row: usize,
    /// Whether the plot is shown where there is no room for it beside the table.
    pub draws: bool,
    /// What is shown, or why that cannot be asked.
    about: Option<Result<Question, String>>,
    waits: Option<Wait>,
    known: Vec<(Question, Answer)>,
    /// What went wrong with what is shown.
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
    /// Shows something else, or the same still; gives the question that is to be asked for it.
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

    /// What is shown, where it can be asked.
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

    /// Whether anything is waited for.
    pub fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// Takes what there is of the answer so far.
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

    /// Waits no longer; what there is of the answer stays. Whether anything was waited for.
    pub fn stop(&mut self) -> bool {
        let Some(wait) = self.waits.take() else { return false };
        match wait.so_far {
            Some(so_far) => self.keep(wait.question, so_far),
            None if self.question() == Some(&wait.question) => self.failed = Some("it was stopped".to_owned()),
            None => {}
        }
        true
    }

    /// Forgets the answer to what is shown, or what went wrong with it.
    pub fn again(&mut self) {
        self.failed = None;
        if let Some(question) = self.question().cloned() {
            self.known.retain(|(known, _)| *known != question);
        }
    }

    /// Forgets what is shown, so that what went wrong is tried anew when it is shown again. Answers stay.
    pub fn close(&mut self) {
        self.about = None;
        self.failed = None;
    }

    /// Forgets everything that was asked: it was of another graph.
    pub fn forget(&mut self) {
        let Self { view, freeze, top, draws, .. } = *self;
        *self = Self { view, freeze, top, draws, ..Self::default() };
    }

    /// Ablates so many features more where none is pinned.
    pub fn ablate_more(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by).clamp(ABLATED.0, ABLATED.1);
    }

    /// What there is to show.
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
