//! Whatever is pressed, on whatever graph, at whatever size: nothing falls over.

use crate::desk::Desk;
use crate::fake::{Fake, made_up};
use circuitscope::graph::Token;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::keymap::command::all_commands;
use circuitscope::tui::runtime::message::Msg;
use circuitscope::tui::runtime::update::update;
use circuitscope::tui::screen::mouse::{Gesture, Mouse};
use circuitscope::tui::start_open;
use circuitscope::tui::workspace::traced::Opening;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Do {
    Press(&'static str),
    Type(char),
    Resize(u16, u16),
    Mouse(Mouse),
}

const GESTURES: [Gesture; 5] = [Gesture::Press, Gesture::Drag, Gesture::Release, Gesture::WheelUp, Gesture::WheelDown];

fn anything() -> impl Strategy<Value = Do> {
    let keys: Vec<&str> = all_commands()
        .filter(|command| !matches!(command.name, "quit" | "suspend"))
        .flat_map(|command| command.keys)
        .copied()
        .collect();
    prop_oneof![
        12 => proptest::sample::select(keys).prop_map(Do::Press),
        1 => any::<char>().prop_map(Do::Type),
        2 => (1u16..220, 1u16..70).prop_map(|(width, height)| Do::Resize(width, height)),
        3 => (proptest::sample::select(GESTURES.to_vec()), 0u16..220, 0u16..70)
            .prop_map(|(gesture, x, y)| Do::Mouse(Mouse { gesture, x, y })),
    ]
}

fn tokens() -> impl Strategy<Value = Vec<Token>> {
    let text = prop_oneof![6 => "[a-z]{1,9}", 2 => "\\PC{0,6}", 1 => any::<String>(), 1 => Just("東京\u{200d}\u{301}".to_owned())];
    proptest::collection::vec(text, 1..14)
        .prop_map(|texts| texts.into_iter().zip(0..).map(|(text, id)| Token { id, text }).collect())
}

/// A graph that was traced, or one of a file: of other programs, pruned before it was written, with unknown kinds of nodes,
/// with cycles, with work of others on it.
fn graph() -> impl Strategy<Value = Opening> {
    let files = ["anthropic", "attribute", "circuit-tracer-old", "cycle", "neuronpedia"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/data");
    let files = files.map(|name| folder.join(format!("{name}.json"))).to_vec();
    let traced = (tokens(), 1usize..7, 0.0f64..30.0, any::<u64>()).prop_map(|(tokens, n_layers, density, seed)| {
        Opening::Trace(Arc::new(made_up("anything", tokens, n_layers, density, seed)))
    });
    prop_oneof![3 => traced, 1 => proptest::sample::select(files).prop_map(Opening::File)]
}

/// Thousands, where they are quick.
const CASES: u32 = if cfg!(debug_assertions) { 1_000 } else { 4_000 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn any_keys_at_any_size_on_any_graph(
        graph in graph(),
        size in (1u16..220, 1u16..70),
        charset in proptest::sample::select(vec![Charset::Ascii, Charset::Unicode, Charset::Braille]),
        steps in proptest::collection::vec(anything(), 0..60),
    ) {
        let mut desk = Desk::bare(size, Some(Fake::quick()));
        desk.state.screen.look.glyphs = Glyphs::new(charset);
        desk.exports = false;
        start_open(&mut desk.state, graph);
        desk.settle();
        for step in steps {
            match step {
                Do::Press(key) => { desk.press(key); }
                Do::Type(c) => update(&mut desk.state, Msg::Paste(c.to_string())),
                Do::Mouse(mouse) => update(&mut desk.state, Msg::Mouse(mouse)),
                Do::Resize(width, height) => update(&mut desk.state, Msg::Resize(width, height)),
            }
            let buffer = desk.buffer();
            prop_assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(char::is_control)));
            if let Some(circuit) = &desk.state.workspace.circuit {
                prop_assert!(circuit.kept().has_node(circuit.selected()));
            }
        }
        if let Some(circuit) = &desk.state.workspace.circuit {
            // Nothing that was done is lost: all of it can be taken back, and done again.
            let mut edits = circuit.edits.clone();
            while edits.redo().is_some() {}
            let all = edits.now().clone();
            while edits.undo().is_some() {}
            prop_assert_eq!(edits.now(), circuit.traced.document.edited.as_ref());
            while edits.redo().is_some() {}
            prop_assert_eq!(edits.now(), &all);
        }
    }
}

#[test]
fn a_prompt_wider_than_any_screen_is_walked_too() {
    let tokens = (0..20_000).map(|id| Token { id, text: format!("word{id}") }).collect();
    let mut desk = Desk::bare((120, 30), None);
    start_open(&mut desk.state, Arc::new(made_up("endless", tokens, 1, 0.0, 1)));
    desk.settle();
    desk.expect("word");
    desk.press("G h h h");
    desk.expect("token word");
    update(&mut desk.state, Msg::Resize(60, 12));
    desk.press("h l k j");
}

/// Keys that lead to each popup, and to its views.
const POPUPS: &str = "i, ?, /, :, Ctrl-p, P, f, t, x, e g, e l, e n, s, B, B t, I, I d, I g, V, V Tab, V Tab d, V Tab Tab, S, S Enter, S Enter Tab, W, W p, |, M, R, K";

#[test]
fn every_popup_is_drawn_at_every_small_size() {
    for keys in POPUPS.split(", ") {
        let mut desk = Desk::traced((160, 48));
        desk.go_to_feature().press(keys);
        for height in 1..=50 {
            for width in (1..40).step_by(2).chain((40..=170).step_by(10)) {
                update(&mut desk.state, Msg::Resize(width, height));
                desk.settle();
                desk.buffer();
            }
        }
    }
}
