//! A transcoder set: encoders streamed a block at a time, decoder rows read only for active features.

use crate::hub::{Place, PlaceError};
use crate::job::Cancel;
use crate::model::{ModelError, ModelSpec, Weights};
use crate::parallel;
use crate::transcoder::{Activation, Active, FeatureInput, FeatureOutput, Kind, TranscoderConfig};
use candle_core::{Device, Tensor};
use std::ops::Range;
use thiserror::Error;

/// Encoder weights that are converted to f32 at a time: 1 MiB of them stays in a core's cache until it is used.
const ENCODER_BLOCK: usize = 1 << 18;

/// A transcoder that cannot be used. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum TranscoderError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// `config.yaml` is not understood.
    #[error("{path}: {what}")]
    Config {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// It was made for another model.
    #[error(
        "transcoder {place} does not fit model {model}: {what}; give the transcoder that was trained on this model"
    )]
    OtherModel {
        /// The transcoder's directory.
        place: String,
        /// The model's name.
        model: String,
        /// Which sizes differ.
        what: String,
    },
    /// A tensor is missing, has another shape, or is not finite.
    #[error(transparent)]
    Weights(#[from] ModelError),
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] crate::job::Cancelled),
}

/// A layer's pre-activations and activations.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `[P, F]`, before the activation function.
    pub pre_activations: Vec<f32>,
    /// Features of the layer, `F`.
    pub n_features: usize,
}

/// A transcoder set for a model of `L` layers and width `d`; `F` features a layer.
#[derive(Debug)]
pub struct Transcoder {
    /// What its `config.yaml` says.
    pub config: TranscoderConfig,
    place: Place,
    d_model: usize,
    n_layers: usize,
    layers: Vec<LayerFiles>,
}

#[derive(Debug)]
struct LayerFiles {
    n_features: usize,
    encoder: Weights,
    /// A cross-layer transcoder keeps its decoders in a file of their own.
    decoder: Option<Weights>,
    activation: Activation,
    has_skip: bool,
}

/// The names of a layer's tensors.
struct Names {
    encoder: String,
    encoder_bias: String,
    decoder: String,
    decoder_bias: String,
    threshold: String,
}

impl Names {
    fn new(kind: Kind, layer: usize) -> Self {
        match kind {
            Kind::PerLayer => Self {
                encoder: "W_enc".to_owned(),
                encoder_bias: "b_enc".to_owned(),
                decoder: "W_dec".to_owned(),
                decoder_bias: "b_dec".to_owned(),
                threshold: "activation_function.threshold".to_owned(),
            },
            Kind::CrossLayer => Self {
                encoder: format!("W_enc_{layer}"),
                encoder_bias: format!("b_enc_{layer}"),
                decoder: format!("W_dec_{layer}"),
                decoder_bias: format!("b_dec_{layer}"),
                threshold: format!("threshold_{layer}"),
            },
        }
    }
}

const SKIP: &str = "W_skip";

impl Transcoder {
    /// Opens a transcoder directory in circuit-tracer's layout. Nothing large is read yet.
    ///
    /// # Errors
    /// It is incomplete or damaged, or its sizes are not those of the model.
    pub fn open(place: &Place, model: &ModelSpec) -> Result<Self, TranscoderError> {
        let config = TranscoderConfig::read(place)?;
        let kind = config.model_kind;
        let n_files = place.files()?.iter().filter(|name| is_layer_file(kind, name)).count();
        let other = |what: String| TranscoderError::OtherModel { place: place.name(), model: model.name.clone(), what };
        if n_files != model.n_layers {
            return Err(other(format!("it has {n_files} layers, the model has {}", model.n_layers)));
        }
        let mut set =
            Self { config, place: place.clone(), d_model: model.d_model, n_layers: model.n_layers, layers: Vec::new() };
        for layer in 0..model.n_layers {
            let names = Names::new(kind, layer);
            let (encoder, decoder) = match kind {
                Kind::PerLayer => (Weights::open(place, &[format!("layer_{layer}.safetensors")])?, None),
                Kind::CrossLayer => (
                    Weights::open(place, &[format!("W_enc_{layer}.safetensors")])?,
                    Some(Weights::open(place, &[format!("W_dec_{layer}.safetensors")])?),
                ),
            };
            let shape = encoder.get(&names.encoder).map_or_else(Vec::new, |entry| entry.shape().to_vec());
            let n_features = match shape.as_slice() {
                [f, d] if *d == model.d_model => *f,
                [_, d] => return Err(other(format!("its encoders have width {d}, the model has {}", model.d_model))),
                // Says which tensor is missing, or which shape is wrong.
                _ => {
                    return Err(encoder
                        .expect(&names.encoder, &[0, model.d_model])
                        .map(drop)
                        .map_or_else(TranscoderError::from, |()| other("its encoders are empty".to_owned())));
                }
            };
            let activation = set.read_activation(&encoder, &names, n_features)?;
            let has_skip = encoder.get(SKIP).is_some();
            if kind == Kind::CrossLayer && has_skip {
                return Err(set.wrong("a skip connection in a cross-layer transcoder is not understood".to_owned()));
            }
            set.layers.push(LayerFiles { n_features, encoder, decoder, activation, has_skip });
            set.check(layer, &names)?;
        }
        Ok(set)
    }

    fn wrong(&self, what: String) -> TranscoderError {
        TranscoderError::Config { path: self.place.name(), what }
    }

    fn read_activation(&self, file: &Weights, names: &Names, f: usize) -> Result<Activation, TranscoderError> {
        let has_threshold = file.get(&names.threshold).is_some();
        match (self.config.k, has_threshold, self.config.activation.as_deref()) {
            (Some(k), false, _) => Ok(Activation::TopK(k)),
            (None, true, None | Some("jumprelu")) => Ok(Activation::JumpRelu(file.read(&names.threshold, &[f])?)),
            (None, false, None | Some("relu")) => Ok(Activation::Relu),
            (k, _, activation) => Err(self.wrong(format!(
                "config.yaml says activation {} and k {k:?}, and the tensors {} thresholds",
                activation.unwrap_or("absent"),
                if has_threshold { "hold" } else { "hold no" },
            ))),
        }
    }

    fn check(&self, layer: usize, names: &Names) -> Result<(), TranscoderError> {
        let (files, d) = (&self.layers[layer], self.d_model);
        files.encoder.expect(&names.encoder_bias, &[files.n_features])?;
        files.encoder.expect(&names.decoder_bias, &[d])?;
        self.decoder(layer).expect(&names.decoder, &self.decoder_shape(layer))?;
        if files.has_skip {
            files.encoder.expect(SKIP, &[d, d])?;
        }
        Ok(())
    }

    fn decoder(&self, layer: usize) -> &Weights {
        self.layers[layer].decoder.as_ref().unwrap_or(&self.layers[layer].encoder)
    }

    fn decoder_shape(&self, layer: usize) -> Vec<usize> {
        match self.config.model_kind {
            Kind::PerLayer => vec![self.layers[layer].n_features, self.d_model],
            Kind::CrossLayer => vec![self.layers[layer].n_features, self.n_layers() - layer, self.d_model],
        }
    }

    /// Layers, `L`.
    pub fn n_layers(&self) -> usize {
        self.n_layers
    }

    /// Features of a layer, `F`.
    pub fn n_features(&self, layer: usize) -> usize {
        self.layers[layer].n_features
    }

    /// Bytes of the weights on disk.
    pub fn weight_bytes(&self) -> u64 {
        self.layers.iter().map(|l| l.encoder.bytes() + l.decoder.as_ref().map_or(0, Weights::bytes)).sum()
    }

    /// What the set is called: its `scan`, else its directory.
    pub fn name(&self) -> String {
        if self.config.scan.is_empty() { self.place.name() } else { self.config.scan.clone() }
    }

    /// Where its features read.
    pub fn input(&self) -> FeatureInput {
        self.config.feature_input_hook
    }

    /// Where its features write.
    pub fn output(&self) -> FeatureOutput {
        self.config.feature_output_hook
    }

    /// A layer's activation function.
    pub fn activation(&self, layer: usize) -> &Activation {
        &self.layers[layer].activation
    }

    /// The layers that features of `layer` write into.
    pub fn writes_to(&self, layer: usize) -> Range<usize> {
        match self.config.model_kind {
            Kind::PerLayer => layer..layer + 1,
            Kind::CrossLayer => layer..self.n_layers(),
        }
    }

    /// Encodes a layer's feature input `x` `[P, d]`: x W_enc^T + b_enc. The encoder is read and converted a block at a
    /// time, on the CPU whatever the device: a product with so few rows is bound by reading the encoder.
    ///
    /// # Errors
    /// A weight is not finite, or the work was stopped.
    pub fn encode(&self, layer: usize, x: &Tensor, cancel: &Cancel) -> Result<Encoded, TranscoderError> {
        let (files, names) = (&self.layers[layer], Names::new(self.config.model_kind, layer));
        let (f, d) = (files.n_features, self.d_model);
        let x = x.to_device(&Device::Cpu)?;
        let positions = x.dim(0)?;
        let bias = files.encoder.read(&names.encoder_bias, &[f])?;
        let step = (ENCODER_BLOCK / d).clamp(1, f.max(1));
        let blocks: Vec<Vec<f32>> = parallel::map(f.div_ceil(step), |block| -> Result<_, TranscoderError> {
            cancel.check()?;
            let rows = block * step..f.min((block + 1) * step);
            let mut weight = vec![0.0; rows.len() * d];
            let n = rows.len();
            files.encoder.read_rows(&names.encoder, &[f, d], rows, &mut weight)?;
            let weight = Tensor::from_vec(weight, (n, d), &Device::Cpu)?;
            Ok(x.matmul(&weight.t()?)?.flatten_all()?.to_vec1()?)
        })?;
        let mut pre_activations = vec![0.0; positions * f];
        for (position, row) in pre_activations.chunks_mut(f).enumerate() {
            for (block, out) in blocks.iter().zip(row.chunks_mut(step)) {
                out.copy_from_slice(&block[position * out.len()..(position + 1) * out.len()]);
            }
            row.iter_mut().zip(&bias).for_each(|(x, b)| *x += b);
        }
        Ok(Encoded { pre_activations, n_features: f })
    }

    /// Activations `[P, F]` of a layer; the first `zeroed` positions are 0.
    pub fn activations(&self, layer: usize, encoded: &Encoded, zeroed: usize) -> Vec<f32> {
        let mut out = encoded.pre_activations.clone();
        let size = out.len();
        let rows: Vec<(usize, &mut [f32])> = out.chunks_mut(encoded.n_features).enumerate().collect();
        parallel::each(rows, size, |(position, row)| {
            if position < zeroed {
                row.fill(0.0);
            } else {
                self.layers[layer].activation.apply(row);
            }
        });
        out
    }

    /// The active features of a layer by position, then feature; none at the first `zeroed` positions.
    pub fn active(&self, layer: usize, encoded: &Encoded, zeroed: usize) -> Vec<Active> {
        let activations = self.activations(layer, encoded, zeroed);
        let both = activations.iter().zip(&encoded.pre_activations).enumerate();
        both.filter(|(_, (activation, _))| **activation != 0.0)
            .map(|(at, (activation, pre_activation))| Active {
                position: (at / encoded.n_features) as u32,
                feature: (at % encoded.n_features) as u32,
                pre_activation: *pre_activation,
                activation: *activation,
            })
            .collect()
    }

    /// A feature's encoder row, `[d]`, and bias.
    ///
    /// # Errors
    /// It is not finite.
    pub fn encoder_row(&self, layer: usize, feature: usize) -> Result<(Vec<f32>, f32), TranscoderError> {
        let (files, names) = (&self.layers[layer], Names::new(self.config.model_kind, layer));
        let mut row = vec![0.0; self.d_model];
        let mut bias = [0.0];
        files.encoder.read_rows(&names.encoder, &[files.n_features, self.d_model], feature..feature + 1, &mut row)?;
        files.encoder.read_rows(&names.encoder_bias, &[files.n_features], feature..feature + 1, &mut bias)?;
        Ok((row, bias[0]))
    }

    /// What a feature of `layer` writes into each layer of [`Transcoder::writes_to`] when its activation is 1:
    /// `[layers written, d]`, row after row.
    ///
    /// # Errors
    /// It is not finite.
    pub fn decoder_rows(&self, layer: usize, feature: usize) -> Result<Vec<f32>, TranscoderError> {
        let shape = self.decoder_shape(layer);
        let mut rows = vec![0.0; shape[1..].iter().product()];
        let names = Names::new(self.config.model_kind, layer);
        self.decoder(layer).read_rows(&names.decoder, &shape, feature..feature + 1, &mut rows)?;
        Ok(rows)
    }

    /// The constant that a layer's reconstruction adds, `[d]`.
    ///
    /// # Errors
    /// It is not finite.
    pub fn decoder_bias(&self, layer: usize) -> Result<Vec<f32>, TranscoderError> {
        let names = Names::new(self.config.model_kind, layer);
        Ok(self.layers[layer].encoder.read(&names.decoder_bias, &[self.d_model])?)
    }

    /// The skip connection of a layer as `[d out, d in]`: it adds `x @ skip^T` to the feature output.
    ///
    /// # Errors
    /// It is not finite.
    pub fn skip(&self, layer: usize, device: &Device) -> Result<Option<Tensor>, TranscoderError> {
        let files = &self.layers[layer];
        if !files.has_skip {
            return Ok(None);
        }
        Ok(Some(files.encoder.tensor(SKIP, &[self.d_model, self.d_model], device)?))
    }
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
