//! Label of a feature made from its contexts: what they share, or nothing.
//!
//! First come the few tokens on which its contexts peak, where these say something; then the token that it promotes
//! most, where that stands out and follows in the contexts; then what else all contexts share: what follows, the words
//! that lead to the peak, or that all of it are numbers. A token that says nothing by itself, such as `is`, `.` or
//! `<eos>`, is never a label.

use super::words::{Tally, bare, begins_word, is_break, is_number, is_silent, same};
use crate::features::{Dashboard, Example};

/// Number of contexts that are used: the strongest ones say most.
const LOOKED_AT: usize = 20;
/// Most tokens before the peak in a label.
const LONGEST: usize = 3;
/// Most pieces of a word that are joined.
const PIECES: usize = 6;
/// Share of all contexts that counts as most of them.
const MOST: (usize, usize) = (3, 4);
/// Share that counts as most contexts where several tokens are named.
const MANY: (usize, usize) = (2, 3);

/// Context with its peak.
struct Context<'a> {
    tokens: &'a [String],
    at: usize,
    /// Token of the peak joined with the pieces of the same word before it, and the index where that begins.
    word: String,
    start: usize,
}

impl<'a> Context<'a> {
    fn new(example: &'a Example, spaced: bool) -> Option<Self> {
        let (tokens, at) = (example.tokens.as_slice(), example.strongest()?);
        let mut start = at;
        let goes_on = |start: usize| {
            let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let before = start.checked_sub(1).map(|before| &tokens[before]);
            let is_piece = !begins_word(&tokens[start]) && joins(tokens[start].chars().next());
            is_piece && before.is_some_and(|before| !is_break(before) && joins(before.chars().next_back()))
        };
        while spaced && at - start < PIECES && goes_on(start) {
            start -= 1;
        }
        Some(Self { tokens, at, word: tokens[start..=at].concat(), start })
    }

    fn next(&self) -> Option<&'a str> {
        self.tokens.get(self.at + 1).map(String::as_str)
    }

    /// Returns the token `back` places before the word of the peak.
    fn before(&self, back: usize) -> Option<&'a str> {
        self.start.checked_sub(back).map(|at| self.tokens[at].as_str())
    }
}

/// Makes a label from a dashboard's contexts; `None` where they share nothing that says something, or where there are
/// not two of them.
pub(super) fn name(dashboard: &Dashboard) -> Option<String> {
    let spacer = dashboard.spacer();
    let distinct = dashboard.examples().filter(|example| !example.repeated);
    let contexts: Vec<Context<'_>> =
        distinct.filter_map(|example| Context::new(example, spacer.is_empty())).take(LOOKED_AT).collect();
    if contexts.len() < 2 {
        return None;
    }
    let peaks = Tally::of(contexts.iter().map(|context| context.word.as_str()));
    let after = Tally::of(contexts.iter().filter_map(Context::next));
    let most_go_on = is_most(after.all(), contexts.len());
    fires_on(&contexts, &peaks, spacer)
        .or_else(|| says(dashboard, &after, contexts.len()))
        .or_else(|| if most_go_on { listed("before ", after.few(MOST)) } else { None })
        .or_else(|| {
            let (peak, _) = peaks.most().filter(|(_, count)| is_most(*count, contexts.len()))?;
            Some(joined(&lead(&of(&contexts, peak))?, Some(peak), spacer))
        })
        .or_else(|| {
            let lead = lead(&contexts.iter().collect::<Vec<_>>())?;
            Some(format!("after {}", joined(&lead, None, spacer)))
        })
        .or_else(|| numbers(&contexts, most_go_on))
        .or_else(|| listed("after ", Tally::of(contexts.iter().map(|it| it.before(1).unwrap_or_default())).few(MOST)))
}

/// Returns the contexts that peak on a word.
fn of<'a, 'b>(contexts: &'b [Context<'a>], word: &str) -> Vec<&'b Context<'a>> {
    contexts.iter().filter(|context| same(&context.word, word)).collect()
}

/// Returns true where `count` of `all` are most of them.
fn is_most(count: usize, all: usize) -> bool {
    MOST.1 * count >= MOST.0 * all
}

/// Names the few tokens on which most contexts peak. A single one is shown within the words that always lead to it.
fn fires_on(contexts: &[Context<'_>], peaks: &Tally<'_>, spacer: &str) -> Option<String> {
    let few = peaks.few(MANY).filter(|few| !few.iter().any(|token| is_silent(token)))?;
    let [only] = few[..] else { return listed("", Some(few)) };
    Some(match lead(&of(contexts, only)) {
        Some(lead) => format!("{} in: {}", bare(only), joined(&lead, Some(only), spacer)),
        None => bare(only).to_owned(),
    })
}

/// Names the token that the feature promotes most, where it stands out from the others and follows in the contexts: by
/// half where it follows in half of them, by a tenth where in most. Without known effects, it has to follow in most.
fn says(dashboard: &Dashboard, after: &Tally<'_>, n_contexts: usize) -> Option<String> {
    let first = dashboard.promoted.first()?;
    let (next, count) = after.most().filter(|(next, _)| same(next, first) && !is_silent(next))?;
    let others = dashboard.promoted.iter().zip(&dashboard.promoted_by).filter(|(token, _)| !same(token, first));
    let stands_out = match (dashboard.promoted_by.first(), others.map(|(_, by)| *by).next()) {
        (Some(by), Some(other)) => {
            *by > 0.0
                && (*by >= 1.5 * other && 2 * count >= n_contexts || *by >= 1.1 * other && is_most(count, n_contexts))
        }
        _ => is_most(count, n_contexts),
    };
    stands_out.then(|| format!("say {}", bare(next)))
}

/// Returns the tokens that lead to the peak in most contexts, the nearest one last, from the first that says something
/// on; none of them divides sentences.
fn lead<'a>(contexts: &[&Context<'a>]) -> Option<Vec<&'a str>> {
    let mut along: Vec<&Context<'a>> = contexts.to_vec();
    let mut run = Vec::new();
    for back in 1..=LONGEST {
        let tally = Tally::of(along.iter().filter_map(|context| context.before(back)));
        let Some((token, count)) = tally.most().filter(|(token, _)| !is_break(token)) else { break };
        if !is_most(count, contexts.len()) {
            break;
        }
        along.retain(|context| context.before(back).is_some_and(|other| same(other, token)));
        run.push(token);
    }
    while run.last().is_some_and(|token| is_silent(token)) {
        run.pop();
    }
    run.reverse();
    (!run.is_empty()).then_some(run)
}

/// Joins consecutive tokens as they are read.
fn joined(lead: &[&str], peak: Option<&str>, spacer: &str) -> String {
    let tokens: Vec<&str> = lead.iter().copied().chain(peak).collect();
    let text = tokens.join(spacer).replace(['\u{2581}', '\u{120}'], " ");
    bare(&text).to_owned()
}

/// Lists several tokens behind a word for their place; `None` where one of them says nothing.
fn listed(head: &str, tokens: Option<Vec<&str>>) -> Option<String> {
    let tokens = tokens.filter(|tokens| !tokens.iter().any(|token| is_silent(token)))?;
    let bare: Vec<&str> = tokens.into_iter().map(bare).collect();
    Some(format!("{head}{}", bare.join(", ")))
}

/// Says that all peaks, or all tokens that follow, are numbers.
fn numbers(contexts: &[Context<'_>], most_go_on: bool) -> Option<String> {
    if contexts.iter().all(|context| is_number(&context.word)) {
        return Some("numbers".to_owned());
    }
    let before = most_go_on && contexts.iter().filter_map(Context::next).all(is_number);
    before.then(|| "before a number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Quantile;
    use proptest::prelude::*;

    /// Makes a dashboard of contexts with the index of each peak, and of promoted tokens with their effects.
    fn dashboard(contexts: &[(Vec<String>, usize)], promoted: &[(&str, f32)]) -> Dashboard {
        let example = |(tokens, peak): &(Vec<String>, usize)| Example {
            tokens: tokens.clone(),
            activations: (0..tokens.len()).map(|at| if at == *peak { 2.0 } else { 0.5 }).collect(),
            ..Example::default()
        };
        let quantiles = vec![Quantile { name: String::new(), examples: contexts.iter().map(example).collect() }];
        let (tokens, by): (Vec<String>, Vec<f32>) =
            promoted.iter().map(|(token, by)| ((*token).to_owned(), *by)).unzip();
        let by = if by.contains(&0.0) { Vec::new() } else { by };
        Dashboard { quantiles, promoted: tokens, promoted_by: by, ..Dashboard::default() }
    }

    /// Labels contexts of words; the one in brackets is the peak. An effect of 0 counts as unknown.
    fn named(contexts: &[&str], promoted: &[(&str, f32)]) -> Option<String> {
        let context = |text: &&str| {
            let peak = text.split(' ').position(|word| word.starts_with('[')).unwrap();
            (text.split(' ').map(|word| word.trim_matches(['[', ']']).to_owned()).collect(), peak)
        };
        name(&dashboard(&contexts.iter().map(context).collect::<Vec<_>>(), promoted))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_fires_on_few_tokens_is_called_by_them() {
        let texas = ["[Houston] is here", "[El-Paso] lies there", "[Dallas] is big", "in [Houston] is", "[Dallas] now"];
        assert_eq!(named(&texas, &[("is", 1.0)]), some("Houston, Dallas"));
        let texas = [&texas[..], &["near [El-Paso] is"]].concat();
        assert_eq!(named(&texas, &[("is", 1.0)]), some("Houston, El-Paso, Dallas"));
        let capital = ["a state whose [capital] is Austin", "a country whose [capital] is Paris"];
        assert_eq!(named(&capital, &[]), some("capital in: whose capital"));
        assert_eq!(named(&["the [map] of", "the [map] here"], &[("of", 1.0)]), some("map"));
        assert_eq!(named(&["fact : the [city] of", "fact : a [city] of"], &[]), some("city"));
        assert_eq!(named(&["[Dallas] is here"], &[]), None, "one context shares nothing");
    }

    #[test]
    fn what_writes_an_answer_says_it_where_that_stands_out() {
        let austin = ["whose capital [is] Austin", "of Texas [is] Austin", "containing Dallas [is] Austin"];
        assert_eq!(named(&austin, &[("Austin", 0.9), ("Paris", 0.6)]), some("say Austin"));
        assert_eq!(named(&austin, &[("Austin", 0.61), ("Paris", 0.6)]), some("before Austin"));
        assert_eq!(named(&austin, &[("Austin", 0.9), (" austin", 0.89), ("Paris", 0.6)]), some("say Austin"));
        assert_eq!(named(&austin, &[("Austin", 0.0), ("Paris", 0.0)]), some("say Austin"), "amounts are not known");
        assert_eq!(named(&austin, &[("Paris", 0.9), ("Austin", 0.2)]), some("before Austin"));
        let once = [&austin[..1], &["in a [is] big", "on the [is] small", "to an [is] red"]].concat();
        assert_eq!(named(&once, &[("Austin", 9.0), ("Paris", 0.1)]), None, "it follows in one of four");
    }

    #[test]
    fn what_leads_to_a_word_that_says_nothing_tells_it() {
        assert_eq!(named(&["the state [of] Texas", "a state [of] Ohio"], &[]), some("state of"));
        let after = ["opposite of [dry] is", "opposite of [dark] is", "opposite of [big] es", "opposite of [sad] es"];
        assert_eq!(named(&after, &[("is", 1.0)]), some("after opposite of"));
        assert_eq!(named(&["3 + 4 [=] 7", "2 + 2 [=] 4", "9 + 0 [=] 9"], &[]), some("="));
        assert_eq!(named(&["[1] a", "[2] b", "[3] c", "[4] d"], &[]), some("numbers"));
    }

    #[test]
    fn pieces_of_a_word_are_put_together() {
        let tokens = |text: &[&str]| text.iter().map(|token| (*token).to_owned()).collect::<Vec<_>>();
        let contexts = [(tokens(&["in", " H", "oust", "on", ","]), 3), (tokens(&["\u{2581}H", "oust", "on", "."]), 2)];
        assert_eq!(name(&dashboard(&contexts, &[])), some("Houston"));
        let contexts = [(tokens(&[" the", " state", " of", " Ohio"]), 2), (tokens(&["a", " state", " of", " X"]), 2)];
        assert_eq!(name(&dashboard(&contexts, &[])), some("state of"));
    }

    #[test]
    fn nothing_is_said_rather_than_noise() {
        for silent in ["<eos>", "is", ".", "\\xe2"] {
            let contexts =
                [format!("Dallas [{silent}] the"), format!("one [{silent}] is"), format!("{silent} [{silent}]")];
            let contexts: Vec<&str> = contexts.iter().map(String::as_str).collect();
            assert_eq!(named(&contexts, &[(silent, 1.0), ("the", 0.1)]), None, "{silent}");
        }
        assert_eq!(named(&[], &[("Texas", 1.0)]), None);
    }

    const WORDS: [&str; 9] = ["is", ".", "<eos>", "of", "Dallas", "state", "capital", "7", "Austin"];

    fn context() -> impl Strategy<Value = (Vec<String>, usize)> {
        let word = proptest::sample::select(&WORDS[..]).prop_map(str::to_owned);
        proptest::collection::vec(word, 1..7).prop_flat_map(|tokens| {
            let at = 0..tokens.len();
            (Just(tokens), at)
        })
    }

    proptest! {
        /// Checks that a label consists of tokens of the contexts, one of which says something, and that spaces, case
        /// of repeats and repeated contexts do not change it.
        #[test]
        fn a_name_is_made_of_the_contexts(contexts in proptest::collection::vec(context(), 0..9), first in 0usize..9) {
            let promoted = [(WORDS[first], 1.0), (WORDS[(first + 1) % 9], 0.5)];
            let plain = dashboard(&contexts, &promoted);
            let found = name(&plain);
            if let Some(found) = &found {
                let words = ["say", "before", "after", "in:", "numbers", "a", "number"];
                let is_there = |word: &str| contexts.iter().any(|(tokens, _)| tokens.iter().any(|token| token == word));
                let said: Vec<&str> = found.split(' ').map(|word| word.trim_end_matches(',')).collect();
                for word in &said {
                    prop_assert!(words.contains(word) || is_there(word), "{found:?}: {word}");
                }
                prop_assert!(said.iter().any(|word| !words[..4].contains(word) && !is_silent(word)), "{found:?}");
            }
            let mut again = plain.clone();
            let repeats = plain.quantiles[0].examples.iter().map(|it| Example { repeated: true, ..it.clone() });
            again.quantiles[0].examples.extend(repeats);
            prop_assert_eq!(&name(&again), &found);
            let mut spaced = plain;
            let tokens = spaced.quantiles[0].examples.iter_mut().flat_map(|it| &mut it.tokens);
            tokens.for_each(|token| token.insert(0, ' '));
            prop_assert_eq!(name(&spaced), found);
        }
    }
}
