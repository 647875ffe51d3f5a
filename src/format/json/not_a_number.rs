//! Numbers that JSON does not have: Python writes `NaN`, `Infinity` and `-Infinity` all the same.

const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Replaces such numbers outside of texts by `null`, and counts them; `None` where there is none.
pub(super) fn without(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut mended = Vec::new();
    let (mut copied, mut count) = (0, 0);
    let mut in_text = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'N' | b'I' | b'-' if !in_text => {
                if let Some(word) = WORDS.iter().find(|word| text[at..].starts_with(word)) {
                    mended.extend_from_slice(&text[copied..at]);
                    mended.extend_from_slice(b"null");
                    copied = at + word.len();
                    count += 1;
                    at = copied - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    (count > 0).then(|| {
        mended.extend_from_slice(&text[copied..]);
        (mended, count)
    })
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn words_outside_of_texts_become_null() {
        let (mended, count) = without(br#"{"NaN": NaN, "a\"": [-Infinity, Infinity, -1], "b": "Infinity"}"#).unwrap();
        assert_eq!(mended, br#"{"NaN": null, "a\"": [null, null, -1], "b": "Infinity"}"#);
        assert_eq!(count, 3);
        assert_eq!(without(br#"{"a": "NaN"}"#), None);
    }
}
