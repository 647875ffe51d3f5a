//! Which panes are seen, and what the keys do in them.

use crate::desk::Desk;
use circuitscope::ids::NodeId;
use circuitscope::tui::app::Pane;
use circuitscope::tui::circuit::{Circuit, Side};
use circuitscope::tui::tree::{Branch, Fold};

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

fn rows(desk: &Desk) -> &[Branch] {
    circuit(desk).tree.rows()
}

fn under_cursor(desk: &Desk) -> &Branch {
    circuit(desk).tree.branch().unwrap()
}

/// To the tree.
fn in_tree(size: (u16, u16)) -> Desk {
    let mut desk = Desk::traced(size);
    while desk.state.focus != Pane::Tree {
        desk.press("Tab");
    }
    desk
}

#[test]
fn a_large_screen_shows_every_pane_and_a_small_one_their_tabs() {
    let desk = Desk::traced((160, 48));
    for pane in Pane::ALL {
        desk.expect(&format!("╭ {} ─", pane.title()));
    }
    let mut desk = Desk::traced((80, 24));
    desk.expect("╭ connections tree subgraph ─").expect("╭ detail ─");
    assert_eq!(desk.state.panes().unwrap().of(Pane::Tree), None);
    desk.press("Tab Tab Tab");
    assert_eq!(desk.state.focus, Pane::Tree);
    desk.expect("▾ logit Austin");
    let theme = &desk.state.look.theme;
    assert_eq!(desk.cells("tree subgraph")[0].fg, theme.accent.fg.unwrap(), "the tab that is shown stands out");
    assert_eq!(desk.cells("subgraph")[0].fg, theme.faint.fg.unwrap());
    desk.press("Esc").expect("▾ logit Austin");
}

#[test]
fn a_pane_is_zoomed_and_unzoomed() {
    let mut desk = Desk::traced((160, 48));
    let before = desk.screen();
    desk.press("Tab z").expect("graph connections detail tree subgraph");
    assert!(!desk.shows("╭ detail ─"));
    desk.press("Tab Tab").expect("▾ logit Austin");
    desk.press("Esc");
    assert_eq!((desk.state.focus, desk.state.windows.zoomed), (Pane::Tree, false));
    desk.press("Esc z z");
    assert_eq!(desk.screen(), before);
}

#[test]
fn the_tree_opens_branch_by_branch() {
    let mut desk = in_tree((160, 48));
    let inputs: Vec<NodeId> = circuit(&desk).inputs.kept.iter().map(|link| link.other).collect();
    let shown: Vec<NodeId> = rows(&desk)[1..].iter().map(Branch::node).collect();
    assert_eq!(shown, inputs[..5], "the strongest inputs, the strongest first");
    desk.press("j l");
    let opened = under_cursor(&desk).clone();
    assert_eq!((opened.node(), opened.fold), (inputs[0], Fold::Open));
    desk.press("l");
    assert_eq!(under_cursor(&desk).path[..2], opened.path);
    desk.press("h h");
    assert_eq!((under_cursor(&desk).node(), under_cursor(&desk).fold), (inputs[0], Fold::Closed));
    desk.press("h");
    assert_eq!(circuit(&desk).tree.at(), 0);
    desk.press("Space");
    assert_eq!(rows(&desk).len(), 1);
}

#[test]
fn a_path_through_the_tree_never_meets_itself_and_ends_at_tokens_and_errors() {
    let mut desk = in_tree((160, 48));
    for _ in 0..400 {
        desk.press("l j");
    }
    let graph = &circuit(&desk).traced.document.graph;
    assert!(rows(&desk).iter().any(|row| row.depth() > 3), "{:?}", rows(&desk).len());
    for row in rows(&desk) {
        let mut path = row.path.clone();
        path.sort();
        path.dedup();
        assert_eq!(path.len(), row.path.len());
        if row.fold == Fold::Leaf {
            assert_eq!(circuit(&desk).kept().incoming(graph, row.node()).count(), 0);
        }
        let product: f64 = (2..=row.path.len())
            .map(|end| {
                let link = rows(&desk).iter().find(|other| other.path == row.path[..end]).unwrap().link.unwrap();
                assert_eq!((link.edge.source, link.edge.target), (row.path[end - 1], row.path[end - 2]));
                f64::from(link.edge.weight) / graph.input_total(link.edge.target)
            })
            .product();
        assert!((product - row.reach).abs() < 1e-12);
    }
    for (at, row) in rows(&desk).iter().enumerate() {
        assert_eq!(row.repeated, rows(&desk)[..at].iter().any(|above| above.node() == row.node()));
    }
    assert!(rows(&desk).iter().any(|row| row.repeated));
    desk.press("g").expect(" ↑");
}

#[test]
fn branches_a_node_are_more_or_fewer_by_keys() {
    let mut desk = in_tree((160, 48));
    desk.press(") )").expect("inputs, 7 a node");
    assert_eq!(rows(&desk).len(), 8);
    desk.press("( ( ( (");
    assert_eq!(rows(&desk).len(), 4);
    for _ in 0..60 {
        desk.press(")");
    }
    assert_eq!(rows(&desk).len() - 1, circuit(&desk).inputs.kept.len());
}

#[test]
fn enter_walks_the_branch_and_the_tree_follows_unless_it_is_held() {
    let mut desk = in_tree((160, 48));
    desk.press("j l l Enter");
    let walked: Vec<NodeId> = circuit(&desk).trail.walked().iter().map(|station| station.node).collect();
    assert_eq!(walked.len(), 3);
    assert_eq!(rows(&desk)[0].node(), walked[2], "the tree grows from the selected node");
    desk.press("[ [ r").expect("The tree stays at this root");
    desk.press("j l l");
    let before = rows(&desk).to_vec();
    desk.press("Enter 1").expect("held, inputs");
    assert_eq!(rows(&desk), before);
    desk.press("o").expect("held, outputs");
    assert_eq!((circuit(&desk).tree.side(), rows(&desk)[0].node()), (Side::Outputs, before[0].node()));
    desk.press("r");
    assert_eq!(rows(&desk)[0].node(), circuit(&desk).selected());
}

#[test]
fn a_held_root_that_falls_is_let_go() {
    let mut desk = in_tree((160, 48));
    desk.press("j Enter r");
    for _ in 0..16 {
        desk.press("-");
    }
    assert!(circuit(&desk).kept().has_node(rows(&desk)[0].node()));
}

#[test]
fn the_tree_tells_signs_apart_by_sign_and_colour() {
    let desk = in_tree((160, 48));
    let theme = &desk.state.look.theme;
    let negative = rows(&desk)[1..].iter().find(|row| row.link.unwrap().edge.weight < 0.0).expect("one is negative");
    let share = format!("-{:.1}% ", 100.0 * negative.link.unwrap().share);
    assert_eq!(desk.cells(&share)[0].fg, theme.negative.fg.unwrap());
}

#[test]
fn kinds_are_left_out_of_lists_and_tree_and_taken_in_again() {
    let mut desk = Desk::traced((160, 48));
    let all = circuit(&desk).inputs.kept.clone();
    desk.press("E").expect("Errors are left out of the lists and the tree");
    let graph = &circuit(&desk).traced.document.graph;
    let explained: Vec<_> = all.iter().filter(|link| !graph.node(link.other).is_error()).copied().collect();
    assert!(explained.len() < all.len());
    assert_eq!(circuit(&desk).inputs.kept, explained);
    assert!(rows(&desk).iter().all(|row| !graph.node(row.node()).is_error()));
    desk.expect(&format!("{} of ", all.len()));
    desk.press("F T").expect("none is of a kind that is listed");
    desk.press("E F T");
    assert_eq!(circuit(&desk).inputs.kept, all);
}

#[test]
fn connections_are_listed_by_share_or_by_signed_weight() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab w");
    let weights: Vec<f32> = circuit(&desk).inputs.kept.iter().map(|link| link.edge.weight).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b) && weights.iter().any(|weight| *weight < 0.0), "{weights:?}");
    let last = circuit(&desk).inputs.kept.last().unwrap().other;
    desk.press("G Enter");
    assert_eq!(circuit(&desk).selected(), last, "the list and what is followed agree");
    desk.press("[ w");
    assert!(circuit(&desk).inputs.kept.is_sorted_by(|a, b| a.share >= b.share));
}
