//! Chat template of a model: the Jinja text that turns messages into a prompt, as transformers applies it.

use crate::hub::FileSource;
use crate::tokens::settings::{self, Settings, Template};
use crate::tokens::{TokenError, chat_fuel, clock};
use crate::untrusted::excerpt;
use minijinja::machinery::{eval, get_compiled_template, make_string_output};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, State, Value, context, filters};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

const FILE: &str = "chat_template.jinja";
const NAME: &str = "chat";

/// Bytes of the longest template that is read, some ten times the longest published one.
const MOST_BYTES: usize = 1 << 18;
/// Steps that a template may compute for one message; each may also hold 64 bytes. The longest published template takes
/// some hundredths.
const FUEL: u64 = 500_000;
/// Bytes that one unit of fuel pays for.
pub(super) const BYTES_A_FUEL: usize = 64;
/// Bytes of the stack that templates are parsed and run on, four times the need of the deepest values that fuel can
/// make and of the longest chain of conditions: both are walked by recursion.
const STACK: usize = 128 << 20;
/// Bytes of the longest line of a template: the template engine counts columns in sixteen bits.
const LONGEST_LINE: usize = 60_000;
/// The widest indentation of JSON.
const WIDEST_INDENT: usize = 64;

/// Chat template, with the variables that it is given besides the messages.
#[derive(Debug)]
pub struct ChatTemplate {
    /// Environment that holds the template and runs nothing.
    source: Environment<'static>,
    /// Environment that runs it: functions, filters and fuel, and no template that it could include unpaid.
    environment: Environment<'static>,
    /// Texts of `bos_token`, `eos_token` and the like.
    tokens: BTreeMap<String, Value>,
    path: String,
}

impl ChatTemplate {
    /// Reads the template of a model: `chat_template.jinja`, or `chat_template` of its tokenizer's configuration, one
    /// text or a list of named ones, of which `default` is taken. `None` where there is none.
    ///
    /// # Errors
    /// Fails where it cannot be parsed.
    pub fn find(place: &FileSource, settings: Settings) -> Result<Option<Self>, TokenError> {
        let blob = place.find_within(FILE, MOST_BYTES)?;
        let path = place.path(if blob.is_some() { FILE } else { settings::FILE });
        let wrong = |what: String| TokenError::Damaged { path: path.clone(), what };
        let source = match (blob, settings.template) {
            (Some(blob), _) => {
                String::from_utf8(blob.to_vec()).map_err(|_| wrong("the chat template is not UTF-8".to_owned()))?
            }
            (None, None) => return Ok(None),
            (None, Some(Template::One(one))) => one,
            (None, Some(Template::Named(named))) => {
                let default = named.into_iter().find(|entry| entry.name == "default").map(|entry| entry.template);
                default.ok_or_else(|| wrong("none of its chat templates is called default".to_owned()))?
            }
            (None, Some(Template::Other(_))) => {
                return Err(wrong("chat_template is neither a text nor a list of named ones".to_owned()));
            }
        };
        if source.len() > MOST_BYTES {
            let what = format!("the chat template has {} bytes, and at most {MOST_BYTES} are read", source.len());
            return Err(wrong(what));
        }
        if source.lines().any(|line| line.len() > LONGEST_LINE) {
            return Err(wrong(format!("a line of the chat template has more than {LONGEST_LINE} bytes")));
        }
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|e| wrong(e.to_string()))?;
        let source = on_large_stack(&path, || {
            let mut environment = Environment::new();
            environment.set_debug(false);
            environment.set_syntax(syntax.clone());
            chat_fuel::check_length(&source, syntax)
                .and_then(|()| environment.add_template_owned(NAME, source))
                .map_err(|error| wrong(format!("the chat template is not understood{}", said(&error))))?;
            Ok(environment)
        })?;
        let mut environment = Environment::new();
        // Errors would hold the template's values.
        environment.set_debug(false);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(method);
        environment.add_function("raise_exception", raise);
        environment.add_function("strftime_now", date);
        environment.add_filter("tojson", to_json);
        environment.add_filter("format", format);
        chat_fuel::add_filters(&mut environment);
        let tokens = settings.tokens.into_iter().map(|(name, text)| (name, Value::from(text))).collect();
        Ok(Some(Self { source, environment, tokens, path }))
    }

    /// Applies the template to a user's message, up to the start of the model's answer.
    ///
    /// # Errors
    /// Fails where the template refuses the message.
    pub fn apply(&self, message: &str) -> Result<String, TokenError> {
        on_large_stack(&self.path, || self.run(message).map_err(|error| self.refused(&error)))
    }

    fn run(&self, message: &str) -> Result<String, Error> {
        let messages = vec![context! { role => "user", content => message }];
        let none = Value::from(());
        let given = context! {
            messages => messages, tools => &none, documents => &none, add_generation_prompt => true, ..self.tokens.clone()
        };
        let template = self.source.get_template(NAME)?;
        let plain = get_compiled_template(&template);
        let instructions = chat_fuel::paid(&plain.instructions);
        let blocks = plain.blocks.iter().map(|(name, plain)| (*name, chat_fuel::paid(plain))).collect();
        let mut text = String::new();
        let escape = plain.initial_auto_escape.clone();
        eval(&self.environment, &instructions, given, &blocks, &mut make_string_output(&mut text), escape)?;
        Ok(text)
    }

    fn refused(&self, error: &Error) -> TokenError {
        let what = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => "it computes or writes more than a chat template may".to_owned(),
            (_, Some(detail)) => excerpt(detail).into_owned(),
            (_, None) => excerpt(&error.to_string()).into_owned(),
        };
        TokenError::Chat { path: self.path.clone(), what }
    }
}

/// Runs a task that recurses as deep as the template of the file `path` demands.
fn on_large_stack<T: Send>(path: &str, task: impl FnOnce() -> Result<T, TokenError> + Send) -> Result<T, TokenError> {
    thread::scope(|scope| {
        let started =
            thread::Builder::new().name("chat template".to_owned()).stack_size(STACK).spawn_scoped(scope, task);
        let started = started.map_err(|error| {
            let what = format!("no thread with a stack of {} MiB can be started ({error})", STACK >> 20);
            TokenError::Chat { path: path.to_owned(), what }
        })?;
        started.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Describes the place and the cause of a template's error.
fn said(error: &Error) -> String {
    let line = error.line().map_or(String::new(), |line| format!(" in line {line}"));
    error.detail().map_or(line.clone(), |detail| format!("{line}: {}", excerpt(detail)))
}

/// Calls a method of Python's texts and lists. Its result is paid for before it is made.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let text = value.as_str();
    let bytes = match (text, name, args) {
        (Some(text), "replace", [old, new, ..]) => {
            let old = old.as_str().map_or(0, str::len);
            let found = text.len().checked_div(old).unwrap_or(text.len() + 1);
            found.saturating_mul(new.as_str().map_or(0, str::len))
        }
        (Some(between), "join", [list, ..]) => {
            let mut bytes = 0usize;
            for item in list.try_iter()? {
                let length = item.as_str().map_or_else(|| item.to_string().len(), str::len);
                bytes = bytes.saturating_add(length).saturating_add(between.len());
                if bytes > FUEL as usize * BYTES_A_FUEL {
                    break;
                }
            }
            bytes
        }
        (Some(text), "format", _) => widths(text),
        _ => 0,
    };
    state.consume_fuel((bytes / BYTES_A_FUEL) as u64)?;
    unknown_method_callback(state, value, name, args)
}

/// Applies the filter `format`, which is paid for first.
fn format(state: &mut State<'_, '_>, form: Value, args: Rest<Value>) -> Result<Value, Error> {
    state.consume_fuel((form.as_str().map_or(0, widths) / BYTES_A_FUEL) as u64)?;
    let all: Vec<Value> = std::iter::once(form).chain(args.iter().cloned()).collect();
    Value::from_function(filters::format).call(state, &all)
}

/// Returns the sum of all widths and precisions in a format string: the most that it adds to its arguments.
fn widths(form: &str) -> usize {
    let numbers = form.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    numbers.fold(0, |sum: usize, digits| sum.saturating_add(digits.parse().unwrap_or(usize::MAX)))
}

/// Fails with a message, for templates that refuse messages.
fn raise(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Formats today's date; see [`clock::now`].
fn date(form: String) -> Result<String, Error> {
    clock::now(&form).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("the date form {:?} is not understood", excerpt(&form)))
    })
}

/// Formats JSON as Python does: minijinja's, without the escapes that protect HTML.
fn to_json(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let width = indent.as_ref().and_then(Value::as_usize).or_else(|| options.peek("indent").ok()).unwrap_or(0);
    if width > WIDEST_INDENT {
        let what = format!("an indentation of {width} is more than a chat template may ask for ({WIDEST_INDENT})");
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    let protected = filters::tojson(value, indent, options)?;
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
