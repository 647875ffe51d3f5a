//! Reasons why features fire or do not: those that came close, and the effects that drive and restrain the chosen one.

mod balance;
pub(in crate::tui) mod update;

use crate::attribution::{Inactive, Source, Why};
use crate::graph::FeatureAt;
use crate::ids::Position as Place;
use crate::job::Progress;
use crate::service::explain::{ExplainReply, Search};
use crate::service::library::Feature;
use crate::text;
use crate::tui::dialogs::{Action, Dialog};
use crate::tui::keymap::{Context, commands};
use crate::tui::state::State;
use crate::tui::ui::{Look, TextEdit, first_line, line};
use crate::tui::workspace::Circuit;
use balance::{About, Called, row_of};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use std::collections::HashMap;
use tui_input::Input;

/// Purpose of the line that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputMode {
    /// Another prompt: the list shows features that fire on it.
    Prompt,
    /// Feature at a position.
    Feature,
}

/// Dialog of features that came close, and of the effects on the chosen one.
pub struct Reasons {
    /// True while an answer is waited for.
    waits: bool,
    /// True while a list is waited for.
    lists: bool,
    /// Search of the list.
    pub search: Search,
    /// Position of the selected node.
    place: Place,
    /// Feature that was named or selected: it stands above the list, firing or not.
    named: Option<FeatureAt>,
    listed: Vec<Inactive>,
    why: Option<Why>,
    names: HashMap<Feature, String>,
    failure: Option<String>,
    row: usize,
    input_mode: Option<InputMode>,
    input: Input,
}

/// Least width at which the chosen feature stands beside the list.
const BESIDE: u16 = 100;

impl Reasons {
    /// Lists features that do not fire at `place`, below the feature that is selected there.
    pub fn new(place: Place, selected: Option<FeatureAt>) -> Self {
        Self {
            waits: false,
            lists: false,
            search: Search { position: Some(place), fires_in: None },
            place,
            named: selected,
            listed: Vec::new(),
            why: None,
            names: HashMap::new(),
            failure: None,
            row: 0,
            input_mode: None,
            input: Input::default(),
        }
    }

    /// Waits for an answer. Returns true where a list has to be asked for with it: one that is still awaited would not
    /// come.
    pub fn asked(&mut self, lists: bool) -> bool {
        (self.waits, self.failure) = (true, None);
        self.lists |= lists;
        self.lists
    }

    /// Takes the answer, or the reason why it failed.
    pub fn take(&mut self, result: Result<ExplainReply, String>) {
        (self.waits, self.lists) = (false, false);
        match result {
            Ok(ExplainReply { listed, why, names }) => {
                self.names.extend(names);
                if let Some(listed) = listed {
                    self.listed = listed;
                    self.row = 0;
                }
                self.why = why;
            }
            Err(why) => self.failure = Some(why),
        }
    }

    /// Switches between the features at the selected node's position and those at all positions.
    pub fn turn_position(&mut self) {
        self.search.position = if self.search.position.is_none() { Some(self.place) } else { None };
    }

    /// Returns all rows, with their margins: the feature that was named, then the list.
    fn rows(&self) -> impl Iterator<Item = (FeatureAt, Option<f32>)> + '_ {
        let named = self.named.map(|at| {
            let margin = self.why.as_ref().filter(|why| why.margin.at == at).map(|why| why.margin.margin);
            (at, margin)
        });
        let listed = self.listed.iter().filter(|it| Some(it.at) != self.named).map(|it| (it.at, Some(it.margin)));
        named.into_iter().chain(listed)
    }

    /// Returns the feature that stands above the list.
    pub fn named(&self) -> Option<FeatureAt> {
        self.named
    }

    /// Returns the feature under the cursor.
    pub fn chosen(&self) -> Option<FeatureAt> {
        self.rows().nth(self.row).map(|(at, _)| at)
    }

    /// Moves the cursor; returns true where it is on another row then.
    pub fn move_by(&mut self, by: isize) -> bool {
        let last = self.rows().count().saturating_sub(1);
        let before = self.row;
        self.row = before.saturating_add_signed(by).min(last);
        before != self.row
    }

    /// Begins to write a line.
    pub fn write(&mut self, mode: InputMode) {
        self.input_mode = Some(mode);
        self.failure = None;
        let now = match mode {
            InputMode::Prompt => self.search.fires_in.clone(),
            InputMode::Feature => self.chosen().map(|at| at.to_string()),
        };
        self.input = Input::new(now.unwrap_or_default());
    }

    /// Takes the written line; returns true where it asks for a list, false for a feature, `None` where it asks for
    /// nothing.
    pub fn take_line(&mut self) -> Option<bool> {
        let text = self.input.value().trim().to_owned();
        match self.input_mode? {
            InputMode::Prompt => {
                self.search = Search { position: None, fires_in: Some(text).filter(|text| !text.is_empty()) };
                self.input_mode = None;
                Some(true)
            }
            InputMode::Feature => match text.parse() {
                Ok(at) => {
                    (self.named, self.row, self.input_mode) = (Some(at), 0, None);
                    Some(false)
                }
                Err(why) => {
                    self.failure = Some(format!("{text}: {why}"));
                    None
                }
            },
        }
    }

    /// Leaves the line without asking; returns true where a line was being written.
    pub fn leave_line(&mut self) -> bool {
        self.failure = None;
        self.input_mode.take().is_some()
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, state: &State, circuit: &Circuit, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        let look = &state.screen.look;
        let (width, height) = (screen.width.saturating_sub(2).min(150), screen.height.min(40));
        let area = crate::tui::ui::open(screen, width, height, "why it fires, or does not", look, buf);
        let parts = [Constraint::Length(1), Constraint::Length(1), Constraint::Fill(1)];
        let [head, note, below] = Layout::vertical(parts).areas(area);
        if below.is_empty() {
            return None;
        }
        let cursor = self.head(circuit, head, look, buf);
        let room = usize::from(note.width);
        if let Some(why) = &self.failure {
            buf.set_stringn(note.x, note.y, look.glyphs.fit(&look.glyphs.visible(why), room), room, look.theme.alert);
        } else if self.waits {
            let Progress { phase, done, total } = state.jobs.progress(update::EXPLAIN).cloned().unwrap_or_default();
            let spinner = look.glyphs.spinner[state.screen.ticks % look.glyphs.spinner.len()];
            let far = if total > 0 { format!(" {done} of {total}") } else { String::new() };
            buf.set_stringn(note.x, note.y, format!("{spinner} {phase}{far}"), room, look.theme.accent);
        } else {
            buf.set_stringn(note.x, note.y, "feature, and its margin", room, look.theme.faint);
        }
        let (list, about) = if below.width >= BESIDE {
            let [list, about] =
                Layout::horizontal([Constraint::Percentage(38), Constraint::Fill(1)]).spacing(3).areas(below);
            (list, about)
        } else {
            let [list, about] =
                Layout::vertical([Constraint::Percentage(40), Constraint::Fill(1)]).spacing(1).areas(below);
            (list, about)
        };
        let called = Called { circuit, names: &self.names, look };
        self.list(&called, list, look, buf);
        if let Some(why) = &self.why {
            About { why, called: &called, look }.render(about, buf);
        }
        cursor
    }

    /// Draws the search, or the line being written.
    fn head(&self, circuit: &Circuit, area: Rect, look: &Look, buf: &mut Buffer) -> Option<Position> {
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let room = usize::from(area.width);
        if let Some(mode) = self.input_mode {
            let label = match mode {
                InputMode::Prompt => "fires on the prompt: ",
                InputMode::Feature => "LAYER:POSITION:FEATURE: ",
            };
            let (x, _) = buf.set_stringn(area.x, area.y, label, room, theme.quiet);
            let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
            return Some(line::render(&self.input, rest, theme.strong, look, buf));
        }
        let at = self.search.position.map(|place| format!("at {}", circuit.token_at(place, glyphs)));
        let at = at.unwrap_or_else(|| "at any position".to_owned());
        let says = match &self.search.fires_in {
            None => format!("closest to firing {at}, and do not"),
            Some(other) => format!("do not fire {at}, and do on: {}", glyphs.visible(other)),
        };
        buf.set_stringn(area.x, area.y, glyphs.fit(&says, room), room, theme.quiet);
        None
    }

    fn list(&self, called: &Called<'_>, area: Rect, look: &Look, buf: &mut Buffer) {
        let theme = &look.theme;
        let rows: Vec<_> = self.rows().collect();
        if rows.is_empty() && !self.waits && self.failure.is_none() {
            buf.set_stringn(area.x, area.y, "none", usize::from(area.width), theme.quiet);
        }
        let lines = usize::from(area.height);
        let from = first_line(self.row, lines, rows.len());
        for (y, (nth, (at, margin))) in (area.top()..area.bottom()).zip(rows.into_iter().enumerate().skip(from)) {
            let row = Rect { y, height: 1, ..area };
            let margin = margin.map_or_else(String::new, text::weight);
            row_of(&called.name(Source::Feature(at)), margin, theme.quiet, row, look, buf);
            if nth == self.row {
                buf.set_style(row, theme.selection);
            }
        }
    }
}

const EXPLAIN: Context = Context::dialog("explain");
const EXPLAIN_LINE: Context = Context::line("explain line");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "why-down", Why, EXPLAIN, ["Down", "j"], Some("choose"), |s, _| update::move_in_why(s, 1), "To the next feature explained";
    "why-up", Why, EXPLAIN, ["Up", "k"], Some("choose"), |s, _| update::move_in_why(s, -1), "To the feature explained before";
    "why-page-down", Why, EXPLAIN, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| update::move_in_why(s, 10), "Ten explained features further";
    "why-page-up", Why, EXPLAIN, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| update::move_in_why(s, -10), "Ten explained features back";
    "why-trace", Why, EXPLAIN, ["Enter"], Some("trace"), |s, _| update::trace_why(s), "Trace its pre-activation, and walk that graph";
    "why-position", Why, EXPLAIN, ["Tab"], Some("here/all"), |s, _| update::turn_why_position(s), "List at this position, or at all";
    "why-prompt", Why, EXPLAIN, ["p"], Some("other prompt"), |s, _| update::write_in_why(s, InputMode::Prompt), "List those that fire on another prompt";
    "why-feature", Why, EXPLAIN, ["f"], Some("name one"), |s, _| update::write_in_why(s, InputMode::Feature), "Name a feature and where";
    "why-closest", Why, EXPLAIN, ["c"], Some("closest"), |s, _| update::list_closest(s), "List those that are closest to firing again";
    "why-first", Why, EXPLAIN, ["g", "Home"], None, |s, _| update::move_in_why(s, isize::MIN), "To the first feature of the list";
    "why-last", Why, EXPLAIN, ["G", "End"], None, |s, _| update::move_in_why(s, isize::MAX), "To the last feature of the list";
    "why-close", Why, EXPLAIN, ["Esc", "q"], Some("back"), |s, _| update::close_why(s), "Leave the list";
    "why-line-take", Why, EXPLAIN_LINE, ["Enter"], Some("take"), |s, _| update::take_why_line(s), "Take this prompt, or this feature";
    "why-line-leave", Why, EXPLAIN_LINE, ["Esc"], Some("back"), |s, _| update::close_why(s), "Leave the prompt";
}

impl Dialog for Reasons {
    fn context(&self) -> Context {
        if self.input_mode.is_some() { EXPLAIN_LINE } else { EXPLAIN }
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(state, state.workspace.circuit.as_ref()?, screen, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        if self.input_mode.is_some() {
            self.failure = None;
        }
        self.input_mode.is_none() || line::edit(&mut self.input, edit)
    }

    fn shows_nodes(&self) -> bool {
        false
    }

    fn cancel(&self) -> Action {
        update::close_why
    }
}
