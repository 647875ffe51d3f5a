//! What a feature is called, by whom, and a name made from its contexts where nobody has given one.

use crate::features::{Dashboard, Example};
use std::collections::BTreeMap;
use std::fmt;

/// What a feature is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The name.
    pub text: String,
    /// Who gave it.
    pub origin: LabelOrigin,
}

/// Who called a feature so. Whatever comes earlier goes before what comes later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelOrigin {
    /// The person, in the session of the graph.
    Own,
    /// A file of labels that the person named.
    File(String),
    /// The graph's file.
    Graph,
    /// A source of dashboards that holds labels too.
    Source(String),
    /// This program, from the contexts.
    Automatic,
}

impl fmt::Display for LabelOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("your own"),
            Self::File(path) | Self::Source(path) => write!(f, "from {path}"),
            Self::Graph => f.write_str("from the graph's file"),
            Self::Automatic => f.write_str("automatic"),
        }
    }
}

impl Label {
    /// The label that goes before all others.
    pub fn first(labels: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        labels.into_iter().flatten().min_by(|a, b| a.origin.cmp(&b.origin))
    }

    /// A name made from the contexts: the token on which most of the strongest ones peak, with the words that lead to
    /// it in most of them, and the token that the feature promotes most. `None` where there are no contexts.
    pub fn automatic(dashboard: &Dashboard) -> Option<Self> {
        let text = match (peaks(dashboard), dashboard.promoted.first().map(|token| token.trim())) {
            (Some(peak), Some(promoted)) if !promoted.is_empty() => format!("{peak} → {promoted}"),
            (Some(peak), _) => peak,
            (None, _) => return None,
        };
        Some(Self { text, origin: LabelOrigin::Automatic })
    }
}

/// Contexts that are looked at: the strongest ones say most.
const LOOKED_AT: usize = 20;
/// The longest run of tokens that a label names.
const LONGEST: usize = 4;
/// Tokens that a label names where there is none that most contexts share.
const SEVERAL: usize = 3;

/// The token that most contexts peak on, or the few that most do.
fn peaks(dashboard: &Dashboard) -> Option<String> {
    let peaked: Vec<(&Example, usize)> = dashboard
        .examples()
        .filter(|example| !example.repeated)
        .filter_map(|example| Some((example, example.strongest()?)))
        .filter(|(example, at)| !example.tokens[*at].trim().is_empty())
        .take(LOOKED_AT)
        .collect();
    // How often each token is the strongest, and where it was first.
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (nth, (example, at)) in peaked.iter().enumerate() {
        counts.entry(example.tokens[*at].trim()).or_insert((0, nth)).0 += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().map(|(token, (count, first))| (count, first, token)).collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let (count, _, token) = *ranked.first()?;
    if 2 * count <= peaked.len() && peaked.len() > 1 {
        let several: Vec<&str> = ranked.iter().take(SEVERAL).map(|(_, _, token)| *token).collect();
        return Some(several.join(", "));
    }
    let same: Vec<_> = peaked.into_iter().filter(|(example, at)| example.tokens[*at].trim() == token).collect();
    Some(span(&same, dashboard.spacer()))
}

/// The tokens that end in the peaks and are the same in three of four contexts. One context alone shares nothing.
fn span(peaked: &[(&Example, usize)], spacer: &str) -> String {
    let (first, end) = peaked[0];
    let is_shared = |length: &usize| {
        let run = &first.tokens[end - length..end];
        let ends_so = |(example, at): &&(&Example, usize)| example.tokens[..*at].ends_with(run);
        4 * peaked.iter().filter(ends_so).count() >= 3 * peaked.len()
    };
    let longest = if peaked.len() > 1 { end.min(LONGEST - 1) } else { 0 };
    let start = end - (1..=longest).take_while(is_shared).last().unwrap_or(0);
    first.tokens[start..=end].join(spacer).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Quantile;

    fn dashboard(contexts: &[(&[&str], usize)], promoted: &[&str]) -> Dashboard {
        let example = |(tokens, peak): &(&[&str], usize)| Example {
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            activations: (0..tokens.len()).map(|at| if at == *peak { 2.0 } else { 0.5 }).collect(),
            ..Example::default()
        };
        let quantiles = vec![Quantile { name: String::new(), examples: contexts.iter().map(example).collect() }];
        let promoted = promoted.iter().map(|token| (*token).to_owned()).collect();
        Dashboard { quantiles, promoted, ..Dashboard::default() }
    }

    fn named(contexts: &[(&[&str], usize)], promoted: &[&str]) -> Option<String> {
        Label::automatic(&dashboard(contexts, promoted)).map(|label| label.text)
    }

    #[test]
    fn most_contexts_decide() {
        let dallas: (&[&str], usize) = (&["in", " Dallas", ","], 1);
        let near: (&[&str], usize) = (&["near", " Dallas"], 1);
        let other: (&[&str], usize) = (&["in", " Austin"], 1);
        assert_eq!(named(&[dallas, other, near], &[" Texas"]), Some("Dallas → Texas".into()));
        assert_eq!(named(&[dallas, other], &[]), Some("Dallas, Austin".into()));
        assert_eq!(named(&[dallas], &[]), Some("Dallas".into()));
        assert_eq!(named(&[], &["Texas"]), None);
        assert_eq!(named(&[(&[" ", "\n"], 1)], &["Texas"]), None);
    }

    #[test]
    fn words_that_lead_to_the_peak_belong_to_it() {
        let a: (&[&str], usize) = (&["the", " state", " of", " Texas"], 3);
        let b: (&[&str], usize) = (&["a", " state", " of", " Texas", "."], 3);
        assert_eq!(named(&[a, b, a, b], &[]), Some("state of Texas".into()));
        let words: (&[&str], usize) = (&["state", "of", "Texas"], 2);
        assert_eq!(named(&[words, words], &[]), Some("state of Texas".into()));
        let none: (&[&str], usize) = (&[" Texas"], 0);
        assert_eq!(named(&[a, none, b, none], &[]), Some("Texas".into()));
    }

    #[test]
    fn a_persons_own_label_wins() {
        let label = |text: &str, origin| Some(Label { text: text.to_owned(), origin });
        let automatic = label("a", LabelOrigin::Automatic);
        let graph = label("g", LabelOrigin::Graph);
        let source = label("s", LabelOrigin::Source("imported".into()));
        let file = label("f", LabelOrigin::File("labels.csv".into()));
        let own = label("mine", LabelOrigin::Own);
        let order = [own, file, graph, source, automatic];
        for from in 0..order.len() {
            let rest = order[from..].iter().rev().cloned();
            assert_eq!(Label::first(rest), order[from]);
        }
        assert_eq!(Label::first([None, None]), None);
    }
}
