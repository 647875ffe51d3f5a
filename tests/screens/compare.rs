//! Several graphs together: beside each other, and merged.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake, made_up};
use circuitscope::format::raw;
use circuitscope::graph::{Difference, Occurrence, Token};
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::app::State;
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::comparison::Comparison;
use circuitscope::tui::dialogs::compare::{Compare, Stage};
use circuitscope::tui::{open_files, start_trace};
use std::sync::Arc;

const OAKLAND: &str = "fact : the capital of the state containing Oakland is";

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

/// What is compared on the screen.
fn shown(state: &State) -> Arc<Comparison> {
    match state.dialogs.get::<Compare>().map(|compare| &compare.stage) {
        Some(Stage::Shown(laid)) => Arc::clone(&laid.comparison),
        _ => panic!("nothing is shown yet"),
    }
}

/// The graph of Dallas, compared with one of a prompt that is typed.
fn compared(size: (u16, u16), prompt: &str) -> Desk {
    let mut desk = Desk::traced(size);
    desk.press("| Enter Ctrl-u").type_text(prompt).press("Enter");
    desk
}

#[test]
fn a_typed_prompt_is_traced_beside_the_graph_and_laid_over_it() {
    let mut desk = Desk::traced((160, 48));
    desk.press("|").expect("a prompt, traced now");
    desk.press("Enter").expect("its graph stays open beside this one");
    desk.press("Ctrl-u").type_text("fact : Pluto").press("Enter").expect("\"Pluto\" is not in the vocabulary");
    desk.press("Ctrl-u").type_text("fact : the state containing Oakland is").press("Enter");
    desk.expect("› A  fact : the capital of the state containing Dallas is").expect("  B  fact : the state");
    // Tokens stand below those that they are aligned with.
    let (dallas, oakland) = (desk.place("Dallas is "), desk.place("Oakland is "));
    desk.expect("two graphs");
    let rows = desk.screen();
    let column = |word: &str| rows.lines().skip(3).take(2).find_map(|line| line.find(word)).unwrap();
    assert_eq!(column("Dallas"), column("Oakland"), "{rows}");
    assert!(dallas.1 < oakland.1);
    let comparison = shown(&desk.state);
    for difference in Difference::ALL {
        desk.expect(&format!("{} {}", difference.name(), comparison.count(difference)));
    }
    assert!(comparison.count(Difference::OnlyA) > 0 && comparison.listed.len() > 10);
}

#[test]
fn only_one_kind_is_listed_and_nodes_are_gone_to_in_either_graph() {
    let mut desk = compared((160, 48), "fact : the state containing Oakland is");
    let comparison = shown(&desk.state);
    desk.press("f").expect("[= shared");
    desk.press("f").expect("[≠ changed");
    desk.press("f").expect("[A only A");
    let only_a: Vec<usize> =
        comparison.listed.iter().copied().filter(|at| comparison.differences[*at] == Difference::OnlyA).collect();
    desk.press("Tab Enter").expect("It is only in the other graph");
    desk.press("Tab Enter").expect("1/2");
    assert_eq!(Some(circuit(&desk).selected()), comparison.node(only_a[0], 0));
    desk.press("| Enter").expect("two graphs");
    let only_b = *comparison.listed.iter().find(|at| comparison.differences[**at] == Difference::OnlyB).unwrap();
    desk.press("f f f f Tab Enter").expect("2/2").expect("containing Oakland is →");
    assert_eq!(Some(circuit(&desk).selected()), comparison.node(only_b, 1));
}

#[test]
fn a_rows_edges_are_compared() {
    let mut desk = compared((160, 48), "fact : the state containing Oakland is");
    let comparison = shown(&desk.state);
    let flows = |node: &usize| {
        let shares: Vec<_> = comparison.edges(*node, false).iter().map(|edge| edge.shares).collect();
        shares.len() > 2 && shares.iter().any(|shares| shares[0].is_some())
    };
    let at = comparison.listed.iter().position(flows).unwrap();
    for _ in 0..at {
        desk.press("j");
    }
    let node = comparison.listed[at];
    let edges = comparison.edges(node, false);
    let change = |at: usize| {
        let [a, b] = edges[at].shares.map(|share| share.unwrap_or(0.0));
        (a - b).abs()
    };
    assert!(change(0) >= change(1) && change(1) >= change(2));
    let share = edges[0].shares[0].or(edges[0].shares[1]).unwrap();
    desk.expect("flows in").expect("flows out").expect(&format!("{:+.1}%", 100.0 * share));
    // A share is that of the graph's own edge.
    let (graph, node) = (&comparison.graphs[0], comparison.node(node, 0).unwrap());
    let own = edges.iter().find_map(|edge| Some((comparison.node(edge.other, 0)?, edge.shares[0]?))).unwrap();
    let edge = graph.incoming(node).find(|edge| edge.source == own.0).unwrap();
    assert!((f64::from(edge.weight) / graph.input_total(node) - own.1).abs() < 1e-12);
}

#[test]
fn the_two_are_merged_into_a_graph_that_knows_where_its_nodes_occur() {
    let mut desk = compared((160, 48), "fact : the state containing Oakland is");
    desk.press("m").expect("2/3").expect("Dallas/Oakland");
    let it = circuit(&desk);
    let occurs: Vec<_> = it.kept().node_ids().filter_map(|node| it.occurrence(node)).collect();
    assert_eq!(occurs.len(), it.traced.document.graph.n_nodes(), "all is kept, and of all is known where it occurs");
    assert!(occurs.contains(&(Occurrence::Only(0), 2)) && occurs.contains(&(Occurrence::Only(1), 2)));
    // A mark has its letter, and those of the two graphs have tints of their own.
    let cell = |desk: &Desk, letter: &str| {
        let (buffer, room) = (desk.buffer(), desk.state.panes().unwrap().graph_room().unwrap());
        let cells = room.positions().map(|at| buffer[at].clone());
        cells.filter(|cell| cell.symbol() == letter).find(|cell| cell.fg != desk.state.look.theme.quiet.fg.unwrap())
    };
    let (a, b) = (cell(&desk, "A").unwrap(), cell(&desk, "B").unwrap());
    assert_ne!(a.fg, b.fg);
    let only = it.kept().node_ids().find(|node| it.occurrence(*node) == Some((Occurrence::Only(1), 2))).unwrap();
    let name = it.name(only, &desk.state.look.glyphs);
    desk.press("/").type_text(&name).press("Enter");
    if desk.selected() == name {
        desk.expect("only in B");
    }
    for key in ["W", "I", "V"] {
        desk.press("Ctrl-x").press(key).expect("several prompts");
    }
    desk.press("Esc");
    desk.press("{").expect("1/3");
}

#[test]
fn all_open_graphs_are_merged_and_exported_as_any_graph_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = compared((160, 48), OAKLAND);
    desk.press("Esc");
    desk.press("| Down Enter Ctrl-u").type_text("fact : the state containing Houston is").press("Enter Esc");
    desk.press("& g").expect("2/4").expect("occurs").expect("in all 3");
    desk.press("x Ctrl-u");
    let path = folder.path().join("all.json");
    desk.type_text(path.to_str().unwrap()).press("Enter");
    let opened = circuitscope::format::open(&path).unwrap();
    let labels: Vec<&str> = opened.labels.values().map(String::as_str).collect();
    assert!(labels.iter().any(|label| label.starts_with("[3/3]")), "{labels:?}");
    assert_eq!(opened.graph.n_nodes(), circuit(&desk).kept().n_nodes());
    // What was merged is left out the next time.
    desk.press("&").expect("3/5").expect("in all 3");
}

#[test]
fn files_are_compared_without_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["first", "second"].map(|prompt| {
        let tokens = ["<bos>", "a", "b", prompt].into_iter().zip(0..);
        let tokens = tokens.map(|(text, id)| Token { id, text: text.to_owned() }).collect();
        let path = folder.path().join(format!("{prompt}.safetensors"));
        raw::write(&path, &made_up(prompt, tokens, 3, 3.0, prompt.len() as u64)).unwrap();
        path
    });
    let mut desk = Desk::bare((160, 48), None);
    open_files(&mut desk.state, files.to_vec());
    desk.settle();
    desk.press("| Down Enter").expect("There is no model to trace a prompt with");
    desk.press("Esc & g").expect("2/3 first / second").expect("occurs");
    // The file that was only named until now is opened for it.
    desk.press("{ | Down").expect("second.safetensors");
    desk.press("Enter").expect("two graphs").expect("B  second");
    let mut other = raw::read(&files[1]).unwrap();
    other.provenance.transcoder = "another-clt".to_owned();
    raw::write(&files[1], &other).unwrap();
    let mut desk = Desk::bare((160, 48), None);
    open_files(&mut desk.state, files.to_vec());
    desk.settle();
    desk.press("| Enter").expect("of demo-clt and another of another-clt");
    std::fs::remove_file(&files[1]).unwrap();
    let mut desk = Desk::bare((160, 48), None);
    open_files(&mut desk.state, files.to_vec());
    desk.settle();
    desk.press("| Enter").expect("second.safetensors");
    assert!(!desk.shows("flows out"), "{}", desk.screen());
}

#[test]
fn one_graph_alone_is_not_merged_and_a_running_trace_is_not_stopped() {
    let mut desk = Desk::traced((100, 30));
    desk.press("&").expect("It takes two open graphs at least");
    let (tracer, go_on) = Fake::stepwise(None);
    let mut desk = Desk::bare((100, 30), Some(tracer));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.wait_for("a graph", |desk| desk.state.circuit.is_some());
    desk.press_only("|");
    desk.press_only("Enter");
    desk.expect("This graph is still being traced");
    (0..3).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    desk.press("Enter Ctrl-u").type_text(OAKLAND);
    desk.press_only("Enter");
    desk.wait_for("the trace", |desk| desk.state.tabs.is_busy() && desk.state.effects.is_empty());
    desk.expect("the other graph");
    // Given up, it leaves no place behind.
    desk.press("Esc");
    assert!(desk.state.dialogs.is_empty() && desk.state.tabs.place().is_none());
    drop(go_on);
}

#[test]
fn small_and_plain_screens_show_it_too() {
    for size in [(80, 24), (60, 20), (30, 8)] {
        let mut desk = compared(size, "fact : the state containing Oakland is");
        desk.state.look.glyphs = Glyphs::new(Charset::Ascii);
        if size.0 == 80 {
            desk.expect("A  fact : the capital").expect("! changed").expect("flows in");
            assert!(desk.screen().is_ascii(), "{}", desk.screen());
        }
        desk.press("j f f f f f Tab m G");
    }
}
