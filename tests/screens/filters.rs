//! The circuit through a filter: hidden or standing back, completed, named, told what is wrong.

use crate::desk::Desk;
use crate::fake::{Fake, made_up};
use circuitscope::graph::Token;
use circuitscope::ids::NodeId;
use circuitscope::tui::circuit::{Circuit, PromotedTokens};
use circuitscope::tui::start_open;
use std::collections::BTreeSet;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

fn features(desk: &Desk) -> BTreeSet<NodeId> {
    circuit(desk).kept().node_ids().filter(|node| circuit(desk).node(*node).is_feature()).collect()
}

fn in_layer(desk: &Desk, nodes: &BTreeSet<NodeId>, layer: u32) -> BTreeSet<NodeId> {
    let is_there = |node: &&NodeId| circuit(desk).node(**node).layer().is_some_and(|its| its.0 == layer);
    nodes.iter().filter(is_there).copied().collect()
}

#[test]
fn what_does_not_match_is_hidden_and_comes_back() {
    let mut desk = Desk::traced((160, 48));
    let all = features(&desk);
    let wanted = in_layer(&desk, &all, 2);
    assert!(!wanted.is_empty() && wanted.len() < all.len());
    desk.press("f").type_text("type:feature layer:2");
    desk.expect(&format!("{} nodes", wanted.len())).expect("the rest is hidden");
    desk.press("Enter").expect(&format!("{} nodes and ", wanted.len())).expect("only type:feature layer:2");
    assert_eq!(features(&desk), wanted);
    assert!(circuit(&desk).kept().node_ids().any(|node| circuit(&desk).node(node).is_token()), "tokens stay");
    desk.press("\\");
    assert_eq!(features(&desk), all, "put aside");
    desk.press("\\");
    assert_eq!(features(&desk), wanted, "and taken up again");
    desk.press("f Ctrl-u Enter").expect("The filter is gone");
    assert_eq!(features(&desk), all);
}

#[test]
fn what_does_not_match_stands_back() {
    let mut desk = Desk::traced((160, 48));
    let all = features(&desk);
    desk.press("f").type_text("layer:2").press("Ctrl-t").expect("the rest stands back");
    desk.press("Enter");
    assert_eq!(features(&desk), all, "nothing is hidden");
    let faint = desk.state.look.theme.faint.fg.unwrap();
    let other = circuit(&desk).inputs.kept.iter().find(|link| circuit(&desk).marks.dims(link.other)).unwrap().other;
    let name = circuit(&desk).name(other, &desk.state.look.glyphs);
    assert_eq!(desk.cells(&name)[0].fg, faint, "{name}");
    desk.press("H");
    assert_eq!(features(&desk), in_layer(&desk, &all, 2), "now it is hidden");
}

#[test]
fn a_filter_holds_while_thresholds_and_edits_change() {
    let mut desk = Desk::traced((160, 48));
    desk.press("f").type_text("is:pinned").press("Enter");
    assert!(features(&desk).is_empty());
    desk.press("\\");
    let two: Vec<NodeId> = features(&desk).into_iter().take(2).collect();
    for node in &two {
        let name = circuit(&desk).name(*node, &desk.state.look.glyphs);
        desk.press("/").type_text(&name).press("Enter p");
    }
    desk.press("\\");
    assert_eq!(features(&desk), two.iter().copied().collect());
    desk.press("u");
    assert_eq!(features(&desk), BTreeSet::from([two[0]]), "an undone pin is filtered out");
    desk.press("Ctrl-r f Ctrl-u").type_text("type:feature").press("Enter");
    let before = features(&desk);
    desk.press("- -");
    let after = features(&desk);
    assert!(after.len() < before.len() && after.is_subset(&before));
}

#[test]
fn a_filter_about_the_selected_node_follows_it_and_never_hides_it() {
    let mut desk = Desk::traced((160, 48));
    desk.press("f").type_text("in>0.04").press("Enter");
    for key in ["1", "1", "g", "1"] {
        desk.press(key);
        let (here, shown) = (circuit(&desk).selected(), features(&desk));
        let strong = circuit(&desk).inputs.kept.iter().filter(|link| circuit(&desk).node(link.other).is_feature());
        assert!(circuit(&desk).kept().has_node(here));
        assert!(strong.clone().all(|link| link.share > 0.04 && shown.contains(&link.other)));
        assert!(shown.len() <= strong.count() + 1, "nothing else is left");
    }
}

#[test]
fn an_error_points_at_what_is_wrong() {
    let mut desk = Desk::traced((160, 48));
    desk.press("f").type_text("layer:2 act>").expect("expected a number");
    desk.press("Enter");
    assert!(!desk.state.dialogs.is_empty(), "it cannot be applied");
    desk.press("Ctrl-u").type_text("layer:x").expect("layer:x");
    let alert = desk.state.look.theme.alert.fg.unwrap();
    let cells = desk.cells("layer:x");
    assert_eq!(cells[6].fg, alert, "what is wrong is marked");
    assert_ne!(cells[0].fg, alert, "what is right is not");
}

#[test]
fn terms_and_values_are_completed() {
    let mut desk = Desk::traced((160, 48));
    desk.press("f").type_text("ty").press("Tab").type_text("fea").press("Tab");
    desk.type_text(" layer:2").press("Enter");
    assert_eq!(circuit(&desk).marks.filter.as_ref().unwrap().text, "type:feature layer:2");
}

#[test]
fn filters_are_remembered_and_saved_under_names() {
    let mut desk = Desk::traced((160, 48));
    desk.press("f").type_text("layer:1").press("Enter f Ctrl-u").type_text("layer:2").press("Enter");
    desk.press("f Ctrl-u Ctrl-p").expect("layer:2");
    desk.press("Ctrl-p").expect("layer:1");
    desk.press("Ctrl-n").expect("layer:2");
    desk.press("Ctrl-s").type_text("second").press("Enter").expect("The filter is saved as second");
    desk.press("Ctrl-u").expect("saved as second");
    desk.press("Tab Enter");
    assert_eq!(circuit(&desk).marks.filter.as_ref().unwrap().text, "layer:2");
}

#[test]
fn promoted_tokens_that_are_not_known_are_said_and_the_result_follows() {
    let mut desk = Desk::traced((160, 48));
    desk.press_only("f");
    for key in ["p", "r", "o", "m", "o", "t", "e", "s", "~", "A", "Enter"] {
        desk.press_only(key);
    }
    // Only the filter's own answer is waited for: what features write is still to be computed.
    desk.wait_for("the filter's answer", |desk| circuit(desk).marks.filter.as_ref().unwrap().filtered.is_some());
    desk.expect("more wait for promoted tokens, which are being computed");
    desk.settle();
    let lacking = &circuit(&desk).marks.filter.as_ref().unwrap().filtered.as_ref().unwrap().matches.lacking;
    assert!(lacking.is_empty(), "{lacking:?}");
    let shown = features(&desk);
    desk.press("\\");
    let writes_a = |node: &&NodeId| match &circuit(&desk).promoted[&circuit(&desk).feature(**node).unwrap()] {
        PromotedTokens::Known(promoted) => promoted.top.iter().any(|(token, _)| token.to_lowercase().contains('a')),
        other => panic!("{other:?}"),
    };
    let all = features(&desk);
    assert_eq!(shown, all.iter().filter(writes_a).copied().collect());
}

#[test]
fn without_a_model_it_is_said_what_cannot_be_known() {
    let mut desk = Desk::bare((160, 48), None);
    let tokens = ["<bos>", "a", "b", "c"].iter().zip(0..).map(|(text, id)| Token { id, text: (*text).to_owned() });
    start_open(&mut desk.state, Arc::new(made_up("no model", tokens.collect(), 3, 4.0, 9)));
    desk.settle();
    desk.press("f").type_text("promotes~a or density<0.1").press("Enter").expect("need promoted tokens");
    desk.expect("and no model is loaded");
}

#[test]
fn a_fast_walk_leaves_no_feature_unasked() {
    let mut desk = Desk::bare((160, 48), Some(Fake::quick()));
    circuitscope::tui::start_trace(&mut desk.state, crate::fake::DALLAS.to_owned());
    desk.settle();
    for _ in 0..12 {
        desk.press_only("j");
        desk.press_only("h");
    }
    desk.settle();
    let failed =
        circuit(&desk).promoted.values().filter(|promoted| matches!(promoted, PromotedTokens::Failed(_))).count();
    assert_eq!(failed, 0, "what was passed over is asked anew, not failed");
}

#[test]
fn the_grammar_is_read_while_a_filter_is_written_and_in_the_help() {
    for size in [(160, 48), (80, 24)] {
        let mut desk = Desk::traced(size);
        desk.press("f").type_text("layer:2").press("Ctrl-g").expect("how often the feature fires at all");
        desk.type_text(" act>1").expect("layer:2 act>1").expect("match");
        for _ in 0..5 {
            desk.press("PageDown");
        }
        desk.expect("its `not`, and is said").expect("layer:2 act>1");
        desk.press("Enter").expect("match");
        assert_eq!(circuit(&desk).marks.filter.as_ref().unwrap().text, "layer:2 act>1");
        desk.press("?").type_text("fires").expect("density<0.01");
        desk.press("Esc");
        for _ in 0..60 {
            desk.press("PageDown");
        }
        desk.expect("its `not`, and is said");
    }
}
