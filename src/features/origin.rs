//! Where dashboards come from.

use std::fmt;

/// What kind of source dashboards come from, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Made by this program from a corpus.
    Made,
    /// Published with the transcoder, in circuit-tracer's binary form.
    Published,
    /// A JSON file for each feature.
    Files,
    /// Imported from another program's exports.
    Imported,
    /// Neuronpedia.
    Neuronpedia,
    /// The hub, a feature at a time.
    Hub,
}

/// Where a dashboard comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What kind of source it is.
    pub kind: Kind,
    /// Its folder, or its reference on the hub.
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
