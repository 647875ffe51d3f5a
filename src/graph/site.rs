//! Sites of a model that features stand for, and features at positions.

use crate::ids::{FeatureId, Layer, Position};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Module of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Module {
    /// Attention.
    Attention,
    /// MLP: that of a transcoder.
    #[default]
    Mlp,
    /// The whole layer, where a file does not say which of its modules it means.
    Block,
}

/// Module of a layer whose output features or an error stand for, as a dictionary sees it. Written to files as its
/// layer, and with module and dictionary where these are not the first MLP dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Site {
    /// Layer of the module; of a cross-layer transcoder the one that its features read from.
    pub layer: Layer,
    /// Module of that layer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub module: Module,
    /// Dictionary of the features, as an index into
    /// [`AttributionGraph::dictionaries`](crate::graph::AttributionGraph::dictionaries); 0 where there is only one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dictionary: u16,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Site {
    /// Returns the MLP of a layer, in the first dictionary.
    pub fn mlp(layer: Layer) -> Self {
        Self { layer, module: Module::Mlp, dictionary: 0 }
    }

    /// Returns true where it is an MLP in the first dictionary: the site of a trace's own transcoder.
    pub fn is_of_transcoder(&self) -> bool {
        *self == Self::mlp(self.layer)
    }
}

/// A feature that is active at a position. Ordered by site, position, feature, as circuit-tracer orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeatureAt {
    /// Site that the feature is of.
    #[serde(flatten)]
    pub site: Site,
    /// Position where it is active.
    pub position: Position,
    /// Index of the feature at its site.
    pub feature: FeatureId,
}

impl FeatureAt {
    /// Returns the feature of the transcoder of a layer's MLP.
    pub fn mlp(layer: Layer, position: Position, feature: FeatureId) -> Self {
        Self { site: Site::mlp(layer), position, feature }
    }

    /// Returns the layer of its site.
    pub fn layer(&self) -> Layer {
        self.site.layer
    }

    /// Returns layer and index, by which libraries and transcoders know a feature at whatever position.
    pub fn layer_and_feature(&self) -> (Layer, FeatureId) {
        (self.site.layer, self.feature)
    }
}

impl fmt::Display for FeatureAt {
    /// Writes `LAYER:POSITION:FEATURE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.site.layer, self.position, self.feature)
    }
}

impl FromStr for FeatureAt {
    type Err = String;

    /// Reads `LAYER:POSITION:FEATURE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it has to be LAYER:POSITION:FEATURE".to_owned();
        let numbers: Vec<u32> =
            text.trim().split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let [layer, position, feature] = numbers[..] else { return Err(wrong()) };
        Ok(Self::mlp(Layer(layer), Position(position), FeatureId(feature)))
    }
}
