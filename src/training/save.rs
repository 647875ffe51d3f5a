//! Writer of what was trained, in circuit-tracer's layout, with the scales of inputs and outputs folded in.

use crate::format::tensors::{self, Tensor};
use crate::format::{FormatError, write_atomically};
use crate::training::parameters::Parameters;
use crate::training::scale::Scale;
use crate::training::settings::{Activation, Settings, TranscoderKind};
use serde_json::json;
use std::path::Path;

/// Name of the file that says what a set is.
pub(super) const CONFIG: &str = "config.yaml";

/// Layer as it is saved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved<'a> {
    pub weights: &'a Parameters,
    /// Threshold of all features, where those are not the weights' own.
    pub bound: Option<f32>,
}

/// Writes the layers' files into a folder. They are no set without [`config`].
///
/// # Errors
/// Fails where a file cannot be written.
pub(super) fn layers(
    folder: &Path,
    settings: &Settings,
    layers: &[Saved<'_>],
    scales: &[Scale],
) -> Result<(), FormatError> {
    (0..layers.len()).try_for_each(|nth| match settings.kind {
        TranscoderKind::Plt => per_layer(folder, settings, nth, layers, scales),
        TranscoderKind::Clt => cross_layer(folder, settings, nth, layers, scales),
    })
}

/// Writes `config.yaml`. `name` is the model's.
///
/// # Errors
/// Fails where it cannot be written.
pub(super) fn config(folder: &Path, name: &str, settings: &Settings) -> Result<(), FormatError> {
    let text = config_text(name, settings);
    write_atomically(&folder.join(CONFIG), |out| out.write_all(text.as_bytes()))
}

/// Returns the names of all these files.
pub(super) fn names(settings: &Settings) -> Vec<String> {
    let of_layer = |layer: &usize| match settings.kind {
        TranscoderKind::Plt => vec![format!("layer_{layer}.safetensors")],
        TranscoderKind::Clt => vec![format!("W_enc_{layer}.safetensors"), format!("W_dec_{layer}.safetensors")],
    };
    settings.layers.iter().flat_map(of_layer).chain([CONFIG.to_owned()]).collect()
}

fn config_text(name: &str, settings: &Settings) -> String {
    let kind = match settings.kind {
        TranscoderKind::Plt => "transcoder_set",
        TranscoderKind::Clt => "cross_layer_transcoder",
    };
    let activation = match settings.activation {
        Activation::TopK(k) => format!("topk\nk: {k}"),
        Activation::BatchTopK(_) | Activation::JumpRelu => "jumprelu".to_owned(),
        Activation::Relu => "relu".to_owned(),
    };
    // A JSON text is a YAML text.
    let name = json!(name);
    format!(
        "model_name: {name}\nmodel_kind: {kind}\nfeature_input_hook: mlp.hook_in\nfeature_output_hook: hook_mlp_out\n\
         scan: {name}\nactivation: {activation}\n"
    )
}

fn scaled(numbers: &[f32], factor: f32) -> impl Iterator<Item = f32> {
    numbers.iter().map(move |x| x * factor)
}

/// Returns the thresholds, `[F]`; none for activation functions without.
fn thresholds(saved: Saved<'_>) -> Option<Vec<f32>> {
    match saved.bound {
        Some(bound) => Some(vec![bound; saved.weights.encoder_bias.len()]),
        None if saved.weights.log_threshold.is_empty() => None,
        None => Some(saved.weights.log_threshold.iter().map(|log| log.exp()).collect()),
    }
}

fn per_layer(
    folder: &Path,
    settings: &Settings,
    nth: usize,
    layers: &[Saved<'_>],
    scales: &[Scale],
) -> Result<(), FormatError> {
    let (weights, scale) = (layers[nth].weights, &scales[nth]);
    let (f, d) = (weights.encoder_bias.len(), weights.decoder_bias.len());
    let mut all = vec![
        Tensor::new("W_enc", [f, d], scaled(&weights.encoder, 1.0 / scale.input)),
        Tensor::new("b_enc", [f], weights.encoder_bias.iter().copied()),
        Tensor::new("W_dec", [f, d], scaled(&weights.decoders[0], scale.output)),
        Tensor::new("b_dec", [d], scaled(&weights.decoder_bias, scale.output)),
    ];
    if !weights.skip.is_empty() {
        all.push(Tensor::new("W_skip", [d, d], scaled(&weights.skip, scale.output / scale.input)));
    }
    if let Some(thresholds) = thresholds(layers[nth]) {
        all.push(Tensor::new("activation_function.threshold", [f], thresholds));
    }
    tensors::write(&folder.join(format!("layer_{}.safetensors", settings.layers[nth])), None, all)
}

fn cross_layer(
    folder: &Path,
    settings: &Settings,
    nth: usize,
    layers: &[Saved<'_>],
    scales: &[Scale],
) -> Result<(), FormatError> {
    let (weights, scale, layer) = (layers[nth].weights, &scales[nth], settings.layers[nth]);
    let (f, d, reach) = (weights.encoder_bias.len(), weights.decoder_bias.len(), weights.decoders.len());
    let named = |name: &str| format!("{name}_{layer}");
    let (encoder, encoder_bias, decoder_bias) = (named("W_enc"), named("b_enc"), named("b_dec"));
    let (threshold, skip, decoder) = (named("threshold"), named("W_skip"), named("W_dec"));
    let mut all = vec![
        Tensor::new(&encoder, [f, d], scaled(&weights.encoder, 1.0 / scale.input)),
        Tensor::new(&encoder_bias, [f], weights.encoder_bias.iter().copied()),
        Tensor::new(&decoder_bias, [d], scaled(&weights.decoder_bias, scale.output)),
    ];
    if !weights.skip.is_empty() {
        // Cross-layer transcoders have it by input.
        let by_input = (0..d * d).map(|at| weights.skip[at % d * d + at / d] * (scale.output / scale.input));
        all.push(Tensor::new(&skip, [d, d], by_input));
    }
    if let Some(thresholds) = thresholds(layers[nth]) {
        all.push(Tensor::new(&threshold, [f], thresholds));
    }
    tensors::write(&folder.join(format!("W_enc_{layer}.safetensors")), None, all)?;
    let rows = (0..f * reach).flat_map(|row| {
        let (feature, to) = (row / reach, row % reach);
        scaled(&weights.decoders[to][feature * d..(feature + 1) * d], scales[nth + to].output)
    });
    let all = vec![Tensor::new(&decoder, [f, reach, d], rows)];
    tensors::write(&folder.join(format!("W_dec_{layer}.safetensors")), None, all)
}
