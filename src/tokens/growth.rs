//! Bound of how much longer a tokenizer may make a text before it cuts it, from the replacement rules in its file. A
//! few hundred bytes of rules can make gigabytes of a word.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Normalizer or decoder, as far as it changes the length of a text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Rewriting {
    #[serde(rename = "type")]
    kind: String,
    normalizers: Vec<Self>,
    decoders: Vec<Self>,
    pattern: Option<Pattern>,
    content: Option<String>,
    prepend: Option<String>,
    precompiled_charsmap: Option<String>,
}

#[derive(Debug, Deserialize)]
enum Pattern {
    String(String),
    Regex(IgnoredAny),
}

impl Rewriting {
    /// Returns the most bytes of a text of `length` bytes after rewriting.
    pub fn bound(&self, length: u64) -> u64 {
        let times = |factor: u64| length.saturating_mul(factor);
        match self.kind.as_str() {
            "Sequence" => self.normalizers.iter().chain(&self.decoders).fold(length, |length, step| step.bound(length)),
            "Replace" => {
                let found = match &self.pattern {
                    Some(Pattern::String(text)) if !text.is_empty() => length / text.len() as u64,
                    // It may match between any two characters.
                    _ => length.saturating_add(1),
                };
                length.saturating_add(found.saturating_mul(self.content.as_ref().map_or(0, String::len) as u64))
            }
            "Prepend" => length.saturating_add(self.prepend.as_ref().map_or(0, String::len) as u64),
            "Precompiled" => times(self.precompiled_charsmap.as_deref().map_or(1, longest_of)),
            // The most that Unicode's forms make of a text in UTF-8 (Unicode Standard Annex 15).
            "NFC" | "NFD" => times(3),
            "NFKC" | "NFKD" => times(11),
            // Spaces around each Chinese character, accents apart, letters small.
            "BertNormalizer" => times(9),
            "Lowercase" | "ByteLevel" => times(2),
            _ => length,
        }
    }
}

/// Returns the length of the longest replacement in a map of sentencepiece: after the size of a table in bytes and the
/// table, texts with a zero after each.
fn longest_of(map: &str) -> u64 {
    let bytes = BASE64_STANDARD.decode(map).unwrap_or_default();
    let table = bytes.first_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let texts = bytes.get(table.saturating_add(4)..).unwrap_or(&bytes);
    let longest = texts.split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or(0);
    longest.max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper};

    fn rewriting(value: &Value) -> Rewriting {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn doubling_rules_are_seen_through() {
        let ten = json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "a".repeat(10) });
        let nine = rewriting(&json!({ "type": "Sequence", "normalizers": vec![ten; 9] }));
        assert!(nine.bound(100) >= 100 * 10u64.pow(9));
        let spaces = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "\u{2581}" });
        assert_eq!(rewriting(&spaces).bound(1000), 4000);
        assert_eq!(rewriting(&json!({ "type": "Fuse" })).bound(7), 7);
    }

    fn steps() -> impl Strategy<Value = Value> {
        let replace = ("[a-c]{1,3}", "[a-d]{0,6}", any::<bool>()).prop_map(|(pattern, content, regex)| {
            let pattern = if regex { json!({ "Regex": pattern + "+" }) } else { json!({ "String": pattern }) };
            json!({ "type": "Replace", "pattern": pattern, "content": content })
        });
        let kinds = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"];
        let plain = prop::sample::select(kinds.to_vec()).prop_map(|kind| json!({ "type": kind }));
        let bert = Just(json!({ "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": false, "lowercase": true }));
        let prepend = "[a-d]{1,4}".prop_map(|text| json!({ "type": "Prepend", "prepend": text }));
        prop_oneof![replace, plain, bert, prepend]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Checks that no text becomes longer than the bound.
        #[test]
        fn the_bound_holds(text in "([a-c]|\\PC|\u{fdfa}|\u{1d160}|\u{4e00}|\u{130})*", steps in prop::collection::vec(steps(), 0..4)) {
            let rules = json!({ "type": "Sequence", "normalizers": steps });
            let normalizer: Result<NormalizerWrapper, _> = serde_json::from_value(rules.clone());
            prop_assume!(normalizer.is_ok());
            let mut normalized = NormalizedString::from(text.as_str());
            // The crate panics over some rules that make nothing of something.
            let outcome = catch_unwind(AssertUnwindSafe(|| normalizer.unwrap().normalize(&mut normalized)));
            prop_assume!(outcome.is_ok_and(|outcome| outcome.is_ok()));
            prop_assert!(normalized.get().len() as u64 <= rewriting(&rules).bound(text.len() as u64));
        }
    }
}
