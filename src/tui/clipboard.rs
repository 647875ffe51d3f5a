//! Clipboard of the user's terminal, reached by an escape sequence (OSC 52): over a network too.

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;

/// Longest text in bytes: terminals cut or drop sequences of more than about 75,000 bytes, and base64 makes four bytes
/// of three.
pub const LONGEST: usize = 56_000;

/// Terminal multiplexer between the program and the terminal, which swallows such sequences unless they are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// No multiplexer.
    Nothing,
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

impl Between {
    /// Detects the multiplexer from the environment.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        match (is_set("TMUX"), is_set("STY")) {
            (true, _) => Self::Tmux,
            (false, true) => Self::Screen,
            (false, false) => Self::Nothing,
        }
    }
}

/// Returns the sequence that puts `text` into the clipboard.
pub fn sequence(text: &str, between: Between) -> String {
    let mut plain = String::new();
    // Writing into a string does not fail.
    let _ = CopyToClipboard::to_clipboard_from(text).write_ansi(&mut plain);
    match between {
        Between::Nothing => plain,
        // tmux takes the plain one where its own clipboard is on, and hands the wrapped one on where that is allowed.
        Between::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")),
        Between::Screen => {
            // It hands on at most 768 bytes at a time, and ends what it hands on at the first ESC \.
            let bytes = plain.trim_end_matches("\x1b\\").to_owned() + "\x07";
            let chunks = bytes.as_bytes().chunks(512).map(String::from_utf8_lossy);
            chunks.map(|chunk| format!("\x1bP{chunk}\x1b\\")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_wrapped_for_what_stands_between() {
        let plain = sequence("Dallas", Between::Nothing);
        assert_eq!(plain, "\x1b]52;c;RGFsbGFz\x1b\\");
        let tmux = sequence("Dallas", Between::Tmux);
        assert!(tmux.ends_with("\x1bPtmux;\x1b\x1b]52;c;RGFsbGFz\x1b\x1b\\\x1b\\"), "{tmux:?}");
        assert_eq!(sequence("Dallas", Between::Screen), "\x1bP\x1b]52;c;RGFsbGFz\x07\x1b\\");
    }

    #[test]
    fn screen_gets_a_long_text_in_pieces_that_add_up() {
        let text = "x".repeat(10_000);
        let whole = sequence(&text, Between::Nothing);
        let pieces = sequence(&text, Between::Screen);
        let parts: Vec<&str> = pieces.split("\x1b\\").filter(|part| !part.is_empty()).collect();
        assert!(parts.len() > 10 && parts.iter().all(|part| part.len() <= 768));
        let joined: String = parts.iter().map(|part| part.strip_prefix("\x1bP").unwrap()).collect();
        assert_eq!(joined.trim_end_matches('\x07'), whole.trim_end_matches("\x1b\\"));
    }

    #[test]
    fn the_environment_says_what_stands_between() {
        let with = |set: &'static str| Between::detect(move |name| (name == set).then(|| "1".to_owned()));
        assert_eq!((with("TMUX"), with("STY"), with("X")), (Between::Tmux, Between::Screen, Between::Nothing));
    }
}
