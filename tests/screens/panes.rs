//! Which panes are seen, and what the keys do in them.

use crate::desk::Desk;
use crate::fake::made_up;
use circuitscope::graph::{Edit, Extent, Node, Origin, Token, subgraph_scores};
use circuitscope::ids::NodeId;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::panes::tree::branches::{Branch, Fold};
use circuitscope::tui::panes::{PANES, attention, connections, subgraph, tree};
use circuitscope::tui::start_open;
use circuitscope::tui::workspace::circuit::Circuit;
use circuitscope::tui::workspace::history::Reached;
use circuitscope::tui::workspace::links::Side;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

fn rows(desk: &Desk) -> &[Branch] {
    circuit(desk).panes.tree.rows()
}

fn under_cursor(desk: &Desk) -> &Branch {
    circuit(desk).panes.tree.branch().unwrap()
}

/// To the tree.
fn in_tree(size: (u16, u16)) -> Desk {
    let mut desk = Desk::traced(size);
    desk.press_until("Tab", |state| state.screen.focus == tree::PANE);
    desk
}

#[test]
fn a_large_screen_shows_every_pane_and_a_small_one_their_tabs() {
    let desk = Desk::traced((160, 48));
    for pane in PANES.iter().filter(|pane| ![connections::PANE, attention::PANE].contains(pane)) {
        desk.expect(&format!("╭ {} ─", pane.title()));
    }
    desk.expect("╭ connections attention ─");
    let mut desk = Desk::traced((80, 24));
    desk.expect("╭ connections tree subgraph attention ─").expect("╭ detail contexts ─");
    assert_eq!(desk.state.screen.layout().unwrap().of(tree::PANE), None);
    desk.press("Tab Tab Tab");
    assert_eq!(desk.state.screen.focus, tree::PANE);
    desk.expect("▾ logit Austin");
    let theme = &desk.state.screen.look.theme;
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
    assert_eq!((desk.state.screen.focus, desk.state.screen.windows.zoomed), (tree::PANE, false));
    desk.press("Esc z z");
    assert_eq!(desk.screen(), before);
}

#[test]
fn the_tree_opens_branch_by_branch() {
    let mut desk = in_tree((160, 48));
    let inputs: Vec<NodeId> = circuit(&desk).connections.inputs.kept.iter().map(|link| link.other).collect();
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
    assert_eq!(circuit(&desk).panes.tree.at(), 0);
    desk.press("a");
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
    assert_eq!(rows(&desk).len() - 1, circuit(&desk).connections.inputs.kept.len());
}

#[test]
fn enter_walks_the_branch_and_the_tree_follows_unless_it_is_held() {
    let mut desk = in_tree((160, 48));
    desk.press("j l l Enter");
    let walked: Vec<NodeId> = circuit(&desk).walk.history.walked().iter().map(|station| station.node).collect();
    assert_eq!(walked.len(), 3);
    assert_eq!(rows(&desk)[0].node(), walked[2], "the tree grows from the selected node");
    desk.press("[ [ r").expect("The tree stays at this root");
    desk.press("j l l");
    let before = rows(&desk).to_vec();
    desk.press("Enter 1").expect("held, inputs");
    assert_eq!(rows(&desk), before);
    desk.press("o").expect("held, outputs");
    assert_eq!((circuit(&desk).panes.tree.side(), rows(&desk)[0].node()), (Side::Outputs, before[0].node()));
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
    let theme = &desk.state.screen.look.theme;
    let negative = rows(&desk)[1..].iter().find(|row| row.link.unwrap().edge.weight < 0.0).expect("one is negative");
    let share = format!("-{:.1}% ", 100.0 * negative.link.unwrap().share);
    assert_eq!(desk.cells(&share)[0].fg, theme.negative.fg.unwrap());
}

#[test]
fn kinds_are_left_out_of_lists_and_tree_and_taken_in_again() {
    let mut desk = Desk::traced((160, 48));
    let all = circuit(&desk).connections.inputs.kept.clone();
    desk.press("E").expect("Errors are left out of the lists and the tree");
    let graph = &circuit(&desk).traced.document.graph;
    let explained: Vec<_> = all.iter().filter(|link| !graph.node(link.other).is_error()).copied().collect();
    assert!(explained.len() < all.len());
    assert_eq!(circuit(&desk).connections.inputs.kept, explained);
    assert!(rows(&desk).iter().all(|row| !graph.node(row.node()).is_error()));
    desk.expect(&format!("{} of ", all.len()));
    desk.press("F T").expect("none is of a kind that is listed");
    desk.press("E F T");
    assert_eq!(circuit(&desk).connections.inputs.kept, all);
}

#[test]
fn connections_are_listed_by_share_or_by_signed_weight() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab w");
    let weights: Vec<f32> = circuit(&desk).connections.inputs.kept.iter().map(|link| link.edge.weight).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b) && weights.iter().any(|weight| *weight < 0.0), "{weights:?}");
    let last = circuit(&desk).connections.inputs.kept.last().unwrap().other;
    desk.press("G Enter");
    assert_eq!(circuit(&desk).selected(), last, "the list and what is followed agree");
    desk.press("[ w");
    assert!(circuit(&desk).connections.inputs.kept.is_sorted_by(|a, b| a.share >= b.share));
}

/// Some pinned nodes, two of them as a supernode, and the focus on the drawing of them.
fn in_subgraph(size: (u16, u16)) -> Desk {
    let mut desk = Desk::traced(size);
    let inputs: Vec<NodeId> = circuit(&desk).connections.inputs.kept.iter().map(|link| link.other).collect();
    let members = vec![inputs[0], inputs[1]];
    let edits = &mut desk.state.workspace.circuit.as_mut().unwrap().edits;
    edits.apply(Edit::Group { name: "say\u{1b}Austin".into(), members });
    desk.press("p G p g");
    desk.press_until("Tab", |state| state.screen.focus == subgraph::PANE);
    desk
}

#[test]
fn the_drawing_of_what_is_pinned_follows_every_edit() {
    let mut desk = Desk::traced((160, 48));
    desk.expect("p    pin the selected node").expect("worth pinning");
    desk.press("p").expect("│ logit Austin │").expect("pins 1 ");
    desk.press("1 p");
    let node = circuit(&desk).selected();
    let name = format!("│ {} ", circuit(&desk).called(node, &desk.state.screen.look.glyphs).what);
    desk.expect(&name).expect("pins 2 ");
    let subgraph = &circuit(&desk).panes.subgraph;
    let graph = &circuit(&desk).traced.document.graph;
    let scores = subgraph_scores(graph, &circuit(&desk).edits.now().pins);
    assert_eq!(subgraph.scores, scores);
    desk.expect(&format!("repl {:.3} compl {:.3}", scores.replacement, scores.completeness));
    desk.press("u");
    assert!(!desk.shows(&name));
    desk.press("u").expect("worth pinning");
}

#[test]
fn the_drawing_is_walked_box_by_box() {
    let mut desk = in_subgraph((160, 48));
    desk.expect("say␛Austin ×2").expect("│ logit Austin │");
    let group = circuit(&desk).panes.subgraph.graph.nodes[0].members.clone();
    desk.press("k k k k");
    assert_eq!(desk.selected(), "logit Austin", "a step selects, as in the graph");
    desk.press("j");
    assert_eq!(circuit(&desk).selected(), group[0]);
    desk.press("Enter");
    assert_eq!(circuit(&desk).selected(), group[1], "the next member");
    desk.press("Enter");
    assert_eq!(circuit(&desk).selected(), group[0], "and the first again");
    desk.press("j j");
    assert!(desk.selected().starts_with("token"));
    let before = circuit(&desk).panes.box_at;
    desk.press("j");
    assert_eq!(circuit(&desk).panes.box_at, before, "there is nothing below tokens");
}

#[test]
fn the_drawing_tells_aggregated_edges_with_their_signs() {
    let mut desk = in_subgraph((160, 48));
    desk.press("k k k k z");
    let subgraph = &circuit(&desk).panes.subgraph;
    let answer = subgraph.box_of(circuit(&desk).answer().unwrap()).unwrap();
    let inputs: Vec<_> = subgraph.graph.edges.iter().filter(|edge| edge.target == answer).copied().collect();
    assert!(inputs.len() > 1);
    for edge in inputs {
        let sign = if edge.weight < 0.0 { '-' } else { '+' };
        let share = format!("{sign}{:.1}%", 100.0 * edge.weight.abs());
        desk.expect(&format!("{} {share}", subgraph.name(edge.source, circuit(&desk), &desk.state.screen.look.glyphs)));
        let theme = &desk.state.screen.look.theme;
        assert_eq!(desk.cells(&share)[0].fg, theme.sign(edge.weight as f32).fg.unwrap());
    }
}

#[test]
fn totals_say_where_the_input_comes_from() {
    let desk = Desk::traced((200, 60));
    let totals = circuit(&desk).connections.totals;
    let graph = &circuit(&desk).traced.document.graph;
    let node = circuit(&desk).selected();
    let sum = |is: fn(&Node) -> bool, sign: f32| -> f64 {
        let edges = graph.incoming(node).filter(|edge| is(graph.node(edge.source)) && edge.weight.signum() == sign);
        edges.map(|edge| f64::from(edge.weight.abs())).sum()
    };
    let share = |part: f64| 100.0 * part / totals.absolute();
    let of = |is| format!("+{:.1}% -{:.1}%", share(sum(is, 1.0)), share(sum(is, -1.0)));
    desk.expect(&format!("features {}", of(Node::is_feature)));
    desk.expect(&format!("errors {}", of(Node::is_error)));
    desk.expect(&format!("tokens {}", of(Node::is_token)));
}

#[test]
fn labels_say_whose_they_are() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature();
    let what = circuit(&desk).labelled(circuit(&desk).selected());
    let circuit = desk.state.workspace.circuit.as_mut().unwrap();
    circuit.naming.file_labels = Arc::new([(what, "capitals".to_owned())].into());
    circuit.traced.document.labels = Arc::clone(&circuit.naming.file_labels);
    desk.expect("│ capitals  layer").expect("label       the file's");
    desk.state.workspace.circuit.as_mut().unwrap().edits.apply(Edit::Label(what, "cities\x07".to_owned()));
    desk.expect("│ cities␇  layer").expect("label       yours");
    assert!(!desk.shows("capitals"));
}

#[test]
fn the_trust_line_marks_what_is_not_the_whole() {
    let mut desk = Desk::traced((200, 60));
    assert!(!desk.shows("pre-pruned") && !desk.shows("half precision"));
    let document = &mut desk.state.workspace.circuit.as_mut().unwrap().traced.document;
    let extent = Extent::PrePruned { node: Some(0.8), edge: Some(0.98) };
    document.origin = Arc::new(Origin { extent, dtype: "BF16".to_owned(), ..Origin::clone(&document.origin) });
    desk.expect("pre-pruned at 0.80/0.98").expect("half precision");
    assert_eq!(desk.cells("pre-pruned")[0].fg, desk.state.screen.look.theme.alert.fg.unwrap());
    let kept = circuitscope::graph::influence_kept(circuit(&desk).kept());
    desk.expect(&format!("influence {:.1}%", 100.0 * kept));
    let errors = circuit(&desk).connections.error_share().unwrap();
    desk.expect(&format!("errors {:.1}%", 100.0 * errors));
}

/// A graph with more nodes than any pane has room for.
fn crowded(size: (u16, u16), charset: Charset) -> Desk {
    let mut desk = Desk::bare(size, None);
    desk.state.screen.look.glyphs = Glyphs::new(charset);
    let tokens = (0..40).map(|id| Token { id, text: format!("w{id}") }).collect();
    start_open(&mut desk.state, Arc::new(made_up("crowded", tokens, 26, 3.0, 3)));
    desk.settle();
    for _ in 0..4 {
        desk.press("+");
    }
    desk
}

#[test]
fn a_crowded_cell_opens_as_a_list_from_which_a_node_is_chosen() {
    let mut desk = crowded((160, 48), Charset::Braille);
    let graph = circuit(&desk);
    let crowd =
        graph.panes.layout.clusters.iter().max_by_key(|crowd| crowd.nodes.len()).expect("a crowded cell").clone();
    assert!(crowd.nodes.len() > 4);
    desk.state.workspace.circuit.as_mut().unwrap().go(crowd.nodes[1], Reached::Freely);
    assert_eq!(circuit(&desk).cell_of(crowd.nodes[1]), crowd.nodes);
    let name = circuit(&desk).name(crowd.nodes[0], &desk.state.screen.look.glyphs);
    desk.press("c").expect(&name);
    desk.press("Down Down Enter");
    assert!(crowd.nodes.contains(&circuit(&desk).selected()));
    desk.press("c Enter c Down Enter");
    assert!(crowd.nodes.contains(&circuit(&desk).selected()) && desk.state.dialogs.is_empty());
}

#[test]
fn a_map_shows_which_part_of_a_large_graph_is_seen() {
    for charset in [Charset::Braille, Charset::Unicode, Charset::Ascii] {
        let mut desk = crowded((200, 60), charset);
        let map = |desk: &Desk| {
            let idle = desk.state.screen.look.theme.selection_idle.bg.unwrap();
            let buffer = desk.buffer();
            let cells: Vec<(u16, u16)> = (0..buffer.area.height)
                .flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)))
                .filter(|at| buffer[*at].bg == idle)
                .collect();
            cells
        };
        let before = map(&desk);
        assert!(!before.is_empty(), "{charset:?}:\n{}", desk.screen());
        desk.press("G");
        for _ in 0..40 {
            desk.press("h");
        }
        let after = map(&desk);
        assert!(after.iter().min() > before.iter().min() && after != before, "the part that is seen moves down");
    }
    let desk = Desk::traced((160, 48));
    let idle = desk.state.screen.look.theme.selection_idle.bg.unwrap();
    assert!(desk.buffer().content.iter().all(|cell| cell.bg != idle), "a graph that is seen whole has no map");
}
