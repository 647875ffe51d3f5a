//! The one table of commands. Keys, help, hint line and the README's key table are made from it.

use crate::tui::act;
use crate::tui::app::State;
use crate::tui::glyph::Charset;
use crate::tui::keymap::{Context, Key};
use std::fmt::Write as _;
use tui_input::InputRequest;

/// Under which heading the help lists a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// From node to node.
    Walk,
    /// What is kept.
    Prune,
    /// The prompt.
    Prompt,
    /// The list of connections, the detail, the tree and the subgraph.
    Lists,
    /// The program.
    Program,
    /// A line of text.
    Text,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 6] = [Self::Walk, Self::Prune, Self::Prompt, Self::Lists, Self::Program, Self::Text];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Walk => "Walk the circuit",
            Self::Prune => "Prune and pin",
            Self::Prompt => "Prompt",
            Self::Lists => "Connections, detail, tree, subgraph",
            Self::Program => "Program",
            Self::Text => "In a line of text",
        }
    }
}

/// Something that a key does.
pub struct Command {
    /// Its name, unique.
    pub name: &'static str,
    /// What it does, in one sentence without a full stop.
    pub doc: &'static str,
    /// Under which heading the help lists it.
    pub group: Group,
    /// Where its keys work.
    pub context: Context,
    /// Its keys as [`Key::parse`] reads them, the first one for the hint line.
    pub keys: &'static [&'static str],
    /// Its word in the hint line; neighbours with the same word share an entry.
    pub hint: Option<&'static str>,
    /// What it does. It is told by which key.
    pub run: fn(&mut State, Key),
}

impl Command {
    /// Whether `key` is one of its keys.
    pub fn bound_to(&self, key: Key) -> bool {
        self.keys.iter().any(|text| Key::parse(text) == Some(key))
    }

    /// Its keys as the screen shows them, a run of digits as one.
    pub fn key_labels(&self, charset: Charset) -> Vec<String> {
        if let (Some(first), Some(last)) = (self.keys.first(), self.keys.last())
            && self.keys.len() > 2
            && self.keys.iter().all(|key| key.parse::<u8>().is_ok())
        {
            return vec![format!("{first}-{last}")];
        }
        self.keys.iter().filter_map(|key| Key::parse(key)).map(|key| key.label(charset)).collect()
    }
}

macro_rules! commands {
    ($($name:literal, $group:ident, $context:ident, [$($key:literal),+], $hint:expr, $run:expr, $doc:literal;)+) => {
        /// Every command, in the order of the help and of the hint line.
        pub static COMMANDS: &[Command] = &[$(Command {
            name: $name,
            doc: $doc,
            group: Group::$group,
            context: Context::$context,
            keys: &[$($key),+],
            hint: $hint,
            run: $run,
        }),+];
    };
}

commands! {
    "move-left", Walk, Graph, ["Left", "h"], Some("move"), |s, _| act::step(s, act::Step::Left), "To the node on the left";
    "move-down", Walk, Graph, ["Down", "j"], Some("move"), |s, _| act::step(s, act::Step::Down), "To the nearest node a layer below";
    "move-up", Walk, Graph, ["Up", "k"], Some("move"), |s, _| act::step(s, act::Step::Up), "To the nearest node a layer above";
    "move-right", Walk, Graph, ["Right", "l"], Some("move"), |s, _| act::step(s, act::Step::Right), "To the node on the right";
    "row-down", Lists, Connections, ["Down", "j"], Some("choose"), |s, _| act::move_row(s, 1), "To the next connection";
    "row-up", Lists, Connections, ["Up", "k"], Some("choose"), |s, _| act::move_row(s, -1), "To the connection before";
    "scroll-down", Lists, Detail, ["Down", "j"], Some("scroll"), |s, _| act::scroll_detail(s, 1), "The detail, a line further";
    "scroll-up", Lists, Detail, ["Up", "k"], Some("scroll"), |s, _| act::scroll_detail(s, -1), "The detail, a line back";
    "branch-down", Lists, Tree, ["Down", "j"], Some("choose"), |s, _| act::tree(s, |tree| tree.move_by(1)), "To the next branch";
    "branch-up", Lists, Tree, ["Up", "k"], Some("choose"), |s, _| act::tree(s, |tree| tree.move_by(-1)), "To the branch before";
    "branch-open", Lists, Tree, ["Right", "l"], Some("open"), |s, _| act::tree(s, |tree| tree.open()), "Open the branch, or go on into it";
    "branch-close", Lists, Tree, ["Left", "h"], Some("open"), |s, _| act::tree(s, |tree| tree.close()), "Close the branch, or go back to where it grows";
    "tree-hold", Lists, Tree, ["r"], Some("hold"), |s, _| act::hold_tree(s), "Hold on to the root while walking, or let go";
    "tree-wider", Lists, Tree, [")"], Some("branches"), |s, _| act::tree(s, |tree| tree.add_to_top(1)), "A branch more at every node";
    "tree-narrower", Lists, Tree, ["("], Some("branches"), |s, _| act::tree(s, |tree| tree.add_to_top(-1)), "A branch fewer at every node";
    "box-left", Lists, Subgraph, ["Left", "h"], Some("move"), |s, _| act::step_box(s, act::Step::Left), "To the box on the left";
    "box-down", Lists, Subgraph, ["Down", "j"], Some("move"), |s, _| act::step_box(s, act::Step::Down), "To the nearest box in the row below";
    "box-up", Lists, Subgraph, ["Up", "k"], Some("move"), |s, _| act::step_box(s, act::Step::Up), "To the nearest box in the row above";
    "box-right", Lists, Subgraph, ["Right", "l"], Some("move"), |s, _| act::step_box(s, act::Step::Right), "To the box on the right";
    "follow", Walk, Panes, ["Enter"], Some("follow"), |s, _| act::follow(s), "Along the strongest connection, or the chosen one";
    "jump", Walk, Panes, ["1", "2", "3", "4", "5", "6", "7", "8", "9"], Some("jump"), act::jump, "Along the connection with this number";
    "side", Walk, Panes, ["o"], Some("in/out"), |s, _| act::switch_side(s), "Number and follow outputs instead of inputs, or back";
    "prompt", Prompt, Panes, ["i"], Some("prompt"), |s, _| act::open_prompt(s), "Edit the prompt and trace it";
    "next-pane", Program, Panes, ["Tab"], Some("pane"), |s, _| act::cycle_pane(s, 1), "To the next pane";
    "zoom", Program, Panes, ["z"], Some("zoom"), |s, _| act::toggle_zoom(s), "Give this pane all of the room, or take it back";
    "back", Walk, Panes, ["[", "Backspace"], Some("back"), |s, _| act::back(s), "Back to where the walk was before";
    "forward", Walk, Panes, ["]"], Some("back"), |s, _| act::forward(s), "Forward again after going back";
    "to-answer", Walk, Graph, ["g", "Home"], None, |s, _| act::to_answer(s), "To the most probable answer";
    "to-token", Walk, Graph, ["G", "End"], None, |s, _| act::to_token(s), "Down to the token of this column";
    "row-page-down", Lists, Connections, ["PageDown"], None, |s, _| act::move_row(s, 10), "Ten connections further";
    "row-page-up", Lists, Connections, ["PageUp"], None, |s, _| act::move_row(s, -10), "Ten connections back";
    "row-first", Lists, Connections, ["g", "Home"], None, |s, _| act::move_row(s, isize::MIN), "To the strongest connection";
    "row-last", Lists, Connections, ["G", "End"], None, |s, _| act::move_row(s, isize::MAX), "To the weakest connection";
    "row-inputs", Lists, Connections, ["Left", "h"], None, |s, _| act::set_side(s, act::Side::Inputs), "The list of inputs";
    "row-outputs", Lists, Connections, ["Right", "l"], None, |s, _| act::set_side(s, act::Side::Outputs), "The list of outputs";
    "order", Lists, Connections, ["w"], Some("order"), |s, _| act::switch_order(s), "List by signed weight instead of share, or back";
    "list-features", Lists, Panes, ["F"], None, |s, _| act::toggle_listed(s, act::Listed::Features), "List features, or leave them out";
    "list-errors", Lists, Panes, ["E"], None, |s, _| act::toggle_listed(s, act::Listed::Errors), "List errors, or leave them out";
    "list-tokens", Lists, Panes, ["T"], None, |s, _| act::toggle_listed(s, act::Listed::Tokens), "List tokens, or leave them out";
    "branch-toggle", Lists, Tree, ["Space"], None, |s, _| act::tree(s, |tree| tree.toggle()), "Open or close the branch";
    "branch-page-down", Lists, Tree, ["PageDown"], None, |s, _| act::tree(s, |tree| tree.move_by(10)), "Ten branches further";
    "branch-page-up", Lists, Tree, ["PageUp"], None, |s, _| act::tree(s, |tree| tree.move_by(-10)), "Ten branches back";
    "branch-first", Lists, Tree, ["g", "Home"], None, |s, _| act::tree(s, |tree| tree.move_by(isize::MIN)), "To the root";
    "branch-last", Lists, Tree, ["G", "End"], None, |s, _| act::tree(s, |tree| tree.move_by(isize::MAX)), "To the last branch";
    "prompt-trace", Prompt, Prompt, ["Enter"], Some("trace"), |s, _| act::trace_prompt(s), "Trace this prompt";
    "prompt-nearest", Prompt, Prompt, ["Tab"], Some("take the nearest word"), |s, _| act::take_nearest(s), "Replace the first unknown word by the nearest one";
    "prompt-close", Prompt, Prompt, ["Esc"], Some("back"), |s, _| act::close_popup(s), "Leave the prompt as it was";
    "nodes-more", Prune, Panes, ["+", "="], Some("nodes"), |s, _| act::nudge_nodes(s, 1), "Keep more nodes: raise the node threshold";
    "nodes-fewer", Prune, Panes, ["-"], Some("nodes"), |s, _| act::nudge_nodes(s, -1), "Keep fewer nodes: lower the node threshold";
    "edges-more", Prune, Panes, [">", "."], Some("edges"), |s, _| act::nudge_edges(s, 1), "Keep more edges: raise the edge threshold";
    "edges-fewer", Prune, Panes, ["<", ","], Some("edges"), |s, _| act::nudge_edges(s, -1), "Keep fewer edges: lower the edge threshold";
    "pin", Prune, Panes, ["p"], Some("pin"), |s, _| act::toggle_pin(s), "Pin or unpin; edges between pinned nodes stay drawn";
    "undo", Prune, Panes, ["u"], Some("undo"), |s, _| act::undo(s), "Undo the last change of thresholds or pins";
    "redo", Prune, Panes, ["Ctrl-r", "U"], None, |s, _| act::redo(s), "Redo what was undone";
    "previous-pane", Program, Panes, ["Shift-Tab"], None, |s, _| act::cycle_pane(s, -1), "To the pane before";
    "help", Program, Panes, ["?"], Some("keys"), |s, _| act::open_help(s), "Every key";
    "help-down", Program, Help, ["Down"], Some("scroll"), |s, _| act::scroll_help(s, 1), "The help, a line further";
    "help-up", Program, Help, ["Up"], Some("scroll"), |s, _| act::scroll_help(s, -1), "The help, a line back";
    "help-page-down", Program, Help, ["PageDown"], None, |s, _| act::scroll_help(s, 10), "The help, ten lines further";
    "help-page-up", Program, Help, ["PageUp"], None, |s, _| act::scroll_help(s, -10), "The help, ten lines back";
    "help-close", Program, Help, ["Esc"], Some("back"), |s, _| act::close_help(s), "Clear the filter, then close the help";
    "escape", Program, Panes, ["Esc"], None, |s, _| act::escape(s), "One level back: stop a trace, unzoom, to the graph";
    "quit", Program, Panes, ["q"], Some("leave"), |s, _| act::quit(s), "Leave";
    "cancel", Program, Anywhere, ["Ctrl-c"], None, |s, _| act::cancel(s), "Stop a running trace and keep what there is";
    "suspend", Program, Anywhere, ["Ctrl-z"], None, |s, _| act::suspend(s), "Suspend; the shell's fg comes back";
    "redraw", Program, Anywhere, ["Ctrl-l"], None, |s, _| act::redraw(s), "Draw everything anew";
    "text-left", Text, Text, ["Left"], None, |s, _| act::edit_text(s, InputRequest::GoToPrevChar), "A character to the left";
    "text-right", Text, Text, ["Right"], None, |s, _| act::edit_text(s, InputRequest::GoToNextChar), "A character to the right";
    "text-word-left", Text, Text, ["Ctrl-Left", "Alt-b"], None, |s, _| act::edit_text(s, InputRequest::GoToPrevWord), "A word to the left";
    "text-word-right", Text, Text, ["Ctrl-Right", "Alt-f"], None, |s, _| act::edit_text(s, InputRequest::GoToNextWord), "A word to the right";
    "text-start", Text, Text, ["Home", "Ctrl-a"], None, |s, _| act::edit_text(s, InputRequest::GoToStart), "To the start";
    "text-end", Text, Text, ["End", "Ctrl-e"], None, |s, _| act::edit_text(s, InputRequest::GoToEnd), "To the end";
    "text-erase", Text, Text, ["Backspace", "Ctrl-h"], None, |s, _| act::edit_text(s, InputRequest::DeletePrevChar), "Erase the character before";
    "text-delete", Text, Text, ["Delete", "Ctrl-d"], None, |s, _| act::edit_text(s, InputRequest::DeleteNextChar), "Erase the character after";
    "text-erase-word", Text, Text, ["Ctrl-w", "Alt-Backspace"], None, |s, _| act::edit_text(s, InputRequest::DeletePrevWord), "Erase the word before";
    "text-erase-rest", Text, Text, ["Ctrl-k"], None, |s, _| act::edit_text(s, InputRequest::DeleteTillEnd), "Erase to the end";
    "text-erase-all", Text, Text, ["Ctrl-u"], None, |s, _| act::edit_text(s, InputRequest::DeleteLine), "Erase everything";
}

/// The key table in Markdown, for the README.
pub fn key_table_markdown() -> String {
    let mut out = String::new();
    for group in Group::ALL {
        // Writing into a string does not fail.
        let _ = write!(out, "**{}**\n\n| keys | what they do |\n| --- | --- |\n", group.title());
        for command in COMMANDS.iter().filter(|command| command.group == group) {
            let keys: Vec<_> = command.key_labels(Charset::Ascii).iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(out, "| {} | {} |", keys.join(" "), command.doc);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_table_names_every_command() {
        let table = key_table_markdown();
        for command in COMMANDS {
            assert!(table.contains(command.doc), "{}", command.name);
        }
        let longest = COMMANDS.iter().max_by_key(|command| command.doc.len()).map(|command| command.doc);
        assert!(longest.is_some_and(|doc| doc.len() <= 56), "{longest:?} does not fit the help's columns");
        assert!(table.contains("| `1-9` | Along the connection with this number |"), "{table}");
    }
}
