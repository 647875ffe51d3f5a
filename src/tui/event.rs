//! Sources of events: the terminal and signals, each on a thread of its own, into one channel.

use crate::tui::background::{Answers, Heard};
use crate::tui::keymap::{Code, Key};
use crate::tui::mouse::{Gesture, Mouse};
use crate::tui::terminal;
use crate::tui::theme::Ground;
use crossbeam_channel::Sender;
use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use signal_hook::consts::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use signal_hook::low_level::emulate_default_handler;
use std::io;
use std::thread;
use std::time::Duration;

/// Event from the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key.
    Key(Key),
    /// Gesture of the mouse.
    Mouse(Mouse),
    /// Pasted text.
    Paste(String),
    /// New size in cells and lines.
    Resize(u16, u16),
    /// Background of the terminal, as the terminal answered.
    Background(Ground),
    /// Reason why the terminal cannot be read any more.
    Lost(String),
}

/// Request of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Request to end, as this signal would end the program.
    End(i32),
    /// Request to suspend.
    Suspend,
    /// Request to go on after having been stopped.
    Continue,
}

/// All signals that would end the program without giving the terminal back.
const ENDING: [i32; 11] =
    [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ];

/// Time that a signal that ends the program leaves to running work.
const PATIENCE: Duration = Duration::from_secs(3);

/// Time that a key waits for the rest of an answer that it may begin.
const REST: Duration = Duration::from_millis(50);

/// Starts reading the terminal, until it or the receiver is gone.
pub fn read_terminal(sender: Sender<Event>) -> io::Result<()> {
    thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        let mut answers = Answers::default();
        loop {
            let events = read(&mut answers);
            let lost = events.iter().any(|event| matches!(event, Event::Lost(_)));
            if events.into_iter().any(|event| sender.send(event).is_err()) || lost {
                break;
            }
        }
    })?;
    Ok(())
}

/// Reads the next events of the terminal; none where they are of no interest, or an answer is not whole yet.
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
        Err(error) => vec![Event::Lost(error.to_string())],
    }
}

/// Starts listening for signals, until the receiver is gone.
///
/// # Errors
/// Fails where the system refuses the handlers or the thread.
pub fn read_signals(sender: Sender<Signal>) -> io::Result<()> {
    let mut signals = SignalsInfo::<WithRawSiginfo>::new(ENDING.into_iter().chain([SIGTSTP, SIGCONT]))?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut is_ending = false;
        for info in &mut signals {
            let signal = match info.si_signo {
                SIGTSTP => Signal::Suspend,
                SIGCONT => Signal::Continue,
                SIGXFSZ if is_of_own_write(&info) => continue,
                // Sessions are being saved, and the terminal is given back: a user who asks again does not want to
                // wait.
                ending if is_ending && !terminal::is_claimed() => {
                    let _ = emulate_default_handler(ending);
                    continue;
                }
                ending => {
                    is_ending = true;
                    watch(ending);
                    Signal::End(ending)
                }
            };
            if sender.send(signal).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}

/// Ends the program soon even if it hangs, such as on a terminal that takes no more.
fn watch(signal: i32) {
    // Where no thread can be started, the program ends as soon as it hears of the signal.
    let _ = thread::Builder::new().name("watch".to_owned()).spawn(move || {
        thread::sleep(PATIENCE);
        if terminal::is_claimed() {
            terminal::give_back_now();
            let _ = emulate_default_handler(signal);
        }
    });
}

/// Returns true where the signal says that a file which this program writes has become larger than it may. The write
/// fails then, and its error is handled as that of a full disk.
#[cfg(target_os = "linux")]
fn is_of_own_write(info: &libc::siginfo_t) -> bool {
    // SAFETY: the kernel fills in the sender's process id for this signal, whoever sends it.
    let sender = unsafe { info.si_pid() };
    u32::try_from(sender).is_ok_and(|sender| sender == std::process::id())
}

#[cfg(not(target_os = "linux"))]
fn is_of_own_write(_info: &libc::siginfo_t) -> bool {
    false
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
