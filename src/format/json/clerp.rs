//! The labels of logits, from which their text and probability are read.

/// The token's text and, where the label gives it, its probability: of `Output "tok" (p=0.123)`, `Logit "tok"`,
/// `output: "tok" (p=0.123)`. A label of another form is the text as it stands.
pub(super) fn parse(clerp: &str) -> (&str, Option<f32>) {
    let (front, probability) = match clerp.rsplit_once("(p=") {
        Some((front, number)) => match number.trim_end().strip_suffix(')').and_then(|number| number.parse().ok()) {
            Some(probability) => (front.trim_end(), Some(probability)),
            None => (clerp, None),
        },
        None => (clerp, None),
    };
    let quoted = ["Output ", "Logit ", "output: "]
        .into_iter()
        .find_map(|lead| front.strip_prefix(lead)?.strip_prefix('"')?.strip_suffix('"'));
    match quoted {
        Some(text) => (text, probability),
        None => (clerp, probability),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_three_forms_and_none_of_them() {
        assert_eq!(parse(r#"Output " Austin" (p=0.332)"#), (" Austin", Some(0.332)));
        assert_eq!(parse(r#"Output """ (p=1.000)"#), ("\"", Some(1.0)));
        assert_eq!(parse(r#"Output "(p=0.5)" (p=0.25)"#), ("(p=0.5)", Some(0.25)));
        assert_eq!(parse(r#"Logit "⏎⏎""#), ("⏎⏎", None));
        assert_eq!(parse(r#"output: " the" (p=0.084)"#), (" the", Some(0.084)));
        assert_eq!(parse("Logit diff: a - b"), ("Logit diff: a - b", None));
        assert_eq!(parse("x (p=oh)"), ("x (p=oh)", None));
        assert_eq!(parse(""), ("", None));
    }
}
