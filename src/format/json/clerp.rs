//! The labels of outputs, from which their text and probability are read.

/// Contents of a logit's label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parsed<'a> {
    /// Text of the token.
    pub text: &'a str,
    /// Probability, where the label gives it.
    pub probability: Option<f32>,
    /// Name of the logit's supernode, where the label gives it.
    pub group: Option<&'a str>,
}

/// Reads `Output "tok" (p=0.123)`, `Logit "tok"`, `output: 'tok' (p=1.000)`, `tok (p=0.99)`, and any of them after the
/// name of a supernode in square brackets. A label of another form is the text as it stands.
pub(super) fn parse(clerp: &str) -> Parsed<'_> {
    let plain = Parsed { text: clerp, probability: None, group: None };
    let with_group = in_brackets(clerp).and_then(|(group, rest)| Some(Parsed { group: Some(group), ..output(rest)? }));
    with_group.or_else(|| output(clerp)).unwrap_or(plain)
}

/// Reads a logit in one of its spellings; `None` where it is spelled in none.
fn output(label: &str) -> Option<Parsed<'_>> {
    let (front, probability) = match split_probability(label) {
        Some((front, probability)) => (front, Some(probability)),
        None => (label, None),
    };
    let text = quoted(front).or_else(|| probability.map(|_| front))?;
    Some(Parsed { text, probability, group: None })
}

/// Splits off the number in `(p=…)` from the text before it.
fn split_probability(label: &str) -> Option<(&str, f32)> {
    let (front, number) = label.trim_end().strip_suffix(')')?.rsplit_once("(p")?;
    let number = number.trim_start().strip_prefix('=')?.trim();
    let probability = match number.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f32>().ok()? / 100.0,
        None => number.parse().ok()?,
    };
    // One space parts them; others are the token's own.
    let front = front.strip_suffix(' ').unwrap_or(front);
    probability.is_finite().then_some((front, probability))
}

/// Returns the text between quotes after `Output`, `Logit` or the like.
fn quoted(front: &str) -> Option<&str> {
    let lead = ["Output", "output", "Logit", "logit"].into_iter().find_map(|lead| front.strip_prefix(lead))?;
    let text = lead.strip_prefix(':').unwrap_or(lead).trim();
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// Reads a name in square brackets, and the logit behind it. Both the name and the text may hold brackets of their own.
fn in_brackets(label: &str) -> Option<(&str, &str)> {
    let inner = label.strip_prefix('[')?;
    let ends = || inner.match_indices("] ").map(|(at, _)| (&inner[..at], &inner[at + 2..]));
    let is_spelled =
        |rest: &str| split_probability(rest).map_or_else(|| quoted(rest), |(front, _)| quoted(front)).is_some();
    ends().find(|(_, rest)| is_spelled(rest)).or_else(|| ends().next()).filter(|(_, rest)| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Parsed, parse};
    use proptest::prelude::*;

    fn says(label: &str) -> (&str, Option<f32>, Option<&str>) {
        let Parsed { text, probability, group } = parse(label);
        (text, probability, group)
    }

    #[test]
    fn every_spelling_and_none_of_them() {
        assert_eq!(says(r#"Output " Austin" (p=0.332)"#), (" Austin", Some(0.332), None));
        assert_eq!(says(r#"Output """ (p=1.000)"#), ("\"", Some(1.0), None));
        assert_eq!(says(r#"Output "(p=0.5)" (p=0.25)"#), ("(p=0.5)", Some(0.25), None));
        assert_eq!(says(r#"Logit "⏎⏎""#), ("⏎⏎", None, None));
        assert_eq!(says(r#"output: " the" (p=0.084)"#), (" the", Some(0.084), None));
        assert_eq!(says("output: 'Austin' (p=1.000)"), ("Austin", Some(1.0), None));
        assert_eq!(says("Output: \"it's\" (p=98.6%)"), ("it's", Some(0.986), None));
        assert_eq!(says("Austin (p=0.99)"), ("Austin", Some(0.99), None));
        assert_eq!(says("  Austin (p = 0.5)"), ("  Austin", Some(0.5), None));
        assert_eq!(says("Output (p=0.5)"), ("Output", Some(0.5), None));
        assert_eq!(says("Logit diff: a - b"), ("Logit diff: a - b", None, None));
        assert_eq!(says("x (p=oh)"), ("x (p=oh)", None, None));
        assert_eq!(says("x (p=1e999)"), ("x (p=1e999)", None, None));
        assert_eq!(says(""), ("", None, None));
    }

    #[test]
    fn the_name_of_a_supernode_stands_in_brackets() {
        let name = r#"Output "big" or "large""#;
        assert_eq!(says(&format!(r#"[{name}] Output "large" (p=0.420)"#)), ("large", Some(0.42), Some(name)));
        assert_eq!(says("[say Austin] Austin (p=0.99)"), ("Austin", Some(0.99), Some("say Austin")));
        assert_eq!(says("[a [b] c] output: 'x'"), ("x", None, Some("a [b] c")));
        assert_eq!(says(r#"[a] Output "] b" (p=0.5)"#), ("] b", Some(0.5), Some("a")));
        assert_eq!(says("[ (p=0.5)"), ("[", Some(0.5), None));
        assert_eq!(says("[x] y"), ("[x] y", None, None));
        assert_eq!(says("[x]"), ("[x]", None, None));
    }

    proptest! {
        #[test]
        fn what_stands_in_quotes_is_the_text(text in "\\PC{0,12}", group in proptest::option::of("[^\\[\\]\"']{1,8}")) {
            let lead = group.as_ref().map_or(String::new(), |group| format!("[{group}] "));
            for label in [format!("{lead}Output \"{text}\" (p=0.250)"), format!("{lead}output: '{text}' (p=0.250)")] {
                prop_assert_eq!(says(&label), (text.as_str(), Some(0.25), group.as_deref()));
            }
        }
    }
}
