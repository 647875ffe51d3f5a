//! The tour on the demo, and the session that the demo opens with.

use crate::desk::Desk;
use crate::fake::Fake;
use circuitscope::attribution::Engine;
use circuitscope::demo;
use circuitscope::graph::Settings;
use circuitscope::service::tracing::{LocalTracer, Tracer};
use circuitscope::session::read_shipped;
use circuitscope::tui::workspace::circuit::Circuit;
use circuitscope::tui::{start_tour, start_trace};
use std::path::Path;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

fn tracer() -> Arc<dyn Tracer> {
    let (model, transcoder) = demo::sources();
    let engine = Engine::open(&model, &transcoder, &candle_core::Device::Cpu).unwrap();
    Arc::new(LocalTracer::new(engine, Settings::default()))
}

fn on_tour(size: (u16, u16)) -> Desk {
    let mut desk = Desk::bare(size, Some(tracer()));
    start_tour(&mut desk.state);
    desk.settle();
    desk
}

/// A screen on which the demo's question is traced, with its sessions in a folder.
fn remembering(data: &Path, prompt: &str) -> Desk {
    let mut desk = Desk::bare((160, 48), Some(tracer()));
    desk.state.sessions.remembers = true;
    desk.state.jobs.services.data = Some(data.to_owned());
    start_trace(&mut desk.state, prompt.to_owned());
    desk.settle();
    desk
}

fn done(desk: &Desk) -> usize {
    desk.state.screen.tour.as_ref().unwrap().progress().0
}

/// Presses the key that the step names after `press `.
fn press_named(desk: &mut Desk) {
    let screen = desk.screen();
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.contains("tour ")).unwrap();
    let says = format!("{} {}", lines[at].trim(), lines[at + 1].trim());
    let key = says.split("ress ").nth(1).unwrap().split([' ', ':']).next().unwrap().to_owned();
    desk.press(&key);
}

#[test]
fn the_tour_leads_from_the_answer_to_another_city() {
    for size in [(160, 48), (120, 35), (80, 24)] {
        let mut desk = on_tour(size);
        assert_eq!(done(&desk), 0, "{}", desk.screen());
        // Other keys work as ever, and do no step.
        desk.press("o o z z + -");
        assert_eq!(done(&desk), 0);
        press_named(&mut desk);
        assert!(circuit(&desk).selected_feature().is_some() && done(&desk) == 1);
        press_named(&mut desk);
        assert_eq!(done(&desk), 2);
        desk.press("Esc");
        assert_eq!(done(&desk), 2, "the answer is to be selected again");
        press_named(&mut desk);
        assert_eq!(done(&desk), 3);
        press_named(&mut desk);
        assert_eq!(done(&desk), 4);
        let token = circuit(&desk).node(circuit(&desk).selected()).position();
        assert_eq!(circuit(&desk).traced.document.graph.tokens()[token.index()].text.trim(), demo::CITY);
        press_named(&mut desk);
        assert_eq!(done(&desk), 5);
        desk.expect("Austin falls from 1.00 to 0.00");
        press_named(&mut desk);
        desk.expect(demo::OTHER_PROMPT);
        assert_eq!(done(&desk), 5, "what it leads to is not there yet");
        desk.press("Enter");
        assert_eq!(done(&desk), 6);
        desk.expect("the model says Sacramento");
        assert_eq!(circuit(&desk).edits.now().interventions.list.len(), 1, "the swap is instead of the ablation");
        desk.press("Esc");
        assert!(desk.state.dialogs.is_empty() && desk.state.screen.tour.is_some());
        desk.press("Esc");
        assert!(desk.state.screen.tour.is_none());
        // It begins anew, without what is on from before.
        desk.press("L");
        assert_eq!((done(&desk), desk.selected()), (0, "logit Austin".to_owned()));
        assert!(circuit(&desk).edits.now().interventions.list.is_empty());
    }
}

#[test]
fn the_tour_covers_nothing() {
    let mut desk = on_tour((80, 24));
    let lines = |desk: &Desk| desk.screen().lines().map(str::to_owned).collect::<Vec<_>>();
    for keys in ["1", "s", "Esc", "?", "Esc", "e", "Esc", "I", "s"] {
        desk.press(keys);
        let screen = lines(&desk);
        assert!(screen[21].starts_with(" tour"), "{}", desk.screen());
        assert!(!screen[22].contains(['│', '╰', '─']), "{}", desk.screen());
    }
}

#[test]
fn without_the_demo_there_is_no_tour() {
    let mut desk = Desk::bare((80, 24), Some(Fake::quick()));
    desk.press("L").expect("circuitscope tour");
    assert!(desk.state.screen.tour.is_none());
}

#[test]
fn from_another_question_the_tour_turns_to_the_demos() {
    let mut desk = Desk::bare((120, 35), Some(tracer()));
    start_trace(&mut desk.state, demo::OTHER_PROMPT.to_owned());
    desk.settle();
    desk.press("L").expect("tour 1/");
    assert_eq!(circuit(&desk).traced.document.origin.prompt, demo::PROMPT);
    desk.press("{").expect("The tour waits").expect("} turns to it");
    desk.press("}").expect("tour 1/").expect("Press ");
    desk.press("{ Esc L");
    assert_eq!(circuit(&desk).traced.document.origin.prompt, demo::PROMPT, "it is not traced twice");
    assert_eq!(desk.state.workspace.tabs.place().unwrap().1, 2);
}

#[test]
fn the_demo_opens_with_named_pins_until_they_are_changed() {
    let data = tempfile::tempdir().unwrap();
    let names = |desk: &Desk| -> Vec<String> {
        circuit(desk).edits.now().groups.iter().map(|group| group.name.clone()).collect()
    };
    let desk = remembering(data.path(), demo::PROMPT);
    desk.expect("L tour");
    let wanted: serde_json::Value = serde_json::from_str(demo::SESSION).unwrap();
    let pins = &circuit(&desk).edits.now().pins;
    assert_eq!(pins.len(), wanted["pins"].as_array().unwrap().len(), "every pin is in the graph");
    assert!(names(&desk).len() > 2 && pins.iter().all(|pin| circuit(&desk).kept().has_node(*pin)));
    for name in names(&desk) {
        desk.expect(&format!("[{name} ×"));
    }
    desk.expect("says Austin, through Dallas, Texas").expect(&format!("asked \"{}\"", demo::PROMPT));
    assert!(!desk.state.screen.windows.zoomed);
    drop(desk);
    assert!(std::fs::read_dir(data.path()).unwrap().next().is_none(), "what was only looked at is not saved");

    let mut desk = remembering(data.path(), demo::PROMPT);
    desk.press("1 e d");
    let own = names(&desk);
    drop(desk);
    let desk = remembering(data.path(), demo::PROMPT);
    assert_eq!(names(&desk), own, "the person's own session wins");
    let desk = remembering(data.path(), demo::OTHER_PROMPT);
    assert!(circuit(&desk).edits.now().pins.is_empty());
}

#[test]
fn the_second_question_is_recalled_and_opens_with_named_pins() {
    let data = tempfile::tempdir().unwrap();
    let mut desk = remembering(data.path(), demo::PROMPT);
    desk.press("i Up").expect(demo::SECOND_PROMPT);
    desk.press("Enter").settle();
    let edited = circuit(&desk).edits.now();
    let wanted: serde_json::Value = serde_json::from_str(demo::SECOND_SESSION).unwrap();
    assert_eq!(edited.pins.len(), wanted["pins"].as_array().unwrap().len(), "every pin is in the graph");
    assert!(edited.pins.iter().all(|pin| circuit(&desk).kept().has_node(*pin)));
    desk.expect("says rupee, through India").expect("[India ×3]");
    assert!(std::fs::read_dir(data.path()).unwrap().next().is_none(), "what was only looked at is not saved");
}

#[test]
fn what_the_graph_does_not_hold_is_left_out() {
    let data = tempfile::tempdir().unwrap();
    let desk = remembering(data.path(), demo::PROMPT);
    let mut session: serde_json::Value = serde_json::from_str(demo::SESSION).unwrap();
    session["groups"][1]["members"][0]["feature"] = 380.into();
    session["groups"][2]["members"] = serde_json::json!([]);
    let read = read_shipped(&session.to_string(), &circuit(&desk).traced.document.graph).unwrap();
    assert_eq!(read.edited.groups.len(), circuit(&desk).edits.now().groups.len() - 1);
    assert!(read.edited.groups[1].members.len() < circuit(&desk).edits.now().groups[1].members.len());
    assert!(read_shipped("{}", &circuit(&desk).traced.document.graph).is_err());
}
