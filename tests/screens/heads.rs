//! Attention heads: of an edge, of a position, of the list of connections, of two graphs.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake};
use candle_core::Device;
use circuitscope::attribution::{Engine, QkSide};
use circuitscope::demo;
use circuitscope::graph::{Head, HeadTrace, QkNode, QkTrace, Settings};
use circuitscope::ids::{Layer, NodeId, Position};
use circuitscope::service::tracing::LocalTracer;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::dialogs::compare::Compare;
use circuitscope::tui::dialogs::compare::heads::ComparedHeads;
use circuitscope::tui::dialogs::head::HeadDialog;
use circuitscope::tui::dialogs::heads::Heads;
use circuitscope::tui::panes::{attention, connections};
use circuitscope::tui::start_trace;
use circuitscope::tui::ui::theme::{Depth, Ground, Theme};
use circuitscope::tui::workspace::circuit::Circuit;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

#[track_caller]
fn open_head(desk: &Desk) -> HeadDialog {
    desk.state.dialogs.get::<HeadDialog>().expect("a head is open").clone()
}

fn position(desk: &Desk, node: NodeId) -> Position {
    circuit(desk).node(node).position()
}

#[test]
fn a_head_of_an_edge_says_where_it_looks_and_why_and_the_walk_leads_back_to_it() {
    let mut desk = Desk::traced((160, 48));
    desk.press("S").expect("layer.head");
    let link = circuit(&desk).connections.links().kept[circuit(&desk).connections.row];
    desk.press("Enter").expect("attention head 0.1").expect("previous token (0.75 of 9 queries' attention)");
    let at = open_head(&desk).at;
    assert_eq!((at.query, at.key), (position(&desk, link.edge.target), position(&desk, link.edge.source)));
    desk.expect("75%").expect("25%").expect("queries: what stands at is").expect("queries with keys");
    desk.expect("all constants").expect("all others").expect("the parts miss the whole by 1.0e-7");
    // The key is moved, and stays among those that the query sees.
    desk.press("Left");
    assert_eq!(open_head(&desk).at.key.0 + 1, at.key.0);
    desk.press_until("Right", |state| state.dialogs.get::<HeadDialog>().unwrap().at.key == at.query);
    desk.press("Right").expect("both");
    assert_eq!(open_head(&desk).at.key, at.query);
    desk.press("<").press("<");
    assert_eq!(open_head(&desk).at.query.0 + 2, at.query.0);
    let (from, left) = (circuit(&desk).selected(), open_head(&desk));
    let view = circuit(&desk).heads.look(left.at).unwrap().split.clone().unwrap();
    let key = view.keys[1].0.node.unwrap();
    if circuit(&desk).kept().has_node(key) {
        desk.press("j Enter");
        assert_eq!(circuit(&desk).selected(), key);
        assert!(desk.state.dialogs.is_empty());
        desk.press("[");
        assert_eq!((open_head(&desk).at, open_head(&desk).row), (left.at, 1));
        assert_eq!(circuit(&desk).selected(), from);
    } else {
        desk.press("j Enter").expect("This node is not kept");
    }
    desk.press("G Enter").expect("This source is not in the graph");
    desk.press("Esc S Enter Esc");
    assert!(desk.state.dialogs.is::<Heads>(), "what it was opened from is there again");
}

#[test]
fn its_nodes_are_walked_to_and_back() {
    let mut desk = Desk::traced((160, 48));
    desk.press("S Enter");
    let split = |desk: &Desk| circuit(desk).heads.look(open_head(desk).at).unwrap().split.clone().unwrap();
    // To a key with a kept node, and to that node.
    let kept = |desk: &Desk| {
        let found = split(desk).keys;
        found.iter().position(|(it, _)| it.node.is_some_and(|node| circuit(desk).kept().has_node(node)))
    };
    while kept(&desk).is_none() {
        desk.press("Left");
    }
    let (from, row) = (circuit(&desk).selected(), kept(&desk).unwrap());
    let node = split(&desk).keys[row].0.node.unwrap();
    for _ in 0..row {
        desk.press("j");
    }
    let left = open_head(&desk);
    desk.press("Enter");
    assert_eq!((circuit(&desk).selected(), desk.state.dialogs.is_empty()), (node, true));
    desk.press("[");
    let back = open_head(&desk);
    assert_eq!((back.at, back.row, circuit(&desk).selected()), (left.at, left.row, from));
    // Once left and walked away from, going back is going back.
    desk.press("Enter 1 [ Esc");
    assert!(desk.state.dialogs.is_empty());
}

#[test]
fn the_heads_that_read_at_a_position_are_listed_and_walked_along() {
    let mut desk = Desk::traced((160, 48));
    desk.press_until("Tab", |state| state.screen.focus == attention::PANE);
    let here = position(&desk, circuit(&desk).selected());
    desk.expect("╭ connections attention ─").expect("heads that carry kept influence here, 0.500").expect("+75.0%");
    desk.expect("-25.0%");
    // Two keys of each head; what carries nothing is left out.
    let rows = |desk: &Desk| desk.screen().matches("previous token 0.75").count();
    assert_eq!(rows(&desk), 4);
    desk.press("a").expect("all heads, by attention");
    assert_eq!(rows(&desk), 8);
    desk.press("a Enter");
    let at = open_head(&desk).at;
    assert_eq!((at.head, at.query), (Head { layer: Layer(1), head: 0 }, here));
    assert_eq!(at.key.0 + 1, here.0, "its strongest key");
    desk.press("Esc l");
    assert_eq!(position(&desk, circuit(&desk).selected()).0 + 1, here.0);
    assert_eq!(desk.state.screen.focus, attention::PANE);
    desk.press("[");
    assert_eq!(position(&desk, circuit(&desk).selected()), here);
}

#[test]
fn connections_say_which_head_they_pass_on_demand() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab");
    assert_eq!(desk.state.screen.focus, connections::PANE);
    assert!(!desk.shows("1.0 62%"));
    desk.press("a").expect("1.0 62%");
    desk.press("Enter").expect("1.0 62%");
    desk.press("a");
    assert!(!desk.shows("1.0 62%"));
}

#[test]
fn without_the_model_it_says_so_and_shows_what_the_file_holds() {
    let mut desk = Desk::traced((160, 48));
    desk.state.jobs.services.tracer = None;
    desk.press_until("Tab", |state| state.screen.focus == attention::PANE)
        .expect("needs the model, which is not loaded");
    desk.press("Enter");
    assert!(desk.state.dialogs.is_empty());
    desk.press("Esc Tab a").expect("needs the model, which is not loaded");
    let (query, answer) = (position(&desk, circuit(&desk).selected()), circuit(&desk).selected());
    let trace = QkTrace {
        pairs: vec![(QkNode::InGraph(answer), QkNode::Only("7_bias_key_3".into()), 0.5)],
        queries: vec![(QkNode::InGraph(answer), 1.5)],
        keys: vec![(QkNode::Only("7_bias_key_3".into()), -2.5)],
    };
    let head = Head { layer: Layer(7), head: 3 };
    let held = HeadTrace { head, query, key: Position(3), trace };
    let document = &mut desk.state.workspace.circuit.as_mut().unwrap().traced.document;
    Arc::make_mut(&mut document.foreign).attention.heads.push(held);
    desk.press_until("Tab", |state| state.screen.focus == attention::PANE).expect("what the file holds").expect("7.3");
    desk.press("Enter").expect("the split is the file's").expect("+1.5").expect("-2.5").expect("7_bias_key_3");
    desk.press("Right").expect("needs the model, which is not loaded");
}

#[test]
fn the_heads_of_two_graphs_stand_side_by_side() {
    let mut desk = Desk::traced((160, 48));
    desk.press("| Enter Ctrl-u").type_text("fact : the state containing Oakland is").press("Enter");
    desk.press("h").expect("B - A").expect("influence through each head");
    let Some(ComparedHeads::Known(table)) = &desk.state.dialogs.get::<Compare>().unwrap().heads else {
        panic!("no heads:\n{}", desk.screen())
    };
    let strongest = &table.heads[table.order[0]];
    // The prompts have 10 tokens and 7, beside the first.
    assert_eq!((strongest.head, strongest.influence), (Head { layer: Layer(1), head: 0 }, [16.5, 12.0]));
    desk.expect("+16.500").expect("+12.000").expect("-4.5000").expect("previous token 0.75, 0.75");
    desk.press("j j j j j G Enter h").expect("flows in");
}

#[test]
fn small_and_plain_screens_show_heads_too() {
    for size in [(120, 35), (80, 24), (60, 20), (40, 10)] {
        let mut desk = Desk::traced(size);
        desk.state.screen.look.theme = Theme::new(Depth::Mono, Ground::Dark);
        desk.state.screen.look.glyphs = Glyphs::new(Charset::Ascii);
        desk.press("S Enter");
        if size.0 >= 80 {
            // Read without colour: the figures stand below the tokens.
            desk.expect("75%").expect("from").expect("all others");
            assert!(desk.screen().is_ascii(), "{}", desk.screen());
        }
        desk.press("Tab Left Left < G j Tab Tab Esc Esc");
        desk.press_until("Tab", |state| state.screen.focus == attention::PANE);
        desk.press("j a G Enter Esc l");
    }
}

#[test]
fn the_demo_says_why_its_heads_look() {
    let (model, transcoder) = demo::sources();
    let engine = Engine::open(&model, &transcoder, &Device::Cpu).unwrap();
    let settings = Settings::default();
    let mut desk = Desk::bare((160, 48), Some(Arc::new(LocalTracer::new(engine, settings))));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk.press("S Enter");
    let at = open_head(&desk).at;
    let view = circuit(&desk).heads.look(at).unwrap();
    let split = view.split.as_ref().unwrap();
    assert!(split.identity_error < 1e-5, "{}", split.identity_error);
    assert!((view.looks.iter().map(|look| look.pattern).sum::<f32>() - 1.0).abs() < 1e-4);
    for (side, listed, last) in [(QkSide::Query, &split.queries, at.query), (QkSide::Key, &split.keys, at.query)] {
        let graph = &circuit(&desk).traced.document.graph;
        assert!(listed.iter().filter_map(|(it, _)| it.node).all(|node| graph.node(node).position() <= last));
        assert!(listed.is_sorted_by(|a, b| a.1.abs() >= b.1.abs()));
        assert!((listed.iter().map(|(_, x)| x).sum::<f64>() + split.rest(side) - split.value).abs() < 1e-9);
    }
    // What the pane says of the position is what flows there.
    desk.press("Esc Esc").press_until("Tab", |state| state.screen.focus == attention::PANE);
    let reads = circuit(&desk).reads().unwrap();
    let flows = reads.flows.as_ref().unwrap();
    let sum: f64 = flows.heads.iter().map(|flow| flow.last).sum();
    assert!(flows.edges > 0 && (sum - flows.influence).abs() < 1e-4 * flows.influence.abs().max(1.0));
    desk.press("Esc Tab a");
    let links = &circuit(&desk).connections.links().kept;
    let known =
        links.iter().take(9).filter(|link| circuit(&desk).heads.edge((link.edge.source, link.edge.target)).is_some());
    assert_eq!(known.count(), links.len().min(9));
}

#[test]
fn a_head_shows_its_pattern_and_the_sources_before_their_pairs_are_known() {
    let mut desk = Desk::bare((160, 48), Some(Fake::dawdling()));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk.press("S Enter").expect("75%").expect("it dawdles");
    // What is left of either side, and nothing in between.
    assert_eq!(desk.screen().matches("all others").count(), 2);
    assert!(circuit(&desk).heads.look(open_head(&desk).at).unwrap().split.as_ref().unwrap().pairs.is_none());
}
