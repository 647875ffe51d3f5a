//! Questions that are answered in a line of text, and their answers.

use crate::config;
use crate::graph::{Edit, Labelled, automatic};
use crate::tui::dialogs::compare::update::answer_compare;
use crate::tui::dialogs::filter::FilterPrompt;
use crate::tui::dialogs::intervene::questions::answer_intervention;
use crate::tui::dialogs::question::{Asks, Question, read_thresholds};
use crate::tui::state::State;
use crate::tui::workspace::tabs::update::open_beside;
use crate::tui::workspace::{apply, choose_none, prune_anew};

pub(in crate::tui) fn ask_label(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let node = circuit.selected();
    let mut about = circuit.name(node, &state.screen.look.glyphs);
    let what = circuit.labelled(node);
    if matches!(what, Labelled::Feature(..)) {
        about.push_str(": the label holds at every position");
    }
    // A user who takes over an automatic label makes it their own.
    let own = |label: &str| label.strip_prefix(automatic::MARK).unwrap_or(label).to_owned();
    let answer = circuit.label(node).map_or_else(String::new, |(label, _)| own(label));
    state.dialogs.open(Question::new(Asks::Label(what), about, answer));
}

pub(in crate::tui) fn ask_thresholds(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let now = circuit.edits.now().thresholds;
    let mut about = "share of the nodes' influence to keep, and of the edges'".to_owned();
    let mut answer = format!("{} {}", now.node, now.edge);
    if !circuit.traced.document.densities.is_empty() || now.density < 1.0 {
        about.push_str(", and how often a feature may fire");
        answer.push_str(&format!(" {}", now.density));
    }
    state.dialogs.open(Question::new(Asks::Thresholds, about, answer));
}

/// Asks for a graph file to be opened beside the others.
pub(in crate::tui) fn ask_file(state: &mut State) {
    let about = "a graph file, which opens in a tab of its own".to_owned();
    state.dialogs.open(Question::new(Asks::File, about, String::new()));
}

/// Opens a graph file beside the others.
///
/// # Errors
/// Fails where there is no such file, with a sentence.
pub(in crate::tui) fn open_file(state: &mut State, text: &str) -> Result<(), String> {
    let path = config::from_home(text);
    if !path.is_file() {
        return Err(format!("There is no file {text}"));
    }
    open_beside(state, path);
    Ok(())
}

/// Takes the answer to the question for a file, which takes no graph to be answered.
fn answer_file(state: &mut State) {
    let Some(question) = state.dialogs.get::<Question>() else { return };
    let text = question.answer().to_owned();
    match open_file(state, &text) {
        Ok(()) => state.dialogs.close_all(),
        Err(why) => {
            if let Some(question) = state.dialogs.get_mut::<Question>() {
                question.complain(why);
            }
        }
    }
}

/// Takes the answer, or says why it is not valid.
pub(in crate::tui) fn answer(state: &mut State) {
    if state.dialogs.get::<Question>().is_some_and(|question| question.asks == Asks::File) {
        answer_file(state);
        return;
    }
    let (Some(question), Some(circuit)) = (state.dialogs.get_mut::<Question>(), &state.workspace.circuit) else {
        return;
    };
    if question.asks.is_of_interventions() {
        answer_intervention(state);
        return;
    }
    if question.asks == Asks::Compare {
        answer_compare(state);
        return;
    }
    let text = question.answer().to_owned();
    let is_name = matches!(question.asks, Asks::Group(_) | Asks::Rename(_) | Asks::FilterName(_));
    if is_name && text.is_empty() {
        question.complain("It needs a name".to_owned());
        return;
    }
    if let Asks::FilterName(filter) = &question.asks {
        let filter = filter.clone();
        save_filter(state, text, filter);
        return;
    }
    let (edit, said) = match &question.asks {
        Asks::Group(members) => {
            (Edit::Group { name: text.clone(), members: members.clone() }, format!("Made the supernode {text}"))
        }
        Asks::Rename(index) => (Edit::RenameGroup(*index, text.clone()), format!("The supernode is called {text}")),
        Asks::Label(what) if text.is_empty() => (Edit::Label(*what, text), "The label is gone".to_owned()),
        Asks::Label(what) => (Edit::Label(*what, text.clone()), format!("Labelled {text}")),
        Asks::FilterName(_) | Asks::Compare | Asks::File => return,
        Asks::Action(_) | Asks::Positions(_) | Asks::Swap(_) | Asks::SwapGroup(_) | Asks::Layers | Asks::Sampling => {
            return;
        }
        Asks::Thresholds => match read_thresholds(&text, circuit.edits.now().thresholds) {
            Ok(thresholds) => (Edit::SetThresholds(thresholds), String::new()),
            Err(why) => {
                question.complain(why);
                return;
            }
        },
    };
    if matches!(edit, Edit::Group { .. }) {
        choose_none(state);
    }
    state.dialogs.close_all();
    let prunes = matches!(edit, Edit::SetThresholds(_));
    if apply(state, edit, said) && prunes {
        prune_anew(state);
    }
}

/// Saves a filter under a name, and goes on editing it.
fn save_filter(state: &mut State, name: String, filter: String) {
    let Some(circuit) = &mut state.workspace.circuit else { return };
    let hides = circuit.marks.filter.as_ref().is_none_or(|filter| filter.hides);
    circuit.marks.filters.insert(name.clone(), filter.clone());
    state.dialogs.open(FilterPrompt::new(filter, hides));
    state.screen.say(format!("The filter is saved as {name}"));
}
