//! Bytes, not processor time, are the budget over a slow line.

use crate::desk::Desk;
use circuitscope::tui::{DiffBackend, draw, screen};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Default)]
struct Counter {
    bytes: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

impl Write for Counter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.bytes.fetch_add(buf.len(), Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Line {
    desk: Desk,
    counter: Counter,
    terminal: Terminal<DiffBackend<io::BufWriter<Counter>>>,
}

impl Line {
    fn new(size: (u16, u16)) -> Self {
        let counter = Counter::default();
        let writer = io::BufWriter::with_capacity(64 * 1024, counter.clone());
        let wire = DiffBackend::new(writer, move || Ok(Size { width: size.0, height: size.1 }));
        let terminal = Terminal::new(wire).unwrap();
        let mut line = Self { desk: Desk::traced(size), counter, terminal };
        line.draw();
        line
    }

    /// Draws, and gives the bytes that it took.
    fn draw(&mut self) -> usize {
        let before = self.counter.bytes.load(Ordering::Relaxed);
        draw(&mut self.desk.state, &mut self.terminal).unwrap();
        self.counter.bytes.load(Ordering::Relaxed) - before
    }

    fn press(&mut self, key: &str) -> usize {
        self.desk.press(key);
        self.draw()
    }
}

#[test]
fn a_size_that_no_event_told_of_is_noticed() {
    let mut line = Line::new((100, 30));
    line.desk.state.screen.size = (80, 24);
    line.desk.state.screen.dirty = true;
    line.draw();
    assert!(line.desk.state.screen.dirty && line.desk.state.screen.size == (100, 30), "it is drawn anew");
    assert!(line.draw() > 0 && !line.desk.state.screen.dirty);
}

#[test]
fn an_unchanged_screen_is_not_written() {
    let mut line = Line::new((200, 60));
    assert_eq!(line.draw(), 0);
    assert!(!line.desk.state.screen.dirty, "nothing asks for a frame while nothing happens");
}

#[test]
fn a_frame_leaves_in_one_write() {
    let mut line = Line::new((200, 60));
    let before = line.counter.writes.load(Ordering::Relaxed);
    line.press("1");
    assert_eq!(line.counter.writes.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn a_move_within_a_list_stays_within_the_budget_of_new_panels() {
    let mut line = Line::new((200, 60));
    line.press("Tab");
    // The detail and the contexts are those of the row, so these panels are written anew.
    let spent: Vec<usize> = (0..7).map(|_| line.press("j")).collect();
    assert!(spent.iter().all(|bytes| *bytes <= 6 * 1024), "{spent:?}");
}

#[test]
fn a_walk_that_changes_every_pane_stays_within_its_budget() {
    let mut line = Line::new((200, 60));
    let mut spent = Vec::new();
    for key in ["1", "[", "2", "[", "3", "[", "j", "j", "h", "h", "k", "l", "j", "h", "k", "g"] {
        spent.push((key, line.press(key)));
    }
    assert!(spent.iter().all(|(_, bytes)| *bytes <= 6 * 1024), "{spent:?}");
}

#[test]
fn moves_in_the_tree_and_in_the_subgraph_stay_within_the_budget_of_new_panels() {
    let mut line = Line::new((200, 60));
    for key in ["p", "1", "p", "[", "2", "p", "[", "G", "p", "g"] {
        line.press(key);
    }
    line.press("Tab Tab Tab");
    let moves: Vec<usize> = ["j", "k", "j", "j", "k"].iter().map(|key| line.press(key)).collect();
    assert!(moves.iter().all(|bytes| *bytes <= 6 * 1024), "the branch is described beside: {moves:?}");
    let folds: Vec<usize> = ["l", "h", "l", "l", "h", "h"].iter().map(|key| line.press(key)).collect();
    assert!(folds.iter().all(|bytes| *bytes <= 6 * 1024), "a branch that opens moves those below it: {folds:?}");
    line.press("Tab");
    let boxes: Vec<usize> = ["k", "j", "h", "l", "j"].iter().map(|key| line.press(key)).collect();
    assert!(boxes.iter().all(|bytes| *bytes <= 6 * 1024), "the box is selected: {boxes:?}");
}

#[test]
fn a_walk_takes_far_fewer_bytes_than_by_the_usual_backend() {
    let size = (200, 60);
    let mut line = Line::new(size);
    let usual = Counter::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(usual.clone()), TerminalOptions { viewport }).unwrap();
    let mut draw_usually = |line: &Line| {
        let before = usual.bytes.load(Ordering::Relaxed);
        terminal.draw(|frame| _ = screen::render(&line.desk.state, frame.area(), frame.buffer_mut())).unwrap();
        usual.bytes.load(Ordering::Relaxed) - before
    };
    draw_usually(&line);
    let mut spent = Vec::new();
    for key in ["1", "[", "2", "[", "j", "h", "k", "l", "p", "Tab", "j", "j", "?", "Esc", "+", "-"] {
        let ours = line.press(key);
        spent.push((key, ours, draw_usually(&line)));
    }
    let (ours, theirs): (Vec<usize>, Vec<usize>) = spent.iter().map(|(_, ours, theirs)| (*ours, *theirs)).unzip();
    let (ours, theirs) = (ours.iter().sum::<usize>(), theirs.iter().sum::<usize>());
    assert!(4 * ours < 3 * theirs, "{ours} bytes instead of {theirs}: {spent:?}");
}
