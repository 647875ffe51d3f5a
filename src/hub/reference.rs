//! References to a model or a transcoder, as the user, a configuration or a list of files writes them.

use crate::hub::HubError;
use std::fmt;
use std::path::{Path, PathBuf};

/// Default revision.
const MAIN: &str = "main";
/// Longest name of an organisation or a repository that the hub allows.
const LONGEST: usize = 96;

/// Repositories older than the hub's organisations, by the names still in use, with their present names.
const BARE: [(&str, &str); 5] = [
    ("distilgpt2", "distilbert/distilgpt2"),
    ("gpt2", "openai-community/gpt2"),
    ("gpt2-large", "openai-community/gpt2-large"),
    ("gpt2-medium", "openai-community/gpt2-medium"),
    ("gpt2-xl", "openai-community/gpt2-xl"),
];

/// A repository of the hub, or a folder or file of it: `org/repo[/path][@revision]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repo: String,
    path: String,
    revision: String,
}

impl Reference {
    /// Reads `org/repo`, `org/repo/folder` or `org/repo//folder`, each with `@revision`, and
    /// `hf://org/repo[@revision]/path[?revision=…]`. `None` where it is none of them.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, revision) = match text.strip_prefix("hf://") {
            Some(uri) => split_uri(uri)?,
            None => match text.split_once('@') {
                Some((text, revision)) => (text.to_owned(), Some(revision.to_owned())),
                None => (text.to_owned(), None),
            },
        };
        let mut parts = text.splitn(3, '/');
        let (org, name) = (parts.next()?, parts.next()?);
        let path = parts.next().unwrap_or_default().trim_start_matches('/').trim_end_matches('/');
        let revision = revision.unwrap_or_else(|| MAIN.to_owned());
        let known = is_name(org) && is_name(name) && (path.is_empty() || is_inside(path)) && is_revision(&revision);
        known.then(|| Self { repo: format!("{org}/{name}"), path: path.to_owned(), revision })
    }

    /// Returns `org/repo`.
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Returns the path of the folder or file within it; empty for all of it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Returns `hf://org/repo@revision/path`: a name for one file that ends as the file does.
    pub fn uri(&self) -> String {
        format!("hf://{}@{}/{}", self.repo, self.revision.replace('/', "%2F"), self.path)
    }

    /// Returns the reference of a file below the folder that it names.
    pub fn join(&self, file: &str) -> Self {
        let path = if self.path.is_empty() { file.to_owned() } else { format!("{}/{file}", self.path) };
        self.with_path(path)
    }

    /// Returns the same repository and revision with another folder or file.
    pub(super) fn with_path(&self, path: String) -> Self {
        Self { path, ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if !self.path.is_empty() {
            write!(f, "/{}", self.path)?;
        }
        if self.revision != MAIN { write!(f, "@{}", self.revision) } else { Ok(()) }
    }
}

/// Splits the part after `hf://` into path and revision. The revision stands behind the repository or in the query.
fn split_uri(uri: &str) -> Option<(String, Option<String>)> {
    let (uri, query) = uri.split_once('?').map_or((uri, None), |(uri, query)| (uri, Some(query)));
    let asked = match query {
        Some(query) => Some(query.strip_prefix("revision=")?.replace("%2F", "/")),
        None => None,
    };
    let (org, rest) = uri.split_once('/')?;
    let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, said) = match name.split_once('@') {
        Some((name, revision)) => (name, Some(revision.replace("%2F", "/"))),
        None => (name, None),
    };
    Some((format!("{org}/{name}/{path}"), said.or(asked)))
}

fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.len() <= LONGEST
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(within)
        && !text.contains("--")
        && !text.contains("..")
}

fn is_revision(text: &str) -> bool {
    let within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+');
    is_inside(text) && text.chars().all(within)
}

/// Returns true where a path names something below where it starts, on every system: relative, with no step up, and
/// without any system's separators, drives or ends.
pub fn is_inside(path: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(part) && !path.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
}

/// Source of a model or a transcoder, as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory or a GGUF file on this machine.
    Directory(PathBuf),
    /// A repository of the hub, or a folder of it.
    Hub(Reference),
}

impl Source {
    /// Reads `text`: a directory where there is one of that name, a GGUF file, else a reference.
    ///
    /// # Errors
    /// Fails with [`HubError::NotAReference`] where it is none of these.
    pub fn parse(text: &Path) -> Result<Self, HubError> {
        if text.is_dir() || text.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")) {
            return Ok(Self::Directory(text.to_owned()));
        }
        let full = |text: &str| {
            let (name, revision) = text.split_once('@').map_or((text, None), |(name, revision)| (name, Some(revision)));
            let (_, full) = BARE.iter().find(|(bare, _)| *bare == name)?;
            Reference::parse(&revision.map_or((*full).to_owned(), |revision| format!("{full}@{revision}")))
        };
        match text.to_str().and_then(|text| full(text).or_else(|| Reference::parse(text))) {
            Some(reference) => Ok(Self::Hub(reference)),
            None => Err(HubError::NotAReference { text: text.display().to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, String)> {
        Reference::parse(text).map(|r| (r.repo().to_owned(), r.path().to_owned(), r.revision().to_owned()))
    }

    fn same(repo: &str, path: &str, revision: &str) -> Option<(String, String, String)> {
        Some((repo.to_owned(), path.to_owned(), revision.to_owned()))
    }

    #[test]
    fn every_way_to_write_a_reference() {
        assert_eq!(parts("google/gemma-2-2b"), same("google/gemma-2-2b", "", "main"));
        assert_eq!(parts("a/b@v1.0"), same("a/b", "", "v1.0"));
        assert_eq!(parts("a/b/c/d"), same("a/b", "c/d", "main"));
        assert_eq!(parts("a/b//c/d@refs/pr/3"), same("a/b", "c/d", "refs/pr/3"));
        assert_eq!(parts("hf://a/b/c/d.npz"), same("a/b", "c/d.npz", "main"));
        assert_eq!(parts("hf://a/b/c/d.npz?revision=abc"), same("a/b", "c/d.npz", "abc"));
        assert_eq!(parts("hf://a/b@refs%2Fpr%2F3/c.npz"), same("a/b", "c.npz", "refs/pr/3"));
    }

    #[test]
    fn names_older_than_organisations_are_known() {
        let hub = |text: &str| match Source::parse(text.as_ref()) {
            Ok(Source::Hub(reference)) => Some(reference.to_string()),
            _ => None,
        };
        assert_eq!(hub("gpt2").as_deref(), Some("openai-community/gpt2"));
        assert_eq!(hub("gpt2-xl@v1").as_deref(), Some("openai-community/gpt2-xl@v1"));
        assert_eq!(hub("gpt3"), None);
        for (_, full) in BARE {
            assert!(Reference::parse(full).is_some(), "{full}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "gpt2",
            "/a/b",
            "./a/b",
            "../a/b",
            "a/../b",
            "a/b/../c",
            "a/b@",
            "a/b@../c",
            "a/b c",
            "~/a/b",
            "a//b",
            "a/b/c\\d",
            "a/b/\nc",
            "hf://a",
            "hf://a/b/c?rev=x",
            "a/b--c",
            "C:/a/b",
        ] {
            assert_eq!(parts(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_reference_reads_what_it_writes() {
        for text in ["a/b", "a/b/c", "a/b/c/d@refs/pr/3", "hf://a/b/c.npz?revision=abc"] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(Reference::parse(&reference.to_string()), Some(reference.clone()));
            assert_eq!(Reference::parse(&reference.uri()), Some(reference));
        }
    }
}
