//! The signs that old files have for what is invisible in a token.

const SIGNS: [(char, char); 3] = [('⏎', '\n'), ('→', '\t'), ('↵', '\r')];

/// Whether a file has such signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    are_used: bool,
}

impl Signs {
    /// Of a file with these tokens and this prompt. A prompt that has such a sign itself, or tokens that have what it would
    /// stand for, are to be taken as they are.
    pub fn of(tokens: &[String], prompt: &str) -> Self {
        let is_sign = |c: char| SIGNS.iter().any(|(sign, _)| *sign == c);
        let is_meant = |c: char| SIGNS.iter().any(|(_, meant)| *meant == c);
        Self { are_used: !prompt.contains(is_sign) && !tokens.iter().any(|token| token.contains(is_meant)) }
    }

    /// What a text means.
    pub fn meant(self, text: &str) -> String {
        let of = |c: char| SIGNS.iter().find(|(sign, _)| *sign == c && self.are_used).map_or(c, |(_, meant)| *meant);
        text.chars().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_taken_for_what_they_stand_for_unless_they_are_meant() {
        let signs =
            |tokens: &[&str], prompt| Signs::of(&tokens.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(), prompt);
        assert_eq!(signs(&["a⏎", "→"], "a").meant("a⏎→↵"), "a\n\t\r");
        assert_eq!(signs(&["a⏎", "→"], "a → b").meant("→"), "→");
        assert_eq!(signs(&["a\n", "→"], "a").meant("→"), "→");
    }
}
