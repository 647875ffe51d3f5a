//! The picture of a graph: where outputs and layers stand, and how much of a deep graph is seen.

use crate::desk::Desk;
use crate::fake::made_up;
use circuitscope::graph::{Edit, RawTrace, Token};
use circuitscope::ids::NodeId;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::panes::graph::layout::{GraphLayout, Level};
use circuitscope::tui::panes::subgraph::boxes::{Boxed, place};
use circuitscope::tui::panes::{connections, graph, subgraph};
use circuitscope::tui::runtime::message::Msg;
use circuitscope::tui::runtime::update::update;
use circuitscope::tui::screen::layout::inner;
use circuitscope::tui::screen::mouse::{Gesture, Mouse};
use circuitscope::tui::start_open;
use circuitscope::tui::workspace::circuit::Circuit;
use ratatui::layout::Rect;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

fn layout(desk: &Desk) -> &GraphLayout {
    &circuit(desk).panes.layout
}

fn pane(desk: &Desk) -> Rect {
    inner(desk.state.screen.layout().unwrap().of(graph::PANE).unwrap())
}

fn tokens(n: u32) -> Vec<Token> {
    (0..n).map(|id| Token { id, text: format!("w{id}") }).collect()
}

fn opened(size: (u16, u16), trace: RawTrace) -> Desk {
    let mut desk = Desk::bare(size, None);
    start_open(&mut desk.state, Arc::new(trace));
    desk.settle();
    desk
}

/// A graph with nodes in every layer.
fn deep(size: (u16, u16), n_layers: usize) -> Desk {
    let mut desk = opened(size, made_up("deep", tokens(10), n_layers, 2.0, 3));
    for _ in 0..4 {
        desk.press("+");
    }
    assert_eq!(layout(&desk).rows.len(), n_layers + 2, "every layer has a node");
    desk
}

#[test]
fn outputs_stand_over_the_last_token_the_likeliest_nearest() {
    for size in [(160, 48), (120, 35), (80, 24)] {
        let desk = opened(size, made_up("outputs", tokens(10), 4, 2.2, 5));
        let last = layout(&desk).columns.last().unwrap();
        let names: Vec<NodeId> = layout(&desk).logit_labels.iter().map(|name| name.node).collect();
        assert_eq!(names.len(), circuit(&desk).traced.document.graph.logit_nodes().count(), "{size:?}");
        let x = |node: NodeId| layout(&desk).place(node).unwrap().x;
        let above = last.x + last.width / 2;
        let end = layout(&desk).logit_labels[0].x + layout(&desk).logit_labels[0].label.chars().count() as u16;
        assert!(x(names[0]) == above || x(names[0]) < above && end == layout(&desk).width, "{size:?}");
        assert!(names.is_sorted_by(|a, b| x(*a) > x(*b)), "the less probable, the further to the left");
    }
}

#[test]
fn left_and_right_stay_among_the_outputs() {
    let mut desk = Desk::traced((160, 48));
    desk.press("l");
    assert_eq!(desk.selected(), "logit Austin", "there is nothing right of the likeliest");
    let mut walked = vec![desk.selected()];
    for _ in 0..4 {
        desk.press("h");
        walked.push(desk.selected());
    }
    assert_eq!(walked, ["logit Austin", "logit Dallas", "logit Texas", "logit Texas", "logit Texas"]);
    desk.press("l l l");
    assert_eq!(desk.selected(), "logit Austin");
    desk.press("j");
    for _ in 0..80 {
        desk.press("l");
        assert!(!desk.selected().starts_with("logit"), "only Up leads to outputs");
    }
}

#[test]
fn a_deep_graph_is_seen_whole_with_evenly_spaced_rows() {
    for (size, n_layers) in [((120, 35), 26), ((160, 48), 30), ((160, 48), 4), ((200, 60), 18)] {
        let desk = deep(size, n_layers);
        let (layout, pane) = (layout(&desk), pane(&desk));
        assert!(layout.width <= pane.width && layout.height <= pane.height, "{size:?}: {pane:?}");
        let lines: Vec<u16> = layout.rows[1..=n_layers].iter().map(|row| row.y).collect();
        assert!(lines.windows(2).all(|pair| pair[1] - pair[0] == lines[1] - lines[0]), "{size:?}: {lines:?}");
        let shown = desk.screen();
        for layer in 0..n_layers {
            assert!(shown.contains(&format!("│ L{layer} ")), "{size:?}: L{layer}\n{shown}");
        }
        for row in &layout.rows {
            for node in &row.nodes {
                let place = layout.place(*node).unwrap();
                assert!(place.x < pane.width && place.y < pane.height);
            }
        }
    }
}

#[test]
fn layers_without_nodes_have_no_row_but_a_sign() {
    for charset in [Charset::Braille, Charset::Ascii] {
        let mut desk = deep((160, 48), 12);
        desk.press("f").type_text("layer:0..3").press("Enter");
        desk.state.screen.look.glyphs = Glyphs::new(charset);
        let levels: Vec<Level> = layout(&desk).rows.iter().map(|row| row.level).collect();
        assert_eq!(levels.len(), 6);
        assert_eq!(layout(&desk).folds.iter().map(|fold| (fold.below, fold.n_layers)).collect::<Vec<_>>(), [(0, 8)]);
        let (_, y) = desk.place(&format!("{}8", Glyphs::new(charset).layers_left_out));
        let pane = pane(&desk);
        let line = |row: usize| pane.y + layout(&desk).rows[row].y;
        assert!(y > line(0) && y < line(1), "between the rows that it stands between");
    }
}

#[test]
fn a_filter_on_layers_gives_their_room_back() {
    let mut desk = deep((120, 35), 26);
    desk.press("f").type_text("layer:9..12").press("Enter");
    let layout = layout(&desk);
    let levels: Vec<String> = layout.rows.iter().map(|row| format!("{:?}", row.level)).collect();
    assert_eq!(layout.rows.len(), 6, "{levels:?}");
    assert!(layout.rows[2].y - layout.rows[1].y > 1, "the four layers that are left share the height");
    let sign = desk.state.screen.look.glyphs.layers_left_out;
    desk.expect(&format!("{sign}13")).expect(&format!("{sign}9"));
    desk.press("\\");
    assert_eq!(self::layout(&desk).rows.len(), 28);
}

/// The area within the map's frame.
fn map(desk: &Desk) -> Option<Rect> {
    let idle = desk.state.screen.look.theme.selection_idle.bg.unwrap();
    let buffer = desk.buffer();
    let cells = (0..buffer.area.height).flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)));
    let (x, y) = cells.into_iter().find(|at| buffer[*at].bg == idle)?;
    let left = (0..=x).rev().find(|x| buffer[(*x, y)].symbol() == "│")? + 1;
    let right = (x..buffer.area.width).find(|x| buffer[(*x, y)].symbol() == "│")?;
    let top = (0..=y).rev().find(|y| buffer[(x, *y)].symbol() == "─")? + 1;
    let bottom = (y..buffer.area.height).find(|y| buffer[(x, *y)].symbol() == "─")?;
    Some(Rect { x: left, y: top, width: right - left, height: bottom - top })
}

#[test]
fn the_map_covers_no_node_and_goes_on_a_narrow_terminal() {
    let mut seen = 0;
    for (size, density) in [((160, 40), 0.5), ((110, 30), 0.5), ((160, 40), 3.0), ((99, 30), 0.5), ((80, 24), 0.5)] {
        let mut desk = opened(size, made_up("wide", tokens(60), 40, density, 3));
        for key in ["+", "+", "g", "G", "k", "k"] {
            desk.press(key);
            let Some(map) = map(&desk) else {
                desk.expect("positions ");
                continue;
            };
            assert!(size.0 >= 100, "{size:?}:\n{}", desk.screen());
            seen += 1;
            let selected = circuit(&desk).selected();
            for cell in map.positions() {
                let press = Mouse { gesture: Gesture::Press, x: cell.x, y: cell.y };
                update(&mut desk.state, Msg::Mouse(press));
                assert_eq!(circuit(&desk).selected(), selected, "{size:?}: there is a node under the map at {cell:?}");
            }
        }
    }
    assert!(seen > 0, "the map is drawn where it has room");
}

/// Some pinned nodes, two of them as a supernode.
fn pinned(size: (u16, u16)) -> Desk {
    let mut desk = Desk::traced(size);
    let inputs: Vec<NodeId> = circuit(&desk).connections.inputs.kept.iter().map(|link| link.other).collect();
    let members = vec![inputs[0], inputs[1]];
    let edits = &mut desk.state.workspace.circuit.as_mut().unwrap().edits;
    edits.apply(Edit::Group { name: "two".into(), members });
    desk.press("p 3 p G p g");
    desk
}

#[test]
fn what_is_pinned_is_drawn_by_token_and_layer_with_its_weights() {
    for charset in [Charset::Braille, Charset::Unicode, Charset::Ascii] {
        let mut desk = pinned((160, 48));
        desk.state.screen.look.glyphs = Glyphs::new(charset);
        desk.press_until("Tab", |state| state.screen.focus == subgraph::PANE);
        desk.press("z").expect("2 nodes");
        let subgraph = Arc::clone(&circuit(&desk).panes.subgraph);
        let boxes = place(circuit(&desk), &desk.state.screen.look.glyphs, (110, 40));
        let token = |boxed: &Boxed| {
            let members = &subgraph.graph.nodes[boxed.at].members;
            members.iter().map(|node| f64::from(circuit(&desk).node(*node).position().0)).sum::<f64>()
                / members.len() as f64
        };
        for (at, a) in boxes.iter().enumerate() {
            for b in &boxes[..at] {
                let apart = a.x >= b.x + b.width + 2 || b.x >= a.x + a.width + 2;
                assert!(a.row != b.row || apart, "{a:?} {b:?}");
                let is_left = token(a) < token(b) || token(a) == token(b) && a.x < b.x;
                assert!(a.row != b.row || is_left == (a.x < b.x), "by token");
            }
            assert!(a.x + a.width <= 110 && a.y + a.height <= 40);
        }
        let mut shown = 0;
        for edge in subgraph.graph.edges.iter().filter(|edge| edge.weight.abs() >= 0.01) {
            let sign = if edge.weight < 0.0 { '-' } else { '+' };
            let weight = format!("{sign}{:.0}%", 100.0 * edge.weight.abs());
            shown += usize::from(desk.shows(&weight));
        }
        assert!(shown > 1, "{}", desk.screen());
    }
}

#[test]
fn the_subgraph_and_the_graph_have_one_selection() {
    let mut desk = pinned((160, 48));
    desk.press_until("Tab", |state| state.screen.focus == subgraph::PANE);
    let selection = desk.state.screen.look.theme.selection.bg.unwrap();
    // The box is framed where there is room.
    let answer = |desk: &Desk| {
        let forms = ["(logit Austin)", "│ logit Austin │"];
        desk.cells(forms.into_iter().find(|form| desk.shows(form)).expect("the box of the answer"))[0].bg
    };
    assert_eq!(answer(&desk), selection);
    desk.press("j");
    let members = {
        let subgraph = &circuit(&desk).panes.subgraph;
        subgraph.graph.nodes[circuit(&desk).panes.box_at].members.clone()
    };
    assert!(members.contains(&circuit(&desk).selected()));
    assert_ne!(answer(&desk), selection);
    desk.press("Esc g");
    assert_eq!(answer(&desk), selection, "wherever it was selected");
    let answer = circuit(&desk).panes.subgraph.box_of(circuit(&desk).selected());
    assert_eq!(Some(circuit(&desk).panes.box_at), answer);
}

#[test]
fn a_digit_is_looked_at_before_it_is_followed() {
    let mut desk = Desk::traced((160, 48));
    let link = circuit(&desk).connections.inputs.kept[2];
    let name = circuit(&desk).name(link.other, &desk.state.screen.look.glyphs);
    let before = circuit(&desk).selected();
    desk.press(";").expect(&name);
    desk.press("3").expect("detail ").expect("preview of input 3");
    assert_eq!((circuit(&desk).selected(), circuit(&desk).described()), (before, link.other));
    let degree = circuit(&desk).described_connections().inputs.all;
    assert_eq!(degree, circuit(&desk).traced.document.graph.incoming(link.other).len());
    let walked = circuit(&desk).walk.history.walked().len();
    desk.press("Esc");
    assert!(!desk.shows("preview of") && circuit(&desk).described() == before);
    desk.press("; 3 Enter");
    assert_eq!(circuit(&desk).selected(), link.other);
    assert_eq!(circuit(&desk).walk.history.walked().len(), walked + 1);
    assert!(!desk.shows("preview of"), "what is selected is no preview");
}

#[test]
fn the_row_under_the_cursor_is_looked_at_contexts_included() {
    let mut desk = Desk::traced((160, 48));
    let links = circuit(&desk).connections.inputs.kept.clone();
    let at = links.iter().position(|link| circuit(&desk).feature(link.other).is_some()).unwrap();
    let (layer, feature) = circuit(&desk).feature(links[at].other).unwrap();
    desk.press("Tab");
    for _ in 0..at {
        desk.press("j");
    }
    assert_eq!(desk.state.screen.focus, connections::PANE);
    let says = format!("preview of input {}", at + 1);
    assert_eq!(desk.screen().matches(&says).count(), 2, "the detail and the contexts say so:\n{}", desk.screen());
    desk.expect(&format!("L{layer} #{feature}")).expect("promotes");
    desk.press("Tab");
    assert!(!desk.shows("preview of"), "the detail is that of the selected node again");
    desk.press(&format!("Esc ; {}", at + 1)).press("Tab Tab").expect(&says);
    assert_eq!(circuit(&desk).described(), links[at].other, "what a digit points at can be scrolled");
    assert_eq!(desk.selected(), "logit Austin");
}

#[test]
fn the_node_under_the_mouse_is_looked_at() {
    let mut desk = Desk::traced((160, 48));
    let (x, y) = desk.place("◆ Dallas");
    let mouse = |desk: &mut Desk, (x, y): (u16, u16)| {
        update(&mut desk.state, Msg::Mouse(Mouse { gesture: Gesture::Move, x, y }));
        desk.settle();
    };
    desk.state.screen.dirty = false;
    mouse(&mut desk, (x, y));
    desk.expect("preview of the mouse's").expect("logit Dallas");
    assert!(desk.state.screen.dirty && desk.selected() == "logit Austin");
    desk.state.screen.dirty = false;
    mouse(&mut desk, (x + 1, y));
    assert!(!desk.state.screen.dirty, "nothing is drawn while it stays on a node");
    mouse(&mut desk, (x, 0));
    assert!(!desk.shows("preview of the mouse's"));
}
