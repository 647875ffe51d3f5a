//! Detection of the terminal's background, by asking the terminal itself (OSC 11).
//!
//! Nothing waits for the answer: it comes among the keys, at any time or never, and is picked out there. Keys that are
//! typed before, after or instead of it go on as they came.

use crate::tui::keymap::{Code, Key};
use crate::tui::theme::Ground;

/// Sequence that asks the terminal for its background.
pub const QUERY: &str = "\x1b]11;?\x07";

/// First key of an answer: the two bytes of `ESC ]` are read as `Alt-]`.
const START: Key = Key { code: Code::Char(']'), ctrl: false, alt: true };
/// `BEL` and `ESC \`, one of which ends it.
const ENDS: [Key; 2] =
    [Key { code: Code::Char('g'), ctrl: true, alt: false }, Key { code: Code::Char('\\'), ctrl: false, alt: true }];
/// Beginning of every answer's text.
const HEAD: &str = "11;rgb";
/// Most characters of an answer: `11;rgba:ffff/ffff/ffff/ffff`.
const LONGEST: usize = 27;

/// Picks the terminal's answer out of what is typed.
#[derive(Debug, Default)]
pub struct Answers {
    /// Keys that may be the beginning of an answer.
    held: Vec<Key>,
}

/// Result of hearing a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Keys that are no answer, in their order; none while an answer may be coming.
    Keys(Vec<Key>),
    /// Background that the terminal answered.
    Ground(Ground),
}

impl Answers {
    /// Takes the next key, and returns the keys or the answer that it completes.
    pub fn hear(&mut self, key: Key) -> Heard {
        if self.held.is_empty() {
            return match key {
                START => {
                    self.held.push(key);
                    Heard::Keys(Vec::new())
                }
                _ => Heard::Keys(vec![key]),
            };
        }
        let text: String = self.held[1..].iter().filter_map(|key| key.typed()).collect();
        if ENDS.contains(&key)
            && let Some(ground) = ground(&text)
        {
            self.held.clear();
            return Heard::Ground(ground);
        }
        self.held.push(key);
        let goes_on = key.typed().is_some_and(|c| may_begin(&text, c));
        Heard::Keys(if goes_on { Vec::new() } else { self.give_up() })
    }

    /// Returns true where keys are held that an answer may begin with. An answer comes in one piece, so they are none
    /// where nothing follows them soon.
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Returns the held keys, which turned out to be no answer.
    pub fn give_up(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.held)
    }
}

/// Returns true where an answer can begin with `text` and `c`.
fn may_begin(text: &str, c: char) -> bool {
    match HEAD.chars().nth(text.len()) {
        Some(expected) => c == expected,
        None => text.len() < LONGEST && (c.is_ascii_hexdigit() || matches!(c, ':' | '/' | 'a')),
    }
}

/// Reads light or dark from `11;rgb:RRRR/GGGG/BBBB` with one to four hexadecimal digits each, or from `rgba:`.
fn ground(answer: &str) -> Option<Ground> {
    let (_, channels) = answer.strip_prefix(HEAD)?.split_once(':')?;
    let channels: Option<Vec<f64>> = channels.split('/').map(channel).collect();
    let (red, green, blue) = match channels?[..] {
        [red, green, blue] | [red, green, blue, _] => (red, green, blue),
        _ => return None,
    };
    // ITU-R BT.709.
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    Some(if luma > 0.5 { Ground::Light } else { Ground::Dark })
}

/// Reads a colour channel as a share of full brightness.
fn channel(hex: &str) -> Option<f64> {
    let value = u16::from_str_radix(hex, 16).ok().filter(|_| hex.len() <= 4)?;
    let full = 16f64.powi(hex.len() as i32) - 1.0;
    Some(f64::from(value) / full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(text: &str) -> Vec<Key> {
        text.chars().map(|c| Key::plain(Code::Char(c))).collect()
    }

    fn hear(all: &[Key]) -> (Vec<Key>, Option<Ground>) {
        let (mut answers, mut keys, mut found) = (Answers::default(), Vec::new(), None);
        for key in all {
            match answers.hear(*key) {
                Heard::Keys(heard) => keys.extend(heard),
                Heard::Ground(ground) => found = Some(ground),
            }
        }
        keys.extend(answers.give_up());
        (keys, found)
    }

    #[test]
    fn an_answer_is_picked_out_from_between_keys() {
        for (answer, ground) in [
            ("11;rgb:ffff/ffff/ffff", Ground::Light),
            ("11;rgb:1e/1E/1e", Ground::Dark),
            ("11;rgba:fdf6/f6e3/e3e3/ffff", Ground::Light),
            ("11;rgb:0000/0000/ffff", Ground::Dark),
        ] {
            for end in ENDS {
                let all = [keys("jk"), vec![START], keys(answer), vec![end], keys("p")].concat();
                assert_eq!(hear(&all), (keys("jkp"), Some(ground)), "{answer}");
            }
        }
    }

    proptest! {
        #[test]
        fn keys_that_are_no_answer_go_on_as_they_came(
            before in "[a-z0-9:;/]{0,3}", answer in "(11;rgb:)?[0-9a-z/:;]{0,30}", ends in any::<bool>(),
        ) {
            // Too many digits, or too few channels.
            prop_assume!(ground(&answer).is_none());
            let mut all = [keys(&before), vec![START], keys(&answer)].concat();
            all.extend(ends.then_some(ENDS[0]));
            prop_assert_eq!(hear(&all), (all, None));
        }
    }
}
