//! Strongest paths between two nodes.

use crate::graph::{Edit, Path, Paths as Found, paths};
use crate::ids::NodeId;
use crate::text;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Context, commands};
use crate::tui::runtime::JobKey;
use crate::tui::screen::close_dialog;
use crate::tui::state::State;
use crate::tui::ui::Look;
use crate::tui::workspace::{Circuit, apply};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Dialog of the paths between two nodes.
pub struct Paths {
    from: NodeId,
    to: NodeId,
    /// Paths that were found; `None` while they are being searched.
    found: Option<Found>,
    row: usize,
}

impl Paths {
    /// Waits for the paths from `from` to `to`.
    pub fn new(from: NodeId, to: NodeId) -> Self {
        Self { from, to, found: None, row: 0 }
    }

    /// Takes the paths that were found.
    pub fn take(&mut self, found: Found) {
        self.found = Some(found);
    }

    /// Moves the cursor by `by` rows.
    pub fn move_by(&mut self, by: isize) {
        let last = self.found.as_ref().map_or(0, |found| found.found.len()).saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
    }

    /// Returns the path under the cursor.
    pub fn chosen(&self) -> Option<&Path> {
        self.found.as_ref()?.found.get(self.row)
    }

    /// Draws the paths.
    fn draw(&self, circuit: &Circuit, screen: Rect, look: &Look, buf: &mut Buffer) {
        const STRENGTH: usize = 11;
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let lines = self.found.as_ref().map_or(0, |found| found.found.len());
        let height = (lines as u16 + 4).clamp(5, 26).min(screen.height);
        let area = crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(130), height, "paths", look, buf);
        if area.height < 3 {
            return;
        }
        let room = usize::from(area.width);
        let name = |node: &NodeId| circuit.name(*node, glyphs);
        let ends = format!("from {} to {}: ", name(&self.from), name(&self.to));
        let head = match &self.found {
            None => format!("{ends}looking{}", glyphs.ellipsis),
            Some(found) if found.found.is_empty() => format!("{ends}no path of kept edges"),
            Some(found) => {
                let count = text::counted(found.found.len(), "path");
                format!("{ends}{count}, {} of the strength of all", text::percent(found.coverage()).trim_start())
            }
        };
        buf.set_stringn(area.x, area.y, glyphs.fit(&head, room), room, theme.quiet);
        let list = Rect { y: area.y + 2, height: area.height - 2, ..area };
        let found = self.found.iter().flat_map(|found| &found.found);
        let from = (self.row + 1).saturating_sub(usize::from(list.height));
        for (y, (at, path)) in (list.top()..list.bottom()).zip(found.enumerate().skip(from)) {
            let names: Vec<String> = path.nodes.iter().map(name).collect();
            let way = glyphs.fit(&names.join(&format!(" {} ", glyphs.to_output)), room.saturating_sub(STRENGTH));
            buf.set_stringn(list.x, y, way, room.saturating_sub(STRENGTH), theme.text);
            let strength = text::weight(path.strength as f32);
            let x = list.right().saturating_sub(text::width(&strength) as u16).max(list.x);
            buf.set_stringn(x, y, strength, usize::from(list.right() - x), theme.sign(path.strength as f32));
            if at == self.row {
                buf.set_style(Rect { y, height: 1, ..list }, theme.selection);
            }
        }
    }
}

const PATHS: Context = Context::dialog("paths");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "paths-down", Find, PATHS, ["Down", "j"], Some("choose"), |s, _| move_in_paths(s, 1), "To the next path";
    "paths-up", Find, PATHS, ["Up", "k"], Some("choose"), |s, _| move_in_paths(s, -1), "To the path before";
    "paths-show", Find, PATHS, ["Enter"], Some("show"), |s, _| show_path(s), "Draw this path in the link graph";
    "paths-pin", Find, PATHS, ["p"], Some("pin"), |s, _| pin_path(s), "Pin every node of this path";
    "paths-page-down", Find, PATHS, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| move_in_paths(s, 10), "Ten paths further";
    "paths-page-up", Find, PATHS, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| move_in_paths(s, -10), "Ten paths back";
    "paths-first", Find, PATHS, ["g", "Home"], None, |s, _| move_in_paths(s, isize::MIN), "To the strongest path";
    "paths-last", Find, PATHS, ["G", "End"], None, |s, _| move_in_paths(s, isize::MAX), "To the weakest path";
    "paths-close", Find, PATHS, ["Esc", "q"], Some("back"), |s, _| close_dialog(s), "Leave the paths";
}

impl Dialog for Paths {
    fn context(&self) -> Context {
        PATHS
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(circuit) = &state.workspace.circuit {
            self.draw(circuit, screen, &state.screen.look, buf);
        }
        None
    }
}

/// Most paths that are listed.
const LISTED: usize = 50;
const FIND_PATHS: JobKey = JobKey::new("paths").of_graph();

/// Marks one end of the paths the first time; finds the paths between both ends the second time.
pub(in crate::tui) fn find_paths(state: &mut State) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let here = circuit.selected();
    circuit.marks.path.clear();
    match circuit.marks.path_end.take() {
        Some(there) if there != here => look(state, there, here),
        _ => {
            circuit.marks.path_end = Some(here);
            let name = circuit.name(here, &state.screen.look.glyphs);
            state.screen.say(format!("Paths to or from {name}: the same key at the other end finds them"));
        }
    }
}

fn look(state: &mut State, one: NodeId, other: NodeId) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let (from, to) = upward(circuit, one, other);
    let (graph, kept) = (circuit.traced.document.graph.clone(), circuit.traced.kept.clone());
    state.dialogs.open(Paths::new(from, to));
    state.jobs.submit(
        FIND_PATHS,
        move |_, monitor| {
            let found = paths(&graph, Some(&kept), from, to, LISTED, monitor.cancel());
            found.map_err(|stop| stop.to_string())
        },
        |state, found| {
            if let (Some(paths), Ok(found)) = (state.dialogs.get_mut::<Paths>(), found) {
                paths.take(found);
            }
        },
    );
}

/// Orders two ends: effects flow along the topological order, so paths begin at the end that is earlier in it.
fn upward(circuit: &Circuit, one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    let order = circuit.traced.document.graph.topological_order();
    match order.iter().find(|node| **node == one || **node == other) {
        Some(first) if *first == other => (other, one),
        _ => (one, other),
    }
}

pub(in crate::tui) fn move_in_paths(state: &mut State, by: isize) {
    if let Some(paths) = state.dialogs.get_mut::<Paths>() {
        paths.move_by(by);
    }
}

fn chosen(state: &State) -> Option<Vec<NodeId>> {
    state.dialogs.get::<Paths>()?.chosen().map(|path| path.nodes.clone())
}

pub(in crate::tui) fn pin_path(state: &mut State) {
    if let Some(nodes) = chosen(state) {
        let said = format!("Pinned the path: {}", text::counted(nodes.len(), "node"));
        apply(state, Edit::Pin(nodes), said);
    }
}

/// Draws the path in the link graph until another is looked for.
pub(in crate::tui) fn show_path(state: &mut State) {
    if let (Some(nodes), Some(circuit)) = (chosen(state), &mut state.workspace.circuit) {
        circuit.marks.path = nodes;
        state.dialogs.close_all();
    }
}
