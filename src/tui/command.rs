//! The one table of commands. Keys, help, hint line and the README's key table are made from it.

use crate::tui::act;
use crate::tui::app::State;
use crate::tui::glyph::Charset;
use crate::tui::keymap::{Context, Key};
use crate::tui::lab::View;
use crate::tui::popup::browse::Writes;
use std::fmt::Write as _;
use tui_input::InputRequest;

/// Under which heading the help lists a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// From node to node.
    Walk,
    /// What is kept.
    Prune,
    /// Supernodes, labels, notes.
    Edit,
    /// Interventions.
    Test,
    /// The prompt.
    Prompt,
    /// The list of connections, the detail, the tree and the subgraph.
    Lists,
    /// To what is looked for.
    Find,
    /// What features fire on.
    Contexts,
    /// Which model traces.
    Models,
    /// The program.
    Program,
    /// A line of text.
    Text,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 11] = [
        Self::Walk,
        Self::Find,
        Self::Prune,
        Self::Edit,
        Self::Test,
        Self::Prompt,
        Self::Lists,
        Self::Contexts,
        Self::Models,
        Self::Program,
        Self::Text,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Walk => "Walk the circuit",
            Self::Prune => "Prune and pin",
            Self::Edit => "Group, label, note",
            Self::Test => "Intervene on the model",
            Self::Prompt => "Prompt",
            Self::Lists => "Connections, detail, tree, subgraph",
            Self::Find => "Find and mark",
            Self::Contexts => "What features fire on",
            Self::Models => "Models",
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

    /// The command of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// Whether its keys are a run of digits or letters, each of which does something else.
    pub fn is_run(&self) -> bool {
        self.keys.len() > 2 && self.keys.is_sorted() && self.keys.iter().all(|key| key.len() == 1)
    }

    /// Its keys as the screen shows them, a run of digits or letters as one, with the key that comes before them.
    pub fn key_labels(&self, charset: Charset) -> Vec<String> {
        let keys = self.own_key_labels(charset);
        let prefix = self.context.prefix().and_then(Self::named).map(|prefix| prefix.own_key_labels(charset).join(" "));
        match prefix {
            Some(prefix) => keys.into_iter().map(|key| format!("{prefix} {key}")).collect(),
            None => keys,
        }
    }

    /// Its keys as the screen shows them once the key that comes before them was pressed.
    pub fn own_key_labels(&self, charset: Charset) -> Vec<String> {
        if let (Some(first), Some(last), true) = (self.keys.first(), self.keys.last(), self.is_run()) {
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
    "go-on", Prompt, Panes, ["C"], None, |s, _| act::go_on(s), "Go on with a stopped trace, or double a finished one";
    "next-pane", Program, Panes, ["Tab"], Some("pane"), |s, _| act::cycle_pane(s, 1), "To the next pane";
    "zoom", Program, Panes, ["z"], Some("zoom"), |s, _| act::toggle_zoom(s), "Give this pane all of the room, or take it back";
    "back", Walk, Panes, ["[", "Backspace"], Some("back"), |s, _| act::back(s), "Back to where the walk was before";
    "forward", Walk, Panes, ["]"], Some("back"), |s, _| act::forward(s), "Forward again after going back";
    "cell", Find, Graph, ["c"], None, |s, _| act::open_cell(s), "List the nodes at this layer and position";
    "to-answer", Walk, Graph, ["g", "Home"], None, |s, _| act::to_answer(s), "To the most probable answer";
    "to-token", Walk, Graph, ["G", "End"], None, |s, _| act::to_token(s), "Down to the token of this column";
    "search", Find, Panes, ["/"], Some("search"), |s, _| act::open_search(s), "Search nodes by label, token, promoted token or id";
    "search-next", Find, Panes, ["n"], None, |s, _| act::next_found(s, 1), "To the next node that the search found";
    "search-previous", Find, Panes, ["N"], None, |s, _| act::next_found(s, -1), "To the one before that the search found";
    "go-to", Find, Panes, ["Ctrl-p"], None, |s, _| act::open_go_to(s), "Go to any node, supernode, pane, graph or command";
    "palette", Find, Panes, [":"], Some("command"), |s, _| act::open_palette(s), "Run a command by its name";
    "mark", Find, Panes, ["m"], None, |s, _| act::await_key(s, Context::SetMark), "Mark the selected node: a letter follows";
    "mark-set", Find, SetMark, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"], None, act::set_mark, "Mark the selected node with this letter";
    "to-mark", Find, Panes, ["'"], None, |s, _| act::await_key(s, Context::ToMark), "To a marked node: its letter follows";
    "to-mark-of", Find, ToMark, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"], None, act::to_mark, "To the node that was marked with this letter";
    "paths", Find, Panes, ["P"], None, |s, _| act::find_paths(s), "Paths: pressed at both ends, lists the strongest";
    "paths-down", Find, Paths, ["Down", "j"], Some("choose"), |s, _| act::move_in_paths(s, 1), "To the next path";
    "paths-up", Find, Paths, ["Up", "k"], Some("choose"), |s, _| act::move_in_paths(s, -1), "To the path before";
    "paths-show", Find, Paths, ["Enter"], Some("show"), |s, _| act::show_path(s), "Draw this path in the link graph";
    "paths-pin", Find, Paths, ["p"], Some("pin"), |s, _| act::pin_path(s), "Pin every node of this path";
    "paths-close", Find, Paths, ["Esc", "q"], Some("back"), |s, _| act::close_popup(s), "Leave the paths";
    "picker-down", Find, Picker, ["Down", "Ctrl-n"], Some("choose"), |s, _| act::move_in_picker(s, 1), "To the next that fits";
    "picker-up", Find, Picker, ["Up", "Ctrl-p"], Some("choose"), |s, _| act::move_in_picker(s, -1), "To the one before that fits";
    "picker-page-down", Find, Picker, ["PageDown"], None, |s, _| act::move_in_picker(s, 10), "Ten further that fit";
    "picker-page-up", Find, Picker, ["PageUp"], None, |s, _| act::move_in_picker(s, -10), "Ten back that fit";
    "picker-take", Find, Picker, ["Enter"], Some("take"), |s, _| act::accept_picked(s), "Go there, or run it";
    "picker-complete", Find, Picker, ["Tab"], Some("complete"), |s, _| act::complete_picked(s), "Write the chosen name in full";
    "picker-close", Find, Picker, ["Esc"], Some("back"), |s, _| act::close_popup(s), "Leave without going anywhere";
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
    "prompt-chat", Prompt, Prompt, ["Ctrl-t"], Some("chat"), |s, _| act::toggle_chat(s), "Take it as a message in the chat template, or not";
    "prompt-close", Prompt, Prompt, ["Esc"], Some("back"), |s, _| act::close_popup(s), "Leave the prompt as it was";
    "nodes-more", Prune, Panes, ["+", "="], Some("nodes"), |s, _| act::nudge_nodes(s, 1), "Keep more nodes: raise the node threshold";
    "nodes-fewer", Prune, Panes, ["-"], Some("nodes"), |s, _| act::nudge_nodes(s, -1), "Keep fewer nodes: lower the node threshold";
    "edges-more", Prune, Panes, [">", "."], Some("edges"), |s, _| act::nudge_edges(s, 1), "Keep more edges: raise the edge threshold";
    "edges-fewer", Prune, Panes, ["<", ","], Some("edges"), |s, _| act::nudge_edges(s, -1), "Keep fewer edges: lower the edge threshold";
    "density-rarer", Prune, Panes, ["d"], None, |s, _| act::nudge_density(s, true), "Leave out features that fire as often: lower the density";
    "density-more", Prune, Panes, ["D"], None, |s, _| act::nudge_density(s, false), "Keep features that fire more often: raise the density";
    "thresholds", Prune, Panes, ["t"], None, |s, _| act::ask_thresholds(s), "Type the thresholds in numbers";
    "filter", Prune, Panes, ["f"], Some("filter"), |s, _| act::open_filter(s), "See the circuit through a filter";
    "filter-off", Prune, Panes, ["\\"], None, |s, _| act::toggle_filter(s), "Put the filter aside, or take it up again";
    "filter-hide", Prune, Panes, ["H"], None, |s, _| act::toggle_hiding(s), "Hide what does not match, or let it stand back";
    "filter-apply", Prune, Filter, ["Enter"], Some("apply"), |s, _| act::apply_filter(s), "Apply this filter; an empty one is none";
    "filter-complete", Prune, Filter, ["Tab"], Some("complete"), |s, _| act::complete_filter(s), "Write the chosen completion";
    "filter-down", Prune, Filter, ["Down"], Some("choose"), |s, _| act::move_in_filter(s, 1), "To the next completion";
    "filter-up", Prune, Filter, ["Up"], Some("choose"), |s, _| act::move_in_filter(s, -1), "To the completion before";
    "filter-page-down", Prune, Filter, ["PageDown"], None, |s, _| act::move_in_filter(s, 10), "Ten completions further, or lines of the grammar";
    "filter-page-up", Prune, Filter, ["PageUp"], None, |s, _| act::move_in_filter(s, -10), "Ten completions back, or lines of the grammar";
    "filter-grammar", Prune, Filter, ["Ctrl-g"], Some("grammar"), |s, _| act::toggle_grammar(s), "What can be written, or the completions again";
    "filter-older", Prune, Filter, ["Ctrl-p"], Some("before"), |s, _| act::recall_filter(s, 1), "The filter that was applied before";
    "filter-newer", Prune, Filter, ["Ctrl-n"], None, |s, _| act::recall_filter(s, -1), "The filter that was applied after it";
    "filter-hides", Prune, Filter, ["Ctrl-t"], Some("hide/dim"), |s, _| act::toggle_hiding(s), "Whether the rest is hidden or stands back";
    "filter-save", Prune, Filter, ["Ctrl-s"], Some("save"), |s, _| act::ask_filter_name(s), "Save this filter under a name";
    "filter-close", Prune, Filter, ["Esc"], Some("back"), |s, _| act::close_popup(s), "Leave the filter as it was";
    "pin", Prune, Panes, ["p"], Some("pin"), |s, _| act::toggle_pin(s), "Pin or unpin; edges between pinned nodes stay drawn";
    "undo", Prune, Panes, ["u"], Some("undo"), |s, _| act::undo(s), "Undo the last edit";
    "redo", Prune, Panes, ["Ctrl-r", "U"], None, |s, _| act::redo(s), "Redo what was undone";
    "choose", Edit, Panes, ["v"], None, |s, _| act::choose(s), "Choose this node for the next edit, or let it go";
    "edit", Edit, Panes, ["e"], Some("edit"), |s, _| act::await_key(s, Context::Edit), "Supernodes, labels, notes: another key follows";
    "edit-group", Edit, Edit, ["g"], None, |s, _| act::ask_group(s), "Make a supernode of the chosen nodes";
    "edit-add", Edit, Edit, ["a"], None, |s, _| act::pick_group(s), "Add the chosen nodes to a supernode";
    "edit-remove", Edit, Edit, ["r"], None, |s, _| act::leave_group(s), "Take the chosen nodes out of their supernode";
    "edit-name", Edit, Edit, ["n"], None, |s, _| act::ask_group_name(s), "Call this node's supernode something else";
    "edit-dissolve", Edit, Edit, ["d"], None, |s, _| act::dissolve(s), "Dissolve this node's supernode";
    "edit-proposals", Edit, Edit, ["p"], None, |s, _| act::open_proposals(s), "Propose supernodes of alike features";
    "edit-label", Edit, Edit, ["l"], None, |s, _| act::ask_label(s), "Label this feature, at every position, or this node";
    "edit-notes", Edit, Edit, ["t"], None, |s, _| act::open_notes(s), "Write notes on the graph";
    "choose-none", Edit, Edit, ["v"], None, |s, _| act::choose_none(s), "Let go of all chosen nodes";
    "copy", Edit, Panes, ["y"], None, |s, _| act::await_key(s, Context::Copy), "Copy, over a network too: another key follows";
    "copy-id", Edit, Copy, ["y"], None, |s, _| act::copy(s, act::Part::Id), "Copy the ids of the chosen nodes, or of this one";
    "copy-label", Edit, Copy, ["l"], None, |s, _| act::copy(s, act::Part::Label), "Copy this node's label";
    "copy-json", Edit, Copy, ["j"], None, |s, _| act::copy(s, act::Part::Json), "Copy this node with its connections as JSON";
    "copy-markdown", Edit, Copy, ["m"], None, |s, _| act::copy(s, act::Part::Markdown), "Copy the chosen nodes as a Markdown table";
    "export", Edit, Panes, ["x"], None, |s, _| act::open_export(s), "Export to a file for other programs, or as a figure";
    "export-down", Edit, Export, ["Down"], Some("format"), |s, _| act::change_export(s, |export| export.change_format(1)), "To the next format";
    "export-up", Edit, Export, ["Up"], Some("format"), |s, _| act::change_export(s, |export| export.change_format(-1)), "To the format before";
    "export-part", Edit, Export, ["Tab"], Some("part"), |s, _| act::change_export(s, |export| export.change_part()), "Export what is kept, what is pinned, or everything";
    "export-theme", Edit, Export, ["Ctrl-t"], Some("light/dark"), |s, _| act::change_export(s, |export| export.change_theme()), "A figure for a light or a dark background";
    "export-write", Edit, Export, ["Enter"], Some("write"), |s, _| act::write_export(s), "Write the export; again to write over a file";
    "export-close", Edit, Export, ["Esc"], Some("back"), |s, _| act::close_popup(s), "Leave without exporting";
    "question-answer", Edit, Question, ["Enter"], Some("take"), |s, _| act::answer(s), "Take this answer";
    "question-close", Edit, Question, ["Esc"], Some("back"), |s, _| act::close_popup(s), "Leave without an answer";
    "notes-line", Edit, Notes, ["Enter"], Some("new line"), |s, _| act::edit_text(s, InputRequest::InsertChar('\n')), "Begin a new line";
    "notes-down", Edit, Notes, ["Down"], None, |s, _| act::move_in_notes(s, 1), "To the line below";
    "notes-up", Edit, Notes, ["Up"], None, |s, _| act::move_in_notes(s, -1), "To the line above";
    "notes-keep", Edit, Notes, ["Esc"], Some("keep and leave"), |s, _| act::keep_notes(s), "Keep the notes and leave them";
    "proposals-down", Edit, Proposals, ["Down", "j"], Some("choose"), |s, _| act::move_in_proposals(s, 1), "To the next proposal";
    "proposals-up", Edit, Proposals, ["Up", "k"], Some("choose"), |s, _| act::move_in_proposals(s, -1), "To the proposal before";
    "proposals-accept", Edit, Proposals, ["Enter", "y"], Some("accept"), |s, _| act::accept_proposal(s), "Make this supernode";
    "proposals-refuse", Edit, Proposals, ["x", "n"], Some("refuse"), |s, _| act::refuse_proposal(s), "Refuse it, for good";
    "proposals-close", Edit, Proposals, ["Esc", "q"], Some("back"), |s, _| act::close_popup(s), "Leave the others for later";
    "contexts", Contexts, Panes, ["s"], Some("contexts"), |s, _| act::open_contexts(s), "Show what the feature fires on, on the whole screen";
    "ask-hub", Contexts, Panes, ["A"], None, |s, _| act::ask_hub(s), "Ask the hub what the feature fires on";
    "contexts-search", Contexts, Contexts, ["/"], Some("search"), |s, _| act::search_contexts(s), "Only contexts in which a text stands";
    "contexts-down", Contexts, Feature, ["Down", "j"], Some("scroll"), |s, _| act::scroll_contexts(s, 1), "Contexts, a line further";
    "contexts-up", Contexts, Feature, ["Up", "k"], Some("scroll"), |s, _| act::scroll_contexts(s, -1), "Contexts, a line back";
    "contexts-left", Contexts, Feature, ["Left", "h"], Some("shift"), |s, _| act::shift_contexts(s, -8), "What stands before, in every context";
    "contexts-right", Contexts, Feature, ["Right", "l"], Some("shift"), |s, _| act::shift_contexts(s, 8), "What stands after, in every context";
    "contexts-page-down", Contexts, Feature, ["PageDown"], None, |s, _| act::scroll_contexts(s, 10), "Contexts, ten lines further";
    "contexts-page-up", Contexts, Feature, ["PageUp"], None, |s, _| act::scroll_contexts(s, -10), "Contexts, ten lines back";
    "contexts-first", Contexts, Feature, ["g", "Home"], None, |s, _| act::scroll_contexts(s, isize::MIN), "To the strongest contexts";
    "contexts-last", Contexts, Feature, ["G", "End"], None, |s, _| act::scroll_contexts(s, isize::MAX), "To the last lines";
    "contexts-next-member", Contexts, Feature, [")"], Some("member"), |s, _| act::turn_member(s, 1), "The supernode's next member, then all together";
    "contexts-previous-member", Contexts, Feature, ["("], Some("member"), |s, _| act::turn_member(s, -1), "The supernode's member before";
    "contexts-repeated", Contexts, Feature, ["r"], Some("repeated"), |s, _| act::toggle_repeated(s), "Unfold contexts that are repeated, or fold them";
    "contexts-close", Contexts, Contexts, ["Esc", "q", "s"], Some("back"), |s, _| act::close_contexts(s), "Leave the search, then the contexts";
    "contexts-search-take", Contexts, ContextsSearch, ["Enter"], Some("take"), |s, _| act::take_search(s), "Go on with the contexts that were found";
    "contexts-search-down", Contexts, ContextsSearch, ["Down"], Some("scroll"), |s, _| act::scroll_contexts(s, 1), "A line further in what was found";
    "contexts-search-up", Contexts, ContextsSearch, ["Up"], Some("scroll"), |s, _| act::scroll_contexts(s, -1), "A line back in what was found";
    "contexts-search-close", Contexts, ContextsSearch, ["Esc"], Some("all"), |s, _| act::close_contexts(s), "Back to all contexts";
    "browse", Contexts, Panes, ["B"], None, |s, _| act::open_browse(s), "Look through all features, without a graph";
    "browse-down", Contexts, Browse, ["Down", "j"], Some("choose"), |s, _| act::move_in_browse(s, 1), "To the next feature";
    "browse-up", Contexts, Browse, ["Up", "k"], Some("choose"), |s, _| act::move_in_browse(s, -1), "To the feature before";
    "browse-search", Contexts, Browse, ["/"], Some("search"), |s, _| act::write_in_browse(s, Writes::Search), "Search labels, contexts and promoted tokens";
    "browse-text", Contexts, Browse, ["t"], Some("text"), |s, _| act::write_in_browse(s, Writes::Text), "Type a text and see what fires on it";
    "browse-near", Contexts, Browse, ["n"], Some("nearest"), |s, _| act::browse_near(s), "Those that write most nearly as this one does";
    "browse-order", Contexts, Browse, ["o"], Some("order"), |s, _| act::turn_order(s), "List by layer, density, maximum or label";
    "browse-token-left", Contexts, Browse, ["Left", "h"], Some("token"), |s, _| act::turn_token(s, -1), "To the token before, of the text";
    "browse-token-right", Contexts, Browse, ["Right", "l"], Some("token"), |s, _| act::turn_token(s, 1), "To the next token of the text";
    "browse-page-down", Contexts, Browse, ["PageDown"], None, |s, _| act::move_in_browse(s, 10), "Ten features further";
    "browse-page-up", Contexts, Browse, ["PageUp"], None, |s, _| act::move_in_browse(s, -10), "Ten features back";
    "browse-first", Contexts, Browse, ["g", "Home"], None, |s, _| act::move_in_browse(s, isize::MIN), "To the first feature";
    "browse-last", Contexts, Browse, ["G", "End"], None, |s, _| act::move_in_browse(s, isize::MAX), "To the last feature that is listed";
    "browse-go", Contexts, Browse, ["Enter"], Some("in the graph"), |s, _| act::browse_go(s), "To the feature's node in the graph";
    "browse-close", Contexts, Browse, ["Esc", "q"], Some("back"), |s, _| act::close_browse(s), "Back to the list, then to the panes";
    "browse-take", Contexts, BrowseLine, ["Enter"], Some("take"), |s, _| act::take_browse_line(s), "Look for what stands in the line";
    "browse-leave", Contexts, BrowseLine, ["Esc"], Some("back"), |s, _| act::close_browse(s), "Leave the line";
    "intervene", Test, Panes, ["I"], None, |s, _| act::open_interventions(s), "Intervene on this feature or its supernode";
    "intervene-down", Test, Interventions, ["Down", "j"], Some("choose"), |s, _| act::move_in_interventions(s, 1), "To the next intervention";
    "intervene-up", Test, Interventions, ["Up", "k"], Some("choose"), |s, _| act::move_in_interventions(s, -1), "To the intervention before";
    "intervene-more", Test, Interventions, ["Right", "l"], Some("dose"), |s, _| act::nudge_dose(s, 1), "A tenth more: the factor, or the value";
    "intervene-less", Test, Interventions, ["Left", "h"], Some("dose"), |s, _| act::nudge_dose(s, -1), "A tenth less";
    "intervene-half-more", Test, Interventions, ["+", ">"], None, |s, _| act::nudge_dose(s, 5), "A half more";
    "intervene-half-less", Test, Interventions, ["-", "<"], None, |s, _| act::nudge_dose(s, -5), "A half less";
    "intervene-value", Test, Interventions, ["Enter"], Some("value"), |s, _| act::ask_intervention(s, false), "Type a value, a factor or an addition";
    "intervene-positions", Test, Interventions, ["p"], Some("positions"), |s, _| act::ask_intervention(s, true), "Type the positions";
    "intervene-mute", Test, Interventions, ["Space"], Some("mute"), |s, _| act::mute_intervention(s), "Leave it out for now, or take it in again";
    "intervene-remove", Test, Interventions, ["x", "Delete"], Some("remove"), |s, _| act::remove_intervention(s), "Remove this intervention";
    "intervene-mode", Test, Interventions, ["Tab"], Some("mode"), |s, _| act::turn_freeze(s), "What stays as it was: direct, frozen attention, free";
    "intervene-swap", Test, Interventions, ["s"], Some("swap"), |s, _| act::ask_swap(s), "Swap the features at this position for another prompt's";
    "intervene-sweep", Test, Interventions, ["d"], Some("sweep"), |s, _| act::turn_lab(s, View::Sweep), "Draw probabilities against the dose, or not";
    "intervene-continue", Test, Interventions, ["g"], Some("continue"), |s, _| act::turn_lab(s, View::Continued), "Continue the prompt without and with them, or not";
    "intervene-undo", Test, Interventions, ["u"], None, |s, _| act::undo(s), "Undo the last change";
    "intervene-redo", Test, Interventions, ["Ctrl-r", "U"], None, |s, _| act::redo(s), "Redo what was undone";
    "intervene-close", Test, Interventions, ["Esc", "q"], Some("back"), |s, _| act::close_interventions(s), "Leave the interventions as they are";
    "next-graph", Program, Panes, ["}"], None, |s, _| act::turn_graph(s, true), "To the next open graph";
    "previous-graph", Program, Panes, ["{"], None, |s, _| act::turn_graph(s, false), "To the open graph before";
    "close-graph", Program, Panes, ["Ctrl-w"], None, |s, _| act::close_graph(s), "Close this graph; another one takes its place";
    "previous-pane", Program, Panes, ["Shift-Tab"], None, |s, _| act::cycle_pane(s, -1), "To the pane before";
    "help", Program, Panes, ["?"], Some("keys"), |s, _| act::open_help(s), "Every key";
    "help-down", Program, Help, ["Down"], Some("scroll"), |s, _| act::scroll_help(s, 1), "The help, a line further";
    "help-up", Program, Help, ["Up"], Some("scroll"), |s, _| act::scroll_help(s, -1), "The help, a line back";
    "help-page-down", Program, Help, ["PageDown"], None, |s, _| act::scroll_help(s, 10), "The help, ten lines further";
    "help-page-up", Program, Help, ["PageUp"], None, |s, _| act::scroll_help(s, -10), "The help, ten lines back";
    "help-close", Program, Help, ["Esc"], Some("back"), |s, _| act::close_help(s), "Clear the filter, then close the help";
    "models", Models, Panes, ["M"], None, |s, _| act::open_models(s), "Open a graph that was open, or choose a model";
    "model-down", Models, Start, ["Down", "j"], Some("choose"), |s, _| act::step_model(s, 1), "To the next model";
    "model-up", Models, Start, ["Up", "k"], Some("choose"), |s, _| act::step_model(s, -1), "To the model before";
    "model-take", Models, Start, ["Enter"], Some("take"), |s, _| act::choose_model(s), "Load it, or ask what it takes to have it here";
    "models-close", Models, Start, ["Esc", "q"], Some("back"), |s, _| act::close_popup(s), "Leave the model as it was";
    "yes", Models, Ask, ["y"], Some("yes"), |s, _| act::say_yes(s), "Yes, ask or download";
    "no", Models, Ask, ["n", "Esc"], Some("no, or stop"), |s, _| act::say_no(s), "No; stop what is under way";
    "escape", Program, Panes, ["Esc"], None, |s, _| act::escape(s), "One level back: stop a trace, unzoom, to the graph";
    "mouse", Program, Panes, ["Ctrl-o"], None, |s, _| act::toggle_mouse(s), "Take the mouse, or leave it to the terminal";
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

/// Each heading with its commands: their keys, and what they do.
pub fn key_table() -> impl Iterator<Item = (&'static str, Vec<(Vec<String>, &'static str)>)> {
    Group::ALL.into_iter().map(|group| {
        let commands = COMMANDS.iter().filter(|command| command.group == group);
        (group.title(), commands.map(|command| (command.key_labels(Charset::Ascii), command.doc)).collect())
    })
}

/// The key table in Markdown, for the README.
pub fn key_table_markdown() -> String {
    let mut out = String::new();
    for (title, rows) in key_table() {
        // Writing into a string does not fail.
        let _ = write!(out, "**{title}**\n\n| keys | what they do |\n| --- | --- |\n");
        for (keys, doc) in rows {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(out, "| {} | {doc} |", keys.join(" "));
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
