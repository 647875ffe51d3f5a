//! Origins of dashboards.

use std::fmt;

/// Kind of source of dashboards, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Store that this program built from a corpus.
    Made,
    /// Store published with the transcoder, in circuit-tracer's binary form.
    Published,
    /// JSON file for each feature.
    Files,
    /// Store imported from another program's exports.
    Imported,
    /// Neuronpedia.
    Neuronpedia,
    /// The hub, a feature at a time.
    Hub,
}

/// Origin of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Kind of source.
    pub kind: Kind,
    /// Path of its folder, or its reference on the hub.
    pub path: String,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made => "made here",
            Self::Published => "published with the transcoder",
            Self::Files => "a file for each feature",
            Self::Imported => "imported",
            Self::Neuronpedia => "from Neuronpedia",
            Self::Hub => "from the hub",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path, self.kind)
    }
}
