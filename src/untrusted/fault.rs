//! Errors of parsers, in this program's words and with no more of the file than is needed.

use super::excerpt;
use safetensors::SafeTensorError;
use serde_json::error::Category;

/// Describes the fault of a JSON, for the end of a sentence: `it is not JSON (line 3, column 7)`.
pub fn json_fault(error: &serde_json::Error) -> String {
    let place = match (error.line(), error.column()) {
        (0, _) => String::new(),
        (line, column) => format!(" (line {line}, column {column})"),
    };
    let what = match error.classify() {
        Category::Eof => "it ends before its JSON does".to_owned(),
        Category::Syntax => "it is not JSON".to_owned(),
        Category::Data => {
            let text = error.to_string();
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            data_fault(text)
        }
        Category::Io => excerpt(&error.to_string()).into_owned(),
    };
    what + &place
}

/// Describes values of the wrong type, from serde's message, which is the same for every format.
pub fn data_fault(text: &str) -> String {
    let ticked = |rest: &str| excerpt(rest.split('`').next().unwrap_or(rest)).into_owned();
    if let Some(rest) = text.strip_prefix("missing field `") {
        return format!("{} is missing", ticked(rest));
    }
    if let Some(rest) = text.strip_prefix("duplicate field `") {
        return format!("{} stands there twice", ticked(rest));
    }
    if let Some(rest) = text.strip_prefix("unknown variant `") {
        let known = rest.rsplit_once("`, expected ").map(|(_, known)| known.trim_start_matches("one of "));
        let known = known.map_or(String::new(), |known| format!("; known: {}", excerpt(&known.replace('`', ""))));
        return format!("{:?} is not known{known}", ticked(rest));
    }
    let kinds = ["invalid type: ", "invalid value: ", "invalid length "];
    let found = kinds.iter().find_map(|kind| text.strip_prefix(kind)).and_then(|rest| rest.rsplit_once(", expected "));
    match found {
        Some((found, wanted)) => {
            let wanted = if wanted.starts_with("struct ") { "an object" } else { wanted };
            format!("{} stands where {} has to", excerpt(found), excerpt(wanted))
        }
        None => match text.strip_prefix("data did not match any variant of untagged enum ") {
            Some(kind) => {
                let kind = kind.trim_end_matches("Untagged").trim_end_matches("Wrapper").to_lowercase();
                format!("its {} is of no kind that is known", excerpt(&kind))
            }
            None => excerpt(text).into_owned(),
        },
    }
}

/// Describes the fault of a YAML, from its reader's message: `error: line 3 column 7: missing field `k``.
pub fn yaml_fault(text: &str) -> String {
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (place, what) = match text.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((place, what)) if place.starts_with(|c: char| c.is_ascii_digit()) => {
            (format!(" (line {})", excerpt(&place.replace(" column", ", column"))), what)
        }
        _ => (String::new(), text),
    };
    let what = match (what.strip_prefix("duplicate mapping key: "), what.strip_prefix("expected ")) {
        (Some(key), _) => format!("{} stands there twice", excerpt(key.split(", set ").next().unwrap_or(key))),
        (None, Some(wanted)) => format!("something else stands where a {} has to", excerpt(wanted)),
        (None, None) => data_fault(what),
    };
    what + &place
}

/// Describes the fault of a safetensors file, for the end of a sentence.
pub fn safetensors_fault(error: &SafeTensorError) -> String {
    let what = match error {
        SafeTensorError::InvalidHeader(_) => "its header is not UTF-8".to_owned(),
        SafeTensorError::InvalidHeaderDeserialization(error) | SafeTensorError::JsonError(error) => {
            format!("of its header, {}", json_fault(error))
        }
        SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength => {
            "it does not begin with a header".to_owned()
        }
        SafeTensorError::HeaderTooSmall => "it has no room for a header".to_owned(),
        SafeTensorError::TensorNotFound(name) => format!("tensor {} is missing", excerpt(name)),
        SafeTensorError::InvalidOffset(name) => format!("tensor {} does not lie where it should", excerpt(name)),
        SafeTensorError::MetadataIncompleteBuffer => "it is not as long as its header says".to_owned(),
        other => excerpt(&other.to_string()).into_owned(),
    };
    format!("not a complete safetensors file: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::untrusted::EXCERPT;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what is wrong with it matters")]
    struct Cell {
        kind: Kind,
        count: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Twisted,
    }

    fn fault(json: &str) -> String {
        json_fault(&serde_json::from_str::<Cell>(json).unwrap_err())
    }

    #[test]
    fn each_fault_is_said_with_its_place() {
        assert_eq!(fault("{\"kind\": \"plain\""), "it ends before its JSON does (line 1, column 16)");
        assert_eq!(fault("{\n what"), "it is not JSON (line 2, column 2)");
        assert_eq!(fault("{\"kind\": \"plain\"}"), "count is missing (line 1, column 17)");
        assert_eq!(fault("{\"kind\": \"odd\"}"), "\"odd\" is not known; known: plain or twisted (line 1, column 14)");
        let wrong = fault("{\"kind\": \"plain\", \"count\": \"many\"}");
        assert_eq!(wrong, "string \"many\" stands where u32 has to (line 1, column 33)");
        assert_eq!(fault("{\"count\": 1, \"count\": 1}"), "count stands there twice (line 1, column 20)");
    }

    #[test]
    fn faults_of_yaml_are_said_in_the_same_way() {
        let fault = |text: &str| yaml_fault(text);
        assert_eq!(
            fault("error: line 4 column 1: missing field `model_name`"),
            "model_name is missing (line 4, column 1)"
        );
        assert_eq!(
            fault("error: line 2 column 1: duplicate mapping key: k, set DuplicateKeyPolicy in Options"),
            "k stands there twice (line 2, column 1)"
        );
        assert_eq!(
            fault("error: line 1 column 13: expected string scalar\n  | more"),
            "something else stands where a string scalar has to (line 1, column 13)"
        );
        assert_eq!(fault("budget breached"), "budget breached");
    }

    /// Checks messages of serde that quote much of a file, whatever that holds.
    #[test]
    fn a_fault_quotes_little_and_nothing_raw() {
        let long = "\u{1b}`, expected é\\u009b".repeat(10_000);
        for json in [
            serde_json::json!({ "kind": long, "count": 1 }),
            serde_json::json!({ "kind": "plain", "count": long }),
            serde_json::json!({ "kind": "plain", "count": [1] }),
        ] {
            let fault = fault(&json.to_string());
            assert!(fault.chars().count() < 20 * EXCERPT, "{fault}");
            assert!(!fault.chars().any(char::is_control), "{fault}");
        }
    }
}
