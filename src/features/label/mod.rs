//! Labels of features and their origins, and labels made from contexts where nobody has given one.

mod automatic;
mod words;

use crate::features::Dashboard;
use std::fmt;

/// Label of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Text of the label.
    pub text: String,
    /// Origin of the label.
    pub origin: LabelOrigin,
}

/// Origin of a label. Earlier ones take precedence over later ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelOrigin {
    /// The user, in the session of the graph.
    Own,
    /// File of labels that the user named.
    File(String),
    /// File of the graph.
    Graph,
    /// Source of dashboards that holds labels too.
    Source(String),
    /// This program, from the contexts.
    Automatic,
}

impl fmt::Display for LabelOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("your own"),
            Self::File(path) | Self::Source(path) => write!(f, "from {path}"),
            Self::Graph => f.write_str("from the graph's file"),
            Self::Automatic => f.write_str("automatic"),
        }
    }
}

impl Label {
    /// Returns the label that takes precedence over all others.
    pub fn first(labels: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        labels.into_iter().flatten().min_by(|a, b| a.origin.cmp(&b.origin))
    }

    /// Makes a label from the contexts: what they share. `None` where that says nothing.
    pub fn automatic(dashboard: &Dashboard) -> Option<Self> {
        automatic::name(dashboard).map(|text| Self { text, origin: LabelOrigin::Automatic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_own_label_wins() {
        let label = |text: &str, origin| Some(Label { text: text.to_owned(), origin });
        let automatic = label("a", LabelOrigin::Automatic);
        let graph = label("g", LabelOrigin::Graph);
        let source = label("s", LabelOrigin::Source("imported".into()));
        let file = label("f", LabelOrigin::File("labels.csv".into()));
        let own = label("mine", LabelOrigin::Own);
        let order = [own, file, graph, source, automatic];
        for from in 0..order.len() {
            let rest = order[from..].iter().rev().cloned();
            assert_eq!(Label::first(rest), order[from]);
        }
        assert_eq!(Label::first([None, None]), None);
    }
}
