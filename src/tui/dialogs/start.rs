//! Recent graphs and models to choose from, and the steps that open a model: question to the hub, download, loading.

use crate::hub::{Bytes, Offer};
use crate::job::Progress;
use crate::service::models::{Choice, Here};
use crate::session::RecentGraph;
use crate::text;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::ask::ASK;
use crate::tui::dialogs::{Action, Dialog, ask};
use crate::tui::keymap::Context;
use crate::tui::tabs::name_of;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Stage of the dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Listing the recent graphs and the models.
    #[default]
    Listing,
    /// Waiting for the user's choice.
    Choosing,
    /// Question whether the hub may be asked for the model's files.
    MayAsk,
    /// Asking the hub for the model's files.
    Asking,
    /// Question whether these files may be downloaded.
    MayDownload(Offer),
    /// Downloading these files.
    Downloading(Offer),
    /// Loading the model.
    Loading,
}

/// Dialog of the graphs and models to choose from, graphs first.
#[derive(Default)]
pub struct Start {
    /// Stage of the dialog.
    pub stage: Stage,
    /// Reason why the last listing, download or loading failed.
    pub failure: Option<String>,
    graphs: Vec<RecentGraph>,
    choices: Vec<Choice>,
    server: String,
    at: usize,
}

/// Line of the list.
enum Line<'a> {
    Heading(&'static str),
    Space,
    Graph(&'a RecentGraph),
    Model(&'a Choice),
}

/// Width of the column of names, in cells.
const NAME: usize = 18;
/// Width of the column of sizes, in cells.
const SIZE: usize = 10;

impl Start {
    /// Returns true where a job is under way that can be stopped.
    pub fn is_waiting(&self) -> bool {
        !matches!(self.stage, Stage::Choosing | Stage::MayAsk | Stage::MayDownload(_))
    }

    /// Takes the graphs and models to list; the chosen line stays chosen.
    pub fn take(&mut self, graphs: Vec<RecentGraph>, choices: Vec<Choice>, server: String) {
        let same =
            |choice: &Choice, other: &Choice| (&choice.model, &choice.transcoder) == (&other.model, &other.transcoder);
        let before = self.chosen().and_then(|chosen| choices.iter().position(|choice| same(choice, chosen)));
        self.at = before.map_or(0, |at| graphs.len() + at);
        self.graphs = graphs;
        self.choices = choices;
        self.server = server;
        self.stage = Stage::Choosing;
    }

    /// Returns the model under the cursor.
    pub fn chosen(&self) -> Option<&Choice> {
        self.choices.get(self.at.checked_sub(self.graphs.len())?)
    }

    /// Returns the graph under the cursor.
    pub fn chosen_graph(&self) -> Option<&RecentGraph> {
        self.graphs.get(self.at)
    }

    /// Moves the cursor by `by` lines.
    pub fn step(&mut self, by: isize) {
        let last = (self.graphs.len() + self.choices.len()).saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
    }

    /// Returns the lines of the list, and the index of the line under the cursor.
    fn lines(&self) -> (Vec<Line<'_>>, usize) {
        let models = self.choices.iter().map(Line::Model);
        if self.graphs.is_empty() {
            return (models.collect(), self.at);
        }
        let mut lines = vec![Line::Heading("graphs that were open")];
        lines.extend(self.graphs.iter().map(Line::Graph));
        lines.extend([Line::Space, Line::Heading("models")]);
        lines.extend(models);
        // The cursor is on none of the headings.
        let headings = if self.at < self.graphs.len() { 1 } else { 3 };
        (lines, self.at + headings)
    }

    /// Draws the list and, over it, the question or the progress.
    fn draw(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        let look = &state.look;
        let theme = &look.theme;
        let progress = state.jobs.progress(act::ERRAND).cloned().unwrap_or_default();
        let width = screen.width.saturating_sub(4).min(110);
        let inner_width = usize::from(width.saturating_sub(4)).max(1);
        let failure = self
            .failure
            .as_ref()
            .map_or_else(Vec::new, |why| crate::tui::ui::wrap(&look.glyphs.visible(why), inner_width));
        let (lines, cursor) = self.lines();
        let height = lines.len().max(1) + if failure.is_empty() { 0 } else { failure.len() + 1 };
        let height = (height as u16 + 2).min(screen.height);
        let title = if self.graphs.is_empty() { "models" } else { "start" };
        let area = crate::tui::ui::open(screen, width, height, title, look, buf);
        if area.is_empty() {
            return None;
        }
        let failure_lines = (failure.len() as u16).min(area.height.saturating_sub(2));
        let room = area.height - if failure_lines > 0 { failure_lines + 1 } else { 0 };
        if lines.is_empty() {
            buf.set_stringn(area.x, area.y, "looking what is here", usize::from(area.width), theme.quiet);
        }
        let from = (cursor + 1).saturating_sub(usize::from(room));
        for ((at, line), y) in lines.iter().enumerate().skip(from).zip(area.y..area.y + room) {
            let row = Rect { y, height: 1, ..area };
            match line {
                Line::Space => {}
                Line::Heading(title) => {
                    buf.set_stringn(row.x, y, title, usize::from(row.width), theme.strong);
                }
                Line::Graph(graph) => graph_row(graph, row, look, buf),
                Line::Model(choice) => model_row(choice, row, look, buf),
            }
            if at == cursor {
                buf.set_style(row, theme.selection);
            }
        }
        for (line, y) in failure.iter().zip(area.bottom() - failure_lines..area.bottom()) {
            buf.set_stringn(area.x, y, line, usize::from(area.width), theme.alert);
        }
        let title = if self.stage == Stage::Loading { "load" } else { "download" };
        ask::render(title, &self.question(&progress), self.bar(&progress), screen, look, state.ticks, buf);
        None
    }

    /// Returns the lines of the question or of the progress; none while the user chooses.
    fn question(&self, progress: &Progress) -> Vec<String> {
        let Some(Choice { name, model, transcoder, here, .. }) = self.chosen() else { return Vec::new() };
        let called = if name.is_empty() { transcoder } else { name };
        match &self.stage {
            Stage::Listing | Stage::Choosing => Vec::new(),
            Stage::MayAsk => vec![
                format!(
                    "{model} with {transcoder} is {} on this machine.",
                    match here {
                        Here::Partly => "only in part",
                        Here::Whole | Here::Nothing => "not",
                    }
                ),
                format!("Ask {} what is missing and how large it is?", self.server),
            ],
            Stage::Asking => vec![format!("Asking {} what is missing of {called}", self.server)],
            Stage::MayDownload(offer) => {
                let mut lines = offer.lines();
                lines.push(format!("Download {} into the hub cache?", Bytes(offer.to_come())));
                lines
            }
            Stage::Downloading(_) => vec![format!(
                "{called}: {} {} of {}",
                if progress.phase.is_empty() { "downloading" } else { progress.phase },
                Bytes(progress.done),
                Bytes(progress.total),
            )],
            Stage::Loading => vec![format!("Loading {called}")],
        }
    }

    /// Returns the share that is downloaded, during a download.
    fn bar(&self, progress: &Progress) -> Option<f64> {
        let share = progress.done as f64 / progress.total.max(1) as f64;
        matches!(self.stage, Stage::Downloading(_)).then_some(share)
    }
}

fn model_row(choice: &Choice, row: Rect, look: &Look, buf: &mut Buffer) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    let (sign, size) = match choice.here {
        Here::Whole => (glyphs.feature, Bytes(choice.bytes).to_string()),
        Here::Partly => (glyphs.error, Bytes(choice.bytes).to_string()),
        Here::Nothing => (" ", "not here".to_owned()),
    };
    let style = if choice.here == Here::Whole { theme.text } else { theme.quiet };
    let end = row.right();
    let room = |x: u16| usize::from(end.saturating_sub(x));
    let (x, _) = buf.set_stringn(row.x, row.y, format!("{sign} "), room(row.x), theme.accent);
    let what = if choice.transcoder.is_empty() {
        choice.model.clone()
    } else {
        format!("{} + {}", choice.model, choice.transcoder)
    };
    let name = glyphs.fit(&glyphs.visible(&choice.name), NAME);
    let pad = " ".repeat(NAME.saturating_sub(text::width(&name)));
    let (x, _) = buf.set_stringn(x, row.y, format!("{name}{pad} {size:>SIZE$}  "), room(x), style);
    buf.set_stringn(x, row.y, glyphs.fit(&glyphs.visible(&what), room(x)), room(x), theme.quiet);
}

/// Draws a recent graph: its file, its prompt, its model.
fn graph_row(graph: &RecentGraph, row: Rect, look: &Look, buf: &mut Buffer) {
    let (theme, glyphs) = (&look.theme, &look.glyphs);
    const FILE: usize = NAME + 1 + SIZE;
    let end = row.right();
    let room = |x: u16| usize::from(end.saturating_sub(x));
    let file = glyphs.fit(&glyphs.visible(&name_of(&graph.path)), FILE);
    let pad = " ".repeat(FILE.saturating_sub(text::width(&file)));
    let (x, _) = buf.set_stringn(row.x + 2, row.y, format!("{file}{pad}  "), room(row.x + 2), theme.text);
    let model = glyphs.visible(&graph.model);
    let model_x = end.saturating_sub(text::width(&model) as u16);
    let prompt = glyphs.visible(&graph.prompt);
    // The model stands at the end where the prompt leaves room for it.
    let both = !model.is_empty() && x + 24 < model_x;
    let prompt_room = if both { usize::from(model_x - x - 2) } else { room(x) };
    // Prompts differ most at their end, so that is the part to keep.
    let prompt = text::truncate_start(&prompt, prompt_room, glyphs.ellipsis);
    buf.set_stringn(x, row.y, prompt, prompt_room, theme.quiet);
    if both {
        buf.set_stringn(model_x, row.y, model, room(model_x), theme.faint);
    }
}

const START: Context = Context::dialog("start");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "model-down", Models, START, ["Down", "j"], Some("choose"), |s, _| act::step_model(s, 1), "To the next model";
    "model-up", Models, START, ["Up", "k"], Some("choose"), |s, _| act::step_model(s, -1), "To the model before";
    "model-take", Models, START, ["Enter"], Some("take"), |s, _| act::choose_model(s), "Load it, or ask what it takes to have it here";
    "models-close", Models, START, ["Esc", "q"], Some("back"), |s, _| act::close_dialog(s), "Leave the model as it was";
}

impl Dialog for Start {
    fn context(&self) -> Context {
        if self.stage == Stage::Choosing { START } else { ASK }
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(state, screen, buf)
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn yes(&self) -> Action {
        act::accept_model
    }

    fn no(&self) -> Action {
        act::refuse_model
    }

    fn cancel(&self) -> Action {
        if self.is_waiting() { act::refuse_model } else { |state| state.dialogs.close_all() }
    }
}
