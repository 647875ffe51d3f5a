//! The guide: short pages on what one can do with the program, embedded in it, for both front ends.
//!
//! A page is Markdown: a title, what one wants to do, the command that does it, and what there is to know of it.
//! `keys.md` is made from the table of keys and `filters.md` holds the grammar of filters; tests compare them.

use std::fmt::Write as _;

/// Indent of what stood between fences.
const INDENT: &str = "    ";
/// How many topics are named where there is none of that name.
const NEAREST: usize = 3;

/// A page of the guide.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name by which it is asked for.
    pub name: &'static str,
    /// Other words that lead to it: subcommands, and what else it is about.
    pub also: &'static [&'static str],
    /// What it is about, in a line.
    pub about: &'static str,
    /// Page, in Markdown.
    pub markdown: &'static str,
}

macro_rules! topic {
    ($name:literal, $also:expr, $about:literal) => {
        Topic {
            name: $name,
            also: &$also,
            about: $about,
            markdown: include_str!(concat!("../assets/guide/", $name, ".md")),
        }
    };
}

/// All pages, in the order of a first reading.
pub const TOPICS: [Topic; 18] = [
    topic!("walking", ["screen", "open", "start"], "walk a circuit on the screen, and what the screen says"),
    topic!("keys", [], "every key"),
    topic!("filters", ["filter"], "see only what matters of a graph"),
    topic!("tracing", ["trace", "tokens", "plan"], "trace a prompt: its outputs, its size, its file"),
    topic!("models", ["transcoders", "pull", "presets"], "models and transcoders: where they come from, what is read"),
    topic!("training", ["train"], "train a transcoder for a model that has none"),
    topic!("gpu", ["cuda", "metal"], "compute on a card, and in half precision"),
    topic!("features", ["contexts", "browse"], "what features fire on: look it up, fetch, import or build it"),
    topic!(
        "interventions",
        ["intervene", "generate", "ablate", "steer", "swap"],
        "set features and see what the model does"
    ),
    topic!("verify", ["faithfulness"], "check a graph against the model"),
    topic!("why", [], "why a feature fires, or does not"),
    topic!("attention", ["heads"], "which heads carry a graph, and why they look where they look"),
    topic!("circuit", ["supernodes"], "have the circuit of a graph proposed, as a few named supernodes"),
    topic!("compare", ["diff", "union"], "what two prompts share, and what recurs in many"),
    topic!("export", ["show", "find", "paths", "groups", "edit", "fetch"], "read, edit and export graphs"),
    topic!(
        "batches",
        ["resume", "status", "submit", "cluster"],
        "resume a trace, trace many prompts, on many machines"
    ),
    topic!("json", ["fields"], "every field of what commands print with --json"),
    topic!("files", ["settings", "environment"], "where files are kept, and what sets how the program behaves"),
];

/// Returns the page of a topic, by its name or another word that leads to it.
pub fn topic(word: &str) -> Option<&'static Topic> {
    let word = word.to_lowercase();
    TOPICS.iter().find(|topic| topic.words().any(|known| known == word))
}

/// Returns the names of the topics that a word may stand for, the likeliest first.
pub fn nearest(word: &str) -> Vec<&'static str> {
    let word = word.to_lowercase();
    let alike = |topic: &Topic| topic.words().map(|known| strsim::jaro_winkler(known, &word)).fold(0.0, f64::max);
    let mut topics: Vec<_> = TOPICS.iter().map(|topic| (topic.name, alike(topic))).collect();
    topics.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    topics.into_iter().take(NEAREST).map(|(name, _)| name).collect()
}

impl Topic {
    fn words(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.also.iter().copied())
    }

    /// Returns the page as a terminal shows it.
    pub fn text(&self) -> String {
        text_of(self.markdown)
    }

    /// Returns the rows of the table of two columns below a heading, without their header; the first column without the
    /// marks of code.
    pub fn rows(&self, heading: &str) -> impl Iterator<Item = (String, &'static str)> {
        let below = self.markdown.lines().skip_while(move |line| line.strip_prefix("## ") != Some(heading)).skip(1);
        let section = below.take_while(|line| !line.starts_with("## "));
        section.filter_map(|line| {
            let [first, second] = cells(line)?[..] else { return None };
            first.starts_with('`').then(|| (first.replace('`', ""), second))
        })
    }
}

/// Returns a page as a terminal shows it: what stands between fences is indented instead, and the cells of a table stand
/// below each other.
pub fn text_of(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let (mut is_fenced, mut widths) = (false, Vec::new());
    let lines: Vec<&str> = markdown.lines().collect();
    for (at, &line) in lines.iter().enumerate() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        let cells = cells(line).filter(|_| !is_fenced).unwrap_or_default();
        if cells.is_empty() {
            widths.clear();
            let indent = if is_fenced && !line.is_empty() { INDENT } else { "" };
            // Writing into a string does not fail.
            let _ = writeln!(text, "{indent}{line}");
            continue;
        }
        if widths.is_empty() {
            widths = widths_of(&lines[at..]);
        }
        if !cells.iter().all(|cell| cell.chars().all(|c| c == '-')) {
            let padded = cells.iter().zip(widths.iter().copied()).map(|(cell, width)| format!("{cell:<width$}  "));
            let _ = writeln!(text, "{}", padded.collect::<String>().trim_end());
        }
    }
    text
}

/// Returns the cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inside = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split(" | ").map(str::trim).collect())
}

/// Returns the width of each column of the table that lines begin with.
fn widths_of(lines: &[&str]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in lines.iter().map_while(|line| cells(line)) {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_leads_to_one_page() {
        let words: Vec<_> = TOPICS.iter().flat_map(Topic::words).collect();
        for word in &words {
            assert_eq!(words.iter().filter(|other| *other == word).count(), 1, "{word}");
            let found = topic(&word.to_uppercase()).map(|topic| topic.words().any(|known| known == *word));
            assert_eq!(found, Some(true), "{word}");
        }
        assert_eq!(topic("no such"), None);
    }

    #[test]
    fn a_misspelt_topic_is_near_the_one_that_is_meant() {
        for (word, meant) in [("filtres", "filters"), ("head", "attention"), ("interven", "interventions")] {
            assert_eq!(nearest(word)[0], meant);
        }
    }

    #[test]
    fn a_page_shows_fences_and_tables_as_they_are_meant() {
        let shown = |markdown| Topic { name: "", also: &[], about: "", markdown }.text();
        assert_eq!(shown("# A\n\n```sh mark\none\n\n  | two |\n```\nb\n"), "# A\n\n    one\n\n      | two |\nb\n");
        assert_eq!(shown("| x | y |\n| --- | --- |\n| `|` `b` | z |\n"), "x        y\n`|` `b`  z\n");
        assert_eq!(shown("| | |\n| --- | --- |\n| aaa | z |\n\n| bbbb | y |\n"), "aaa  z\n\nbbbb  y\n");
    }

    #[test]
    fn rows_are_those_of_one_table() {
        let markdown = "## A\n\n| x | y |\n| --- | --- |\n| `a`, `b` | first |\n\n## B\n\n| `c` | second |\n";
        let page = Topic { name: "", also: &[], about: "", markdown };
        assert_eq!(page.rows("A").collect::<Vec<_>>(), [("a, b".to_owned(), "first")]);
    }
}
