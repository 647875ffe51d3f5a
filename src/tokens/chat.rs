//! A model's chat template: the Jinja text that turns messages into a prompt, as transformers applies it.

use crate::hub::Place;
use crate::tokens::{TokenError, clock};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

const FILE: &str = "chat_template.jinja";
const CONFIG: &str = "tokenizer_config.json";
const NAME: &str = "chat";

/// The template, with what it is told besides the messages.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and their like.
    tokens: BTreeMap<String, Value>,
    path: String,
}

impl ChatTemplate {
    /// The template of a model: `chat_template.jinja`, or `chat_template` of its tokenizer's configuration, one text or
    /// a list of named ones, of which `default` is taken. `None` where there is none.
    ///
    /// # Errors
    /// It is no template that can be read.
    pub fn find(place: &Place, config: &Json) -> Result<Option<Self>, TokenError> {
        let blob = place.find(FILE)?;
        let path = place.path(if blob.is_some() { FILE } else { CONFIG });
        let wrong = |what: String| TokenError::Damaged { path: path.clone(), what };
        let source = match (blob, &config["chat_template"]) {
            (Some(blob), _) => {
                String::from_utf8(blob.to_vec()).map_err(|e| wrong(format!("the chat template is not UTF-8: {e}")))?
            }
            (None, Json::Null) => return Ok(None),
            (None, Json::String(one)) => one.clone(),
            (None, Json::Array(named)) => {
                let default = named.iter().find(|entry| entry["name"] == "default");
                let default = default.and_then(|entry| entry["template"].as_str());
                default.ok_or_else(|| wrong("none of its chat templates is called default".to_owned()))?.to_owned()
            }
            (None, _) => return Err(wrong("chat_template is neither a text nor a list of named ones".to_owned())),
        };
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| wrong(e.to_string()))?);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise);
        environment.add_function("strftime_now", date);
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, source)
            .map_err(|e| wrong(format!("the chat template is not understood: {e}")))?;
        Ok(Some(Self { environment, tokens: special_tokens(config.as_object()), path }))
    }

    /// A user's message as the template puts it, up to where the model's answer begins.
    ///
    /// # Errors
    /// The template refuses it.
    pub fn apply(&self, message: &str) -> Result<String, TokenError> {
        let messages = vec![context! { role => "user", content => message }];
        let none = Value::from(());
        let given = context! {
            messages => messages, tools => &none, documents => &none, add_generation_prompt => true, ..self.tokens.clone()
        };
        let wrong = |error: Error| TokenError::Chat {
            path: self.path.clone(),
            what: error.detail().map_or_else(|| error.to_string(), str::to_owned),
        };
        self.environment.get_template(NAME).and_then(|template| template.render(given)).map_err(wrong)
    }
}

/// The texts of the tokens that a tokenizer's configuration names.
fn special_tokens(config: Option<&Map<String, Json>>) -> BTreeMap<String, Value> {
    let named = config.into_iter().flatten().filter(|(name, _)| name.ends_with("_token"));
    named
        .filter_map(|(name, entry)| {
            let text = entry.as_str().or_else(|| entry["content"].as_str())?;
            Some((name.clone(), Value::from(text)))
        })
        .collect()
}

/// What templates call to refuse messages.
fn raise(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Today's date; see [`clock::now`].
fn date(form: String) -> Result<String, Error> {
    clock::now(&form)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("the date form {form:?} is not understood")))
}

/// JSON as Python writes it: minijinja's, without the escapes that protect HTML.
fn to_json(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let protected = minijinja::filters::tojson(value, indent, options)?;
    let text = protected.as_str().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let plain = [("\\u003c", '<'), ("\\u003e", '>'), ("\\u0026", '&'), ("\\u0027", '\'')];
        rest = &rest[at..];
        if let Some((escape, c)) = plain.iter().find(|(escape, _)| rest.starts_with(escape)) {
            out.push(*c);
            rest = &rest[escape.len()..];
        } else {
            // An escape is a backslash with a character behind it, which may be a backslash.
            let (escape, behind) = rest.split_at(rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at));
            out.push_str(escape);
            rest = behind;
        }
    }
    out.push_str(rest);
    Ok(Value::from(out))
}
