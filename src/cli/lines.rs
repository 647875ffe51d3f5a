//! Files of prompts: one a line, or JSON lines with a prompt and options of its trace.

use crate::tokens::MOST_TEXT;
use crate::untrusted::{excerpt, json_fault};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Prompt of such a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// Text; `None` where it is given as ids.
    pub prompt: Option<String>,
    /// Token ids, with nothing put in front.
    pub tokens: Vec<u32>,
    /// Part of its file's name, behind the index.
    pub slug: Option<String>,
    /// Outputs to trace.
    pub targets: Vec<String>,
    /// Differences of two tokens' logits to trace, one after the other.
    pub target_diffs: Vec<String>,
    /// Position after which the prompt is cut.
    pub target_position: Option<usize>,
    /// True where the prompt is a message.
    pub chat: Option<bool>,
}

/// Line that is not blank.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// Line number, counted from 1, blank lines included.
    pub number: usize,
    /// Entry of the line, or the error of reading it.
    pub entry: Result<Entry, String>,
}

/// Reads the lines of a file, and the names of unknown fields. It holds JSON where its first line is an object.
pub(super) fn read(content: &[u8]) -> (Vec<Line>, BTreeSet<String>) {
    let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
    let lines = content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let is_json = lines.clone().next().is_some_and(|(_, line)| is_object(line));
    let mut ignored = BTreeSet::new();
    let read = |(at, line): (usize, &[u8])| {
        let entry = match std::str::from_utf8(line) {
            _ if line.len() > MOST_TEXT => {
                Err(format!("it has {} bytes, and at most {MOST_TEXT} are read", line.len()))
            }
            Err(_) => Err("it is not UTF-8".to_owned()),
            Ok(line) if !is_json => Ok(Entry { prompt: Some(line.to_owned()), ..Entry::default() }),
            Ok(line) => match serde_json::from_str(line) {
                Ok(Value::Object(fields)) => entry(fields, &mut ignored),
                Ok(_) => Err("it is no JSON object".to_owned()),
                Err(error) => Err(json_fault(&error)),
            },
        };
        Line { number: at + 1, entry }
    };
    (lines.map(read).collect(), ignored)
}

/// Returns true for a line that begins as an object, also for a damaged one.
fn is_object(line: &[u8]) -> bool {
    let inside = line.trim_ascii_start().strip_prefix(b"{");
    inside.is_some_and(|rest| matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}')))
}

fn entry(fields: Map<String, Value>, ignored: &mut BTreeSet<String>) -> Result<Entry, String> {
    let mut entry = Entry::default();
    for (field, value) in fields {
        let wrong = |wanted: &str| format!("{field} is {}, and it has to be {wanted}", excerpt(&value.to_string()));
        match field.as_str() {
            _ if value.is_null() => {}
            "prompt" => entry.prompt = Some(value.as_str().ok_or_else(|| wrong("a text"))?.to_owned()),
            "tokens" => entry.tokens = ids(&value).ok_or_else(|| wrong("a list of token ids"))?,
            "slug" | "id" => entry.slug = Some(name(&value).ok_or_else(|| wrong("a text or a number"))?),
            "target" => entry.targets = texts(&value).ok_or_else(|| wrong("a text or a list of texts"))?,
            "target_diff" => entry.target_diffs = pairs(&value).ok_or_else(|| wrong("a pair of texts, or several"))?,
            "target_position" => {
                let position = value.as_u64().and_then(|n| usize::try_from(n).ok());
                entry.target_position = Some(position.ok_or_else(|| wrong("a whole number"))?);
            }
            "chat" => entry.chat = Some(value.as_bool().ok_or_else(|| wrong("true or false"))?),
            _ => {
                ignored.insert(field);
            }
        }
    }
    match (&entry.prompt, entry.tokens.as_slice()) {
        (None, []) => Err("it has neither prompt nor tokens".to_owned()),
        (Some(_), [_, ..]) => Err("it has both prompt and tokens".to_owned()),
        _ => Ok(entry),
    }
}

fn ids(value: &Value) -> Option<Vec<u32>> {
    value.as_array()?.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
}

fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Reads one pair `[a, b]`, or a list of pairs.
fn pairs(value: &Value) -> Option<Vec<String>> {
    let pair = |value: &Value| texts(value).filter(|pair| pair.len() == 2);
    match value.as_array()?.first()? {
        Value::Array(_) => Some(value.as_array()?.iter().map(pair).collect::<Option<Vec<_>>>()?.concat()),
        _ => pair(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_file_is_a_prompt_a_line() {
        let (lines, ignored) = read("\u{feff}the capital of\n\n  \r\n {braces} are text\r\n".as_bytes());
        let prompts: Vec<_> =
            lines.iter().map(|line| (line.number, line.entry.clone().unwrap().prompt.unwrap())).collect();
        assert_eq!(prompts, [(1, "the capital of".to_owned()), (4, " {braces} are text".to_owned())]);
        assert!(ignored.is_empty());
    }

    #[test]
    fn json_lines_say_what_is_wrong_with_each() {
        let lines = concat!(
            "{\"prompt\": \"a\", \"id\": 7, \"target_diff\": [\"x\", \"y\"], \"answer\": 1}\n",
            "{\"tokens\": [1, 2], \"target\": \" b\", \"target_diff\": [[\"x\", \"y\"], [\"z\", \"w\"]], \"chat\": null}\n",
            "{\"prompt\": \"a\", \"tokens\": [1]}\n{\"target\": \"a\"}\n{\"prompt\": 3}\n[]\n{\"prompt\": \"a\"\n",
            "{\"prompt\": \"a\", \"target_diff\": [\"x\"]}\n{\"prompt\": \"a\", \"target_position\": -1}\n",
        );
        let (lines, ignored) = read(lines.as_bytes());
        let first = Entry {
            prompt: Some("a".to_owned()),
            slug: Some("7".to_owned()),
            target_diffs: vec!["x".to_owned(), "y".to_owned()],
            ..Entry::default()
        };
        assert_eq!(lines[0].entry, Ok(first));
        let second = lines[1].entry.clone().unwrap();
        assert_eq!((second.tokens, second.targets, second.target_diffs.len()), (vec![1, 2], vec![" b".to_owned()], 4));
        for (line, part) in lines[2..].iter().zip([
            "both prompt and tokens",
            "neither prompt nor tokens",
            "prompt is 3",
            "no JSON object",
            "ends before its JSON does",
            "target_diff",
            "target_position is -1",
        ]) {
            assert!(line.entry.as_ref().is_err_and(|why| why.contains(part)), "{line:?} does not say {part}");
        }
        assert_eq!(ignored.into_iter().collect::<Vec<_>>(), ["answer"]);
    }
}
