//! Commands that work in every pane, and those of the program, one a line. Those of one pane or dialog stand beside it.

use crate::tui::dialogs::browse::update::open_browse;
use crate::tui::dialogs::compare::update::{open_compare, open_union};
use crate::tui::dialogs::contexts::open_contexts;
use crate::tui::dialogs::explain::update::open_why;
use crate::tui::dialogs::export::update::open_export;
use crate::tui::dialogs::fetch::open_fetch;
use crate::tui::dialogs::filter::update::{open_filter, toggle_hiding};
use crate::tui::dialogs::help::open_help;
use crate::tui::dialogs::intervene::update::open_interventions;
use crate::tui::dialogs::notes::open_notes;
use crate::tui::dialogs::paths::find_paths;
use crate::tui::dialogs::picker::update::{next_found, open_go_to, open_palette, open_search};
use crate::tui::dialogs::prompt::update::open_prompt;
use crate::tui::dialogs::proposals::open_proposals;
use crate::tui::dialogs::question::update::{ask_file, ask_label, ask_thresholds};
use crate::tui::dialogs::start::update::open_models;
use crate::tui::dialogs::verify::update::{open_heads, open_verification};
use crate::tui::keymap::{Context, commands};
use crate::tui::panes::connections::update::switch_side;
use crate::tui::screen::commands::{
    await_key, cancel, cycle_pane, edit_text, escape, quit, redraw, say_saved, suspend, toggle_mouse, toggle_zoom,
};
use crate::tui::screen::tour::start_tour;
use crate::tui::workspace::copy::{Part, copy};
use crate::tui::workspace::edits::{nudge_density, nudge_edges, nudge_nodes, redo, toggle_pin, toggle_usual, undo};
use crate::tui::workspace::filter::update::toggle_filter;
use crate::tui::workspace::marks::{set_mark, to_mark};
use crate::tui::workspace::preview::look_along;
use crate::tui::workspace::stability::toggle_stability;
use crate::tui::workspace::supernodes::{
    ask_group, ask_group_name, choose, dissolve, leave_group, pick_group, request_circuit,
};
use crate::tui::workspace::tabs::update::{close_graph, turn_graph};
use crate::tui::workspace::tracing::go_on;
use crate::tui::workspace::walking::{back, forward, jump};
use crate::tui::workspace::{choose_none, follow};
use tui_input::InputRequest;

commands! {
    /// Commands for walking, in every pane.
    pub const WALKING;
    "follow", Walk, Context::PANES, ["Enter"], Some("follow"), |s, _| follow(s), "Along the strongest connection, or the chosen one";
    "jump", Walk, Context::PANES, ["1", "2", "3", "4", "5", "6", "7", "8", "9"], Some("jump"), jump, "Along the connection with this number";
    "look", Lists, Context::PANES, [";"], None, |s, _| await_key(s, Context::LOOK), "Look without going there: a digit follows, Enter goes";
    "look-along", Lists, Context::LOOK, ["1", "2", "3", "4", "5", "6", "7", "8", "9"], None, look_along, "Describe the connection with this number";
    "side", Walk, Context::PANES, ["o"], None, |s, _| switch_side(s), "Number and follow outputs instead of inputs, or back";
    "prompt", Prompt, Context::PANES, ["i"], Some("prompt"), |s, _| open_prompt(s), "Edit the prompt and trace it";
    "go-on", Prompt, Context::PANES, ["C"], None, |s, _| go_on(s), "Go on with a stopped trace, or double a finished one";
    "next-pane", Program, Context::PANES, ["Tab"], Some("pane"), |s, _| cycle_pane(s, 1), "To the next pane";
    "zoom", Program, Context::PANES, ["z"], Some("zoom"), |s, _| toggle_zoom(s), "Give this pane all of the room, or take it back";
    "back", Walk, Context::PANES, ["[", "Backspace"], Some("back"), |s, _| back(s), "Back to where the walk was before";
    "forward", Walk, Context::PANES, ["]"], Some("back"), |s, _| forward(s), "Forward again after going back";
}

commands! {
    /// Commands for finding and marking.
    pub const FINDING;
    "search", Find, Context::PANES, ["/"], Some("search"), |s, _| open_search(s), "Search nodes by label, token, promoted token or id";
    "search-next", Find, Context::PANES, ["n"], None, |s, _| next_found(s, 1), "To the next node that the search found";
    "search-previous", Find, Context::PANES, ["N"], None, |s, _| next_found(s, -1), "To the one before that the search found";
    "go-to", Find, Context::PANES, ["Ctrl-p"], None, |s, _| open_go_to(s), "Go to any node, supernode, pane, graph or command";
    "palette", Find, Context::PANES, [":"], None, |s, _| open_palette(s), "Run a command by its name";
    "mark", Find, Context::PANES, ["m"], None, |s, _| await_key(s, Context::SET_MARK), "Mark the selected node: a letter follows";
    "mark-set", Find, Context::SET_MARK, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"], None, set_mark, "Mark the selected node with this letter";
    "to-mark", Find, Context::PANES, ["'"], None, |s, _| await_key(s, Context::TO_MARK), "To a marked node: its letter follows";
    "to-mark-of", Find, Context::TO_MARK, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"], None, to_mark, "To the node that was marked with this letter";
    "paths", Find, Context::PANES, ["P"], Some("paths"), |s, _| find_paths(s), "Paths: pressed at both ends, lists the strongest";
}

commands! {
    /// Commands for pruning and filtering.
    pub const PRUNING;
    "nodes-more", Prune, Context::PANES, ["+", "="], Some("nodes"), |s, _| nudge_nodes(s, 1), "Keep more nodes: raise the node threshold";
    "nodes-fewer", Prune, Context::PANES, ["-"], Some("nodes"), |s, _| nudge_nodes(s, -1), "Keep fewer nodes: lower the node threshold";
    "edges-more", Prune, Context::PANES, [">", "."], Some("edges"), |s, _| nudge_edges(s, 1), "Keep more edges: raise the edge threshold";
    "edges-fewer", Prune, Context::PANES, ["<", ","], Some("edges"), |s, _| nudge_edges(s, -1), "Keep fewer edges: lower the edge threshold";
    "density-rarer", Prune, Context::PANES, ["d"], None, |s, _| nudge_density(s, true), "Leave out features that fire as often: lower density";
    "density-more", Prune, Context::PANES, ["D"], None, |s, _| nudge_density(s, false), "Keep features that fire more often: raise the density";
    "thresholds", Prune, Context::PANES, ["t"], None, |s, _| ask_thresholds(s), "Type the thresholds in numbers";
    "thresholds-usual", Prune, Context::PANES, ["0"], None, |s, _| toggle_usual(s), "To circuit-tracer's thresholds, or to readable ones";
    "filter", Prune, Context::PANES, ["f"], Some("filter"), |s, _| open_filter(s), "See the circuit through a filter";
    "filter-off", Prune, Context::PANES, ["\\"], None, |s, _| toggle_filter(s), "Put the filter aside, or take it up again";
    "filter-hide", Prune, Context::PANES, ["H"], None, |s, _| toggle_hiding(s), "Hide what does not match, or let it stand back";
}

commands! {
    /// Commands that edit, copy and export.
    pub const EDITING;
    "pin", Prune, Context::PANES, ["p"], Some("pin"), |s, _| toggle_pin(s), "Pin or unpin; edges between pinned nodes stay drawn";
    "undo", Prune, Context::PANES, ["u"], Some("undo"), |s, _| undo(s), "Undo the last edit";
    "redo", Prune, Context::PANES, ["Ctrl-r", "U"], None, |s, _| redo(s), "Redo what was undone";
    "choose", Edit, Context::PANES, ["v"], None, |s, _| choose(s), "Choose this node for the next edit, or let it go";
    "edit", Edit, Context::PANES, ["e"], Some("edit"), |s, _| await_key(s, Context::EDIT), "Supernodes, labels, notes: another key follows";
    "edit-group", Edit, Context::EDIT, ["g"], None, |s, _| ask_group(s), "Make a supernode of the chosen nodes";
    "edit-add", Edit, Context::EDIT, ["a"], None, |s, _| pick_group(s), "Add the chosen nodes to a supernode";
    "edit-remove", Edit, Context::EDIT, ["r"], None, |s, _| leave_group(s), "Take the chosen nodes out of their supernode";
    "edit-name", Edit, Context::EDIT, ["n"], None, |s, _| ask_group_name(s), "Call this node's supernode something else";
    "edit-dissolve", Edit, Context::EDIT, ["d"], None, |s, _| dissolve(s), "Dissolve this node's supernode";
    "edit-proposals", Edit, Context::EDIT, ["p"], None, |s, _| open_proposals(s), "Propose supernodes of alike features";
    "propose-circuit", Edit, Context::PANES, ["X"], Some("circuit"), |s, _| request_circuit(s), "Propose the circuit: named supernodes, pinned";
    "edit-label", Edit, Context::EDIT, ["l"], None, |s, _| ask_label(s), "Label this feature, at every position, or this node";
    "edit-notes", Edit, Context::EDIT, ["t"], None, |s, _| open_notes(s), "Write notes on the graph";
    "choose-none", Edit, Context::EDIT, ["v"], None, |s, _| choose_none(s), "Let go of all chosen nodes";
    "copy", Edit, Context::PANES, ["y"], None, |s, _| await_key(s, Context::COPY), "Copy, over a network too: another key follows";
    "copy-id", Edit, Context::COPY, ["y"], None, |s, _| copy(s, Part::Id), "Copy the ids of the chosen nodes, or of this one";
    "copy-label", Edit, Context::COPY, ["l"], None, |s, _| copy(s, Part::Label), "Copy this node's label";
    "copy-json", Edit, Context::COPY, ["j"], None, |s, _| copy(s, Part::Json), "Copy this node with its connections as JSON";
    "copy-markdown", Edit, Context::COPY, ["m"], None, |s, _| copy(s, Part::Markdown), "Copy the chosen nodes as a Markdown table";
    "export", Edit, Context::PANES, ["x"], Some("export"), |s, _| open_export(s), "Export to a file for other programs, or as a figure";
    "contexts", Contexts, Context::PANES, ["s"], Some("contexts"), |s, _| open_contexts(s), "Show what the feature fires on, on the whole screen";
    "fetch-labels", Contexts, Context::PANES, ["A"], None, |s, _| open_fetch(s), "Fetch labels and contexts of all kept features";
}

commands! {
    /// Commands that look through features and intervene.
    pub const PANEL;
    "browse", Contexts, Context::PANES, ["B"], None, |s, _| open_browse(s), "Look through all features, without a graph";
    "intervene", Test, Context::PANES, ["I"], Some("intervene"), |s, _| open_interventions(s), "Intervene on this feature or its supernode";
}

commands! {
    /// Commands that verify, explain, compare and choose models.
    pub const TESTING;
    "verify", Test, Context::PANES, ["V"], Some("verify"), |s, _| open_verification(s), "Is it true? Ablate the chosen connection's source";
    "heads", Test, Context::PANES, ["S"], None, |s, _| open_heads(s), "Split the chosen connection by attention heads";
    "stability", Test, Context::PANES, ["K"], None, |s, _| toggle_stability(s), "Mark what hangs on the thresholds, or not";
    "why", Why, Context::PANES, ["W"], None, |s, _| open_why(s), "Why a feature fires, or which nearly do and why not";
    "compare", Compare, Context::PANES, ["|"], Some("compare"), |s, _| open_compare(s), "Compare this graph with another, side by side";
    "union", Compare, Context::PANES, ["&"], None, |s, _| open_union(s), "Merge all open graphs: how often each node recurs";
    "next-graph", Program, Context::PANES, ["}"], None, |s, _| turn_graph(s, true), "To the next open graph";
    "previous-graph", Program, Context::PANES, ["{"], None, |s, _| turn_graph(s, false), "To the open graph before";
    "close-graph", Program, Context::PANES, ["Ctrl-w"], None, |s, _| close_graph(s), "Close this graph; another one takes its place";
    "previous-pane", Program, Context::PANES, ["Shift-Tab"], None, |s, _| cycle_pane(s, -1), "To the pane before";
    "menu", Program, Context::PANES, ["Space"], Some("menu"), |s, _| await_key(s, Context::MENU), "What can be done, by task: another key follows";
    "open", Program, Context::PANES, ["O"], None, |s, _| ask_file(s), "Open a graph in a file beside this one";
    "saved", Program, Context::PANES, ["Ctrl-s"], None, |s, _| say_saved(s), "Nothing: it is saved as you go";
    "tour", Program, Context::PANES, ["L"], Some("tour"), |s, _| start_tour(s), "A tour of the demo's circuit, in a few steps";
    "help", Program, Context::ANYWHERE, ["?", "F1"], Some("keys"), |s, _| open_help(s), "Every key, and the guide; F1 where a line is written";
    "models", Models, Context::PANES, ["M"], None, |s, _| open_models(s), "Open a graph that was open, or choose a model";
}

commands! {
    /// Commands of panes, of the program itself, and of lines of text.
    pub const PROGRAM;
    "escape", Program, Context::PANES, ["Esc"], None, |s, _| escape(s), "One level back: stop a trace, unzoom, to the graph";
    "mouse", Program, Context::PANES, ["Ctrl-o"], None, |s, _| toggle_mouse(s), "Take the mouse, or leave it to the terminal";
    "quit", Program, Context::PANES, ["q"], Some("leave"), |s, _| quit(s), "Leave";
    "cancel", Program, Context::ANYWHERE, ["Ctrl-c"], None, |s, _| cancel(s), "Stop a running trace and keep what there is";
    "suspend", Program, Context::ANYWHERE, ["Ctrl-z"], None, |s, _| suspend(s), "Suspend; the shell's fg comes back";
    "redraw", Program, Context::ANYWHERE, ["Ctrl-l"], None, |s, _| redraw(s), "Draw everything anew";
    "text-left", Text, Context::TEXT, ["Left"], None, |s, _| edit_text(s, InputRequest::GoToPrevChar), "A character to the left";
    "text-right", Text, Context::TEXT, ["Right"], None, |s, _| edit_text(s, InputRequest::GoToNextChar), "A character to the right";
    "text-word-left", Text, Context::TEXT, ["Ctrl-Left", "Alt-b"], None, |s, _| edit_text(s, InputRequest::GoToPrevWord), "A word to the left";
    "text-word-right", Text, Context::TEXT, ["Ctrl-Right", "Alt-f"], None, |s, _| edit_text(s, InputRequest::GoToNextWord), "A word to the right";
    "text-start", Text, Context::TEXT, ["Home", "Ctrl-a"], None, |s, _| edit_text(s, InputRequest::GoToStart), "To the start";
    "text-end", Text, Context::TEXT, ["End", "Ctrl-e"], None, |s, _| edit_text(s, InputRequest::GoToEnd), "To the end";
    "text-erase", Text, Context::TEXT, ["Backspace", "Ctrl-h"], None, |s, _| edit_text(s, InputRequest::DeletePrevChar), "Erase the character before";
    "text-delete", Text, Context::TEXT, ["Delete", "Ctrl-d"], None, |s, _| edit_text(s, InputRequest::DeleteNextChar), "Erase the character after";
    "text-erase-word", Text, Context::TEXT, ["Ctrl-w", "Alt-Backspace"], None, |s, _| edit_text(s, InputRequest::DeletePrevWord), "Erase the word before";
    "text-erase-rest", Text, Context::TEXT, ["Ctrl-k"], None, |s, _| edit_text(s, InputRequest::DeleteTillEnd), "Erase to the end";
    "text-erase-all", Text, Context::TEXT, ["Ctrl-u"], None, |s, _| edit_text(s, InputRequest::DeleteLine), "Erase everything";
}
