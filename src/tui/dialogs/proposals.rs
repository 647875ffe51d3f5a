//! Proposed supernodes, to be accepted or refused one by one.

use crate::graph::Proposal;
use crate::ids::NodeId;
use crate::text;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Dialog of the proposals that are left.
#[derive(Default)]
pub struct Proposals {
    /// Proposals that are left; `None` while they are being searched.
    left: Option<Vec<Proposal>>,
    row: usize,
}

impl Proposals {
    /// Takes the proposals that were found.
    pub fn take(&mut self, found: Vec<Proposal>) {
        self.left = Some(found);
        self.row = 0;
    }

    /// Moves the cursor by `by` rows.
    pub fn move_by(&mut self, by: isize) {
        let last = self.left.as_ref().map_or(0, Vec::len).saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
    }

    /// Takes the proposal under the cursor off the list and returns its nodes.
    pub fn pop(&mut self) -> Option<Vec<NodeId>> {
        let left = self.left.as_mut()?;
        let proposal = (self.row < left.len()).then(|| left.remove(self.row))?;
        self.row = self.row.min(left.len().saturating_sub(1));
        Some(proposal.members)
    }

    /// Draws the proposals.
    fn draw(&self, circuit: &Circuit, screen: Rect, look: &Look, buf: &mut Buffer) {
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let lines = self.left.as_ref().map_or(1, |left| left.len().max(1));
        let height = (lines as u16 + 2).min(24).min(screen.height);
        let area = crate::tui::ui::open(
            screen,
            screen.width.saturating_sub(4).min(110),
            height,
            "proposed supernodes",
            look,
            buf,
        );
        let room = usize::from(area.width);
        let left = match &self.left {
            Some(left) if !left.is_empty() => left,
            none => {
                let says = if none.is_some() { "no features are alike enough" } else { "comparing features" };
                if !area.is_empty() {
                    buf.set_stringn(area.x, area.y, says, room, theme.quiet);
                }
                return;
            }
        };
        let from = (self.row + 1).saturating_sub(usize::from(area.height));
        for (y, (at, proposal)) in (area.top()..area.bottom()).zip(left.iter().enumerate().skip(from)) {
            let members: Vec<String> = proposal.members.iter().map(|node| circuit.name(*node, glyphs)).collect();
            let likeness = format!("{}  {:>5}", members.len(), text::percent(proposal.likeness).trim_start());
            let wide = text::width(&likeness);
            let room = room.saturating_sub(wide + 2);
            buf.set_stringn(area.x, y, glyphs.fit(&members.join("  "), room), room, theme.text);
            let x = area.right().saturating_sub(wide as u16).max(area.x);
            buf.set_stringn(x, y, likeness, usize::from(area.right() - x), theme.quiet);
            if at == self.row {
                buf.set_style(Rect { y, height: 1, ..area }, theme.selection);
            }
        }
    }
}

const PROPOSALS: Context = Context::dialog("proposals");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "proposals-down", Edit, PROPOSALS, ["Down", "j"], Some("choose"), |s, _| act::move_in_proposals(s, 1), "To the next proposal";
    "proposals-up", Edit, PROPOSALS, ["Up", "k"], Some("choose"), |s, _| act::move_in_proposals(s, -1), "To the proposal before";
    "proposals-accept", Edit, PROPOSALS, ["Enter", "y"], Some("accept"), |s, _| act::accept_proposal(s), "Make this supernode";
    "proposals-refuse", Edit, PROPOSALS, ["x", "n"], Some("refuse"), |s, _| act::refuse_proposal(s), "Refuse it, for good";
    "proposals-close", Edit, PROPOSALS, ["Esc", "q"], Some("back"), |s, _| act::close_dialog(s), "Leave the others for later";
}

impl Dialog for Proposals {
    fn context(&self) -> Context {
        PROPOSALS
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(circuit) = &state.circuit {
            self.draw(circuit, screen, &state.look, buf);
        }
        None
    }
}
