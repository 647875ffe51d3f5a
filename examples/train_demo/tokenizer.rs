//! A word-level vocabulary and the `tokenizer.json` that states it.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::corpus::Sentence;

/// Unknown words get id 0: whoever puts a token in front of a prompt may treat id 0 as none, so
/// that `<bos>` must not have it.
pub const SPECIAL: [&str; 3] = ["<unk>", "<bos>", "<eos>"];
pub const UNK: u32 = 0;
pub const BOS: u32 = 1;
pub const EOS: u32 = 2;

pub struct Vocabulary {
    words: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// All words in the order they first occur, after the special tokens.
    pub fn new(sentences: &[Sentence]) -> Self {
        let mut vocabulary = Vocabulary { words: Vec::new(), ids: HashMap::new() };
        let words = sentences.iter().flat_map(Sentence::words);
        for word in SPECIAL.into_iter().chain(words) {
            if !vocabulary.ids.contains_key(word) {
                vocabulary.ids.insert(word.to_owned(), vocabulary.words.len() as u32);
                vocabulary.words.push(word.to_owned());
            }
        }
        vocabulary
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn id(&self, word: &str) -> Result<u32> {
        let id = self.ids.get(word).copied();
        id.with_context(|| format!("the word `{word}` is not in the vocabulary"))
    }

    /// `<bos>` and the words of `text`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        std::iter::once(Ok(BOS)).chain(text.split(' ').map(|word| self.id(word))).collect()
    }

    /// The file that the `tokenizers` library reads: no normalizer, words split at white space
    /// only, so that a hyphenated name stays whole.
    pub fn tokenizer_json(&self) -> Value {
        let vocab: serde_json::Map<String, Value> =
            self.words.iter().enumerate().map(|(id, word)| (word.clone(), json!(id))).collect();
        let added: Vec<Value> = SPECIAL
            .iter()
            .enumerate()
            .map(|(id, token)| {
                json!({
                    "id": id, "content": token, "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true,
                })
            })
            .collect();
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": { "type": "WhitespaceSplit" },
            "post_processor": null,
            "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": SPECIAL[0] },
        })
    }

    pub fn tokenizer_config_json(&self) -> Value {
        json!({
            "bos_token": SPECIAL[BOS as usize],
            "eos_token": SPECIAL[EOS as usize],
            "unk_token": SPECIAL[0],
            "clean_up_tokenization_spaces": false,
            "model_max_length": crate::model::MAX_POSITIONS,
            "tokenizer_class": "PreTrainedTokenizerFast",
        })
    }
}
