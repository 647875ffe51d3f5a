//! Tokenizer, and the reading of prompts with it.

use crate::graph::Token;
use crate::hub::FileSource;
use crate::tokens::growth::Rewriting;
use crate::tokens::{ChatTemplate, Settings, TokenError, gguf};
use crate::untrusted::{data_fault, excerpt, json_fault};
use serde::Deserialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::{ModelWrapper, PostProcessorWrapper, Tokenizer as Inner};

pub(super) const FILE: &str = "tokenizer.json";

/// Bytes of the largest tokenizer that is read, some twice the largest published one.
const MOST_BYTES: usize = 64 << 20;
/// Bytes of the longest text that is tokenized, which takes some hundred times the memory: more than fills any model's
/// context.
pub const MOST_TEXT: usize = 4 << 20;
/// Most bytes that the tokenizer may make of a text before it cuts it.
const MOST_REWRITTEN: u64 = 16 << 20;
/// Bytes of the longest token whose text is shown: some ten times the longest published one.
const LONGEST: usize = 4096;
/// Most bytes that the tokenizer may make of a token's text when it is shown.
const MOST_SHOWN: u64 = 1 << 16;

/// Word of a prompt that the tokenizer does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// Unknown word.
    pub word: String,
    /// Nearest known words, best first.
    pub nearest: Vec<String>,
}

/// Tokenizer with its special tokens.
#[derive(Debug)]
pub struct Tokenizer {
    inner: Inner,
    /// Ids marked special, ascending.
    special: Vec<u32>,
    /// Token put in front of a prompt that does not start with a special one.
    lead: Option<u32>,
    unknown: Option<u32>,
    chat: Option<ChatTemplate>,
    /// Rewriting rules of texts before they are cut, and of tokens when they are shown.
    rules: Rules,
}

/// Parts of a tokenizer's file that bound the length of its texts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rules {
    normalizer: Option<Rewriting>,
    decoder: Option<Rewriting>,
    added_tokens: Vec<Added>,
    model: Model,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Model {
    /// Token for unknown parts, of Unigram models.
    unk_id: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Added {
    content: String,
}

impl Rules {
    /// Returns the most bytes of a text of `length` bytes when it is cut into tokens.
    fn normalized(&self, length: usize) -> u64 {
        self.normalizer.as_ref().map_or(length as u64, |rules| rules.bound(length as u64))
    }

    /// Returns the most bytes of a token of `length` bytes when it is shown.
    fn shown(&self, length: usize) -> u64 {
        self.decoder.as_ref().map_or(length as u64, |rules| rules.bound(length as u64))
    }
}

/// Reads the rules of a tokenizer's file, and refuses those that lengthen a word too much.
fn rules(bytes: &[u8]) -> Result<Rules, String> {
    let mut rules: Rules = serde_json::from_slice(bytes).map_err(|error| json_fault(&error))?;
    // Added tokens are normalized while the file is read.
    let longest = rules.added_tokens.iter().map(|token| token.content.len()).max().unwrap_or(0);
    let made = rules.normalized(longest.max(LONGEST));
    if made > MOST_REWRITTEN {
        return Err(format!("its normalizer may make {made} bytes of one word, which no published one does"));
    }
    rules.added_tokens = Vec::new();
    Ok(rules)
}

impl Tokenizer {
    /// Opens `tokenizer.json`, and `tokenizer_config.json` and `chat_template.jinja` where there are any. For a GGUF
    /// file it rebuilds the tokenizer from the metadata, or opens the `tokenizer.json` beside it where it cannot.
    ///
    /// # Errors
    /// Fails where `tokenizer.json` is missing and cannot be rebuilt, or one of the files is damaged.
    pub fn open(place: &FileSource) -> Result<Self, TokenError> {
        if let Some(file) = place.gguf()? {
            match gguf::read(place, &file) {
                Ok((content, settings)) => return Self::of(place, &file, &content, settings),
                // What lies beside it stands in for it.
                Err(error) if place.size(FILE).is_none() => return Err(error),
                Err(_) => {}
            }
        }
        let blob = place.open_within(FILE, MOST_BYTES, "save the model with its fast tokenizer")?;
        Self::of(place, FILE, &blob, Settings::read(place)?)
    }

    /// Builds the tokenizer that `content` describes, which is in `file` or was made from it.
    fn of(place: &FileSource, file: &str, content: &[u8], config: Settings) -> Result<Self, TokenError> {
        let wrong =
            |what: String| TokenError::Damaged { path: place.path(file), what: format!("no tokenizer: {what}") };
        let rules = rules(content).map_err(wrong)?;
        let mut inner = guarded(|| Inner::from_bytes(content)).map_err(|error| wrong(fault(&*error)))?;
        // What was saved to cut a batch to size would cut or fill a prompt. Nothing is put around one, so that there is
        // nothing to process behind the cutting either.
        inner.with_truncation(None).map_err(|error| wrong(fault(&*error)))?;
        inner.with_padding(None).with_post_processor(None::<PostProcessorWrapper>);
        let mut special: Vec<u32> =
            inner.get_added_tokens_decoder().iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        special.sort_unstable();
        let named = |name: &str| inner.token_to_id(config.tokens.get(name)?);
        let eos = named("eos_token");
        // The reference filters by truthiness, so that an id of 0 counts as absent.
        let lead = [named("bos_token").or(eos), named("pad_token"), eos]
            .into_iter()
            .flatten()
            .chain(special.iter().copied())
            .find(|id| *id != 0);
        let unknown = match inner.get_model() {
            ModelWrapper::WordLevel(model) => inner.token_to_id(&model.unk_token),
            ModelWrapper::WordPiece(model) => inner.token_to_id(&model.unk_token),
            ModelWrapper::BPE(model) => model.unk_token.as_ref().and_then(|token| inner.token_to_id(token)),
            ModelWrapper::Unigram(_) => rules.model.unk_id,
        };
        let chat = ChatTemplate::find(place, config)?;
        Ok(Self { inner, special, lead, unknown, chat, rules })
    }

    /// Applies the model's chat template to a user's message, up to the start of the model's answer.
    ///
    /// # Errors
    /// Fails where the model has no chat template, or the template refuses the message.
    pub fn in_chat(&self, message: &str) -> Result<String, TokenError> {
        self.chat.as_ref().ok_or(TokenError::NoChat)?.apply(message)
    }

    /// Returns true where the model has a chat template.
    pub fn has_chat(&self) -> bool {
        self.chat.is_some()
    }

    /// Returns true where there is a special token to put in front of a prompt.
    pub fn has_lead(&self) -> bool {
        self.lead.is_some()
    }

    /// Returns true where a token is marked special, as those are that begin and end texts.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// Returns the text of consecutive tokens, without special ones.
    pub fn joined(&self, ids: &[u32]) -> String {
        if ids.iter().any(|id| self.is_monstrous(*id)) {
            return ids.iter().filter(|id| !self.is_special(**id)).map(|id| self.text(*id)).collect();
        }
        guarded(|| self.inner.decode(ids, true)).unwrap_or_default()
    }

    /// Returns true where a token's text is too long for one of a word, or would become so.
    fn is_monstrous(&self, id: u32) -> bool {
        let length = self.inner.id_to_token(id).map_or(0, |text| text.len());
        length > LONGEST || self.rules.shown(length) > MOST_SHOWN
    }

    /// Checks that a text is not too long to be tokenized.
    fn check(&self, text: &str) -> Result<(), TokenError> {
        if text.len() > MOST_TEXT {
            return Err(TokenError::TooMuch { bytes: text.len(), most: MOST_TEXT });
        }
        let made = self.rules.normalized(text.len());
        if made > MOST_REWRITTEN {
            let what = format!("its normalizer may make {made} bytes of {}", text.len());
            return Err(TokenError::Unreadable { text: excerpt(text).into_owned(), what });
        }
        Ok(())
    }

    fn unreadable(text: &str, error: &(dyn std::error::Error + 'static)) -> TokenError {
        TokenError::Unreadable { text: excerpt(text).into_owned(), what: excerpt(&error.to_string()).into_owned() }
    }

    /// Returns the token put in front of a prompt that does not start with a special one.
    pub fn lead(&self) -> Option<u32> {
        self.lead
    }

    /// Returns the ids of a text, with nothing put in front.
    ///
    /// # Errors
    /// Fails where the tokenizer cannot read it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        self.check(text)?;
        let encoding =
            guarded(|| self.inner.encode_fast(text, false)).map_err(|error| Self::unreadable(text, &*error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns a token's text.
    pub fn text(&self, id: u32) -> String {
        if self.is_monstrous(id) {
            return format!("<{id}>");
        }
        match guarded(|| self.inner.decode(&[id], false)) {
            Ok(text) if !text.is_empty() => text,
            _ => self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>")),
        }
    }

    fn token(&self, id: u32) -> Token {
        Token { id, text: self.text(id) }
    }

    /// Tokenizes a prompt. No special tokens are added, except for one in front where it starts with none.
    ///
    /// # Errors
    /// Fails where the text is empty, or the tokenizer cannot read it.
    ///
    /// # Examples
    /// ```
    /// use circuitscope::{demo, tokens::Tokenizer};
    ///
    /// let tokens = Tokenizer::open(&demo::places().0)?.read("the capital of Texas")?;
    /// let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    /// assert_eq!(texts, ["<bos>", "the", "capital", "of", "Texas"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Does what [`Tokenizer::read`] does, for a model of context length `limit`.
    ///
    /// # Errors
    /// Fails as [`Tokenizer::read`] does, and where the prompt is longer.
    pub fn read_within(&self, prompt: &str, limit: usize) -> Result<Vec<Token>, TokenError> {
        let tokens = self.read(prompt)?;
        if tokens.len() > limit {
            return Err(TokenError::TooLong { tokens: tokens.len(), limit });
        }
        Ok(tokens)
    }

    /// Returns the tokens of these ids, for a model of context length `limit`.
    ///
    /// # Errors
    /// Fails where there are none or too many, or one is past the vocabulary.
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

    /// Reads a target: a text that is one token, or `id:N`.
    ///
    /// # Errors
    /// Fails where it is no token, or several (the error shows them), or an id past the vocabulary.
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
            [id] if Some(*id) == self.unknown && self.text(*id) != text => {
                let nearest = self.nearest(text.trim());
                Err(TokenError::Target { text: excerpt(text).into_owned(), what: unknown(&nearest) })
            }
            [id] => Ok(self.token(*id)),
            ids => Err(TokenError::NotOneToken {
                text: text.to_owned(),
                pieces: ids.iter().map(|id| self.token(*id)).collect(),
            }),
        }
    }

    /// Returns the parts of a prompt that the tokenizer does not know, each with at most three near words. Empty for
    /// tokenizers that can spell anything.
    ///
    /// # Errors
    /// Fails where the tokenizer cannot read the text.
    pub fn unknown_words(&self, prompt: &str) -> Result<Vec<UnknownWord>, TokenError> {
        let Some(unknown) = self.unknown else { return Ok(Vec::new()) };
        self.check(prompt)?;
        let encoding =
            guarded(|| self.inner.encode(prompt, false)).map_err(|error| Self::unreadable(prompt, &*error))?;
        let mut words: Vec<UnknownWord> = Vec::new();
        for (id, (start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            let Some(word) = prompt.get(*start..*end).filter(|_| *id == unknown) else { continue };
            if words.iter().all(|known| known.word != word) {
                words.push(UnknownWord { word: word.to_owned(), nearest: self.nearest(word) });
            }
        }
        Ok(words)
    }

    /// Returns the known words that are most like an unknown one, at most three.
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

/// Describes an unknown word in a message.
fn unknown(nearest: &[String]) -> String {
    match nearest {
        [] => "the tokenizer does not know it".to_owned(),
        words => format!("the tokenizer does not know it; the nearest it knows: {}", words.join(", ")),
    }
}

/// Does work of the tokenizers crate, which panics over some contradictory rules.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("its rules contradict each other".into()))
}

/// Describes the fault that the crate's reader finds in a file.
fn fault(error: &(dyn std::error::Error + 'static)) -> String {
    error.downcast_ref::<serde_json::Error>().map_or_else(|| data_fault(&error.to_string()), json_fault)
}
