//! Conversion of a GGUF file's tokenizer metadata to a `tokenizer.json` and a `tokenizer_config.json`.

use crate::hub::FileSource;
use crate::model::Gguf;
use crate::tokens::settings::{Settings, Template};
use crate::tokens::{TokenError, tokenizer};
use crate::untrusted::excerpt;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Kinds of tokens, as `tokenizer.ggml.token_type` numbers them.
const UNKNOWN: f64 = 2.0;
const CONTROL: f64 = 3.0;
const USER_DEFINED: f64 = 4.0;

/// Pre-tokenization of texts before merges: its names in `tokenizer.ggml.pre`, its expression (that of the byte-level
/// step itself where there is none), and its other properties.
struct Cut {
    names: &'static [&'static str],
    pattern: Option<&'static str>,
    digits_apart: bool,
    composed: bool,
    ignore_merges: bool,
    /// True where it has a token that begins texts. Qwen's have none, and their files name the one of the model's
    /// configuration.
    has_bos: bool,
}

const QWEN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Byte-level step alone.
const PLAIN: Cut =
    Cut { names: &["gpt-2"], pattern: None, digits_apart: false, composed: false, ignore_merges: false, has_bos: true };

const CUTS: [Cut; 5] = [
    PLAIN,
    Cut { names: &["smollm"], digits_apart: true, ..PLAIN },
    Cut {
        names: &["llama-bpe", "llama3", "llama-v3"],
        pattern: Some(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        ignore_merges: true,
        ..PLAIN
    },
    Cut { names: &["qwen2"], pattern: Some(QWEN), composed: true, has_bos: false, ..PLAIN },
    Cut { names: &["deepseek-r1-qwen"], pattern: Some(QWEN), composed: true, ..PLAIN },
];

/// Parts of a tokenizer that differ between the kinds.
struct Parts {
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
    merges: Vec<[String; 2]>,
    unknown: Option<String>,
    byte_fallback: bool,
    ignore_merges: bool,
    has_bos: bool,
}

/// Returns a file's tokenizer as the bytes of a `tokenizer.json`, and its settings.
///
/// # Errors
/// Fails where the metadata describes no tokenizer, or one of a kind that is not known.
pub(super) fn read(place: &FileSource, file: &str) -> Result<(Vec<u8>, Settings), TokenError> {
    let gguf = Gguf::read(place, file)
        .map_err(|error| TokenError::Damaged { path: place.path(file), what: error.to_string() })?;
    let wrong = |what: String| TokenError::Damaged {
        path: place.path(file),
        what: format!(
            "its tokenizer cannot be rebuilt: {what}; put the model's {} beside it, alone with it in a folder",
            tokenizer::FILE
        ),
    };
    let tokens =
        gguf.texts("tokenizer.ggml.tokens").ok_or_else(|| wrong("tokenizer.ggml.tokens is missing".to_owned()))?;
    let mut ids: HashMap<&str, u32> = HashMap::new();
    for (id, token) in (0u32..).zip(&tokens) {
        if ids.insert(token, id).is_some() {
            return Err(wrong(format!("token {} stands twice in tokenizer.ggml.tokens", excerpt(token))));
        }
    }
    let kinds = gguf.numbers("tokenizer.ggml.token_type").unwrap_or_else(|| vec![1.0; tokens.len()]);
    if kinds.len() != tokens.len() {
        return Err(wrong("tokenizer.ggml.token_type has another length than tokenizer.ggml.tokens".to_owned()));
    }
    let named = |name: &str| -> Option<&str> {
        let id = gguf.count(&format!("tokenizer.ggml.{name}_token_id"))?;
        tokens.get(usize::try_from(id).ok()?).copied()
    };
    let parts = match gguf.text("tokenizer.ggml.model") {
        Some("gpt2") => by_bytes(&gguf),
        Some("llama") => by_scores(&gguf, &tokens, &ids, named("unknown")),
        Some(other) => Err(format!("tokenizer.ggml.model is {:?}; known: gpt2, llama", excerpt(other))),
        None => Err("tokenizer.ggml.model is missing".to_owned()),
    }
    .map_err(wrong)?;
    let added: Vec<Value> = (0u32..)
        .zip(tokens.iter().zip(&kinds))
        .filter(|(_, (_, kind))| [UNKNOWN, CONTROL, USER_DEFINED].contains(*kind))
        .map(|(id, (token, kind))| {
            json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": *kind != USER_DEFINED })
        })
        .collect();
    let vocabulary: Map<String, Value> = ids.iter().map(|(token, id)| ((*token).to_owned(), json!(id))).collect();
    let whole = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": parts.normalizer,
        "pre_tokenizer": parts.pre_tokenizer,
        "post_processor": null,
        "decoder": parts.decoder,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": parts.unknown,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": parts.byte_fallback,
            "byte_fallback": parts.byte_fallback,
            "ignore_merges": parts.ignore_merges,
            "vocab": vocabulary,
            "merges": parts.merges,
        },
    });
    let mut settings = Settings::default();
    for (own, name) in [("bos", "bos_token"), ("eos", "eos_token"), ("padding", "pad_token"), ("unknown", "unk_token")]
    {
        let found = named(own).filter(|_| own != "bos" || parts.has_bos);
        settings.tokens.extend(found.map(|token| (name.to_owned(), token.to_owned())));
    }
    settings.template = gguf.text("tokenizer.chat_template").map(|text| Template::One(text.to_owned()));
    Ok((whole.to_string().into_bytes(), settings))
}

/// Builds byte-level byte pair encoding, with its merges in order.
fn by_bytes(gguf: &Gguf) -> Result<Parts, String> {
    let pre = gguf.text("tokenizer.ggml.pre");
    // Files from before there was such a key do not tell how they cut; GPT-2 cuts in one way alone.
    let pre = pre.or((gguf.text("general.architecture") == Some("gpt2")).then_some("gpt-2"));
    let cut = CUTS.iter().find(|cut| pre.is_some_and(|pre| cut.names.contains(&pre))).ok_or_else(|| {
        let known: Vec<&str> = CUTS.iter().flat_map(|cut| cut.names.iter().copied()).collect();
        let found = pre.map_or("missing".to_owned(), |pre| format!("{:?}", excerpt(pre)));
        format!("tokenizer.ggml.pre is {found}; known: {}", known.join(", "))
    })?;
    let merges = gguf.texts("tokenizer.ggml.merges").ok_or("tokenizer.ggml.merges is missing")?;
    let halves = |merge: &&str| {
        let (left, right) =
            merge.split_once(' ').ok_or_else(|| format!("merge {:?} has no two parts", excerpt(merge)))?;
        Ok([left.to_owned(), right.to_owned()])
    };
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
        "use_regex": cut.pattern.is_none() });
    let mut steps = Vec::new();
    steps.extend(cut.digits_apart.then(|| json!({ "type": "Digits", "individual_digits": true })));
    steps.extend(cut.pattern.map(
        |pattern| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false }),
    ));
    steps.push(bytes);
    Ok(Parts {
        normalizer: if cut.composed { json!({ "type": "NFC" }) } else { Value::Null },
        pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": steps }),
        decoder: json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }),
        merges: merges.iter().map(halves).collect::<Result<_, String>>()?,
        unknown: None,
        byte_fallback: false,
        ignore_merges: cut.ignore_merges,
        has_bos: cut.has_bos,
    })
}

/// Builds SentencePiece's byte pair encoding, with merges ordered by the merged token's score.
fn by_scores(gguf: &Gguf, tokens: &[&str], ids: &HashMap<&str, u32>, unknown: Option<&str>) -> Result<Parts, String> {
    let scores = gguf.numbers("tokenizer.ggml.scores").filter(|scores| scores.len() == tokens.len());
    let scores = scores.ok_or("tokenizer.ggml.scores is missing or has another length than tokenizer.ggml.tokens")?;
    // As transformers makes merges of scores: each way to cut a token in two, the best token first, then the longer
    // parts; of one token in the order of its parts' ids.
    let mut ways: Vec<(f64, usize, usize, [&str; 2])> = Vec::new();
    for (token, score) in tokens.iter().zip(&scores) {
        let mut own: Vec<[&str; 2]> = token
            .char_indices()
            .skip(1)
            .map(|(at, _)| token.split_at(at))
            .filter(|(left, right)| ids.contains_key(left) && ids.contains_key(right))
            .map(|(left, right)| [left, right])
            .collect();
        own.sort_by_key(|parts| parts.map(|part| ids[part]));
        ways.extend(own.into_iter().map(|parts| (*score, parts[0].chars().count(), parts[1].chars().count(), parts)));
    }
    ways.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
    let prefix = gguf.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let replace = |from: &str, to: &str| json!({ "type": "Replace", "pattern": { "String": from }, "content": to });
    let spaces = replace(" ", "\u{2581}");
    let normalizer = if prefix {
        json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "\u{2581}" }, spaces] })
    } else {
        spaces
    };
    let mut decoders = vec![replace("\u{2581}", " "), json!({ "type": "ByteFallback" }), json!({ "type": "Fuse" })];
    decoders.extend(prefix.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 })));
    Ok(Parts {
        normalizer,
        pre_tokenizer: Value::Null,
        decoder: json!({ "type": "Sequence", "decoders": decoders }),
        merges: ways.into_iter().map(|(.., parts)| parts.map(str::to_owned)).collect(),
        unknown: unknown.or_else(|| tokens.contains(&"<unk>").then_some("<unk>")).map(str::to_owned),
        byte_fallback: ids.contains_key("<0x00>"),
        ignore_merges: false,
        has_bos: true,
    })
}
