//! Signs of old files for invisible characters in a token.

const SIGNS: [(char, char); 3] = [('⏎', '\n'), ('→', '\t'), ('↵', '\r')];

/// Use of these signs in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    are_used: bool,
}

impl Signs {
    /// Determines the use of signs in a file with these tokens and this prompt. Where the prompt has such a sign
    /// itself, or tokens have the character that it would stand for, signs are taken as they are.
    pub fn of(tokens: &[String], prompt: &str) -> Self {
        let is_sign = |c: char| SIGNS.iter().any(|(sign, _)| *sign == c);
        let is_meant = |c: char| SIGNS.iter().any(|(_, meant)| *meant == c);
        Self { are_used: !prompt.contains(is_sign) && !tokens.iter().any(|token| token.contains(is_meant)) }
    }

    /// Returns a text with signs replaced by the characters that they stand for.
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
