//! State, keys, screen: a screen without a terminal, on which work is waited for.

use crate::fake::{DALLAS, Fake};
use circuitscope::service::tracing::Tracer;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::app::State;
use circuitscope::tui::effect::Effect;
use circuitscope::tui::keymap::Key;
use circuitscope::tui::message::Msg;
use circuitscope::tui::runtime::jobs::{Jobs, Services, Wake};
use circuitscope::tui::runtime::sessions::Sessions;
use circuitscope::tui::theme::{Depth, Ground, Look, Theme};
use circuitscope::tui::update::{take_results, update};
use circuitscope::tui::{EXPORT, start_trace, view};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Desk {
    pub state: State,
    pub quit: bool,
    /// Whether exports are written. Keys at random would write files of any name.
    pub exports: bool,
    /// What was copied last.
    pub copied: Option<String>,
}

impl Desk {
    /// An empty screen.
    pub fn bare(size: (u16, u16), tracer: Option<Arc<dyn Tracer>>) -> Self {
        let look = Look { theme: Theme::new(Depth::True, Ground::Dark), glyphs: Glyphs::new(Charset::Braille) };
        let wake: Wake = Arc::new(|| {});
        let jobs = Jobs::new(Services { tracer, ..Services::default() }, Arc::clone(&wake));
        let state = State::new(look, size, jobs, Sessions::new(wake));
        Self { state, quit: false, exports: true, copied: None }
    }

    /// A screen on which the usual prompt was traced.
    pub fn traced(size: (u16, u16)) -> Self {
        Self::traced_in(size, Charset::Braille)
    }

    /// The same in another character set.
    pub fn traced_in(size: (u16, u16), charset: Charset) -> Self {
        let mut desk = Self::bare(size, Some(Fake::quick()));
        desk.state.look.glyphs = Glyphs::new(charset);
        start_trace(&mut desk.state, DALLAS.to_owned());
        desk.settle();
        desk
    }

    /// Presses keys as the command table writes them, and waits for what they start.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ') {
            self.press_only(key);
            self.settle();
        }
        self
    }

    /// Presses a key again and again until something is so.
    #[track_caller]
    pub fn press_until(&mut self, key: &str, is_so: impl Fn(&State) -> bool) -> &mut Self {
        for _ in 0..100 {
            if is_so(&self.state) {
                return self;
            }
            self.press(key);
        }
        panic!("{key} does not lead there:\n{}", self.screen());
    }

    /// Down to the nearest feature.
    #[track_caller]
    pub fn go_to_feature(&mut self) -> &mut Self {
        self.press_until("j", |state| state.circuit.as_ref().unwrap().selected_feature().is_some())
    }

    /// Presses a key without waiting.
    pub fn press_only(&mut self, key: &str) {
        let key = Key::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
        update(&mut self.state, Msg::Key(key));
        self.start();
    }

    /// Types text, character by character.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.press(&if c == ' ' { "Space".to_owned() } else { c.to_string() });
        }
        self
    }

    /// Starts the jobs that were submitted, and does what is to be done to the terminal.
    pub fn start(&mut self) {
        if !self.exports {
            self.state.jobs.forget(EXPORT);
        }
        self.state.jobs.start();
        for effect in std::mem::take(&mut self.state.effects) {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::Copy(text) => self.copied = Some(text),
                Effect::Mouse(_) | Effect::Suspend | Effect::Redraw => {}
            }
        }
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.state.jobs.is_idle() && self.state.sessions.is_idle()
    }

    /// Waits until nothing is under way.
    pub fn settle(&mut self) {
        self.wait_for("the end of the work", |desk| desk.is_idle() && desk.state.effects.is_empty());
    }

    /// Takes what arrives until something is so.
    pub fn wait_for(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        loop {
            self.start();
            take_results(&mut self.state);
            if is_so(self) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "waited for {what}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    pub fn buffer(&self) -> Buffer {
        let area = Rect::new(0, 0, self.state.size.0, self.state.size.1);
        let mut buffer = Buffer::empty(area);
        view::render(&self.state, area, &mut buffer);
        buffer
    }

    /// What the screen shows, line by line, without trailing blanks.
    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        let line = |y| -> String { (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..buffer.area.height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
    }

    pub fn shows(&self, text: &str) -> bool {
        self.screen().contains(text)
    }

    #[track_caller]
    pub fn expect(&self, text: &str) -> &Self {
        let screen = self.screen();
        assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
        self
    }

    /// The cells of the first place where `text` stands.
    #[track_caller]
    pub fn cells(&self, text: &str) -> Vec<Cell> {
        let (x, y) = self.place(text);
        let buffer = self.buffer();
        (0..text.chars().count() as u16).map(|at| buffer[(x + at, y)].clone()).collect()
    }

    /// Column and line of the first place where `text` stands.
    #[track_caller]
    pub fn place(&self, text: &str) -> (u16, u16) {
        let buffer = self.buffer();
        let wanted: Vec<String> = text.chars().map(String::from).collect();
        for y in 0..buffer.area.height {
            for x in 0..buffer.area.width.saturating_sub(wanted.len() as u16 - 1) {
                if wanted.iter().zip(x..).all(|(symbol, x)| buffer[(x, y)].symbol() == symbol) {
                    return (x, y);
                }
            }
        }
        panic!("{text:?} is not on the screen:\n{}", self.screen());
    }

    /// The name of the selected node.
    pub fn selected(&self) -> String {
        let circuit = self.state.circuit.as_ref().expect("a graph is on the screen");
        circuit.name(circuit.selected(), &self.state.look.glyphs)
    }
}
