//! Exports: a part of a graph, with the user's work on it, as a file for other programs and for papers.

mod csv;
mod dot;
mod escape;
mod markdown;
mod mermaid;
mod sheet;
mod svg;
mod url;

use crate::format::json::Called;
use crate::format::{FormatError, dense, json, write_atomically};
use crate::graph::{Document, Edited, Kept, Part, scores};
use crate::untrusted::JsonOut;
pub(crate) use escape::{inline, xml};
use sheet::Sheet;
pub(crate) use sheet::clean;
use std::io::{self, Write};
use std::path::Path;

/// Format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The graph JSON of circuit-tracer and Neuronpedia.
    #[default]
    Json,
    /// A link that shows the pins and groups on Neuronpedia, once the graph is uploaded there.
    Url,
    /// A graph for graphviz.
    Dot,
    /// A figure.
    Svg,
    /// A diagram for Markdown and wikis.
    Mermaid,
    /// A lab note.
    Markdown,
    /// A table of nodes.
    CsvNodes,
    /// A table of edges.
    CsvEdges,
    /// The interventions, in the form from which [`Interventions`](crate::graph::Interventions) are read.
    Interventions,
    /// A safetensors file with the whole adjacency matrix, scores and masks.
    Dense,
}

impl Format {
    /// Returns the usual ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json | Self::Interventions => "json",
            Self::Url => "txt",
            Self::Dot => "dot",
            Self::Svg => "svg",
            Self::Mermaid => "mmd",
            Self::Markdown => "md",
            Self::CsvNodes | Self::CsvEdges => "csv",
            Self::Dense => "safetensors",
        }
    }

    /// Returns true for a drawing, whose weak edges may be left out.
    pub fn is_drawing(self) -> bool {
        matches!(self, Self::Svg | Self::Dot | Self::Mermaid)
    }

    /// Returns the part that is exported where none is asked for: a drawing shows what is pinned, where anything is.
    pub fn usual_part(self, has_pins: bool) -> Part {
        if self.is_drawing() && has_pins { Part::Pinned } else { Part::Pruned }
    }
}

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
    if options.format == Format::Dense {
        let trace = document.trace.as_deref().ok_or_else(|| {
            unexportable("dense tensors need the whole trace, and this graph was read from a file without it")
        })?;
        dense::write(path, trace, &document.graph, kept, scores(&document.graph, &kept.influence))?;
        return Ok(None);
    }
    let mut slug = slug(document, options);
    if slug.is_empty() {
        slug = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    let (write, edges) = checked(document, kept, edited, &Options { slug, ..options.clone() })?;
    write_atomically(path, write)?;
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
/// let options = Options { format: Format::Mermaid, part: Some(Part::Pruned), ..Options::default() };
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
    let (write, _) = checked(document, kept, edited, options)?;
    Ok(write(out))
}

/// Returns the name of the graph in viewers, by the options or by its file.
fn slug(document: &Document, options: &Options) -> String {
    let origin = &document.origin;
    let page = origin.page.as_ref().filter(|_| options.format == Format::Url).map(|page| &page.slug);
    let named = [Some(&options.slug), page, Some(&origin.slug)].into_iter().flatten().find(|slug| !slug.is_empty());
    named.cloned().unwrap_or_default()
}

fn unexportable(what: impl Into<String>) -> FormatError {
    FormatError::Unexportable { what: what.into() }
}

/// Writer of an export.
type Writing<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// Returns the writer of an export, where it can be written, and the edges of a drawing.
fn checked<'a>(
    document: &'a Document,
    kept: &'a Kept,
    edited: &'a Edited,
    options: &Options,
) -> Result<(Writing<'a>, Option<DrawnEdges>), FormatError> {
    let Options { format, scan, drawing, .. } = options.clone();
    let part = options.part(edited);
    let slug = slug(document, options);
    if part == Part::Pinned && edited.pins.is_empty() {
        return Err(unexportable("nothing is pinned; pin nodes, or export what pruning keeps"));
    }
    let sheet = |slug| Sheet::new(document, kept, edited, part, slug);
    let drawn = |slug| {
        let sheet = sheet(slug).with_strongest_edges(&drawing);
        let edges = sheet.drawn_edges();
        (sheet, Some(edges))
    };
    Ok(match format {
        Format::Svg => {
            let (sheet, edges) = drawn(slug);
            let figure = svg::figure(&sheet, drawing.theme).map_err(unexportable)?;
            (Box::new(move |out| out.write_all(figure.as_bytes())), edges)
        }
        Format::Dot => {
            let (sheet, edges) = drawn(slug);
            (of_sheet(sheet, dot::write), edges)
        }
        Format::Mermaid => {
            let (sheet, edges) = drawn(slug);
            (of_sheet(sheet, mermaid::write), edges)
        }
        Format::Markdown => (of_sheet(sheet(slug), markdown::write), None),
        Format::CsvNodes => (of_sheet(sheet(slug), csv::nodes), None),
        Format::CsvEdges => (of_sheet(sheet(slug), csv::edges), None),
        Format::Json => {
            let write: Writing<'a> = Box::new(move |out| {
                let called = Called { slug: &slug, scan: scan.as_deref() };
                json::write(&mut JsonOut::new(out), called, document, kept, edited, part)
            });
            (write, None)
        }
        Format::Interventions if edited.interventions.list.is_empty() => {
            return Err(unexportable("there are no interventions on this graph; make some first"));
        }
        Format::Interventions => {
            let write: Writing<'a> = Box::new(move |out| {
                serde_json::to_writer_pretty(JsonOut::new(&mut *out), &edited.interventions)?;
                out.write_all(b"\n")
            });
            (write, None)
        }
        Format::Url if slug.is_empty() => {
            return Err(unexportable(
                "a link names the graph, and this one has no name; give it one, or write a file of its name",
            ));
        }
        Format::Url => {
            let sheet = sheet(slug);
            (Box::new(move |out| url::write(out, &sheet, scan.as_deref())), None)
        }
        Format::Dense => return Err(unexportable("dense tensors are written to a file; name one")),
    })
}

/// Returns the writer of a format that is made from the sheet alone.
fn of_sheet<'a>(sheet: Sheet<'a>, write: fn(&mut dyn Write, &Sheet<'_>) -> io::Result<()>) -> Writing<'a> {
    Box::new(move |out| write(out, &sheet))
}
