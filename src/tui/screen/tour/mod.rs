//! The tour: a few steps through the demo's circuit, each done by pressing what it names. It stands in two lines over the
//! hint line, and every key works as it does without it.

mod steps;

use crate::demo;
use crate::graph::{Edit, Interventions};
use crate::ids::NodeId;
use crate::tui::panes::graph;
use crate::tui::screen::key_of;
use crate::tui::screen::tour::steps::{END, STEPS};
use crate::tui::state::State;
use crate::tui::ui::{Pen, wrap};
use crate::tui::workspace::session::is_demos;
use crate::tui::workspace::session::update::SESSION;
use crate::tui::workspace::tabs::update::{set_beside, turn_by};
use crate::tui::workspace::tracing::start_trace;
use crate::tui::workspace::{Circuit, Reached, Side, TabContent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Lines that the tour takes.
pub(super) const LINES: u16 = 2;

/// The tour, and how far it is.
#[derive(Debug, Default)]
pub struct Tour {
    /// Number of steps that are done.
    done: usize,
    /// True once its graph stands on the screen as the first step speaks of it.
    begun: bool,
}

impl Tour {
    /// Returns the number of steps that are done, and of all.
    pub fn progress(&self) -> (usize, usize) {
        (self.done, STEPS.len())
    }
}

/// Starts the tour from its first step, on the demo's graph: that is turned to, or traced.
pub fn start_tour(state: &mut State) {
    let is_demos = state.jobs.services.tracer.as_ref().is_some_and(|tracer| tracer.model_name() == demo::NAME);
    if !is_demos {
        state.screen.say("The tour is of the demo model: `circuitscope tour` takes it");
        return;
    }
    let open = state.workspace.tabs.others().find_map(|(turns, _, tab)| match &tab.graph {
        TabContent::Circuit { circuit, .. } => is_of_demo(circuit).then_some(turns),
        TabContent::File(_) | TabContent::Nothing => None,
    });
    let is_here = state.workspace.circuit.as_ref().is_some_and(is_of_demo)
        || state.workspace.busy.as_ref().is_some_and(|busy| busy.prompt == demo::PROMPT);
    match open {
        _ if is_here => {}
        Some(turns) => turn_by(state, turns),
        None if state.workspace.circuit.is_none() && state.workspace.busy.is_none() => {
            start_trace(state, demo::PROMPT.to_owned());
        }
        None => {
            if !set_beside(state) {
                return;
            }
            start_trace(state, demo::PROMPT.to_owned());
        }
    }
    state.screen.tour = Some(Tour::default());
}

/// Leaves the tour where it is.
pub(in crate::tui) fn leave_tour(state: &mut State) {
    state.screen.tour = None;
    let again = key_of("tour", state);
    state.screen.say(format!("The tour is left; {again} takes it from the start"));
}

/// Goes on to the first step that is not done yet by what stands on the screen.
pub(in crate::tui) fn take_steps(state: &mut State) {
    let Some(tour) = &state.screen.tour else { return };
    let Some(circuit) = state.workspace.circuit.as_ref().filter(|circuit| is_of_demo(circuit)) else { return };
    if !tour.begun {
        if state.workspace.busy.is_none() && !state.jobs.is_waiting(SESSION) {
            begin(state);
        }
        return;
    }
    let done = STEPS.iter().skip(tour.done).take_while(|step| (step.is_done)(state, circuit)).count();
    if let (1.., Some(tour)) = (done, &mut state.screen.tour) {
        tour.done += done;
        state.screen.dirty = true;
    }
}

/// Selects the answer, and takes interventions back that the steps would not speak of.
fn begin(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    state.dialogs.close_all();
    state.screen.focus = graph::PANE;
    state.screen.windows.zoomed = false;
    state.panes.detail.scroll = 0;
    circuit.connections.set_side(Side::Inputs);
    if let Some(answer) = circuit.answer().filter(|answer| *answer != circuit.selected()) {
        circuit.go(answer, Reached::Freely);
    }
    if !circuit.edits.now().interventions.list.is_empty() {
        circuit.edits.apply(Edit::SetInterventions(Interventions::default()));
        let undo = key_of("undo", state);
        state.screen.say(format!("The interventions are put away for the tour; {undo} brings them back"));
    }
    if let Some(tour) = &mut state.screen.tour {
        tour.begun = true;
    }
    state.screen.dirty = true;
}

/// Returns true where a circuit is that of the demo's question.
fn is_of_demo(circuit: &Circuit) -> bool {
    is_demos(&circuit.traced.document)
}

/// Returns the prompt that a swap starts from during the tour.
pub(in crate::tui) fn other_prompt(state: &State) -> Option<String> {
    let circuit = state.workspace.circuit.as_ref().filter(|circuit| is_of_demo(circuit))?;
    let is_at_city = steps::is_at_city(circuit, circuit.selected());
    (state.screen.tour.is_some() && is_at_city).then(|| demo::OTHER_PROMPT.to_owned())
}

/// Returns the text of the step at hand; keys stand between backticks.
fn text(state: &State, tour: &Tour) -> String {
    match state.workspace.circuit.as_ref().filter(|circuit| is_of_demo(circuit)) {
        Some(circuit) if tour.begun => STEPS.get(tour.done).map_or(END, |step| step.says)(state, circuit),
        Some(_) => String::new(),
        None if state.workspace.busy.is_some() => "The demo's question is being traced.".to_owned(),
        None => format!("The tour waits for the demo's graph: `{}` turns to it.", key_of("next-graph", state)),
    }
}

/// Draws the step at hand.
pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let Some(tour) = &state.screen.tour else { return };
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let (done, all) = tour.progress();
    let lead = if done < all { format!("tour {}/{all}  ", done + 1) } else { "tour     ".to_owned() };
    let wide = lead.len() as u16;
    let says = glyphs.visible(&text(state, tour));
    let mut is_key = false;
    let lines = wrap(&says, usize::from(line.width.saturating_sub(wide)).max(1));
    for (at, text) in (0..area.height).zip(lines) {
        let mut pen = Pen::new(buf, line, at);
        if at == 0 {
            pen.put(&lead, theme.strong);
        } else {
            pen.skip(wide);
        }
        for (nth, piece) in text.split('`').enumerate() {
            is_key ^= nth > 0;
            pen.put(piece, if is_key { theme.accent } else { theme.text });
        }
    }
}

/// Text of a step, or whether it is done.
type Of<T> = fn(&State, &Circuit) -> T;

/// Step of the tour.
struct Step {
    /// Says what is seen, and what to press.
    says: Of<String>,
    /// Tells from the state whether it was done.
    is_done: Of<bool>,
}

/// Returns the digit that leads from the selected node to the first of its numbered connections that is wanted, and the
/// node there.
fn digit_to(circuit: &Circuit, wanted: impl Fn(NodeId) -> bool) -> Option<(usize, NodeId)> {
    let numbered = circuit.connections.links().kept.iter().take(9);
    numbered.zip(1..).find(|(link, _)| wanted(link.other)).map(|(link, digit)| (digit, link.other))
}
