//! Exports: a part of a graph, with the user's work on it, as a file for other programs and for papers.

mod csv;
mod dense;
mod dot;
mod escape;
mod formats;
mod graph_json;
mod interventions;
mod markdown;
mod mermaid;
mod sheet;
mod svg;
mod url;

use crate::format::{FormatError, write_atomically};
use crate::graph::{Document, Edited, Kept, Part};
pub(crate) use escape::{inline, xml};
pub use formats::Format;
use formats::{Destination, Exported, Writing};
pub(crate) use sheet::clean;
use std::io::{self, Write};
use std::path::Path;

/// Background that a figure is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Paper.
    #[default]
    Light,
    /// A dark slide.
    Dark,
}

/// Options of a drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawing {
    /// Colours of a figure.
    pub theme: Theme,
    /// Least share of its target's input of an edge that is drawn.
    pub least_share: f64,
    /// Number of edges that are drawn at most, the strongest; more of them hide each other.
    pub most_edges: usize,
}

impl Default for Drawing {
    fn default() -> Self {
        Self { theme: Theme::Light, least_share: 0.01, most_edges: 400 }
    }
}

/// Options of an export.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Format to write.
    pub format: Format,
    /// Part of the graph; `None` for the [usual](Format::usual_part) one.
    pub part: Option<Part>,
    /// Name of the graph in viewers; where it is empty, that in its file, or the name of the written file.
    pub slug: String,
    /// `scan` of the features, where it is to differ from that of the graph's file: Neuronpedia's own name of the
    /// model.
    pub scan: Option<String>,
    /// Options of a drawing.
    pub drawing: Drawing,
}

impl Options {
    /// Returns the part of a graph with these edits that is exported.
    pub fn part(&self, edited: &Edited) -> Part {
        self.part.unwrap_or_else(|| self.format.usual_part(!edited.pins.is_empty()))
    }
}

/// Edges of a drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrawnEdges {
    /// Number of edges that are drawn.
    pub drawn: usize,
    /// Number of weaker ones that are left out.
    pub left_out: usize,
}

impl DrawnEdges {
    /// Returns a sentence about the edges that are left out, without its stop; `None` where there are none.
    pub fn said(&self) -> Option<String> {
        let edges = if self.drawn == 1 { "edge is" } else { "edges are" };
        let weaker = if self.left_out == 1 { "weaker one is" } else { "weaker ones are" };
        (self.left_out > 0).then(|| format!("{} {edges} drawn, {} {weaker} not", self.drawn, self.left_out))
    }
}

/// Writes an export, whole or not at all, and returns the edges of a drawing. `kept` is the part that pruning at the
/// thresholds of `edited` keeps.
///
/// # Errors
/// Fails with [`FormatError::Unexportable`] where there is nothing to write or too much to draw; with
/// [`FormatError::DiskFull`] or [`FormatError::Write`] where it cannot be written.
pub fn export(
    document: &Document,
    kept: &Kept,
    edited: &Edited,
    options: &Options,
    path: &Path,
) -> Result<Option<DrawnEdges>, FormatError> {
    let file = path.file_stem().unwrap_or_default().to_string_lossy();
    let Writing { to, edges } = prepared(document, kept, edited, options, &file)?;
    match to {
        Destination::Stream(write) => write_atomically(path, write)?,
        Destination::File(write) => write(path)?,
    }
    Ok(edges)
}

/// Writes an export to `out`, such as stdout. As [`export`], but that dense tensors need a file.
///
/// # Errors
/// Fails with [`FormatError::Unexportable`]; the inner result fails where `out` does.
///
/// # Examples
/// ```
/// use circuitscope::format::{self, Format, Options};
/// use circuitscope::graph::Part;
/// use std::path::Path;
///
/// let document = format::open(Path::new("tests/formats/data/neuronpedia.json"))?;
/// let edited = &document.edited;
/// let kept = document.prune(edited.thresholds);
/// let format = Format::named("mermaid").expect("there is such a format");
/// let options = Options { format, part: Some(Part::Pruned), ..Options::default() };
/// let mut text = Vec::new();
/// format::export_to(&document, &kept, edited, &options, &mut text)??;
/// assert!(String::from_utf8(text)?.starts_with("flowchart"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_to(
    document: &Document,
    kept: &Kept,
    edited: &Edited,
    options: &Options,
    out: &mut dyn Write,
) -> Result<io::Result<()>, FormatError> {
    match prepared(document, kept, edited, options, "")?.to {
        Destination::Stream(write) => Ok(write(out)),
        Destination::File(_) => Err(unexportable(format!("{} is written to a file; name one", options.format.name()))),
    }
}

/// Prepares an export; `file` is the name of the written file without its ending, for a graph that has no other.
fn prepared<'a>(
    document: &'a Document,
    kept: &'a Kept,
    edited: &'a Edited,
    options: &Options,
    file: &str,
) -> Result<Writing<'a>, FormatError> {
    let part = options.part(edited);
    if part == Part::Pinned && edited.pins.is_empty() {
        return Err(unexportable("nothing is pinned; pin nodes, or export what pruning keeps"));
    }
    let named = [&options.slug, &document.origin.slug].into_iter().find(|slug| !slug.is_empty());
    let slug = named.map_or(file, String::as_str).to_owned();
    (options.format.0.prepare)(Exported { document, kept, edited, part, slug, options: options.clone() })
}

fn unexportable(what: impl Into<String>) -> FormatError {
    FormatError::Unexportable { what: what.into() }
}
