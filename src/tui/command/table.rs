//! Commands of the panes and of the program, one a line. Those of a dialog stand in its own file.

use crate::tui::act;
use crate::tui::command::commands;
use crate::tui::keymap::Context;
use tui_input::InputRequest;

commands! {
    /// Commands for walking, finding and pruning.
    pub const WALKING;
    "move-left", Walk, Context::GRAPH, ["Left", "h"], Some("move"), |s, _| act::step(s, act::Step::Left), "To the node on the left";
    "move-down", Walk, Context::GRAPH, ["Down", "j"], Some("move"), |s, _| act::step(s, act::Step::Down), "To the nearest node a layer below";
    "move-up", Walk, Context::GRAPH, ["Up", "k"], Some("move"), |s, _| act::step(s, act::Step::Up), "To the nearest node a layer above";
    "move-right", Walk, Context::GRAPH, ["Right", "l"], Some("move"), |s, _| act::step(s, act::Step::Right), "To the node on the right";
    "row-down", Lists, Context::CONNECTIONS, ["Down", "j"], Some("choose"), |s, _| act::move_row(s, 1), "To the next connection";
    "row-up", Lists, Context::CONNECTIONS, ["Up", "k"], Some("choose"), |s, _| act::move_row(s, -1), "To the connection before";
    "scroll-down", Lists, Context::DETAIL, ["Down", "j"], Some("scroll"), |s, _| act::scroll_detail(s, 1), "The detail, a line further";
    "scroll-up", Lists, Context::DETAIL, ["Up", "k"], Some("scroll"), |s, _| act::scroll_detail(s, -1), "The detail, a line back";
    "branch-down", Lists, Context::TREE, ["Down", "j"], Some("choose"), |s, _| act::tree(s, |tree| tree.move_by(1)), "To the next branch";
    "branch-up", Lists, Context::TREE, ["Up", "k"], Some("choose"), |s, _| act::tree(s, |tree| tree.move_by(-1)), "To the branch before";
    "branch-open", Lists, Context::TREE, ["Right", "l"], Some("open"), |s, _| act::tree(s, |tree| tree.open()), "Open the branch, or go on into it";
    "branch-close", Lists, Context::TREE, ["Left", "h"], Some("open"), |s, _| act::tree(s, |tree| tree.close()), "Close the branch, or go back to where it grows";
    "tree-hold", Lists, Context::TREE, ["r"], Some("hold"), |s, _| act::hold_tree(s), "Hold on to the root while walking, or let go";
    "tree-wider", Lists, Context::TREE, [")"], Some("branches"), |s, _| act::tree(s, |tree| tree.add_to_top(1)), "A branch more at every node";
    "tree-narrower", Lists, Context::TREE, ["("], Some("branches"), |s, _| act::tree(s, |tree| tree.add_to_top(-1)), "A branch fewer at every node";
    "box-left", Lists, Context::SUBGRAPH, ["Left", "h"], Some("move"), |s, _| act::step_box(s, act::Step::Left), "To the box on the left";
    "box-down", Lists, Context::SUBGRAPH, ["Down", "j"], Some("move"), |s, _| act::step_box(s, act::Step::Down), "To the nearest box in the row below";
    "box-up", Lists, Context::SUBGRAPH, ["Up", "k"], Some("move"), |s, _| act::step_box(s, act::Step::Up), "To the nearest box in the row above";
    "box-right", Lists, Context::SUBGRAPH, ["Right", "l"], Some("move"), |s, _| act::step_box(s, act::Step::Right), "To the box on the right";
    "follow", Walk, Context::PANES, ["Enter"], Some("follow"), |s, _| act::follow(s), "Along the strongest connection, or the chosen one";
    "jump", Walk, Context::PANES, ["1", "2", "3", "4", "5", "6", "7", "8", "9"], Some("jump"), act::jump, "Along the connection with this number";
    "side", Walk, Context::PANES, ["o"], Some("in/out"), |s, _| act::switch_side(s), "Number and follow outputs instead of inputs, or back";
    "prompt", Prompt, Context::PANES, ["i"], Some("prompt"), |s, _| act::open_prompt(s), "Edit the prompt and trace it";
    "go-on", Prompt, Context::PANES, ["C"], None, |s, _| act::go_on(s), "Go on with a stopped trace, or double a finished one";
    "next-pane", Program, Context::PANES, ["Tab"], Some("pane"), |s, _| act::cycle_pane(s, 1), "To the next pane";
    "zoom", Program, Context::PANES, ["z"], Some("zoom"), |s, _| act::toggle_zoom(s), "Give this pane all of the room, or take it back";
    "back", Walk, Context::PANES, ["[", "Backspace"], Some("back"), |s, _| act::back(s), "Back to where the walk was before";
    "forward", Walk, Context::PANES, ["]"], Some("back"), |s, _| act::forward(s), "Forward again after going back";
    "cell", Find, Context::GRAPH, ["c"], None, |s, _| act::open_cell(s), "List the nodes at this layer and position";
    "to-answer", Walk, Context::GRAPH, ["g", "Home"], None, |s, _| act::to_answer(s), "To the most probable answer";
    "to-token", Walk, Context::GRAPH, ["G", "End"], None, |s, _| act::to_token(s), "Down to the token of this column";
    "search", Find, Context::PANES, ["/"], Some("search"), |s, _| act::open_search(s), "Search nodes by label, token, promoted token or id";
    "search-next", Find, Context::PANES, ["n"], None, |s, _| act::next_found(s, 1), "To the next node that the search found";
    "search-previous", Find, Context::PANES, ["N"], None, |s, _| act::next_found(s, -1), "To the one before that the search found";
    "go-to", Find, Context::PANES, ["Ctrl-p"], None, |s, _| act::open_go_to(s), "Go to any node, supernode, pane, graph or command";
    "palette", Find, Context::PANES, [":"], Some("command"), |s, _| act::open_palette(s), "Run a command by its name";
    "mark", Find, Context::PANES, ["m"], None, |s, _| act::await_key(s, Context::SET_MARK), "Mark the selected node: a letter follows";
    "mark-set", Find, Context::SET_MARK, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"], None, act::set_mark, "Mark the selected node with this letter";
    "to-mark", Find, Context::PANES, ["'"], None, |s, _| act::await_key(s, Context::TO_MARK), "To a marked node: its letter follows";
    "to-mark-of", Find, Context::TO_MARK, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"], None, act::to_mark, "To the node that was marked with this letter";
    "paths", Find, Context::PANES, ["P"], None, |s, _| act::find_paths(s), "Paths: pressed at both ends, lists the strongest";
    "row-page-down", Lists, Context::CONNECTIONS, ["PageDown"], None, |s, _| act::move_row(s, 10), "Ten connections further";
    "row-page-up", Lists, Context::CONNECTIONS, ["PageUp"], None, |s, _| act::move_row(s, -10), "Ten connections back";
    "row-first", Lists, Context::CONNECTIONS, ["g", "Home"], None, |s, _| act::move_row(s, isize::MIN), "To the strongest connection";
    "row-last", Lists, Context::CONNECTIONS, ["G", "End"], None, |s, _| act::move_row(s, isize::MAX), "To the weakest connection";
    "list-before", Lists, Context::CONNECTIONS, ["Left", "h"], None, |s, _| act::turn_side(s, -1), "The list before: inputs, outputs, inhibitors";
    "list-next", Lists, Context::CONNECTIONS, ["Right", "l"], None, |s, _| act::turn_side(s, 1), "The next list: inputs, outputs, inhibitors";
    "inhibitors", Lists, Context::PANES, ["R"], None, |s, _| act::to_inhibitors(s), "To what restrains it: all negative inputs, kept or not";
    "order", Lists, Context::CONNECTIONS, ["w"], Some("order"), |s, _| act::switch_order(s), "List by signed weight instead of share, or back";
    "list-features", Lists, Context::PANES, ["F"], None, |s, _| act::toggle_listed(s, act::Listed::Features), "List features, or leave them out";
    "list-errors", Lists, Context::PANES, ["E"], None, |s, _| act::toggle_listed(s, act::Listed::Errors), "List errors, or leave them out";
    "list-tokens", Lists, Context::PANES, ["T"], None, |s, _| act::toggle_listed(s, act::Listed::Tokens), "List tokens, or leave them out";
    "branch-toggle", Lists, Context::TREE, ["Space"], None, |s, _| act::tree(s, |tree| tree.toggle()), "Open or close the branch";
    "branch-page-down", Lists, Context::TREE, ["PageDown"], None, |s, _| act::tree(s, |tree| tree.move_by(10)), "Ten branches further";
    "branch-page-up", Lists, Context::TREE, ["PageUp"], None, |s, _| act::tree(s, |tree| tree.move_by(-10)), "Ten branches back";
    "branch-first", Lists, Context::TREE, ["g", "Home"], None, |s, _| act::tree(s, |tree| tree.move_by(isize::MIN)), "To the root";
    "branch-last", Lists, Context::TREE, ["G", "End"], None, |s, _| act::tree(s, |tree| tree.move_by(isize::MAX)), "To the last branch";
    "nodes-more", Prune, Context::PANES, ["+", "="], Some("nodes"), |s, _| act::nudge_nodes(s, 1), "Keep more nodes: raise the node threshold";
    "nodes-fewer", Prune, Context::PANES, ["-"], Some("nodes"), |s, _| act::nudge_nodes(s, -1), "Keep fewer nodes: lower the node threshold";
    "edges-more", Prune, Context::PANES, [">", "."], Some("edges"), |s, _| act::nudge_edges(s, 1), "Keep more edges: raise the edge threshold";
    "edges-fewer", Prune, Context::PANES, ["<", ","], Some("edges"), |s, _| act::nudge_edges(s, -1), "Keep fewer edges: lower the edge threshold";
    "density-rarer", Prune, Context::PANES, ["d"], None, |s, _| act::nudge_density(s, true), "Leave out features that fire as often: lower the density";
    "density-more", Prune, Context::PANES, ["D"], None, |s, _| act::nudge_density(s, false), "Keep features that fire more often: raise the density";
    "thresholds", Prune, Context::PANES, ["t"], None, |s, _| act::ask_thresholds(s), "Type the thresholds in numbers";
    "filter", Prune, Context::PANES, ["f"], Some("filter"), |s, _| act::open_filter(s), "See the circuit through a filter";
    "filter-off", Prune, Context::PANES, ["\\"], None, |s, _| act::toggle_filter(s), "Put the filter aside, or take it up again";
    "filter-hide", Prune, Context::PANES, ["H"], None, |s, _| act::toggle_hiding(s), "Hide what does not match, or let it stand back";
}

commands! {
    /// Commands that edit, copy and export.
    pub const EDITING;
    "pin", Prune, Context::PANES, ["p"], Some("pin"), |s, _| act::toggle_pin(s), "Pin or unpin; edges between pinned nodes stay drawn";
    "undo", Prune, Context::PANES, ["u"], Some("undo"), |s, _| act::undo(s), "Undo the last edit";
    "redo", Prune, Context::PANES, ["Ctrl-r", "U"], None, |s, _| act::redo(s), "Redo what was undone";
    "choose", Edit, Context::PANES, ["v"], None, |s, _| act::choose(s), "Choose this node for the next edit, or let it go";
    "edit", Edit, Context::PANES, ["e"], Some("edit"), |s, _| act::await_key(s, Context::EDIT), "Supernodes, labels, notes: another key follows";
    "edit-group", Edit, Context::EDIT, ["g"], None, |s, _| act::ask_group(s), "Make a supernode of the chosen nodes";
    "edit-add", Edit, Context::EDIT, ["a"], None, |s, _| act::pick_group(s), "Add the chosen nodes to a supernode";
    "edit-remove", Edit, Context::EDIT, ["r"], None, |s, _| act::leave_group(s), "Take the chosen nodes out of their supernode";
    "edit-name", Edit, Context::EDIT, ["n"], None, |s, _| act::ask_group_name(s), "Call this node's supernode something else";
    "edit-dissolve", Edit, Context::EDIT, ["d"], None, |s, _| act::dissolve(s), "Dissolve this node's supernode";
    "edit-proposals", Edit, Context::EDIT, ["p"], None, |s, _| act::open_proposals(s), "Propose supernodes of alike features";
    "edit-label", Edit, Context::EDIT, ["l"], None, |s, _| act::ask_label(s), "Label this feature, at every position, or this node";
    "edit-notes", Edit, Context::EDIT, ["t"], None, |s, _| act::open_notes(s), "Write notes on the graph";
    "choose-none", Edit, Context::EDIT, ["v"], None, |s, _| act::choose_none(s), "Let go of all chosen nodes";
    "copy", Edit, Context::PANES, ["y"], None, |s, _| act::await_key(s, Context::COPY), "Copy, over a network too: another key follows";
    "copy-id", Edit, Context::COPY, ["y"], None, |s, _| act::copy(s, act::Part::Id), "Copy the ids of the chosen nodes, or of this one";
    "copy-label", Edit, Context::COPY, ["l"], None, |s, _| act::copy(s, act::Part::Label), "Copy this node's label";
    "copy-json", Edit, Context::COPY, ["j"], None, |s, _| act::copy(s, act::Part::Json), "Copy this node with its connections as JSON";
    "copy-markdown", Edit, Context::COPY, ["m"], None, |s, _| act::copy(s, act::Part::Markdown), "Copy the chosen nodes as a Markdown table";
    "export", Edit, Context::PANES, ["x"], None, |s, _| act::open_export(s), "Export to a file for other programs, or as a figure";
    "contexts", Contexts, Context::PANES, ["s"], Some("contexts"), |s, _| act::open_contexts(s), "Show what the feature fires on, on the whole screen";
    "fetch-labels", Contexts, Context::PANES, ["A"], None, |s, _| act::open_fetch(s), "Fetch labels and contexts of all kept features";
}

commands! {
    /// Commands that look through features and intervene.
    pub const PANEL;
    "browse", Contexts, Context::PANES, ["B"], None, |s, _| act::open_browse(s), "Look through all features, without a graph";
    "intervene", Test, Context::PANES, ["I"], None, |s, _| act::open_interventions(s), "Intervene on this feature or its supernode";
}

commands! {
    /// Commands that verify, explain, compare and choose models.
    pub const TESTING;
    "verify", Test, Context::PANES, ["V"], None, |s, _| act::open_verification(s), "Is it true? Ablate the chosen connection's source";
    "heads", Test, Context::PANES, ["S"], None, |s, _| act::open_heads(s), "Split the chosen connection by attention heads";
    "stability", Test, Context::PANES, ["K"], None, |s, _| act::toggle_standings(s), "Mark what hangs on the thresholds, or not";
    "why", Why, Context::PANES, ["W"], None, |s, _| act::open_why(s), "Why a feature fires, or which nearly do and why not";
    "compare", Compare, Context::PANES, ["|"], None, |s, _| act::open_compare(s), "Compare this graph with another, side by side";
    "union", Compare, Context::PANES, ["&"], None, |s, _| act::open_union(s), "Merge all open graphs: how often each node recurs";
    "next-graph", Program, Context::PANES, ["}"], None, |s, _| act::turn_graph(s, true), "To the next open graph";
    "previous-graph", Program, Context::PANES, ["{"], None, |s, _| act::turn_graph(s, false), "To the open graph before";
    "close-graph", Program, Context::PANES, ["Ctrl-w"], None, |s, _| act::close_graph(s), "Close this graph; another one takes its place";
    "previous-pane", Program, Context::PANES, ["Shift-Tab"], None, |s, _| act::cycle_pane(s, -1), "To the pane before";
    "help", Program, Context::PANES, ["?"], Some("keys"), |s, _| act::open_help(s), "Every key";
    "models", Models, Context::PANES, ["M"], None, |s, _| act::open_models(s), "Open a graph that was open, or choose a model";
}

commands! {
    /// Commands of panes, of the program itself, and of lines of text.
    pub const PROGRAM;
    "escape", Program, Context::PANES, ["Esc"], None, |s, _| act::escape(s), "One level back: stop a trace, unzoom, to the graph";
    "mouse", Program, Context::PANES, ["Ctrl-o"], None, |s, _| act::toggle_mouse(s), "Take the mouse, or leave it to the terminal";
    "quit", Program, Context::PANES, ["q"], Some("leave"), |s, _| act::quit(s), "Leave";
    "cancel", Program, Context::ANYWHERE, ["Ctrl-c"], None, |s, _| act::cancel(s), "Stop a running trace and keep what there is";
    "suspend", Program, Context::ANYWHERE, ["Ctrl-z"], None, |s, _| act::suspend(s), "Suspend; the shell's fg comes back";
    "redraw", Program, Context::ANYWHERE, ["Ctrl-l"], None, |s, _| act::redraw(s), "Draw everything anew";
    "text-left", Text, Context::TEXT, ["Left"], None, |s, _| act::edit_text(s, InputRequest::GoToPrevChar), "A character to the left";
    "text-right", Text, Context::TEXT, ["Right"], None, |s, _| act::edit_text(s, InputRequest::GoToNextChar), "A character to the right";
    "text-word-left", Text, Context::TEXT, ["Ctrl-Left", "Alt-b"], None, |s, _| act::edit_text(s, InputRequest::GoToPrevWord), "A word to the left";
    "text-word-right", Text, Context::TEXT, ["Ctrl-Right", "Alt-f"], None, |s, _| act::edit_text(s, InputRequest::GoToNextWord), "A word to the right";
    "text-start", Text, Context::TEXT, ["Home", "Ctrl-a"], None, |s, _| act::edit_text(s, InputRequest::GoToStart), "To the start";
    "text-end", Text, Context::TEXT, ["End", "Ctrl-e"], None, |s, _| act::edit_text(s, InputRequest::GoToEnd), "To the end";
    "text-erase", Text, Context::TEXT, ["Backspace", "Ctrl-h"], None, |s, _| act::edit_text(s, InputRequest::DeletePrevChar), "Erase the character before";
    "text-delete", Text, Context::TEXT, ["Delete", "Ctrl-d"], None, |s, _| act::edit_text(s, InputRequest::DeleteNextChar), "Erase the character after";
    "text-erase-word", Text, Context::TEXT, ["Ctrl-w", "Alt-Backspace"], None, |s, _| act::edit_text(s, InputRequest::DeletePrevWord), "Erase the word before";
    "text-erase-rest", Text, Context::TEXT, ["Ctrl-k"], None, |s, _| act::edit_text(s, InputRequest::DeleteTillEnd), "Erase to the end";
    "text-erase-all", Text, Context::TEXT, ["Ctrl-u"], None, |s, _| act::edit_text(s, InputRequest::DeleteLine), "Erase everything";
}
