//! Questions that are answered in words: names, labels, thresholds, notes.

use super::compare::answer_compare;
use super::edits::{apply, prune_anew};
use super::group::choose_none;
use super::intervention_questions::answer_intervention;
use crate::graph::{Edit, Labelled, automatic};
use crate::tui::app::State;
use crate::tui::dialogs::filter::FilterPrompt;
use crate::tui::dialogs::notes::Notes;
use crate::tui::dialogs::question::{Asks, Question, read_thresholds};

pub(in crate::tui) fn ask_label(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let node = circuit.selected();
    let mut about = circuit.name(node, &state.look.glyphs);
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
    let Some(circuit) = &state.circuit else { return };
    let now = circuit.edits.now().thresholds;
    let mut about = "share of the nodes' influence to keep, and of the edges'".to_owned();
    let mut answer = format!("{} {}", now.node, now.edge);
    if !circuit.traced.document.densities.is_empty() || now.density < 1.0 {
        about.push_str(", and how often a feature may fire");
        answer.push_str(&format!(" {}", now.density));
    }
    state.dialogs.open(Question::new(Asks::Thresholds, about, answer));
}

/// Takes the answer, or says why it is not valid.
pub(in crate::tui) fn answer(state: &mut State) {
    let (Some(question), Some(circuit)) = (state.dialogs.get_mut::<Question>(), &state.circuit) else { return };
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
        Asks::FilterName(_) | Asks::Compare => return,
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
    let Some(circuit) = &mut state.circuit else { return };
    let hides = circuit.marks.filter.as_ref().is_none_or(|filter| filter.hides);
    circuit.marks.filters.insert(name.clone(), filter.clone());
    state.dialogs.open(FilterPrompt::new(filter, hides));
    state.say(format!("The filter is saved as {name}"));
}

pub(in crate::tui) fn open_notes(state: &mut State) {
    if let Some(circuit) = &state.circuit {
        state.dialogs.open(Notes::new(&circuit.edits.now().notes));
    }
}

pub(in crate::tui) fn move_in_notes(state: &mut State, by: isize) {
    if let Some(notes) = state.dialogs.get_mut::<Notes>() {
        notes.move_by(by);
    }
}

/// Closes the notes; the text stays.
pub(in crate::tui) fn keep_notes(state: &mut State) {
    let Some(notes) = state.dialogs.get::<Notes>() else { return };
    let text = notes.text();
    state.dialogs.close_all();
    apply(state, Edit::SetNotes(text), "The notes are kept".to_owned());
}
