//! Where events come from: the terminal and signals, each on a thread of its own, into one channel.

use crate::tui::background::{Answers, Heard};
use crate::tui::keymap::{Code, Key};
use crate::tui::mouse::{Gesture, Mouse};
use crate::tui::theme::Ground;
use crossbeam_channel::Sender;
use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use std::io;
use std::thread;
use std::time::Duration;

/// Something from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key.
    Key(Key),
    /// Something done with the mouse.
    Mouse(Mouse),
    /// Pasted text.
    Paste(String),
    /// Another size.
    Resize(u16, u16),
    /// The terminal says what stands behind its text.
    Background(Ground),
    /// A signal that ends the program.
    End(i32),
    /// A request from outside to suspend.
    Suspend,
    /// The program goes on after having been stopped.
    Continue,
    /// The terminal is gone.
    Lost,
}

/// How long a key waits for the rest of what may be the terminal's answer.
const REST: Duration = Duration::from_millis(50);

/// Reads the terminal until it or the receiver is gone.
pub fn read_terminal(sender: Sender<Event>) -> io::Result<()> {
    thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        let mut answers = Answers::default();
        loop {
            let events = read(&mut answers);
            let lost = events.contains(&Event::Lost);
            if events.into_iter().any(|event| sender.send(event).is_err()) || lost {
                break;
            }
        }
    })?;
    Ok(())
}

/// What the terminal says next; nothing where it is of no interest, or not all there yet.
fn read(answers: &mut Answers) -> Vec<Event> {
    if answers.is_held() && event::poll(REST).is_ok_and(|more| !more) {
        return answers.give_up().into_iter().map(Event::Key).collect();
    }
    match event::read() {
        Ok(event::Event::Key(key)) => match translate(key).map(|key| answers.hear(key)) {
            Some(Heard::Keys(keys)) => keys.into_iter().map(Event::Key).collect(),
            Some(Heard::Ground(ground)) => vec![Event::Background(ground)],
            None => Vec::new(),
        },
        Ok(event::Event::Mouse(mouse)) => translate_mouse(mouse).map(Event::Mouse).into_iter().collect(),
        Ok(event::Event::Paste(text)) => vec![Event::Paste(text)],
        Ok(event::Event::Resize(width, height)) => vec![Event::Resize(width, height)],
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Vec::new(),
        Err(_) => vec![Event::Lost],
    }
}

/// Listens for signals until the receiver is gone.
pub fn read_signals(sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            let event = match signal {
                SIGTSTP => Event::Suspend,
                SIGCONT => Event::Continue,
                ending => Event::End(ending),
            };
            if sender.send(event).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}

fn translate(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let code = match event.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Code::BackTab,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    let held = |modifier| event.modifiers.contains(modifier);
    Some(Key { code, ctrl: held(KeyModifiers::CONTROL), alt: held(KeyModifiers::ALT) })
}

fn translate_mouse(event: MouseEvent) -> Option<Mouse> {
    let gesture = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => Gesture::Press,
        MouseEventKind::Drag(MouseButton::Left) => Gesture::Drag,
        MouseEventKind::Up(MouseButton::Left) => Gesture::Release,
        MouseEventKind::ScrollUp => Gesture::WheelUp,
        MouseEventKind::ScrollDown => Gesture::WheelDown,
        _ => return None,
    };
    Some(Mouse { gesture, x: event.column, y: event.row })
}
