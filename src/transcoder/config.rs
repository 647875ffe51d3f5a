//! Reader of `config.yaml`: the hooks and the model of a transcoder set.

use crate::hub::{FileSource, HubError, drop_repeated};
use crate::model::{MlpInput, MlpOutput};
use crate::transcoder::TranscoderError;
use crate::untrusted::excerpt;
use candle_core::Tensor;
use serde::Deserialize;

/// Kind of transcoder: a feature writes into its own layer alone, or into all from its own on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// Transcoder for each layer.
    #[serde(rename = "transcoder_set")]
    PerLayer,
    /// Cross-layer transcoder.
    #[serde(rename = "cross_layer_transcoder")]
    CrossLayer,
}

/// Hook of the feature input (TransformerLens names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum FeatureInput {
    /// Residual stream in front of the layer; of a dictionary alone.
    #[serde(rename = "hook_resid_pre")]
    ResidPre,
    /// Residual stream behind the layer; of a dictionary alone.
    #[serde(rename = "hook_resid_post")]
    ResidPost,
    /// Residual stream between attention and the MLP's norm.
    #[serde(rename = "hook_resid_mid")]
    ResidMid,
    /// Input of the MLP's norm: the residual stream between attention and MLP, or in front of attention where both
    /// stand side by side.
    #[serde(rename = "hook_mlp_in")]
    BeforeNorm,
    /// Input of the MLP's norm divided by the norm's divisor, before the norm's weight.
    #[serde(rename = "ln2.hook_normalized")]
    Normalized,
    /// Input of the MLP.
    #[serde(rename = "mlp.hook_in")]
    MlpIn,
}

impl FeatureInput {
    /// Returns its name in `config.yaml`.
    fn name(self) -> &'static str {
        match self {
            Self::ResidPre => "hook_resid_pre",
            Self::ResidPost => "hook_resid_post",
            Self::ResidMid => "hook_resid_mid",
            Self::BeforeNorm => "hook_mlp_in",
            Self::Normalized => "ln2.hook_normalized",
            Self::MlpIn => "mlp.hook_in",
        }
    }

    /// Returns the feature input of a layer, `[P, d]`, where that lies in front of its MLP.
    ///
    /// # Panics
    /// Panics for a dictionary's stream in front of the layer or behind it.
    pub fn of(self, input: &MlpInput) -> &Tensor {
        match self {
            Self::ResidPre | Self::ResidPost => {
                panic!("the residual stream at a layer's ends is not what its MLP reads")
            }
            Self::ResidMid | Self::BeforeNorm => &input.resid,
            Self::Normalized => &input.normalized,
            Self::MlpIn => &input.mlp_in,
        }
    }
}

/// Hook of the feature output (TransformerLens names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum FeatureOutput {
    /// Output of the MLP, in front of a norm that may follow it.
    #[serde(rename = "mlp.hook_out")]
    MlpOut,
    /// MLP's output as added to the residual stream. The same as [`MlpOut`](Self::MlpOut) for models without such a
    /// norm.
    #[serde(rename = "hook_mlp_out")]
    HookMlpOut,
    /// Residual stream in front of the layer; of a dictionary alone.
    #[serde(rename = "hook_resid_pre")]
    ResidPre,
    /// Residual stream between attention and the MLP's norm; of a dictionary alone.
    #[serde(rename = "hook_resid_mid")]
    ResidMid,
    /// Residual stream behind the layer; of a dictionary alone.
    #[serde(rename = "hook_resid_post")]
    ResidPost,
}

impl FeatureOutput {
    /// Returns the point of the MLP's output.
    pub fn of_mlp(self) -> MlpOutput {
        if self == Self::MlpOut { MlpOutput::BeforeNorm } else { MlpOutput::AfterNorm }
    }

    /// Returns its name in `config.yaml`.
    fn name(self) -> &'static str {
        match self {
            Self::MlpOut => "mlp.hook_out",
            Self::HookMlpOut => "hook_mlp_out",
            Self::ResidPre => "hook_resid_pre",
            Self::ResidMid => "hook_resid_mid",
            Self::ResidPost => "hook_resid_post",
        }
    }
}

/// Contents of `config.yaml`.
#[derive(Clone, Debug, Deserialize)]
pub struct TranscoderConfig {
    /// Name of the model that it was trained for on the hub, where it is given.
    #[serde(default)]
    pub model_name: Option<String>,
    /// Kind: per layer or across layers.
    pub model_kind: Kind,
    /// Hook of the feature input.
    pub feature_input_hook: FeatureInput,
    /// Hook of the feature output.
    pub feature_output_hook: FeatureOutput,
    /// Name of the set.
    #[serde(default)]
    pub scan: String,
    /// Address of each layer's file, as `hf://org/repo/path`: see [`FileSource::listed`].
    #[serde(default)]
    pub transcoders: Option<Vec<String>>,
    /// Activation function `topk`, where the tensors do not tell.
    #[serde(default)]
    pub activation: Option<String>,
    /// Number of features kept by `topk`, where the tensors do not tell.
    #[serde(default)]
    pub k: Option<usize>,
}

impl TranscoderConfig {
    /// Returns true where it reads and writes one residual stream (a sparse autoencoder): it replaces nothing, so that
    /// there is nothing to trace, but its features can be browsed.
    pub fn is_dictionary(&self) -> bool {
        use {FeatureInput as In, FeatureOutput as Out};
        let hooks = (self.feature_input_hook, self.feature_output_hook);
        matches!(hooks, (In::ResidPre, Out::ResidPre) | (In::ResidMid, Out::ResidMid) | (In::ResidPost, Out::ResidPost))
    }

    fn replaces_mlps(&self) -> bool {
        !matches!(self.feature_input_hook, FeatureInput::ResidPre | FeatureInput::ResidPost)
            && matches!(self.feature_output_hook, FeatureOutput::MlpOut | FeatureOutput::HookMlpOut)
    }

    /// Reads `config.yaml`, or what the layout implies, with the user's options in place of its values.
    ///
    /// # Errors
    /// Fails where it is no YAML, names a kind, a hook or an activation that is not known, or is missing where it is
    /// needed.
    pub fn read(place: &FileSource) -> Result<Self, TranscoderError> {
        let (mut config, path): (Self, String) = place.set_config().map_err(|error| match error {
            HubError::FileSource(error) => TranscoderError::FileSource(error),
            HubError::Unreadable { path, what } | HubError::NoLayout { place: path, what } => {
                TranscoderError::Config { path, what }
            }
            other => TranscoderError::Config { path: place.name(), what: other.to_string() },
        })?;
        config.model_name = config.model_name.filter(|name| !name.is_empty());
        config.transcoders.iter_mut().for_each(drop_repeated);
        let wrong = |what: String| TranscoderError::Config { path: path.clone(), what };
        if !config.is_dictionary() && !config.replaces_mlps() {
            let (reads, writes) = (config.feature_input_hook.name(), config.feature_output_hook.name());
            return Err(wrong(format!(
                "its features read {reads} and write {writes}, as neither a transcoder's nor a dictionary's do; a transcoder \
                 writes mlp.hook_out or hook_mlp_out, a dictionary the residual stream that it reads"
            )));
        }
        match (config.activation.as_deref(), config.k) {
            (None | Some("relu" | "jumprelu"), None) => Ok(config),
            (None | Some("topk"), Some(1..)) => Ok(config),
            // The layers' files may say how many.
            (Some("topk"), None) => Ok(config),
            (Some("topk"), _) => Err(wrong("activation topk needs k, the features kept, above 0".to_owned())),
            (activation, k) => Err(wrong(format!(
                "activation {} with k {k:?} is not understood; known: relu, jumprelu, topk with k",
                excerpt(activation.unwrap_or("absent"))
            ))),
        }
    }
}
