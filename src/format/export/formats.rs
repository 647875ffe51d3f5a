//! Formats of exports: what each file of this folder declares of its own.

use crate::format::FormatError;
use crate::format::export::sheet::Sheet;
use crate::format::export::{
    DrawnEdges, Options, csv, dense, dot, graph_json, interventions, markdown, mermaid, svg, url,
};
use crate::graph::{Document, Edited, Kept, Part};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// All formats, in the order in which they are listed.
static FORMATS: &[&Spec] = &[
    &graph_json::FORMAT,
    &url::FORMAT,
    &dot::FORMAT,
    &svg::FORMAT,
    &mermaid::FORMAT,
    &markdown::FORMAT,
    &csv::NODES,
    &csv::EDGES,
    &dense::FORMAT,
    &interventions::FORMAT,
];

/// What a format says of itself.
pub(super) struct Spec {
    /// Name on the command line and in lists.
    pub name: &'static str,
    /// Usual ending of its files.
    pub extension: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Drawing in it; `None` for data.
    pub drawing: Option<DrawingKind>,
    /// Function that prepares an export, and fails where there is nothing to write.
    pub prepare: for<'a> fn(Exported<'a>) -> Result<Writing<'a>, FormatError>,
}

/// Kind of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrawingKind {
    /// Its viewer chooses the colours.
    Diagram,
    /// Its colours are for a light or a dark background.
    Figure,
}

/// What is exported.
pub(super) struct Exported<'a> {
    pub document: &'a Document,
    pub kept: &'a Kept,
    pub edited: &'a Edited,
    pub part: Part,
    /// Name of the graph: that of the options, of its file, or of the written file.
    pub slug: String,
    pub options: Options,
}

/// Export that is ready to be written.
pub(super) struct Writing<'a> {
    pub to: Destination<'a>,
    /// Edges of a drawing.
    pub edges: Option<DrawnEdges>,
}

/// Function that writes to a stream.
type WriteStream<'a> = dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a;

/// Function that writes a file of this name.
type WriteFile<'a> = dyn FnOnce(&Path) -> Result<(), FormatError> + 'a;

/// Function that writes an export to where its format can be written.
pub(super) enum Destination<'a> {
    /// A stream or a file.
    Stream(Box<WriteStream<'a>>),
    /// A file alone, written whole or not at all.
    File(Box<WriteFile<'a>>),
}

impl<'a> Exported<'a> {
    /// Returns the part with its texts.
    pub fn sheet(&self) -> Sheet<'a> {
        Sheet::new(self.document, self.kept, self.edited, self.part, self.slug.clone())
    }

    /// Prepares a table or a text.
    pub fn write(self, write: fn(&mut dyn Write, &Sheet<'_>) -> io::Result<()>) -> Writing<'a> {
        let sheet = self.sheet();
        Writing::stream(move |out| write(out, &sheet))
    }

    /// Prepares a drawing, with the edges that the options leave.
    pub fn draw(self, write: fn(&mut dyn Write, &Sheet<'_>) -> io::Result<()>) -> Writing<'a> {
        let sheet = self.sheet().with_strongest_edges(&self.options.drawing);
        let edges = sheet.drawn_edges();
        Writing::stream(move |out| write(out, &sheet)).with_edges(edges)
    }
}

impl<'a> Writing<'a> {
    /// Wraps a function that writes to any stream.
    pub fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + 'a) -> Self {
        Self { to: Destination::Stream(Box::new(write)), edges: None }
    }

    /// Says which edges the drawing has.
    pub fn with_edges(self, edges: DrawnEdges) -> Self {
        Self { edges: Some(edges), ..self }
    }
}

/// Format of an export.
#[derive(Clone, Copy)]
pub struct Format(pub(super) &'static Spec);

impl Format {
    /// Returns all formats, in the order in which they are listed.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        FORMATS.iter().copied().map(Self)
    }

    /// Returns the format of this name, such as `svg`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|format| format.name() == name)
    }

    /// Returns the graph JSON of circuit-tracer and Neuronpedia.
    pub fn json() -> Self {
        Self(&graph_json::FORMAT)
    }

    /// Returns the link that shows pins and groups on Neuronpedia, once the graph is uploaded there.
    pub fn url() -> Self {
        Self(&url::FORMAT)
    }

    /// Returns the lab note.
    pub fn markdown() -> Self {
        Self(&markdown::FORMAT)
    }

    /// Returns its name on the command line and in lists.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Returns the usual ending of its files.
    pub fn extension(self) -> &'static str {
        self.0.extension
    }

    /// Says what it is, in a few words.
    pub fn about(self) -> &'static str {
        self.0.about
    }

    /// Returns true for a drawing, whose weak edges may be left out.
    pub fn is_drawing(self) -> bool {
        self.0.drawing.is_some()
    }

    /// Returns true for a drawing that is made for a light or a dark background.
    pub fn has_theme(self) -> bool {
        self.0.drawing == Some(DrawingKind::Figure)
    }

    /// Returns the part that is exported where none is asked for: a drawing shows what is pinned, where anything is.
    pub fn usual_part(self, has_pins: bool) -> Part {
        if self.is_drawing() && has_pins { Part::Pinned } else { Part::Pruned }
    }
}

impl Default for Format {
    fn default() -> Self {
        Self::json()
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
