//! The program in a real pseudo-terminal: what is typed, what is shown, and what is left behind.
#![cfg(unix)]

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::ffi::OsStr;
use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a debug build on a busy machine; nothing waits this long where all is well.
const LIMIT: Duration = Duration::from_secs(120);

struct Session {
    screen: Arc<Mutex<vt100::Parser>>,
    written: Arc<Mutex<Vec<u8>>>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    modes: String,
    _home: tempfile::TempDir,
}

impl Session {
    fn start(env: &[(&str, &str)]) -> Self {
        Self::run(&[], env)
    }

    /// Opens a graph.
    fn open(graph: &Path) -> Self {
        Self::run(&[OsStr::new("open"), graph.as_os_str()], &[])
    }

    fn run(args: &[&OsStr], env: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_circuitscope"));
        command.args(args);
        Self::spawn(command, env)
    }

    /// Runs a line of shell in which `$0` is the program and `$1` a graph.
    fn shell(line: &str, graph: &Path) -> Self {
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_circuitscope")]);
        command.arg(graph);
        Self::spawn(command, &[])
    }

    fn spawn(mut command: CommandBuilder, env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 40, cols: 130, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        for name in ["XDG_DATA_HOME", "NO_COLOR", "COLORTERM", "COLORFGBG", "SSH_TTY", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        // The log and whatever else is kept must not land in the home of whoever runs the tests.
        let home = tempfile::tempdir().unwrap();
        command.env("HOME", home.path());
        command.env("XDG_STATE_HOME", home.path());
        for (name, value) in env {
            command.env(name, value);
        }
        let modes = modes(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(size.rows), cells(size.cols), 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let (shown, written) = (Arc::clone(&screen), Arc::<Mutex<Vec<u8>>>::default());
        let recorded = Arc::clone(&written);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
                recorded.lock().unwrap().extend(&bytes[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { screen, written, master: pair.master, keys, child, modes, _home: home }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Everything that was written.
    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let started = Instant::now();
        while !holds(self.screen.lock().unwrap().screen()) {
            assert!(started.elapsed() < LIMIT, "{what} is not there:\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn until_shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    #[track_caller]
    fn until_restored(&self) {
        self.until("the terminal as it was", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
    }

    /// A signal to go on that comes before the program has stopped would be lost.
    #[track_caller]
    fn until_stopped(&self) {
        let id = self.child.process_id().unwrap().to_string();
        let started = Instant::now();
        let state = || Command::new("ps").args(["-o", "stat=", "-p", &id]).output().unwrap().stdout;
        while !state().starts_with(b"T") {
            assert!(started.elapsed() < LIMIT, "the program does not stop");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn resize(&self, rows: u16, cols: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(cols));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < LIMIT, "the program does not leave:\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Whatever a test left running; a program that left already cannot be killed, which is as well.
        let _ = self.child.kill();
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// Raw or cooked, echoing or not.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

#[test]
fn a_prompt_is_typed_traced_and_walked_and_the_terminal_given_back() {
    let mut session = Session::start(&[]);
    session.until_shows("→ Austin");
    session.press("i");
    session.until_shows("11 tokens");
    session.press("\x15fact : the capital of the state containing Oaklan is");
    session.until_shows("\"Oaklan\" is not in the vocabulary; nearest: Oakland");
    session.press("\t");
    session.until_shows("11 tokens");
    session.press("\r");
    session.until_shows("containing Oakland is → Sacramento");
    for step in 1..=3 {
        session.press("1");
        session.until("another station", |screen| {
            let crumbs = screen.rows(0, 130).nth(38).unwrap_or_default();
            crumbs.matches(['‹', '›']).count() == step
        });
    }
    session.press("q");
    assert!(session.wait().success());
    session.until_restored();
    assert_eq!(modes(session.master.as_ref()), session.modes, "keys are echoed and signal again");
}

#[test]
fn another_citys_features_change_the_answer_to_another_states_capital() {
    let mut session = Session::start(&[]);
    session.until_shows("→ Austin");
    session.until("the whole graph", |screen| !screen.contents().contains("feature rows"));
    session.press("/Dallas");
    session.until("what was found", |screen| {
        screen.rows(0, 130).any(|line| line.contains("│ Dallas") && !line.contains(" 0 of "))
    });
    session.press("\rGI");
    session.until_shows("mode: free");
    session.press("s\x15fact : the capital of the state containing Oakland is\r");
    session.until("the other answer rises", |screen| {
        let rises = |line: String| line.contains("›0.9") && line.contains("Sacramento");
        screen.rows(0, 130).any(rises)
    });
    session.press("g");
    session.until("the continuations", |screen| {
        screen.rows(0, 130).any(|line| line.contains("Austin") && line.contains("Sacramento") && !line.contains('›'))
    });
    session.press("qq");
    assert!(session.wait().success());
}

#[test]
fn a_signal_that_ends_it_gives_the_terminal_back() {
    for name in SIGNALS {
        let mut session = Session::start(&[]);
        session.until_shows("→ Austin");
        session.signal(name);
        assert!(!session.wait().success());
        session.until_restored();
        assert_eq!(modes(session.master.as_ref()), session.modes, "{name}");
    }
}

/// The signals that would end a program which does not listen.
const SIGNALS: [&str; 13] =
    ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "XCPU", "XFSZ", "ABRT", "BUS"];

#[test]
fn a_signal_as_soon_as_the_terminal_is_claimed_gives_it_back() {
    let graph = traced();
    for name in SIGNALS.into_iter().cycle().take(26) {
        let mut session = Session::open(&graph.path);
        let started = Instant::now();
        while session.written.lock().unwrap().is_empty() {
            assert!(started.elapsed() < LIMIT, "nothing is written");
            thread::yield_now();
        }
        session.signal(name);
        assert!(!session.wait().success());
        session.until_restored();
        assert_eq!(modes(session.master.as_ref()), session.modes, "{name}");
    }
}

#[test]
fn without_a_terminal_to_draw_on_it_says_so_and_leaves_the_one_it_reads_alone() {
    let graph = traced();
    for line in ["\"$0\" open \"$1\" | true", "\"$0\" open \"$1\" > /dev/null", "\"$0\" open \"$1\" >&-"] {
        let mut session = Session::shell(line, &graph.path);
        session.until_shows("it draws on a terminal");
        session.wait();
        assert_eq!(modes(session.master.as_ref()), session.modes, "{line}");
    }
}

#[test]
fn memory_that_is_refused_is_said_on_a_terminal_that_is_given_back() {
    let graph = traced();
    // The program itself takes some 30 MiB of addresses beside its own size; what is left is not enough for the screen.
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_circuitscope")).unwrap().len() / 1024;
    let mut refused = 0;
    for more in (40..120).map(|mib| mib * 1024) {
        let line = format!("ulimit -v {}; exec \"$0\" open \"$1\"", size + more);
        let mut session = Session::shell(&line, &graph.path);
        thread::sleep(Duration::from_millis(300));
        session.press("q");
        let left = session.wait().success();
        assert_eq!(modes(session.master.as_ref()), session.modes, "{more}");
        let said = session.raw();
        refused += usize::from(!left && said.contains("not enough memory"));
        // Memory may be refused before the screen is entered, but not between the entry and the exit.
        assert!(!said.contains("\x1b[?1049h") || said.contains("\x1b[?1049l"), "{said}");
        if refused > 0 {
            break;
        }
    }
    assert!(refused > 0, "no limit was tight enough to be told of");
}

/// A graph of the demo's usual prompt, in a folder of its own.
struct Traced {
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

fn traced() -> Traced {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.safetensors");
    let mut trace = Command::new(env!("CARGO_BIN_EXE_circuitscope"));
    trace.args(["trace", "--prompt", "fact : the capital of the state containing Dallas is", "--out"]).arg(&path);
    assert!(trace.output().unwrap().status.success());
    Traced { path, _folder: folder }
}

/// What is typed, or pasted where the terminal does not mark it, comes in pieces of any size.
#[test]
fn keys_behind_a_megabyte_of_keys_are_obeyed() {
    let mut session = Session::start(&[]);
    session.until_shows("→ Austin");
    session.press("/");
    session.press(&"ab".repeat(1 << 19));
    session.press("\x15found");
    session.until_shows("found");
    session.press("\x1b");
    session.until("the end of the search", |screen| !screen.contents().contains("found"));
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let mut session = Session::start(&[]);
    session.until_shows("→ Austin");
    // The graph is there before all of its rows are.
    session.until("the end of the trace", |screen| !screen.contents().contains("stops"));
    session.press("1");
    session.until_shows("Texas L0");
    session.until_shows("Top activations");
    thread::sleep(Duration::from_millis(200));
    let before = session.raw();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(session.raw(), before);
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn it_can_be_suspended_and_continued() {
    let mut session = Session::start(&[]);
    session.until_shows("→ Austin");
    session.press("\x1a");
    session.until_restored();
    session.until_stopped();
    session.signal("CONT");
    session.until_shows("→ Austin");
    session.press("1");
    session.until_shows("‹");
    session.signal("TSTP");
    session.until_restored();
    session.until_stopped();
    session.signal("CONT");
    session.until_shows("‹");
    session.press("q");
    assert!(session.wait().success());
    session.until_restored();
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    // Also before the program listens.
    let mut session = Session::start(&[]);
    session.resize(30, 100);
    session.until_shows("→ Austin");
    session.resize(8, 30);
    session.until_shows("too small");
    session.resize(24, 80);
    session.until_shows("→ Austin");
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn without_colour_nothing_is_coloured() {
    let mut session = Session::start(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
    session.until_shows("→ Austin");
    {
        let parser = session.screen.lock().unwrap();
        let screen = parser.screen();
        let cells = (0..40).flat_map(|y| (0..130).filter_map(move |x| screen.cell(y, x)));
        let plain = vt100::Color::Default;
        assert!(cells.clone().all(|cell| cell.fgcolor() == plain && cell.bgcolor() == plain));
        assert!(cells.clone().any(vt100::Cell::inverse), "the selection shows all the same");
    }
    session.press("q");
    assert!(session.wait().success());
}

/// The colour of the first thing that the header says.
fn header(screen: &vt100::Screen) -> Option<vt100::Color> {
    let text = (0..130).filter_map(|x| screen.cell(0, x)).find(|cell| !cell.contents().trim().is_empty());
    text.map(vt100::Cell::fgcolor)
}

#[test]
fn the_terminal_is_asked_for_its_background_and_no_key_is_lost_over_it() {
    let begun = |env: &[(&str, &str)], typed: &str| {
        let mut session = Session::start(env);
        // Before the program is there to read it.
        session.press(typed);
        session.until_shows("→ Austin");
        session
    };
    let leave = |mut session: Session| {
        session.press("q");
        assert!(session.wait().success());
        session.until_restored();
    };
    let silent = begun(&[], "");
    assert!(silent.raw().contains("\x1b]11;?\x07"));
    let dark = header(silent.screen.lock().unwrap().screen());
    // The answer may come late, and among keys.
    let mut late = begun(&[], "");
    late.press("?");
    late.until_shows("Walk the circuit");
    late.press("pi\x1b]11;rgb:ffff/ffff/ffff\x1b\\n");
    late.until_shows("filter pin");
    late.until("the light colours", |screen| header(screen) != dark);
    late.press("\x1b");
    late.until("no filter", |screen| !screen.contents().contains("filter pin"));
    late.press("\x1b");
    late.until("no help", |screen| !screen.contents().contains("Walk the circuit"));
    let light = header(late.screen.lock().unwrap().screen());
    let early = begun(&[], "\x1b]11;rgb:fdfd/f6f6/e3e3\x07");
    early.until("the light colours", |screen| header(screen) == light);
    for session in [silent, late, early] {
        leave(session);
    }
    for env in [("TERM", "linux"), ("TERM", "dumb"), ("NO_COLOR", "1")] {
        let session = Session::start(&[env]);
        session.until_shows("Austin");
        assert!(!session.raw().contains("\x1b]11"), "{env:?}");
        leave(session);
    }
}

#[test]
fn a_plain_terminal_gets_plain_characters() {
    let mut session = Session::start(&[("TERM", "linux"), ("LANG", "C")]);
    session.until_shows("-> Austin");
    assert!(session.text().is_ascii(), "{}", session.text());
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn what_was_done_is_there_again_however_the_program_ended() {
    let graph = traced();
    for (pins, end) in ["q", "HUP", "TERM", "KILL", "q"].into_iter().enumerate() {
        let mut session = Session::open(&graph.path);
        session.until_shows("→ Austin");
        if pins > 0 {
            session.until_shows(&format!("pins {pins} "));
        }
        // Another node every time: along the next connection of the answer.
        session.press(&format!("g{}p", pins + 1));
        session.until_shows(&format!("pins {} ", pins + 1));
        match end {
            "q" => session.press("q"),
            "KILL" => {
                // Killed outright it may lose what was done in the last second, and nothing before.
                thread::sleep(Duration::from_secs(1));
                session.signal(end);
            }
            signal => session.signal(signal),
        }
        assert_eq!(session.wait().success(), end == "q");
    }
}

/// Whether a graph that says `text` is there, and nothing more comes to it.
fn is_traced(screen: &vt100::Screen, text: &str) -> bool {
    let shown = screen.contents();
    shown.contains(text) && !shown.contains("stops")
}

/// The number behind `what` on the screen.
fn number_behind(text: &str, what: &str) -> f64 {
    let rest = text.split(what).nth(1).unwrap_or_else(|| panic!("{what:?} is not there:\n{text}")).trim_start();
    let number = rest.split([' ', ',']).next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("{number:?} is no number:\n{text}"))
}

#[test]
fn why_a_feature_does_not_fire_adds_up_and_is_walked() {
    let mut session = Session::start(&[]);
    session.until("the whole graph", |screen| is_traced(screen, "→ Austin"));
    session.press("W");
    session.until_shows("holds it down");
    let text = session.text();
    let parts = ["= ", " up ", " down "].map(|what| number_behind(&text[text.find("= ").unwrap()..], what));
    let value = number_behind(&text, "pre-activation ");
    assert!((parts.iter().sum::<f64>() - value).abs() < 1e-3, "{text}");
    assert!(text.contains("does not fire") && text.contains("below its threshold of"), "{text}");
    // The margin is the output of a graph beside the first one.
    session.press("\r");
    session.until("the graph of the margin", |screen| {
        is_traced(screen, "2/2 fact") && screen.contents().contains("→ 3:10:")
    });
    session.press("{");
    session.until_shows("→ Austin");
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn two_cities_are_compared_and_merged() {
    let mut session = Session::start(&[]);
    session.until("the whole graph", |screen| is_traced(screen, "→ Austin"));
    session.press("|\r\x15fact : the capital of the state containing Oakland is\r");
    session.until_shows("flows out");
    let text = session.text();
    let lines: Vec<&str> = text.lines().collect();
    let ends = |word: &str| lines[3..5].iter().find_map(|line| line.find(word)).unwrap();
    assert_eq!(ends("Dallas"), ends("Oakland"), "{text}");
    session.press("fff");
    session.until("what only the first has", |screen| {
        let text = screen.contents();
        text.contains("[A only A") && text.contains("logit Austin") && !text.contains("logit Sacramento  ")
    });
    session.press("m");
    session.until_shows("Dallas is / fact");
    session.until_shows("B Sacramento");
    session.press("q");
    assert!(session.wait().success());
}

#[test]
fn a_page_of_the_guide_is_shown_by_the_pager_or_without_one() {
    // A pager that marks what it shows, one that leaves before it has read the page, none, and one that is not there.
    let guide = ["guide", "json"].map(OsStr::new);
    for (pager, shows) in [
        ("sed 's/^# /shown: /'", "shown: What commands print"),
        ("head -n 1", "# What commands print"),
        ("", "whether it was here"),
        ("/no/such/pager", "whether it was here"),
    ] {
        let mut session = Session::run(&guide, &[("PAGER", pager)]);
        assert!(session.wait().success(), "{pager}: {}", session.text());
        let started = Instant::now();
        while !session.raw().contains(shows) {
            assert!(started.elapsed() < LIMIT, "{pager}: {}", session.raw());
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!session.raw().contains("circuitscope:"), "{pager}: {}", session.raw());
    }
}
