//! Circuit of a node, unrolled.

pub mod branches;
pub(in crate::tui) mod update;
pub(in crate::tui) mod view;

use crate::tui::keymap::{Command, Context, commands};
use crate::tui::panes::tree::update::hold_tree;
use crate::tui::panes::{Pane, PaneId, Region};
use crate::tui::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Pane of the unrolled circuit.
struct TreePane;

/// Id of the pane.
pub const PANE: PaneId = PaneId::new(&TreePane);

/// Context in which the pane's own keys work.
pub const CONTEXT: Context = Context::of_pane("tree");

commands! {
    /// Commands on branches and on the root.
    pub const BINDINGS;
    "branch-down", Lists, CONTEXT, ["Down", "j"], Some("choose"), |s, _| update::tree(s, |tree| tree.move_by(1)), "To the next branch";
    "branch-up", Lists, CONTEXT, ["Up", "k"], Some("choose"), |s, _| update::tree(s, |tree| tree.move_by(-1)), "To the branch before";
    "branch-open", Lists, CONTEXT, ["Right", "l"], Some("open"), |s, _| update::tree(s, |tree| tree.open()), "Open the branch, or go on into it";
    "branch-close", Lists, CONTEXT, ["Left", "h"], Some("open"), |s, _| update::tree(s, |tree| tree.close()), "Close the branch, or go back to where it grows";
    "tree-hold", Lists, CONTEXT, ["r"], Some("hold"), |s, _| hold_tree(s), "Hold on to the root while walking, or let go";
    "tree-wider", Lists, CONTEXT, [")"], Some("branches"), |s, _| update::tree(s, |tree| tree.add_to_top(1)), "A branch more at every node";
    "tree-narrower", Lists, CONTEXT, ["("], Some("branches"), |s, _| update::tree(s, |tree| tree.add_to_top(-1)), "A branch fewer at every node";
}

commands! {
    /// Longer steps in the tree.
    pub const PAGES;
    "branch-toggle", Lists, CONTEXT, ["a"], None, |s, _| update::tree(s, |tree| tree.toggle()), "Open or close the branch";
    "branch-page-down", Lists, CONTEXT, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| update::tree(s, |tree| tree.move_by(10)), "Ten branches further";
    "branch-page-up", Lists, CONTEXT, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| update::tree(s, |tree| tree.move_by(-10)), "Ten branches back";
    "branch-first", Lists, CONTEXT, ["g", "Home"], None, |s, _| update::tree(s, |tree| tree.move_by(isize::MIN)), "To the root";
    "branch-last", Lists, CONTEXT, ["G", "End"], None, |s, _| update::tree(s, |tree| tree.move_by(isize::MAX)), "To the last branch";
}

impl Pane for TreePane {
    fn title(&self) -> &'static str {
        "tree"
    }

    fn context(&self) -> Context {
        CONTEXT
    }

    fn region(&self) -> Region {
        Region::LowerLeft
    }

    fn bindings(&self) -> &'static [Command] {
        BINDINGS
    }

    /// Grows the tree where it is seen.
    fn update(&self, state: &mut State, room: Option<Rect>) {
        if let (Some(circuit), Some(_)) = (&mut state.workspace.circuit, room) {
            circuit.grow_tree();
        }
    }

    fn render(&self, state: &State, frame: Rect, room: Rect, buf: &mut Buffer) {
        view::render(state, frame, room, buf);
    }

    /// Puts the cursor on the branch at a cell; on the one under the cursor, opens or closes it.
    fn click(&self, state: &mut State, room: Rect, cell: Position, had_focus: bool) {
        let Some(circuit) = &mut state.workspace.circuit else { return };
        let Some(at) = view::branch_at(circuit, room, cell) else { return };
        if had_focus && circuit.panes.tree.at() == at {
            circuit.panes.tree.toggle();
        } else {
            circuit.panes.tree.move_to(at);
        }
    }

    fn scroll(&self, state: &mut State, by: isize) {
        update::tree(state, |tree| tree.move_by(by));
    }

    fn follow(&self, state: &mut State) {
        update::go_to_branch(state);
    }
}
