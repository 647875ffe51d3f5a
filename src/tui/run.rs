//! Main loop: takes all events, changes the state, draws at most once a frame.

use crate::config;
use crate::service::models::Models;
use crate::service::tracing::Tracer;
use crate::text::glyph::{Charset, Glyphs};
use crate::tui::app::State;
use crate::tui::clipboard::{self, Between};
use crate::tui::diff_backend::DiffBackend;
use crate::tui::effect::Effect;
use crate::tui::event::{self, Event, Signal};
use crate::tui::message::Msg;
use crate::tui::runtime::jobs::{Jobs, Services, Wake};
use crate::tui::runtime::sessions::{Closing, Sessions};
use crate::tui::terminal::{self, Claim};
use crate::tui::theme::{Look, ThemeChoice};
use crate::tui::update::{take_results, update, update_all};
use crate::tui::{act, view};
use anyhow::Context as _;
use crossbeam_channel::{Receiver, bounded, select, unbounded};
use ratatui::Terminal;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// First screen.
pub enum Start {
    /// Prompt that is traced at once.
    Prompt(String),
    /// Message that is traced at once in the model's chat template.
    Message(String),
    /// Graph files, of which the first is shown.
    Opened(Vec<PathBuf>),
    /// Prompt, to be written.
    Write,
    /// List of models, to choose from.
    Choose,
}

/// Look and input of the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Theme of the screen.
    pub theme: ThemeChoice,
    /// Character set; by the environment where it is `None`.
    pub glyphs: Option<Charset>,
    /// True where the mouse works from the start.
    pub mouse: bool,
}

/// Time between two frames of the sign for work that goes on.
const TICK: Duration = Duration::from_millis(100);

/// Most time that sessions are given to be saved before the program is suspended.
const SAVING: Duration = Duration::from_secs(2);

/// Most time that files being written are given when the program is left.
const WRITING: Duration = Duration::from_secs(1);

/// Outcome of the full-screen program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Signal that ended the program, to be obeyed once everything is printed.
    pub signal: Option<i32>,
    /// Outcome of saving the sessions.
    pub sessions: Closing,
}

/// Runs the full-screen program until the user leaves, or a signal ends it.
///
/// # Errors
/// Fails where the terminal cannot be claimed or is lost.
pub fn run(
    start: Start,
    tracer: Option<Arc<dyn Tracer>>,
    models: Arc<dyn Models>,
    options: Options,
) -> anyhow::Result<Left> {
    let env = |name: &str| std::env::var(name).ok();
    // Over a network a frame costs more than it shows.
    let frame = Duration::from_secs(1) / if env("SSH_TTY").is_some() { 30 } else { 60 };
    let mut look = Look::detect(options.theme, env);
    let asks = look.may_ask(options.theme, env);
    if let Some(charset) = options.glyphs {
        look.glyphs = Glyphs::new(charset);
    }
    terminal::hook_panics();
    let size = terminal::size()
        .context("there is no terminal to draw on; run it in one, or use the subcommands (circuitscope --help)")?;
    let (wake_sender, wakes) = bounded(1);
    // A wake that is already waiting says as much as two.
    let wake: Wake = Arc::new(move || {
        let _ = wake_sender.try_send(());
    });
    let services = Services { tracer, models: Some(models), data: config::data_folder() };
    let mut state = State::new(look, size, Jobs::new(services, Arc::clone(&wake)), Sessions::new(wake));
    state.mouse = options.mouse;
    match start {
        Start::Prompt(prompt) => act::start_trace(&mut state, prompt),
        Start::Message(message) => act::start_chat(&mut state, message),
        Start::Opened(files) => act::open_files(&mut state, files),
        Start::Write => act::open_prompt(&mut state),
        Start::Choose => act::open_models(&mut state),
    }

    let (event_sender, events) = unbounded();
    let (signal_sender, signals) = unbounded();
    // A signal may come as soon as the terminal is claimed, and its listener must then give the terminal back.
    event::read_signals(signal_sender).context("signals cannot be listened for")?;
    let claim = Claim::new().context(
        "the terminal cannot be switched to full screen; run it in one, or use the subcommands (circuitscope --help)",
    )?;
    terminal::take_mouse(options.mouse)?;
    // Most terminals answer within the time of a frame, and the first frame has the right colours then. Those that
    // answer late or never hold nothing up.
    let asked = asks && terminal::ask_background()?;
    let drawn = asked.then(Instant::now);
    event::read_terminal(event_sender)?;
    let mut screen = Screen { claim, terminal: terminal::open()?, between: Between::detect(env), frame, drawn };
    // Without an alternate screen, the former text would shine through.
    screen.terminal.clear()?;
    state.remembers = true;
    let sources = Sources { events, signals, wakes };
    let outcome = live(&mut state, &mut screen, &sources);
    drop(screen);
    // Sessions are saved before a signal is obeyed, and a terminal that is lost takes none of them with it.
    state.jobs.finish_writing(WRITING);
    let sessions = state.sessions.close();
    match outcome {
        Ok(signal) => Ok(Left { signal, sessions }),
        Err(error) if sessions.unsaved.is_empty() => Err(error),
        Err(error) => Err(error.context(format!("what was done last is not saved: {}", sessions.unsaved.join("; ")))),
    }
}

/// Channels that the loop listens to.
struct Sources {
    events: Receiver<Event>,
    signals: Receiver<Signal>,
    /// Wakes by jobs that have results.
    wakes: Receiver<()>,
}

struct Screen<W: Write> {
    claim: Claim,
    terminal: Terminal<DiffBackend<W>>,
    between: Between,
    frame: Duration,
    drawn: Option<Instant>,
}

/// Runs the loop until the program is to be left; returns the signal that ended it.
fn live<W: Write>(state: &mut State, screen: &mut Screen<W>, sources: &Sources) -> anyhow::Result<Option<i32>> {
    let mut ticked = Instant::now();
    loop {
        // However much is typed or pasted, signals and answers get their turn, and the screen follows.
        let turn = Instant::now();
        let waiting = std::iter::from_fn(|| {
            let event = (turn.elapsed() < screen.frame).then(|| sources.events.try_recv());
            event.and_then(Result::ok)
        });
        take(state, waiting)?;
        for signal in sources.signals.try_iter() {
            if let ControlFlow::Break(signal) = obey(state, screen, signal)? {
                return Ok(Some(signal));
            }
        }
        take_results(state);
        for effect in std::mem::take(&mut state.effects) {
            match effect {
                Effect::Quit => return Ok(None),
                Effect::Mouse(wanted) => terminal::take_mouse(wanted)?,
                Effect::Suspend => suspend(state, screen)?,
                Effect::Copy(text) => {
                    let sequence = clipboard::sequence(&text, screen.between);
                    screen.terminal.backend_mut().pass(&sequence)?;
                }
                Effect::Redraw => screen.terminal.clear()?,
            }
        }
        let is_idle = state.jobs.is_idle() && state.sessions.is_idle();
        if !is_idle && ticked.elapsed() >= TICK {
            ticked = Instant::now();
            update(state, Msg::Tick);
            state.jobs.start();
        }
        let since = screen.drawn.map_or(screen.frame, |drawn| drawn.elapsed());
        let wait = match (state.dirty, is_idle) {
            (true, _) => screen.frame.saturating_sub(since),
            (false, false) => TICK.saturating_sub(ticked.elapsed()),
            // Nothing but a message on a channel ends the wait.
            (false, true) => Duration::from_secs(3600),
        };
        if state.dirty && wait.is_zero() {
            draw(state, &mut screen.terminal)?;
            screen.drawn = Some(Instant::now());
            continue;
        }
        select! {
            recv(sources.events) -> event => {
                take(state, [event.unwrap_or_else(|_| Event::Lost("nobody reads it".to_owned()))])?;
            }
            recv(sources.signals) -> signal => {
                // The thread that listens for signals stays.
                if let Ok(signal) = signal
                    && let ControlFlow::Break(signal) = obey(state, screen, signal)?
                {
                    return Ok(Some(signal));
                }
            }
            recv(sources.wakes) -> _ => {}
            default(wait) => {}
        }
    }
}

/// Applies events of the terminal to the state.
///
/// # Errors
/// Fails where the terminal cannot be read any more.
fn take(state: &mut State, events: impl IntoIterator<Item = Event>) -> anyhow::Result<()> {
    let mut lost = None;
    let msgs = events.into_iter().map_while(|event| match event {
        Event::Key(key) => Some(Msg::Key(key)),
        Event::Mouse(mouse) => Some(Msg::Mouse(mouse)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize(width, height)),
        Event::Background(ground) => Some(Msg::Background(ground)),
        Event::Lost(why) => {
            lost = Some(why);
            None
        }
    });
    update_all(state, msgs);
    match lost {
        Some(why) => anyhow::bail!("the terminal cannot be read any more: {why}"),
        None => Ok(()),
    }
}

/// Obeys a signal; breaks where it ends the program.
fn obey<W: Write>(state: &mut State, screen: &mut Screen<W>, signal: Signal) -> anyhow::Result<ControlFlow<i32>> {
    match signal {
        Signal::End(signal) => return Ok(ControlFlow::Break(signal)),
        Signal::Suspend => suspend(state, screen)?,
        Signal::Continue => resume(state, screen)?,
    }
    Ok(ControlFlow::Continue(()))
}

fn suspend<W: Write>(state: &mut State, screen: &mut Screen<W>) -> anyhow::Result<()> {
    // A stopped program may never go on.
    state.sessions.flush_within(SAVING);
    screen.claim.suspend().context("the terminal cannot be claimed again")?;
    resume(state, screen)
}

/// Claims the terminal again and draws anew: it may show anything, and have another size.
fn resume<W: Write>(state: &mut State, screen: &mut Screen<W>) -> anyhow::Result<()> {
    terminal::claim().context("the terminal cannot be claimed again")?;
    let (width, height) = terminal::size()?;
    update(state, Msg::Resize(width, height));
    screen.terminal.clear()?;
    Ok(())
}

/// Draws the state, as one frame.
///
/// # Errors
/// Fails where the terminal cannot be written to.
pub fn draw<W: Write>(state: &mut State, terminal: &mut Terminal<DiffBackend<W>>) -> anyhow::Result<()> {
    let mut size = state.size;
    terminal.draw(|frame| {
        let screen = frame.area();
        size = (screen.width, screen.height);
        // The terminal may have been resized since: nothing is drawn for the old size.
        if size == state.size
            && let Some(cursor) = view::render(state, screen, frame.buffer_mut())
        {
            frame.set_cursor_position(cursor);
        }
    })?;
    terminal.backend_mut().end_frame()?;
    state.dirty = false;
    if size != state.size {
        // No event tells of a resize that was before anybody listened.
        update(state, Msg::Resize(size.0, size.1));
    }
    Ok(())
}
