//! Names of a graph's nodes on the screen.

use crate::graph::{AttributionGraph, Document, Edited, Labelled, NodeKind, OtherKind};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::text;
use crate::text::glyph::{Charset, Glyphs};
use std::collections::HashMap;
use std::sync::Arc;

/// Names of the nodes of one graph. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    graph: Arc<AttributionGraph>,
    /// True for tokens whose text occurs more than once in the prompt, so that they are shown with their position,
    /// `[tokens]`.
    repeated: Arc<[bool]>,
}

impl Names {
    /// Creates the names of the nodes of `graph`.
    pub fn new(graph: Arc<AttributionGraph>) -> Self {
        let tokens = graph.tokens();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for token in tokens {
            *seen.entry(token.text.as_str()).or_default() += 1;
        }
        let repeated = tokens.iter().map(|token| seen[token.text.as_str()] > 1).collect();
        Self { graph, repeated }
    }

    /// Returns a token's text as it is shown.
    pub fn token(&self, position: Position, glyphs: &Glyphs) -> String {
        let token = self.graph.tokens().get(position.index());
        token.map_or_else(String::new, |token| glyphs.visible(&token.text))
    }

    /// Returns a token's text, with its position where the text occurs more than once in the prompt.
    pub fn token_at(&self, position: Position, glyphs: &Glyphs) -> String {
        let text = self.token(position, glyphs);
        if self.repeated.get(position.index()) == Some(&true) {
            format!("{text}{}", subscript(position, glyphs.charset))
        } else {
            text
        }
    }

    /// Returns the name of a node, by its label where it has one.
    pub fn called(&self, node: NodeId, label: Option<&str>, glyphs: &Glyphs) -> Called {
        let at = |position: &Position| format!("@{}", self.token_at(*position, glyphs));
        let in_layer = |layer: &Layer, position: &Position| format!("L{layer} {}", at(position));
        let number = self.graph.feature_text(node).map(|number| glyphs.visible(&number));
        // What it is without a label, and where that does not say it, where it is.
        let (what, place) = match &self.graph.node(node).kind {
            NodeKind::Feature { layer, position, .. } => {
                return Called::numbered(number.unwrap_or_default(), *layer, &at(position), label, glyphs);
            }
            NodeKind::Error { layer, position } => ("error".to_owned(), in_layer(layer, position)),
            NodeKind::Token { position, .. } => (format!("token {}", self.token_at(*position, glyphs)), String::new()),
            NodeKind::Logit { text, .. } => (format!("logit {}", glyphs.visible(text)), String::new()),
            NodeKind::Other { kind, name, layer, position } => {
                let what = match number {
                    Some(number) => format!("{} {number}", glyphs.visible(kind)),
                    // There is one in a layer at a position.
                    None if OtherKind::called(kind) == OtherKind::AttentionError => glyphs.visible(kind),
                    None => format!("{} {}", glyphs.visible(kind), glyphs.visible(name)),
                };
                (what, layer.map_or_else(|| at(position), |layer| in_layer(&layer, position)))
            }
        };
        match label {
            Some(label) if place.is_empty() => {
                Called { what: glyphs.visible(label), place: what, number: String::new() }
            }
            Some(label) => Called { what: glyphs.visible(label), place, number: what },
            None => Called { what, place, number: String::new() },
        }
    }
}

/// Name of a node in a row: label, then place, then number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Label; without one, the number, or the kind and text.
    pub what: String,
    /// Layer and token at its position; of a token or a logit with a label, its text.
    pub place: String,
    /// Number or kind, where `what` does not say it.
    pub number: String,
}

impl Called {
    /// Returns the name of a feature, which need not be in a graph. `at` is the position, such as `@is`.
    pub fn feature(layer: Layer, feature: FeatureId, at: &str, label: Option<&str>, glyphs: &Glyphs) -> Self {
        Self::numbered(format!("#{feature}"), layer, at, label, glyphs)
    }

    fn numbered(number: String, layer: Layer, at: &str, label: Option<&str>, glyphs: &Glyphs) -> Self {
        let place = format!("L{layer} {at}").trim_end().to_owned();
        match label {
            Some(label) => Self { what: glyphs.visible(label), place, number },
            None => Self { what: number, place, number: String::new() },
        }
    }

    /// Returns label and place: `~Houston, El-Paso L2 @is`.
    pub fn short(&self) -> String {
        format!("{} {}", self.what, self.place).trim_end().to_owned()
    }

    /// Returns the parts, each with the gap before it, as far as there is room: the number is dropped first, then the
    /// place; the label is cut off last.
    pub fn fit(&self, room: usize, glyphs: &Glyphs) -> [String; 3] {
        let behind = |text: &str, gap: usize| {
            if text.is_empty() { String::new() } else { format!("{}{text}", " ".repeat(gap)) }
        };
        let (place, number) = (behind(&self.place, 1), behind(&self.number, 2));
        let with_place = text::width(&self.what) + text::width(&place);
        if with_place + text::width(&number) <= room {
            [self.what.clone(), place, number]
        } else if with_place <= room {
            [self.what.clone(), place, String::new()]
        } else {
            [glyphs.fit(&self.what, room), String::new(), String::new()]
        }
    }
}

/// Returns a node's label, the user's before the file's, and true where it is the user's.
pub fn label_of<'a>(document: &'a Document, edited: &'a Edited, node: NodeId) -> Option<(&'a str, bool)> {
    let what = Labelled::of(node, document.graph.node(node));
    let own = edited.labels.get(&what).map(|label| (label.as_str(), true));
    own.or_else(|| document.labels.get(&what).map(|label| (label.as_str(), false)))
        .filter(|(label, _)| !label.is_empty())
}

fn subscript(position: Position, charset: Charset) -> String {
    match charset {
        Charset::Ascii => format!(":{position}"),
        Charset::Unicode | Charset::Braille => {
            position.to_string().bytes().filter_map(|digit| char::from_u32(0x2080 + u32::from(digit - b'0'))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_it_is_is_cut_last(what in "[a-z, ]{0,30}", place in "[a-z@]{0,12}", number in "(#[0-9]{1,5})?", room in 0usize..60) {
            let called = Called { what, place, number };
            let glyphs = Glyphs::new(Charset::Unicode);
            let [what, place, number] = called.fit(room, &glyphs);
            prop_assert!([&what, &place, &number].map(|part| text::width(part)).iter().sum::<usize>() <= room);
            let is_whole = what == called.what;
            prop_assert!(is_whole || (place.is_empty() && number.is_empty()), "{what:?} {place:?} {number:?}");
            prop_assert!(number.is_empty() || place.trim_start() == called.place);
            // It is cut only where it alone has no room.
            prop_assert_eq!(is_whole, text::width(&called.what) <= room);
        }
    }
}
