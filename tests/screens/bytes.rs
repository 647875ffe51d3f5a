//! Bytes, not processor time, are the budget over a slow line.

use crate::desk::Desk;
use circuitscope::tui::{DiffBackend, draw};
use ratatui::Terminal;
use ratatui::layout::Size;
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
    line.desk.state.size = (80, 24);
    line.desk.state.dirty = true;
    line.draw();
    assert!(line.desk.state.dirty && line.desk.state.size == (100, 30), "it is drawn anew");
    assert!(line.draw() > 0 && !line.desk.state.dirty);
}

#[test]
fn an_unchanged_screen_is_not_written() {
    let mut line = Line::new((200, 60));
    assert_eq!(line.draw(), 0);
    assert!(!line.desk.state.dirty, "nothing asks for a frame while nothing happens");
}

#[test]
fn a_frame_leaves_in_one_write() {
    let mut line = Line::new((200, 60));
    let before = line.counter.writes.load(Ordering::Relaxed);
    line.press("1");
    assert_eq!(line.counter.writes.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn a_move_within_a_list_costs_little() {
    let mut line = Line::new((200, 60));
    line.press("Tab");
    let spent: Vec<usize> = (0..7).map(|_| line.press("j")).collect();
    assert!(spent.iter().all(|bytes| *bytes <= 1024), "{spent:?}");
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
fn moves_in_the_tree_and_in_the_subgraph_cost_little() {
    let mut line = Line::new((200, 60));
    for key in ["p", "1", "p", "[", "2", "p", "[", "G", "p", "g"] {
        line.press(key);
    }
    line.press("Tab Tab Tab");
    let moves: Vec<usize> = ["j", "k", "j", "j", "k"].iter().map(|key| line.press(key)).collect();
    assert!(moves.iter().all(|bytes| *bytes <= 1024), "{moves:?}");
    let folds: Vec<usize> = ["l", "h", "l", "l", "h", "h"].iter().map(|key| line.press(key)).collect();
    assert!(folds.iter().all(|bytes| *bytes <= 2 * 1024), "a branch that opens moves those below it: {folds:?}");
    line.press("Tab");
    let boxes: Vec<usize> = ["k", "j", "h", "l", "j"].iter().map(|key| line.press(key)).collect();
    assert!(boxes.iter().all(|bytes| *bytes <= 1024), "{boxes:?}");
}
