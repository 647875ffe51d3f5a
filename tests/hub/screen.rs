//! From an empty machine to a graph without leaving the full-screen program.
#![cfg(unix)]

use crate::server::Server;
use crate::{Machine, fixture};
use circuitscope::hub::PRESETS;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_preset_is_chosen_downloaded_loaded_and_traced() {
    let server = Server::start();
    server.offer("Qwen/Qwen3-0.6B", &fixture("qwen3_plt_relu/model"), "");
    server.offer("mwhanna/qwen3-0.6b-transcoders-lowl0", &fixture("qwen3_plt_relu/transcoder"), "");
    let machine = Machine::new(&server);

    let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_circuitscope"));
    command.env_clear();
    let home = machine.home.path().to_str().unwrap();
    for (name, value) in [("HOME", home), ("HF_HOME", home), ("HF_ENDPOINT", &machine.endpoint)] {
        command.env(name, value);
    }
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    command.arg("start");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(size.rows), cells(size.cols), 0)));
    let (mut output, shown) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&screen));
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            shown.lock().unwrap().process(&bytes[..count]);
        }
    });
    let mut keys = pair.master.take_writer().unwrap();
    let mut press = |text: &str| keys.write_all(text.as_bytes()).and_then(|()| keys.flush()).unwrap();
    let contents = || screen.lock().unwrap().screen().contents();
    let until = |text: &str| {
        let begun = Instant::now();
        while !contents().contains(text) {
            assert!(begun.elapsed() < LIMIT, "{text:?} is not there:\n{}", contents());
            thread::sleep(Duration::from_millis(5));
        }
    };

    until("qwen3-0.6b");
    // The demo stands in front of the presets.
    let down = 1 + PRESETS.iter().position(|preset| preset.name == "qwen3-0.6b").unwrap();
    press(&format!("{}\r", "j".repeat(down)));
    until("Ask http://127.0.0.1");
    assert_eq!(server.asked().len(), 0, "no question before the yes");
    press("y");
    until("into the hub cache?");
    assert!(!server.asked().iter().any(|asked| asked.storage), "no file before the second yes");
    press("y");
    until("the prompt is empty");
    let asked = server.asked().len();
    press("the capital of France is\r");
    until("replacement");
    assert_eq!(server.asked().len(), asked);
    press("M");
    until("qwen3-0.6b");
    press("\x03q");
    let status = child.wait().unwrap();
    assert!(status.success(), "{status:?}");
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}
