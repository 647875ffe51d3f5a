//! What is shown of a node that is no feature, and while nothing is pinned.

use crate::desk::Desk;
use circuitscope::graph::{Path, paths_from};
use circuitscope::ids::NodeId;
use circuitscope::job::Cancel;
use circuitscope::text;
use circuitscope::tui::panes::{feature, subgraph};
use circuitscope::tui::workspace::circuit::Circuit;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

/// The three strongest paths of the kept edges.
fn strongest(desk: &Desk, from: &[NodeId], to: NodeId) -> Vec<Path> {
    let graph = &circuit(desk).traced.document.graph;
    paths_from(graph, Some(circuit(desk).kept()), from, to, 3, &Cancel::default()).unwrap().found
}

/// Every path stands there with its share of what flows into its end.
fn expect_paths(desk: &Desk, paths: &[Path]) {
    assert!(!paths.is_empty());
    for path in paths {
        let sign = if path.strength < 0.0 { '-' } else { '+' };
        desk.expect(&format!("{sign}{}  ", text::percent(path.strength.abs()).trim_start()));
    }
}

#[test]
fn the_main_paths_are_told_of_an_output_a_token_and_an_error() {
    let mut desk = Desk::traced((160, 48));
    let (tokens, answer): (Vec<NodeId>, _) =
        (circuit(&desk).traced.document.graph.token_nodes().collect(), circuit(&desk).answer().unwrap());
    desk.expect("Main paths to Austin").expect("of what flows into Austin");
    let paths = strongest(&desk, &tokens, answer);
    expect_paths(&desk, &paths);
    assert_ne!(paths[0].strength, paths[1].strength);

    desk.press("/").type_text("token Dallas").press("Enter").expect("Main paths from Dallas to Austin");
    let token = circuit(&desk).selected();
    expect_paths(&desk, &strongest(&desk, &[token], answer));

    desk.press("/").type_text("error").press("Enter");
    let error = circuit(&desk).selected();
    assert!(circuit(&desk).node(error).is_error());
    desk.expect("Main paths from error").expect("misses");
    expect_paths(&desk, &strongest(&desk, &[error], answer));

    desk.go_to_feature();
    assert!(!desk.shows("Main paths"), "a feature has contexts");
}

#[test]
fn what_is_worth_pinning_is_listed_until_something_is_pinned() {
    for size in [(160, 48), (120, 35), (80, 24)] {
        let mut desk = Desk::traced(size);
        desk.press_until("Tab", |state| state.screen.focus == subgraph::PANE);
        desk.expect("p    pin the").expect("e p  boxes").expect("worth pinning");
        let leads = |id: &NodeId| !circuit(&desk).node(*id).is_error() && !circuit(&desk).node(*id).is_logit();
        let first = circuit(&desk).kept().ranked().into_iter().find(leads).unwrap();
        let name = circuit(&desk).name(first, &desk.state.screen.look.glyphs);
        desk.expect(&format!("%  {name}"));
        desk.press("p");
        assert!(!desk.shows("worth pinning"));
        desk.press("u").expect("worth pinning");
        desk.press_until("Tab", |state| state.screen.focus == feature::PANE);
        desk.expect("Main paths to Austin");
    }
}
