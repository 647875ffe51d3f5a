//! The tokenizer, and how a prompt is read.

use crate::graph::Token;
use crate::hub::Place;
use crate::tokens::{ChatTemplate, TokenError};
use serde_json::Value;
use tokenizers::Tokenizer as Inner;

/// A word of a prompt that the tokenizer does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// The word.
    pub word: String,
    /// The words it knows that are nearest, best first.
    pub nearest: Vec<String>,
}

/// A tokenizer with its special tokens.
#[derive(Debug)]
pub struct Tokenizer {
    inner: Inner,
    /// Ids marked special, ascending.
    special: Vec<u32>,
    /// Put in front of a prompt that does not start with a special token.
    lead: Option<u32>,
    unknown: Option<u32>,
    chat: Option<ChatTemplate>,
}

impl Tokenizer {
    /// Opens `tokenizer.json`, and `tokenizer_config.json` and `chat_template.jinja` where there are any.
    ///
    /// # Errors
    /// `tokenizer.json` is missing, or one of them is damaged.
    pub fn open(place: &Place) -> Result<Self, TokenError> {
        const FILE: &str = "tokenizer.json";
        const CONFIG: &str = "tokenizer_config.json";
        let blob = place.open(FILE, "save the model with its fast tokenizer")?;
        let inner = Inner::from_bytes(&*blob)
            .map_err(|e| TokenError::Damaged { path: place.path(FILE), what: format!("not a tokenizer: {e}") })?;
        let config: Value = match place.find(CONFIG)? {
            Some(blob) => serde_json::from_slice(&blob)
                .map_err(|e| TokenError::Damaged { path: place.path(CONFIG), what: format!("not JSON: {e}") })?,
            None => Value::Null,
        };
        let mut special: Vec<u32> =
            inner.get_added_tokens_decoder().iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        special.sort_unstable();
        let named = |name: &str| {
            let entry = config.get(name)?;
            let text = entry.as_str().or_else(|| entry.get("content").and_then(Value::as_str))?;
            inner.token_to_id(text)
        };
        let eos = named("eos_token");
        // The reference filters by truthiness, so that an id of 0 counts as absent.
        let lead = [named("bos_token").or(eos), named("pad_token"), eos]
            .into_iter()
            .flatten()
            .chain(special.iter().copied())
            .find(|id| *id != 0);
        let unknown = match serde_json::to_value(inner.get_model()) {
            Ok(model) if model["type"] == "WordLevel" => model["unk_token"].as_str().and_then(|t| inner.token_to_id(t)),
            _ => None,
        };
        let chat = ChatTemplate::find(place, &config)?;
        Ok(Self { inner, special, lead, unknown, chat })
    }

    /// A user's message as the model's chat template puts it, up to where the model's answer begins.
    ///
    /// # Errors
    /// The model has no chat template, or the template refuses the message.
    pub fn in_chat(&self, message: &str) -> Result<String, TokenError> {
        self.chat.as_ref().ok_or(TokenError::NoChat)?.apply(message)
    }

    /// Whether the model has a chat template.
    pub fn has_chat(&self) -> bool {
        self.chat.is_some()
    }

    /// Whether there is a special token to put in front of a prompt.
    pub fn has_lead(&self) -> bool {
        self.lead.is_some()
    }

    /// Whether a token is marked special, as those are that begin and end texts.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// The text of tokens that follow one another, special ones left out.
    pub fn joined(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).unwrap_or_default()
    }

    /// What is put in front of a prompt that does not start with a special token.
    pub fn lead(&self) -> Option<u32> {
        self.lead
    }

    /// The ids of a text, with nothing put in front.
    ///
    /// # Errors
    /// The tokenizer cannot read it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|e| TokenError::Unreadable { text: text.to_owned(), what: e.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// A token's text.
    pub fn text(&self, id: u32) -> String {
        match self.inner.decode(&[id], false) {
            Ok(text) if !text.is_empty() => text,
            _ => self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>")),
        }
    }

    fn token(&self, id: u32) -> Token {
        Token { id, text: self.text(id) }
    }

    /// The prompt as the model reads it: no special tokens added, but for one in front where it starts with none.
    ///
    /// # Errors
    /// The text is empty, or the tokenizer cannot read it.
    pub fn read(&self, prompt: &str) -> Result<Vec<Token>, TokenError> {
        let mut ids = self.encode(prompt)?;
        if ids.is_empty() {
            return Err(TokenError::Empty);
        }
        if !ids.first().is_some_and(|id| self.special.contains(id)) {
            ids.splice(0..0, self.lead);
        }
        Ok(ids.into_iter().map(|id| self.token(id)).collect())
    }

    /// [`Tokenizer::read`], for a model of context length `limit`.
    ///
    /// # Errors
    /// As there; and a prompt that is longer.
    pub fn read_within(&self, prompt: &str, limit: usize) -> Result<Vec<Token>, TokenError> {
        let tokens = self.read(prompt)?;
        if tokens.len() > limit {
            return Err(TokenError::TooLong { tokens: tokens.len(), limit });
        }
        Ok(tokens)
    }

    /// Ids taken as they are, for a model of context length `limit`.
    ///
    /// # Errors
    /// There are none or too many, or one is past the vocabulary.
    pub fn tokens(&self, ids: &[u32], vocab_size: usize, limit: usize) -> Result<Vec<Token>, TokenError> {
        if ids.is_empty() {
            return Err(TokenError::Empty);
        }
        if ids.len() > limit {
            return Err(TokenError::TooLong { tokens: ids.len(), limit });
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab_size) {
            return Err(TokenError::NoSuchToken { id: *id, last: vocab_size - 1 });
        }
        Ok(ids.iter().map(|id| self.token(*id)).collect())
    }

    /// A target: a text that is one token, or `id:N`.
    ///
    /// # Errors
    /// It is no token, or several (the error shows them), or an id past the vocabulary.
    pub fn target(&self, text: &str, vocab_size: usize) -> Result<Token, TokenError> {
        if let Some(number) = text.strip_prefix("id:") {
            let wrong = |what: String| TokenError::Target { text: text.to_owned(), what };
            let id: u32 = number.parse().map_err(|_| wrong("id: is followed by a number".to_owned()))?;
            if id as usize >= vocab_size {
                return Err(wrong(format!("the vocabulary ends at {}", vocab_size - 1)));
            }
            return Ok(self.token(id));
        }
        match self.encode(text)?.as_slice() {
            [id] => Ok(self.token(*id)),
            ids => Err(TokenError::NotOneToken {
                text: text.to_owned(),
                pieces: ids.iter().map(|id| self.token(*id)).collect(),
            }),
        }
    }

    /// The words of a prompt that a word-level tokenizer does not know, each with at most three near ones. Empty for
    /// tokenizers that can spell anything.
    ///
    /// # Errors
    /// The tokenizer cannot read the text.
    pub fn unknown_words(&self, prompt: &str) -> Result<Vec<UnknownWord>, TokenError> {
        let Some(unknown) = self.unknown else { return Ok(Vec::new()) };
        let encoding = self
            .inner
            .encode(prompt, false)
            .map_err(|e| TokenError::Unreadable { text: prompt.to_owned(), what: e.to_string() })?;
        let mut words: Vec<UnknownWord> = Vec::new();
        for (id, (start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            let Some(word) = prompt.get(*start..*end).filter(|_| *id == unknown) else { continue };
            if words.iter().all(|known| known.word != word) {
                words.push(UnknownWord { word: word.to_owned(), nearest: self.nearest(word) });
            }
        }
        Ok(words)
    }

    fn nearest(&self, word: &str) -> Vec<String> {
        let low = word.to_lowercase();
        let mut known: Vec<(f64, String)> = self
            .inner
            .get_vocab(false)
            .into_iter()
            .filter(|(_, id)| !self.special.contains(id))
            .map(|(entry, _)| (strsim::jaro_winkler(&low, &entry.to_lowercase()), entry))
            .filter(|(likeness, _)| *likeness > 0.6)
            .collect();
        known.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        known.into_iter().take(3).map(|(_, entry)| entry).collect()
    }
}
