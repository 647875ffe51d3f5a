//! Names and orientation of a layer's tensors, in each of the layouts of the field.

use crate::hub::FileSource;
use crate::model::{Entry, Weights};
use crate::transcoder::{Kind, TranscoderConfig, TranscoderError};
use crate::untrusted::excerpt;

/// Files of one layer.
#[derive(Debug)]
pub(super) struct LayerFiles {
    pub encoder: Weights,
    /// Decoders in a file of their own, as of circuit-tracer's cross-layer transcoders.
    pub decoder: Option<Weights>,
    pub names: Names,
    pub n_features: usize,
}

/// Names of a layer's tensors, and their orientation.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub encoder: String,
    pub encoder_bias: String,
    pub decoder: String,
    pub decoder_bias: String,
    pub threshold: String,
    pub skip: String,
    /// Number of features that TopK keeps, where the files hold it.
    pub top_k: &'static str,
    /// True for encoders `[d, F]` instead of `[F, d]`: GemmaScope's.
    pub encoder_by_input: bool,
    /// True for skip connections `[d in, d out]` instead of `[d out, d in]`: all but circuit-tracer's per-layer
    /// transcoders.
    pub skip_by_input: bool,
    /// True where there is a decoder row for every layer of the model, also below the feature's own.
    pub decodes_all_layers: bool,
}

impl Names {
    fn of(layer: usize, kind: Kind, encoder: &Weights, is_archive: bool) -> Self {
        let own = |name: &str| name.to_owned();
        let numbered = |name: &str| format!("{name}_{layer}");
        if encoder.get("w_enc").is_some() {
            return Self {
                encoder: own("w_enc"),
                encoder_bias: own("b_enc"),
                decoder: own("w_dec"),
                decoder_bias: own("b_dec"),
                threshold: own("threshold"),
                skip: own("affine_skip_connection"),
                top_k: "k",
                encoder_by_input: true,
                skip_by_input: true,
                decodes_all_layers: kind == Kind::CrossLayer,
            };
        }
        let threshold =
            ["activation_function.threshold", "threshold"].into_iter().find(|name| encoder.get(name).is_some());
        let threshold = threshold.unwrap_or("threshold");
        match kind {
            Kind::PerLayer => Self {
                encoder: own("W_enc"),
                encoder_bias: own("b_enc"),
                decoder: own("W_dec"),
                decoder_bias: own("b_dec"),
                threshold: own(threshold),
                skip: own("W_skip"),
                top_k: "k",
                encoder_by_input: is_archive || lies_by_input(encoder, threshold),
                skip_by_input: false,
                decodes_all_layers: false,
            },
            Kind::CrossLayer => Self {
                encoder: numbered("W_enc"),
                encoder_bias: numbered("b_enc"),
                decoder: numbered("W_dec"),
                decoder_bias: numbered("b_dec"),
                threshold: numbered("threshold"),
                skip: numbered("W_skip"),
                top_k: "k",
                encoder_by_input: false,
                skip_by_input: true,
                decodes_all_layers: false,
            },
        }
    }
}

/// Returns true where an encoder lies as `[d, F]` beside a decoder `[F, d]`. For a square one the threshold's name
/// decides: it is the module's own in circuit-tracer's layout, where encoders are `[F, d]`.
fn lies_by_input(layer: &Weights, threshold: &str) -> bool {
    let shape = |name: &str| layer.get(name).map(Entry::shape);
    match (shape("W_enc"), shape("W_dec")) {
        (Some([rows, columns]), Some([features, d])) if rows != columns => rows == d && columns == features,
        (Some([rows, columns]), _) if rows == columns => threshold == "threshold" && layer.get(threshold).is_some(),
        _ => false,
    }
}

impl LayerFiles {
    /// Returns the shape of the thresholds on disk, `[F]`, or `[1, F]` in some files.
    pub fn threshold_shape(&self) -> Vec<usize> {
        match self.encoder.get(&self.names.threshold).map(Entry::shape) {
            Some([1, _]) => vec![1, self.n_features],
            _ => vec![self.n_features],
        }
    }

    /// Returns the shape of the decoder on disk.
    pub fn decoder_shape(&self, kind: Kind, layer: usize, n_layers: usize, d: usize) -> Vec<usize> {
        match kind {
            Kind::PerLayer => vec![self.n_features, d],
            Kind::CrossLayer if self.names.decodes_all_layers => vec![self.n_features, n_layers, d],
            Kind::CrossLayer => vec![self.n_features, n_layers - layer, d],
        }
    }

    /// Returns the shape of the encoder on disk.
    pub fn encoder_shape(&self, d: usize) -> [usize; 2] {
        if self.names.encoder_by_input { [d, self.n_features] } else { [self.n_features, d] }
    }

    pub fn decoder(&self) -> &Weights {
        self.decoder.as_ref().unwrap_or(&self.encoder)
    }
}

/// Opens the files of each layer: those that `config.yaml` lists, or else those of circuit-tracer's names.
pub(super) fn open(place: &FileSource, config: &TranscoderConfig) -> Result<Vec<LayerFiles>, TranscoderError> {
    let kind = config.model_kind;
    let files: Vec<(String, Option<String>)> = match &config.transcoders {
        Some(_) => listed(place, config)?.into_iter().map(|path| (path, None)).collect(),
        None => {
            let n = place.files()?.iter().filter(|name| is_layer_file(kind, name)).count();
            let name = |layer| match kind {
                Kind::PerLayer => (format!("layer_{layer}.safetensors"), None),
                Kind::CrossLayer => (format!("W_enc_{layer}.safetensors"), Some(format!("W_dec_{layer}.safetensors"))),
            };
            (0..n).map(name).collect()
        }
    };
    let open_one = |(layer, (encoder, decoder)): (usize, (String, Option<String>))| {
        let is_archive = encoder.ends_with(".npz");
        let encoder = Weights::open(place, &[encoder])?;
        let decoder = decoder.map(|name| Weights::open(place, &[name])).transpose()?;
        let names = Names::of(layer, kind, &encoder, is_archive);
        let is_plain = !place.says_hooks() && kind == Kind::PerLayer && config.transcoders.is_none();
        if is_plain && encoder.get(&names.encoder).is_some() && !names.encoder_by_input {
            return Err(TranscoderError::Config {
                path: place.name(),
                what: "config.yaml is missing, and W_enc lies as in circuit-tracer's layout, where that says what features \
                       read and write; put it there, or give --transcoder-option feature_input_hook=HOOK and \
                       --transcoder-option feature_output_hook=HOOK"
                    .to_owned(),
            });
        }
        if let Some(other) = encoder.names().find(|name| name.contains("threshold") && *name != names.threshold) {
            return Err(TranscoderError::Config {
                path: place.name(),
                what: format!("tensor {} is not understood; thresholds are called {}", excerpt(other), names.threshold),
            });
        }
        // The bias tells how many features there are, whichever way the encoder lies.
        let n_features = match encoder.get(&names.encoder_bias).map(Entry::shape) {
            Some([n]) if *n > 0 => *n,
            Some(_) => return Err(encoder.expect(&names.encoder_bias, &[1]).map_or_else(Into::into, |_| empty(place))),
            None if encoder.get(&names.encoder).is_none() => return Err(encoder.missing(&names.encoder).into()),
            None => return Err(encoder.missing(&names.encoder_bias).into()),
        };
        Ok(LayerFiles { encoder, decoder, names, n_features })
    };
    files.into_iter().enumerate().map(open_one).collect()
}

/// Returns the number of features of each layer of the transcoder in `place`, `[L]`, from its files alone.
///
/// # Errors
/// Fails where it is incomplete or damaged.
pub fn feature_counts(place: &FileSource) -> Result<Vec<usize>, TranscoderError> {
    let layers = open(place, &TranscoderConfig::read(place)?)?;
    Ok(layers.iter().map(|layer| layer.n_features).collect())
}

fn empty(place: &FileSource) -> TranscoderError {
    TranscoderError::Config { path: place.name(), what: "its layers have no features".to_owned() }
}

/// Returns the files listed in `config.yaml`, beside it or in the hub cache.
pub(super) fn listed(place: &FileSource, config: &TranscoderConfig) -> Result<Vec<String>, TranscoderError> {
    let file = |entry: &String| {
        place.listed(entry).ok_or_else(|| TranscoderError::Config {
            path: place.path("config.yaml"),
            what: format!(
                "transcoders: {:?} names no file of a repository or of the transcoder's directory",
                excerpt(entry)
            ),
        })
    };
    config.transcoders.iter().flatten().map(file).collect()
}

fn is_layer_file(kind: Kind, name: &str) -> bool {
    let prefix = match kind {
        Kind::PerLayer => "layer_",
        Kind::CrossLayer => "W_enc_",
    };
    name.strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(".safetensors"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
