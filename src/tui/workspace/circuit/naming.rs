//! Names of the nodes, made of labels and promoted tokens.

use crate::graph::{AttributionGraph, Document, Kept, Labelled, Labels};
use crate::ids::{NodeId, Position};
use crate::service::labels::{Arrived, FeatureLabels};
use crate::service::library::Feature;
use crate::text::glyph::Glyphs;
use crate::text::names::{Called, Names, label_of};
use crate::tui::workspace::Circuit;
use crate::tui::workspace::features::FeatureDetails;
use std::sync::Arc;

/// Names of the nodes, and the labels that they are made of.
pub struct Naming {
    /// Names of the nodes.
    pub names: Names,
    /// Labels of the graph's file; the labels of the document are these and those of the library.
    pub file_labels: Arc<Labels>,
    /// The library's labels of the graph's features.
    pub library: FeatureLabels,
    /// Graph for which the library was asked, with the kept part for which all features were looked up.
    pub looked_up: Option<(Arc<AttributionGraph>, Option<Arc<Kept>>)>,
}

impl Naming {
    /// Creates the names of a document's nodes.
    pub fn new(document: &Document) -> Self {
        Self {
            names: Names::new(Arc::clone(&document.graph)),
            file_labels: Arc::clone(&document.labels),
            library: FeatureLabels::of_file(&document.labels),
            looked_up: None,
        }
    }
}

impl Circuit {
    /// Returns a token's text as it is shown.
    pub fn token(&self, position: Position, glyphs: &Glyphs) -> String {
        self.naming.names.token(position, glyphs)
    }

    /// Returns a token with its position beside it where its text stands more than once in the prompt.
    pub fn token_at(&self, position: Position, glyphs: &Glyphs) -> String {
        self.naming.names.token_at(position, glyphs)
    }

    /// Returns a node's name, place and number.
    pub fn called(&self, node: NodeId, glyphs: &Glyphs) -> Called {
        self.naming.names.called(node, self.label(node).map(|(label, _)| label), glyphs)
    }

    /// Returns a node's name and place: `~Houston, El-Paso L2 @is`.
    pub fn name(&self, node: NodeId, glyphs: &Glyphs) -> String {
        self.called(node, glyphs).short()
    }

    /// Returns the subject of a node's label.
    pub fn labelled(&self, node: NodeId) -> Labelled {
        Labelled::of(node, self.node(node))
    }

    /// Returns a node's label, the user's else the file's; true where it is the user's.
    pub fn label(&self, node: NodeId) -> Option<(&str, bool)> {
        label_of(&self.traced.document, self.edits.now(), node)
    }

    /// Takes over the library's labels of the graph's features.
    pub fn take_named(&mut self, named: FeatureLabels) {
        self.traced.document.labels = Arc::clone(&named.merged);
        self.traced.document.densities = Arc::clone(&named.densities);
        self.naming.library = named;
    }

    /// Forgets which features were looked up in the library: not all were, or the answer may have been missed.
    pub fn look_up_labels_anew(&mut self) {
        if let Some((_, kept)) = &mut self.naming.looked_up {
            *kept = None;
        }
    }

    /// Takes over the details that were read of a feature.
    pub fn note_details(&mut self, feature: Feature, details: &FeatureDetails) {
        let mut named = std::mem::take(&mut self.naming.library);
        named.note(&self.naming.file_labels, feature, details.found.label.as_ref(), details.density);
        self.take_named(named);
    }

    /// Takes over labels and densities of features as they arrive.
    pub fn note_arrived(&mut self, arrived: Vec<Arrived>) {
        let mut named = std::mem::take(&mut self.naming.library);
        named.take(&self.naming.file_labels, arrived);
        self.take_named(named);
    }
}
