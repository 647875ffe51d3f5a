//! Writing a prompt and tracing it without leaving.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake, made_up};
use circuitscope::attribution::Promoted;
use circuitscope::graph::{Document, RawTrace, Token};
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::{Monitor, Progress};
use circuitscope::service::tracing::{Reading, Tracer};
use circuitscope::tui::app::Busy;
use circuitscope::tui::keymap::{Code, Context, Key};
use circuitscope::tui::message::Msg;
use circuitscope::tui::update::{update, update_all};
use circuitscope::tui::{start_chat, start_open, start_trace};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn tokens_and_ids_are_shown_as_they_will_be_read() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i").expect("<bos>  fact  :  the").expect("11 tokens");
    desk.press("Ctrl-u").expect("The prompt is empty");
    desk.type_text("the capital").expect("<bos>  the  capital").expect("0      3    4");
}

#[test]
fn an_unknown_word_is_named_with_the_nearest_and_replaced_on_request() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i Ctrl-u").type_text("the state containing Houstn");
    desk.expect("\"Houstn\" is not in the vocabulary; nearest: Houston");
    desk.press("Enter").expect("prompt");
    assert!(desk.state.busy.is_none(), "what would be read as something else is not traced");
    desk.press("Tab").expect("5 tokens");
    desk.press("Enter").expect("the state containing Houston → Austin");
}

#[test]
fn a_prompt_is_traced_without_leaving() {
    let mut desk = Desk::traced((160, 48));
    desk.press("1 i Ctrl-w Ctrl-w").type_text("Oakland is").press("Enter");
    desk.expect("fact : the capital of the state containing Oakland is → Austin");
    assert_eq!(desk.selected(), "logit Austin");
    desk.press("i Esc").expect("containing Oakland is");
}

#[test]
fn a_message_is_put_into_the_chat_template_and_edited_as_it_was_typed() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i Ctrl-u").type_text("the capital").press("Ctrl-t");
    desk.expect("message, in the chat template").expect("<bos>  fact  :  the  capital  is");
    desk.press("Ctrl-t").expect("<bos>  the  capital");
    assert!(!desk.screen().contains("chat template"));
    desk.press("Ctrl-t Enter").expect("fact : the capital is → Austin");
    desk.press("i").expect("message, in the chat template");
    desk.type_text(" of code").expect("no code");
    desk.press("Enter");
    assert!(desk.state.busy.is_none(), "what the template refuses is not traced");
    desk.press("Ctrl-w Ctrl-w Enter i Ctrl-t Enter").expect(" the capital· → Austin");
    desk.press("i").expect("<bos>  the  capital");
    assert!(!desk.screen().contains("chat template"));

    let mut desk = Desk::bare((160, 48), Some(Fake::quick()));
    start_chat(&mut desk.state, "the state".to_owned());
    desk.settle();
    desk.expect("fact : the state is → Austin");
    let mut desk = Desk::bare((160, 48), Some(Arc::new(Falls)));
    start_chat(&mut desk.state, "the state".to_owned());
    desk.expect("The model has no chat template");
}

#[test]
fn a_trace_by_models_of_different_names_is_marked() {
    let mut desk = Desk::bare((160, 48), None);
    let mut trace = made_up("a", vec![Token { id: 0, text: "a".to_owned() }], 3, 4.0, 9);
    trace.provenance.warnings = vec!["the transcoder was trained on \u{1b}[31manother".to_owned()];
    start_open(&mut desk.state, Arc::new(trace));
    desk.settle();
    desk.expect("warned").expect("the transcoder was trained on ␛[31manother");
}

#[test]
fn pasted_text_goes_into_the_prompt_and_nowhere_else() {
    let mut desk = Desk::traced((160, 48));
    let before = desk.screen();
    update(&mut desk.state, Msg::Paste("q".to_owned()));
    assert_eq!(desk.screen(), before);
    desk.press("i Ctrl-u");
    update(&mut desk.state, Msg::Paste("the city of\n".to_owned()));
    desk.settle();
    desk.expect("<bos>  the  city  of");
}

#[test]
fn a_stopped_first_trace_is_kept_and_marked_partial() {
    let mut desk = Desk::bare((160, 48), Some(Fake::slow()));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.start();
    update(&mut desk.state, Msg::Tick);
    desk.expect("Ctrl-c stops");
    let stopped = Instant::now();
    desk.press_only("Ctrl-c");
    desk.expect("stopping");
    desk.settle();
    // The made-up work looks at its flag every 5 ms, and the screen adds next to nothing; the rest is for busy machines.
    assert!(stopped.elapsed() < Duration::from_millis(500), "{:?}", stopped.elapsed());
    desk.expect("partial").expect("The trace was stopped early");
}

#[test]
fn escape_stops_a_trace_and_then_goes_one_level_back() {
    let mut desk = Desk::bare((160, 48), Some(Fake::slow()));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.start();
    desk.press_only("Esc");
    desk.settle();
    desk.expect("partial");
    assert!(desk.state.busy.is_none());
    desk.press("Tab Esc");
    assert!(!desk.quit);
}

#[test]
fn a_graph_can_be_walked_while_another_is_traced() {
    let mut desk = Desk::traced((160, 48));
    let id = desk.state.jobs.next_request();
    let progress = |done| Progress { phase: "feature rows", done, total: 7_500 };
    let mut busy = Busy::new(id, "the next one".into());
    let begun = Instant::now();
    busy.hear(progress(200), begun);
    busy.hear(progress(1_200), begun + Duration::from_secs(2));
    desk.state.busy = Some(busy);
    desk.press("1");
    desk.expect("feature rows 1,200/7,500").expect("500/s").expect("13 s left").expect("logit Austin ‹ ");
}

#[test]
fn a_failed_trace_says_why_and_leaves_the_graph() {
    let mut desk = Desk::traced((160, 48));
    desk.state.jobs.services.tracer = Some(Arc::new(Falls));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk.expect("on purpose").expect("Austin 0.995");
}

#[test]
fn without_a_model_a_graph_is_walked_but_not_traced() {
    let mut desk = Desk::bare((160, 48), None);
    let tokens = ["<bos>", "a\n", "\tb", "\x1b[31mred", "e\u{301}", "東京", "\u{200b}"];
    let tokens = tokens.iter().zip(0..).map(|(text, id)| Token { id, text: (*text).to_owned() }).collect();
    start_open(&mut desk.state, Arc::new(made_up("from\x1b[2Ja file", tokens, 3, 4.0, 9)));
    desk.settle();
    desk.expect("a⏎").expect("⇥b").expect("␛[31mred").expect("from␛[2Ja file");
    let wide: String = desk.screen().replace(' ', "");
    assert!(wide.contains("東京"), "{wide}");
    desk.press("i").expect("There is no model to trace a prompt with");
    desk.go_to_feature();
    desk.expect("needs the model");
}

#[test]
fn a_file_of_another_program_is_opened_off_the_screen() {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/data").join(name);
    let mut desk = Desk::bare((160, 48), None);
    start_open(&mut desk.state, file("anthropic.json"));
    desk.expect("anthropic.json");
    desk.settle();
    desk.expect("⏎ab");
    let circuit = desk.state.circuit.as_ref().unwrap();
    assert_eq!(circuit.traced.document.graph.n_nodes(), 7);
    assert_eq!(circuit.edits.now().groups.len(), 1, "what the file holds of a person's work is there");
    start_open(&mut desk.state, file("no.json"));
    desk.settle();
    desk.expect("no.json").expect("⏎ab");
}

/// A tracer with a fault.
struct Falls;

impl Tracer for Falls {
    fn model_name(&self) -> String {
        String::new()
    }

    fn transcoder_name(&self) -> String {
        String::new()
    }

    fn read_prompt(&self, _: &str) -> Result<Reading, String> {
        Ok(Reading::default())
    }

    fn trace(&self, _: &str, _: &mut dyn FnMut(Document), _: &Monitor) -> anyhow::Result<Document> {
        panic!("on purpose")
    }

    fn resume(
        &self,
        _: &RawTrace,
        _: Option<usize>,
        _: &mut dyn FnMut(Document),
        _: &Monitor,
    ) -> anyhow::Result<Document> {
        panic!("on purpose")
    }

    fn promoted(&self, _: Layer, _: FeatureId, _: &Monitor) -> anyhow::Result<Promoted> {
        anyhow::bail!("on purpose")
    }
}

#[test]
fn a_fault_in_the_work_is_told_and_survived() {
    let mut desk = Desk::bare((160, 48), Some(Arc::new(Falls)));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk.expect("this is a fault of the program: on purpose").expect("There is no graph yet");
    desk.press("i Esc q");
    assert!(desk.quit);
}

#[test]
fn a_large_paste_is_cut_to_what_has_room_in_every_field() {
    let fields = ["i", "?", ":", "Ctrl-p", "/", "f", "x", "e l", "e t", "t", "B /", "W p"];
    for keys in fields {
        let mut desk = Desk::traced((160, 48));
        desk.press(keys);
        if desk.state.context().reaches(Context::TEXT) {
            for text in ["x".repeat(1_000_000), "東 ( \u{1b}\r\n\t".repeat(100_000)] {
                update(&mut desk.state, Msg::Paste(text));
                desk.expect("longer than there is room for");
            }
            desk.settle();
            desk.press("! Backspace Home Delete End Ctrl-w");
        } else {
            let before = desk.screen();
            update(&mut desk.state, Msg::Paste("x".repeat(1_000_000)));
            assert_eq!(desk.screen(), before, "{keys}");
        }
    }
}

#[test]
fn a_prompt_is_traced_once_it_is_read() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i Ctrl-u");
    update(&mut desk.state, Msg::Paste("fact : the capital of the state containing Oakland is\n".to_owned()));
    // Enter comes before the answer.
    desk.press_only("Enter");
    desk.settle();
    desk.expect("containing Oakland is");
    assert!(desk.state.dialogs.is_empty());
}

/// Keys that wait are taken together: they leave the screen as they would one by one.
#[test]
fn what_is_typed_faster_than_it_is_drawn_is_what_is_typed() {
    let mut random = StdRng::seed_from_u64(0x4e7);
    let edits =
        ["a", "b", "é", "東", "Space", "Left", "Right", "Home", "End", "Backspace", "Delete", "Ctrl-w", "PageUp"];
    for field in ["i", "?", "/", ":", "f", "x", "e l", "e t", "t", "B /"] {
        let keys: Vec<&str> = (0..60).map(|_| edits[random.random_range(0..edits.len())]).collect();
        let (mut one_by_one, mut at_once) = (Desk::traced((120, 40)), Desk::traced((120, 40)));
        one_by_one.press(field).press(&keys.join(" "));
        at_once.press(field);
        update_all(&mut at_once.state, keys.iter().filter_map(|key| Key::parse(key)).map(Msg::Key));
        at_once.start();
        at_once.settle();
        assert_eq!(at_once.screen(), one_by_one.screen(), "{field}: {keys:?}");
    }
}

/// A megabyte is read, searched for and drawn as often as a word is, and as much of it stays as there is room for.
#[test]
fn however_much_is_typed_is_asked_about_once() {
    let mut desk = Desk::traced((120, 40));
    for field in ["/", "i", "f"] {
        desk.press(field).press("Ctrl-u");
        let asked = desk.state.jobs.requests();
        // Among the keys are some that do nothing there.
        let keys = [Key::plain(Code::Char('a')), Key { ctrl: true, alt: true, ..Key::plain(Code::Char('a')) }];
        update_all(&mut desk.state, (0..1 << 20).map(|at| Msg::Key(keys[usize::from(at % 7 == 6)])));
        assert!(desk.state.jobs.requests() <= asked + 1, "{field}");
        desk.settle();
        desk.press("Ctrl-u").type_text("containing").expect("containing");
        desk.press("Esc");
    }
}
