//! Newtypes for the coordinates of an attribution graph. They have no behaviour of their own.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the value as an index.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            /// Converts an index. None exceeds `u32`: every count that they index is checked when it is read.
            fn from(value: usize) -> Self {
                Self(u32::try_from(value).expect("a coordinate fits into 32 bits"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A transformer block, 0 at the embeddings' side.
    Layer
}
id! {
    /// A position in the prompt, counted in tokens; 0 is the leading special token.
    Position
}
id! {
    /// A feature's index within its layer of the transcoder.
    FeatureId
}
id! {
    /// A node's index in an [`AttributionGraph`](crate::graph::AttributionGraph).
    NodeId
}
id! {
    /// An edge's index in an [`AttributionGraph`](crate::graph::AttributionGraph): by target, then by source.
    EdgeId
}
