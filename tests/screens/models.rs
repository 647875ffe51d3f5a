//! Choosing a model: what is here, what would come, and the yes in between.

use crate::desk::Desk;
use crate::fake::{Fake, made_up};
use circuitscope::format::raw;
use circuitscope::graph::Token;
use circuitscope::hub::{ContentId, DOWNLOADING, Offer, OfferedFile, RepoOffer};
use circuitscope::job::Monitor;
use circuitscope::service::models::{Choice, Here, Models};
use circuitscope::service::tracing::Tracer;
use circuitscope::session::{RecentGraph, note_recent};
use circuitscope::tui::message::Msg;
use circuitscope::tui::open_models;
use circuitscope::tui::update::update;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Two pairs; what is asked of them is written down.
#[derive(Default)]
struct Shelf {
    asked: Mutex<Vec<&'static str>>,
    /// The download does not end by itself.
    slow: bool,
    /// The hub's answer, where it is a refusal.
    refusal: Option<&'static str>,
    here: Mutex<bool>,
}

fn choice(name: &str, here: Here) -> Choice {
    Choice {
        name: name.to_owned(),
        model: format!("org/{name}"),
        transcoder: format!("org/{name}-transcoders"),
        bytes: 1_230_000,
        here,
    }
}

impl Shelf {
    fn ask(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }

    fn asked(&self) -> Vec<&'static str> {
        let asked = self.asked.lock().unwrap();
        asked.iter().copied().filter(|what| *what != "list").collect()
    }
}

impl Models for Shelf {
    fn list(&self) -> anyhow::Result<Vec<Choice>> {
        self.ask("list");
        let here = if *self.here.lock().unwrap() { Here::Whole } else { Here::Nothing };
        Ok(vec![choice("tiny", Here::Whole), choice("far", here)])
    }

    fn server(&self) -> String {
        "https://hub.example".to_owned()
    }

    fn offer(&self, choice: &Choice, _: &Monitor) -> anyhow::Result<Offer> {
        self.ask("offer");
        if let Some(refusal) = self.refusal {
            anyhow::bail!("{refusal}");
        }
        let file =
            |name: &str, size| OfferedFile { name: name.to_owned(), size, here: 0, id: ContentId::Git("0".repeat(40)) };
        let repo = |repo: &String, files| RepoOffer {
            repo: repo.clone(),
            revision: "main".to_owned(),
            commit: "0".repeat(40),
            files,
        };
        let model = repo(&choice.model, vec![file("config.json", 700), file("model.safetensors", 2_500_000_000)]);
        Ok(Offer { repos: vec![model, repo(&choice.transcoder, vec![file("config.yaml", 300)])], model_name: None })
    }

    fn download(&self, offer: &Offer, monitor: &Monitor) -> anyhow::Result<()> {
        self.ask("download");
        let mut done = offer.bytes() / 2;
        loop {
            monitor.report(DOWNLOADING, done, offer.bytes())?;
            if done == offer.bytes() {
                *self.here.lock().unwrap() = true;
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
            done = if self.slow { done } else { offer.bytes() };
        }
    }

    fn load(&self, choice: &Choice) -> anyhow::Result<Arc<dyn Tracer>> {
        self.ask("load");
        assert!(choice.name == "tiny" || *self.here.lock().unwrap(), "only what is here is loaded");
        Ok(Fake::quick())
    }
}

fn desk(shelf: &Arc<Shelf>) -> Desk {
    let mut desk = Desk::bare((120, 36), None);
    let models: Arc<dyn Models> = Arc::<Shelf>::clone(shelf);
    desk.state.jobs.services.models = Some(models);
    open_models(&mut desk.state);
    desk.settle();
    desk
}

#[test]
fn what_is_here_is_loaded_and_traces() {
    let shelf = Arc::new(Shelf::default());
    let mut desk = desk(&shelf);
    desk.expect("tiny").expect("1.23 MB").expect("org/far + org/far-transcoders").expect("not here");
    desk.press("Enter").expect("The prompt is empty");
    desk.type_text("the capital of the state containing Dallas is").press("Enter");
    desk.expect("Dallas is → Austin");
    // The selected feature's tokens come from the model that was loaded.
    desk.go_to_feature();
    assert!(!desk.shows("needs the model"), "{}", desk.screen());
    assert_eq!(shelf.asked(), ["load"]);
}

#[test]
fn graphs_that_were_open_are_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (name, seed) in [("first", 3), ("second", 4), ("gone", 5)] {
        let path = folder.path().join(format!("{name}.safetensors"));
        let tokens = ["<bos>", "a", "b"].iter().zip(0..).map(|(text, id)| Token { id, text: (*text).to_owned() });
        raw::write(&path, &made_up(&format!("the {name} prompt"), tokens.collect(), 3, 3.0, seed)).unwrap();
        let prompt = format!("the {name} prompt");
        note_recent(&data, RecentGraph { path, prompt, model: "demo-llama".to_owned() }).unwrap();
    }
    std::fs::remove_file(folder.path().join("gone.safetensors")).unwrap();
    let mut desk = Desk::bare((120, 36), None);
    desk.state.jobs.services.models = Some(Arc::<Shelf>::default());
    desk.state.jobs.services.data = Some(data);
    open_models(&mut desk.state);
    desk.settle();
    desk.expect("graphs that were open").expect("the second prompt").expect("org/far");
    assert!(!desk.shows("gone"));
    desk.press("j Enter").expect("the first prompt →");
    desk.press("M Enter").expect("2/2 the second prompt →");
    // One that is open is turned to.
    desk.press("M j Enter").expect("1/2 the first prompt →");
    assert_eq!(desk.state.tabs.place(), Some((1, 2)));
    desk.press("M j j Enter").expect("1/2").expect("the first prompt →");
    assert!(desk.state.jobs.services.tracer.is_some(), "below the graphs stand the models");
}

#[test]
fn the_hub_is_asked_and_a_download_begun_only_after_a_yes() {
    let shelf = Arc::new(Shelf::default());
    let mut desk = desk(&shelf);
    desk.press("j Enter").expect("org/far with org/far-transcoders is not on this machine");
    desk.expect("Ask https://hub.example");
    desk.press("n");
    assert_eq!(shelf.asked(), [""; 0]);
    // No other key is a yes.
    desk.press("Enter Enter Space j").expect("Ask https://hub.example");
    assert_eq!(shelf.asked(), [""; 0]);
    desk.press("y").expect("org/far@main: 2 files, 2.50 GB").expect("Download 2.50 GB");
    desk.press("Esc");
    assert_eq!(shelf.asked(), ["offer"]);
    desk.press("Enter y y").expect("The prompt is empty");
    assert_eq!(shelf.asked(), ["offer", "offer", "download", "load"]);
}

#[test]
fn a_download_shows_how_far_it_is_and_stops_when_told_to() {
    for stop in ["Esc", "Ctrl-c"] {
        let shelf = Arc::new(Shelf { slow: true, ..Shelf::default() });
        let mut desk = desk(&shelf);
        desk.press("j Enter y");
        desk.press_only("y");
        let begun = Instant::now();
        while !desk.shows("1.25 GB of") {
            assert!(begun.elapsed() < Duration::from_secs(20));
            update(&mut desk.state, Msg::Tick);
        }
        desk.expect("far: downloading 1.25 GB of 2.50 GB");
        let asked = Instant::now();
        desk.press(stop);
        assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
        desk.expect("The download was stopped; what has come is kept").expect("not here");
        assert_eq!(shelf.asked(), ["offer", "download"]);
    }
}

#[test]
fn a_refusal_is_told_in_full() {
    let refusal =
        "org/far is gated or private: accept its terms at https://hub.example/org/far and set HF_TOKEN to a token";
    let shelf = Arc::new(Shelf { refusal: Some(refusal), ..Shelf::default() });
    let mut desk = desk(&shelf);
    desk.press("j Enter y");
    let shown: String = desk.screen().split_whitespace().filter(|word| word.is_ascii()).collect();
    let told: String = refusal.split_whitespace().collect();
    assert!(shown.contains(&told), "{}", desk.screen());
    desk.press("k Enter").expect("The prompt is empty");
}

#[test]
fn a_graph_that_was_made_with_the_model_stays_and_learns_its_tokens() {
    let shelf = Arc::new(Shelf::default());
    let mut desk = desk(&shelf);
    desk.press("Enter").type_text("the capital of the state containing Dallas is").press("Enter");
    let is_feature = |desk: &Desk| desk.state.circuit.as_ref().unwrap().selected_feature().is_some();
    assert!((0..20).any(|_| is_feature(desk.press("j"))));
    let before = desk.screen();
    // As if it had been opened from a file.
    desk.state.jobs.services.tracer = None;
    desk.state.circuit.as_mut().unwrap().promoted.clear();
    desk.press("[ ]").expect("needs the model");
    desk.press("M Enter");
    assert_eq!(desk.screen(), before);
}

#[test]
fn any_size_will_do() {
    let shelf = Arc::new(Shelf { refusal: Some("no"), ..Shelf::default() });
    for (width, height) in [(1, 1), (20, 5), (40, 8), (60, 20), (200, 60)] {
        let mut desk = desk(&shelf);
        update(&mut desk.state, Msg::Resize(width, height));
        for key in ["j", "Enter", "y", "Enter", "n"] {
            desk.press(key);
            desk.screen();
        }
    }
}
