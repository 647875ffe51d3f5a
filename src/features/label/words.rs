//! Classes of tokens, by whether they say something by themselves, and counts of tokens.

use std::collections::HashMap;

/// Function words of the languages that models are asked in most. A feature that fires on one of them is described by
/// the tokens around it.
const FUNCTION_WORDS: &[&str] = &[
    // English
    "a", "an", "the", "this", "that", "these", "those", "is", "are", "was", "were", "be", "been", "being", "am", "has",
    "have", "had", "do", "does", "did", "will", "would", "can", "could", "may", "might", "shall", "should", "must",
    "no", "not", "nor", "so", "than", "then", "too", "very", "just", "also", "only", "as", "at", "by", "for", "from",
    "in", "into", "of", "on", "onto", "to", "up", "with", "out", "off", "and", "or", "but", "if", "which", "who",
    "whom", "it", "its", "he", "she", "we", "they", "you", "i", "me", "him", "her", "them", "us", "my", "your", "our",
    "their", "his", "there", "here", "s", "t", "re", "ve", "ll", "d", "m",
    // French, Spanish, Italian, Portuguese
    "le", "la", "les", "l", "un", "une", "des", "du", "de", "au", "aux", "et", "est", "en", "dans", "que", "qui", "il",
    "elle", "el", "los", "las", "una", "uno", "y", "o", "es", "son", "del", "al", "se", "su", "lo", "gli", "di", "e",
    "os", "um", "uma", "da", "em", "no", "na", // German
    "der", "die", "das", "den", "dem", "ein", "eine", "und", "ist", "von", "mit", "zu", "im",
];

/// Punctuation that divides sentences. Signs that mean something, such as `+` or `$`, are not among them.
const PUNCTUATION: &str = ".,;:!?¿¡'\"`()[]{}<>|/\\_-–—…‘’‚“”„«»·。，、；：！？（）「」";

/// Returns a token's text without the spaces around it, however its tokenizer writes them.
pub(super) fn bare(token: &str) -> &str {
    token.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{2581}' | '\u{120}' | '\u{10a}'))
}

/// Returns true where a token begins a word, if tokens include their spaces.
pub(super) fn begins_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_whitespace() || matches!(c, '\u{2581}' | '\u{120}' | '\u{10a}'))
}

/// Returns true where a token says nothing by itself: white space, a mark of the tokenizer's such as `<eos>`,
/// punctuation, a part of a character, or a function word.
pub(super) fn is_silent(token: &str) -> bool {
    let text = bare(token);
    is_break(text) || FUNCTION_WORDS.contains(&text.to_lowercase().as_str())
}

/// Returns true where a run of words ends at a token: one that says nothing and is no function word.
pub(super) fn is_break(token: &str) -> bool {
    let text = bare(token);
    let is_mark = text.len() > 2 && text.starts_with('<') && text.ends_with('>') && !text.contains(' ');
    is_mark
        || text.contains("\\x")
        || text.chars().all(|c| c.is_whitespace() || c.is_control() || PUNCTUATION.contains(c))
}

/// Returns true where a token is a number.
pub(super) fn is_number(token: &str) -> bool {
    let text = bare(token);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Counts of tokens, regardless of case and the spaces around them.
#[derive(Default)]
pub(super) struct Tally<'a> {
    places: HashMap<String, usize>,
    /// Count of each token, and its first spelling.
    counts: Vec<(usize, &'a str)>,
    all: usize,
}

impl<'a> Tally<'a> {
    /// Counts tokens.
    pub fn of(tokens: impl Iterator<Item = &'a str>) -> Self {
        let mut tally = Self::default();
        for token in tokens {
            let next = tally.counts.len();
            let place = *tally.places.entry(bare(token).to_lowercase()).or_insert(next);
            if place == next {
                tally.counts.push((0, token));
            }
            tally.counts[place].0 += 1;
            tally.all += 1;
        }
        // The first of equally frequent ones stays first.
        tally.counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        tally
    }

    /// Returns the number of tokens counted.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Returns the most frequent token, and its count.
    pub fn most(&self) -> Option<(&'a str, usize)> {
        self.counts.first().map(|(count, token)| (*token, *count))
    }

    /// Returns the fewest tokens that make up `share` of all, at most three, each of them a tenth of all and there
    /// twice.
    pub fn few(&self, share: (usize, usize)) -> Option<Vec<&'a str>> {
        const SEVERAL: usize = 3;
        let (mut few, mut covered) = (Vec::new(), 0);
        for (count, token) in self.counts.iter().take(SEVERAL).take_while(|(n, _)| *n >= 2 && 10 * n >= self.all) {
            few.push(*token);
            covered += count;
            if 4 * covered >= 3 * self.all {
                break;
            }
        }
        (!few.is_empty() && share.1 * covered >= share.0 * self.all).then_some(few)
    }
}

/// Returns true where two tokens are the same word.
pub(super) fn same(a: &str, b: &str) -> bool {
    bare(a).to_lowercase() == bare(b).to_lowercase()
}
