//! Results of checks, as lines, as JSON, and as sections of a report.

use crate::cli::graph::OpenGraph;
use crate::format::{clean, inline, write_atomically};
use crate::graph::Thresholds;
use crate::text::{visible, width};
use crate::verify::plot::Plot;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// File name of a report's text.
pub const FILE: &str = "report.md";

/// Results of one check.
pub struct Section {
    /// Key in JSON and in the names of its figures.
    pub key: &'static str,
    /// Title in the report.
    pub title: String,
    /// Description of the measurement and its results; sentences.
    pub text: Vec<String>,
    /// Tables of the section.
    pub tables: Vec<Table>,
    /// Figures of the section.
    pub plots: Vec<Plot>,
    /// All results.
    pub json: Value,
}

/// Table of texts.
pub struct Table {
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// Formats the section as lines for a terminal.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title.to_uppercase()];
        lines.extend(self.text.iter().map(|text| visible(text)));
        for table in &self.tables {
            lines.push(String::new());
            lines.extend(table.lines());
        }
        lines.push(String::new());
        lines
    }

    fn figure(&self, nth: usize) -> String {
        format!("{}-{}.svg", self.key, nth + 1)
    }
}

impl Table {
    fn lines(&self) -> Vec<String> {
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = std::iter::once(&head)
            .chain(&self.rows)
            .map(|row| row.iter().map(|cell| visible(cell)).collect())
            .collect();
        let most = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..head.len()).map(|column| most(column).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let padded = |(cell, most): (&String, &usize)| format!("{cell}{}", " ".repeat(most - width(cell)));
            let cells: Vec<String> = row.iter().zip(&widths).map(padded).collect();
            cells.join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect()
    }

    fn markdown(&self) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut out = row(self.head.iter().map(|cell| (*cell).to_owned()).collect());
        out += &row(vec!["---".to_owned(); self.head.len()]);
        // What is aligned on a terminal is not here.
        let cell = |cell: &String| inline(&clean(&cell.split_whitespace().collect::<Vec<_>>().join(" ")));
        self.rows.iter().for_each(|cells| out += &row(cells.iter().map(cell).collect()));
        out
    }
}

/// Describes the subject of a report: the prompt, the model, and how much of the graph is kept.
pub fn head(open: &OpenGraph) -> String {
    let (origin, graph) = (&open.document.origin, &open.document.graph);
    let said = |text: &str| if text.is_empty() { "not said".to_owned() } else { inline(&clean(text)) };
    let Thresholds { node, edge, density } = open.edited.thresholds;
    let density = if density < 1.0 { format!(", density {density}") } else { String::new() };
    let mut text = String::from("| | |\n| --- | --- |\n");
    for (what, is) in [
        ("Prompt", inline(&clean(&origin.prompt))),
        ("Model", said(&origin.model)),
        ("Transcoders", said(&origin.transcoder)),
        ("Graph", format!("{} nodes, {} edges", graph.n_nodes(), graph.n_edges())),
        (
            "Thresholds",
            format!(
                "nodes {node}, edges {edge}{density}: keeps {} nodes, {} edges",
                open.kept.n_nodes(),
                open.kept.n_edges()
            ),
        ),
    ] {
        text += &format!("| {what} | {is} |\n");
    }
    text
}

/// Writes a report and its figures into a folder.
///
/// # Errors
/// Fails where the folder cannot be created or written to.
pub fn write(folder: &Path, head: &str, sections: &[Section]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("--report {} cannot be a directory", folder.display()))?;
    let mut text = format!("# Whether the graph tells the truth\n\n{head}");
    for section in sections {
        text += &format!("\n## {}\n\n", inline(&clean(&section.title)));
        section.text.iter().for_each(|sentence| text += &format!("{}\n", inline(&clean(sentence))));
        for table in &section.tables {
            text += &format!("\n{}", table.markdown());
        }
        for (nth, plot) in section.plots.iter().enumerate() {
            let name = section.figure(nth);
            write_atomically(&folder.join(&name), |out| out.write_all(plot.svg().as_bytes()))?;
            text += &format!("\n![{}]({name})\n", inline(&clean(&plot.title)));
        }
    }
    Ok(write_atomically(&folder.join(FILE), |out| out.write_all(text.as_bytes()))?)
}
