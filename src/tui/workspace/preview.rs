//! A look at a node without going there: the one under the cursor of a list, under a digit or under the mouse.

use crate::graph::Kept;
use crate::ids::NodeId;
use crate::text;
use crate::tui::keymap::Key;
use crate::tui::panes::{connections, tree};
use crate::tui::state::State;
use crate::tui::ui::{End, free, note};
use crate::tui::workspace::Side;
use crate::tui::workspace::circuit::Connections;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

/// What a preview was asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// Connection of the selected node, by its side and index.
    Link(Side, usize),
    /// Cursor of the tree.
    Branch,
    /// The mouse.
    Mouse,
}

/// Node that is looked at while another is selected.
pub struct Preview {
    /// The node.
    pub node: NodeId,
    /// What it was asked for with.
    pub pointer: Pointer,
    /// Its connections.
    pub connections: Connections,
    /// Kept part of the graph that the connections are of.
    kept: Arc<Kept>,
}

impl Preview {
    /// Returns the words for the titles of panes that show the node, and fewer words for narrow ones.
    pub fn titles(&self) -> [String; 2] {
        let which = match self.pointer {
            Pointer::Link(side, index) => format!("{} {}", side.name(), index + 1),
            Pointer::Branch => "the branch".to_owned(),
            Pointer::Mouse => "the mouse's".to_owned(),
        };
        [format!("preview of {which}"), which]
    }
}

/// Looks at the node that is pointed at: by a key or the mouse, else by the cursor of the pane with the focus.
pub(in crate::tui) fn follow_pointer(state: &mut State) {
    let focus = state.screen.focus;
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let by_cursor = || {
        if focus == connections::PANE {
            let (side, row) = (circuit.connections.side, circuit.connections.row);
            Some((circuit.connections.links().kept.get(row)?.other, Pointer::Link(side, row)))
        } else if focus == tree::PANE {
            Some((circuit.panes.tree.branch()?.node(), Pointer::Branch))
        } else {
            None
        }
    };
    let wanted = circuit.panes.pointed.or_else(by_cursor);
    let Some((node, pointer)) = wanted.filter(|(node, _)| *node != circuit.selected()) else {
        circuit.panes.preview = None;
        return;
    };
    let (graph, kept) = (&circuit.traced.document.graph, &circuit.traced.kept);
    let is_it =
        |preview: &Preview| (preview.node, preview.pointer) == (node, pointer) && Arc::ptr_eq(&preview.kept, kept);
    if circuit.panes.preview.as_ref().is_some_and(is_it) {
        return;
    }
    let connections = Connections::of(graph, kept, node, circuit.connections.listing.clone());
    circuit.panes.preview = Some(Preview { node, pointer, connections, kept: Arc::clone(kept) });
    state.panes.detail.scroll = 0;
}

/// Writes into the frame of a pane that describes a node whether that is looked at alone, and which lines are seen of
/// those that are `more` than the room.
pub(in crate::tui) fn note_description(state: &State, more: Option<String>, frame: Rect, buf: &mut Buffer) {
    let theme = &state.screen.look.theme;
    let preview = state.workspace.circuit.as_ref().and_then(|circuit| circuit.panes.preview.as_ref());
    let more = more.unwrap_or_default();
    let fits = free(frame, &state.screen.look, buf);
    let forms = match preview.map(Preview::titles) {
        // Whose description it is comes before how long that is.
        Some([title, short]) => {
            vec![(title.clone(), format!("  {more}")), (title, String::new()), (short, String::new())]
        }
        None => vec![(String::new(), more)],
    };
    let width = |(title, more): &(String, String)| text::width(title) + text::width(more.trim_end());
    if let Some((title, more)) = forms.iter().find(|form| width(form) <= fits) {
        note(frame, End::Right, &[(title, theme.accent), (more.trim_end(), theme.faint)], buf);
    }
}

/// Looks at the connection with the number of a key.
pub(in crate::tui) fn look_along(state: &mut State, key: Key) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let Some(index) = key.digit().and_then(|digit| digit.checked_sub(1)) else { return };
    let side = circuit.connections.side;
    match circuit.connections.links().kept.get(index) {
        Some(link) => {
            circuit.panes.pointed = Some((link.other, Pointer::Link(side, index)));
            circuit.connections.row = index;
        }
        None => state.screen.say(format!("There is no {} {}", side.name(), index + 1)),
    }
}

/// Looks at a node under the mouse, or no longer at any.
pub(in crate::tui) fn look_at(state: &mut State, node: Option<NodeId>) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let pointed = node.map(|node| (node, Pointer::Mouse));
    let is_by_mouse = |it: Option<(NodeId, Pointer)>| it.is_none_or(|(_, pointer)| pointer == Pointer::Mouse);
    // A look that a key asked for stays until the mouse is on a node.
    if pointed != circuit.panes.pointed && (node.is_some() || is_by_mouse(circuit.panes.pointed)) {
        circuit.panes.pointed = pointed;
        state.screen.dirty = true;
    }
}
