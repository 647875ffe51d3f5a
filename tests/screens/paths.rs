//! The strongest ways from one node to another.

use crate::desk::Desk;
use circuitscope::graph::paths;
use circuitscope::job::Cancel;
use circuitscope::text;
use circuitscope::tui::circuit::Circuit;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

/// Looks for the paths between a token and the answer, from either end.
fn looked(first: &str, second: &str) -> Desk {
    let mut desk = Desk::traced((160, 48));
    desk.press("/").type_text(first).press("Enter P").expect("the same key at the other end finds them");
    desk.press("/").type_text(second).press("Enter P").expect("from token Dallas to logit Austin");
    desk
}

#[test]
fn the_strongest_paths_are_listed_with_what_they_carry() {
    let desk = looked("token Dallas", "logit Austin");
    let (from, to) = {
        let graph = &circuit(&desk).traced.document.graph;
        let token =
            graph.token_nodes().find(|node| circuit(&desk).name(*node, &desk.state.look.glyphs) == "token Dallas");
        (token.unwrap(), circuit(&desk).answer().unwrap())
    };
    let graph = &circuit(&desk).traced.document.graph;
    let found = paths(graph, Some(circuit(&desk).kept()), from, to, 50, &Cancel::default()).unwrap();
    assert!(found.found.len() > 1);
    desk.expect(&format!(
        "{} paths, {} of the strength of all",
        found.found.len(),
        text::percent(found.coverage()).trim()
    ));
    for path in found.found.iter().take(5) {
        let glyphs = &desk.state.look.glyphs;
        let names: Vec<String> = path.nodes.iter().map(|node| circuit(&desk).name(*node, glyphs)).collect();
        desk.expect(&names.join(" › "));
        let strength = text::weight(path.strength as f32);
        let sign = desk.state.look.theme.sign(path.strength as f32).fg.unwrap();
        // The first row is the cursor's.
        assert!(path == &found.found[0] || desk.cells(&strength)[0].fg == sign, "{strength}");
    }
}

#[test]
fn the_order_in_which_the_ends_are_marked_does_not_matter() {
    // `looked` expects the same heading for both.
    let listed = |desk: &Desk| {
        let screen = desk.screen();
        let rows = screen.lines().filter(|line| line.contains("token Dallas ›"));
        rows.map(|line| line.split("logit Austin").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let (up, down) = (looked("token Dallas", "logit Austin"), looked("logit Austin", "token Dallas"));
    assert!(listed(&up).len() > 5);
    let way = |line: &String| line[line.find("token Dallas ›").unwrap()..].to_owned();
    let ways = |desk| listed(desk).iter().map(way).collect::<Vec<_>>();
    assert_eq!(ways(&up), ways(&down));
}

#[test]
fn a_path_is_pinned_and_shown() {
    let mut desk = looked("token Dallas", "logit Austin");
    let before = desk.buffer();
    desk.press("j p").expect("Pinned the path");
    let pins = circuit(&desk).edits.now().pins.clone();
    assert!(pins.len() >= 2);
    desk.press("u Enter");
    assert_eq!(circuit(&desk).marks.path, pins, "it is the same path, from its source up");
    assert_ne!(desk.buffer(), before);
    let accent = desk.state.look.theme.accent.fg.unwrap();
    let drawn = |desk: &Desk| desk.buffer().content.iter().filter(|cell| cell.fg == accent).count();
    let with = drawn(&desk);
    desk.press("Esc");
    assert!(drawn(&desk) < with, "Esc lets the path go");
}
