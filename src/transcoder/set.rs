//! Transcoder set: encoders are streamed a block at a time, decoder rows read only for active features.

use crate::hub::{FileSource, FileSourceError};
use crate::job::Cancel;
use crate::model::{ModelError, ModelSpec, Precision, TensorError, Weights};
use crate::parallel;
use crate::transcoder::schema::{self, LayerFiles};
use crate::transcoder::{Activation, Active, FeatureInput, FeatureOutput, Kind, TranscoderConfig};
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use thiserror::Error;

/// Number of positions up to which a product with an encoder is left to the CPU.
const FEW: usize = 64;

/// Error of a transcoder. Each message says what, where, and what to do.
#[derive(Debug, Error)]
pub enum TranscoderError {
    /// File that is missing or cannot be read.
    #[error(transparent)]
    FileSource(#[from] FileSourceError),
    /// `config.yaml` that cannot be understood.
    #[error("{path}: {what}")]
    Config {
        /// Path of the file.
        path: String,
        /// Fault of the file.
        what: String,
    },
    /// Transcoder that was made for another model.
    #[error(
        "transcoder {place} does not fit model {model}: {what}; give the transcoder that was trained on this model"
    )]
    OtherModel {
        /// Directory of the transcoder.
        place: String,
        /// Name of the model.
        model: String,
        /// Sizes that differ.
        what: String,
    },
    /// Tensor that is missing, has another shape, or is not finite.
    #[error(transparent)]
    Weights(#[from] ModelError),
    /// Tensor operation that failed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Work that was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] crate::job::Cancelled),
}

impl From<candle_core::Error> for TranscoderError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

/// Pre-activations and activations of a layer.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Pre-activations, `[P, F]`.
    pub pre_activations: Vec<f32>,
    /// Number of features of the layer, `F`.
    pub n_features: usize,
}

/// Transcoder set for a model of `L` layers and width `d`; `F` features a layer. Clones share its files.
#[derive(Clone, Debug)]
pub struct Transcoder {
    /// Contents of its `config.yaml`.
    pub config: TranscoderConfig,
    /// Model that it was trained for: the one it names, else the one that it was opened for.
    trained_on: String,
    source: FileSource,
    d_model: usize,
    n_layers: usize,
    layers: Vec<Arc<Layer>>,
}

#[derive(Debug)]
struct Layer {
    files: LayerFiles,
    activation: Activation,
    has_skip: bool,
}

impl Transcoder {
    /// Opens a transcoder directory: circuit-tracer's layout, or one of GemmaScope's. Nothing large is read yet.
    ///
    /// # Errors
    /// Fails where it is incomplete or damaged, or its sizes are not those of the model.
    pub fn open(source: &FileSource, model: &ModelSpec) -> Result<Self, TranscoderError> {
        let config = TranscoderConfig::read(source)?;
        let other =
            |what: String| TranscoderError::OtherModel { place: source.name(), model: model.name.clone(), what };
        let files = schema::open(source, &config)?;
        if model.parallel_residual
            && (config.feature_input_hook == FeatureInput::ResidMid
                || config.feature_output_hook == FeatureOutput::ResidMid)
        {
            let what = "it reads or writes hook_resid_mid, and the model's attention and MLP stand side by side, with \
                        nothing between them";
            return Err(other(what.to_owned()));
        }
        if config.feature_input_hook == FeatureInput::Normalized && model.layout.mlp_norm.is_none() {
            let what = "it reads ln2.hook_normalized, and the model has no norm in front of its MLPs; mlp.hook_in is what \
                        they read";
            return Err(other(what.to_owned()));
        }
        if files.len() != model.n_layers {
            return Err(other(format!("it has {} layers, the model has {}", files.len(), model.n_layers)));
        }
        let width = |files: &LayerFiles| {
            let [rows, columns] = files.encoder.get(&files.names.encoder)?.shape() else { return None };
            Some(if files.names.encoder_by_input { *rows } else { *columns })
        };
        if let Some(width) = files.iter().filter_map(width).find(|width| *width != model.d_model) {
            return Err(other(format!("its encoders have width {width}, the model has {}", model.d_model)));
        }
        let trained_on = config.model_name.clone().unwrap_or_else(|| model.name.clone());
        Self::checked(source, config, files, model.d_model, trained_on)
    }

    /// Opens a transcoder directory without a model.
    ///
    /// # Errors
    /// Fails where it is incomplete or damaged.
    pub fn alone(source: &FileSource) -> Result<Self, TranscoderError> {
        let config = TranscoderConfig::read(source)?;
        let files = schema::open(source, &config)?;
        let d_model = match files.first().map(|first| (first, first.encoder.get(&first.names.decoder_bias))) {
            Some((_, Some(bias))) => bias.shape().iter().product(),
            Some((first, None)) => return Err(first.encoder.missing(&first.names.decoder_bias).into()),
            None => {
                let what = "it has no layers; give the folder that holds its layers' files".to_owned();
                return Err(TranscoderError::Config { path: source.name(), what });
            }
        };
        let trained_on = config.model_name.clone().unwrap_or_default();
        Self::checked(source, config, files, d_model, trained_on)
    }

    /// Creates the set of these files, after a check of their shapes.
    fn checked(
        source: &FileSource,
        config: TranscoderConfig,
        files: Vec<LayerFiles>,
        d_model: usize,
        trained_on: String,
    ) -> Result<Self, TranscoderError> {
        let (source, n_layers) = (source.clone(), files.len());
        let mut set = Self { config, trained_on, source, d_model, n_layers, layers: Vec::with_capacity(n_layers) };
        for files in files {
            let activation = set.read_activation(&files)?;
            let has_skip = files.encoder.get(&files.names.skip).is_some();
            set.layers.push(Arc::new(Layer { files, activation, has_skip }));
            set.check(set.layers.len() - 1)?;
        }
        Ok(set)
    }

    fn wrong(&self, what: String) -> TranscoderError {
        TranscoderError::Config { path: self.source.name(), what }
    }

    fn read_activation(&self, files: &LayerFiles) -> Result<Activation, TranscoderError> {
        let threshold = &files.names.threshold;
        let has_threshold = files.encoder.get(threshold).is_some();
        let (said, stored) = (self.config.k, files.encoder.count(files.names.top_k)?);
        match (self.config.activation.as_deref(), said.or(stored), has_threshold) {
            (None | Some("topk"), Some(k @ 1..), false) if stored.is_none_or(|stored| stored == k) => {
                Ok(Activation::TopK(k))
            }
            (None | Some("topk"), Some(1..), false) => Err(self.wrong(format!(
                "k is {said:?} by its configuration and {stored:?} in its files; leave out which is wrong, or give the right \
                 one as --topk K"
            ))),
            (Some("topk"), None, false) => Err(self.wrong(
                "its activation is topk, and neither config.yaml nor its files say how many features are kept (k); give \
                 --topk K"
                    .to_owned(),
            )),
            (None | Some("jumprelu"), None, true) => {
                Ok(Activation::JumpRelu(files.encoder.read(threshold, &files.threshold_shape())?))
            }
            (None | Some("relu"), None, false) => Ok(Activation::Relu),
            (activation, k, _) => Err(self.wrong(format!(
                "activation {}, k {} and tensors with {} thresholds do not go together; --transcoder-option activation=NAME \
                 says which it is",
                activation.unwrap_or("absent"),
                k.map_or_else(|| "absent".to_owned(), |k| k.to_string()),
                if has_threshold { "" } else { "no" },
            ))),
        }
    }

    fn check(&self, layer: usize) -> Result<(), TranscoderError> {
        let (files, d) = (&self.layers[layer].files, self.d_model);
        files.encoder.expect(&files.names.encoder, &files.encoder_shape(d))?;
        files.encoder.expect(&files.names.encoder_bias, &[files.n_features])?;
        files.encoder.expect(&files.names.decoder_bias, &[d])?;
        files.decoder().expect(&files.names.decoder, &self.decoder_shape(layer))?;
        if self.layers[layer].has_skip {
            files.encoder.expect(&files.names.skip, &[d, d])?;
        }
        Ok(())
    }

    fn decoder_shape(&self, layer: usize) -> Vec<usize> {
        self.layers[layer].files.decoder_shape(self.config.model_kind, layer, self.n_layers, self.d_model)
    }

    /// Returns the SHA-256 of the set's files; see [`FileSource::hashes`].
    ///
    /// # Errors
    /// Fails where a file cannot be read.
    pub fn hashes(&self) -> Result<BTreeMap<String, String>, TranscoderError> {
        let mut hashes = self.source.hashes(&schema::listed(&self.source, &self.config)?)?;
        // The user's options change the numbers as the configuration does.
        let said = self.source.said().words();
        if !said.is_empty() {
            let digest = Sha256::digest(said.join("\n"));
            hashes.insert("what was said of it".to_owned(), digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        Ok(hashes)
    }

    /// Returns the bytes that compressed weights will take once they are unpacked.
    pub fn to_unpack(&self) -> u64 {
        let of_layer = |layer: &Arc<Layer>| {
            layer.files.encoder.to_unpack() + layer.files.decoder.as_ref().map_or(0, Weights::to_unpack)
        };
        self.layers.iter().map(of_layer).sum()
    }

    /// Returns the number of layers, `L`.
    pub fn n_layers(&self) -> usize {
        self.n_layers
    }

    /// Returns the number of features of a layer, `F`.
    pub fn n_features(&self, layer: usize) -> usize {
        self.layers[layer].files.n_features
    }

    /// Returns the model that it was trained for: the one it names, else the one that it was opened for.
    pub fn trained_on(&self) -> &str {
        &self.trained_on
    }

    /// Returns the number of features that a position of a layer keeps, where its activation function is TopK.
    pub fn top_k(&self, layer: usize) -> Option<usize> {
        match self.layers[layer].activation {
            Activation::TopK(k) => Some(k),
            Activation::Relu | Activation::JumpRelu(_) => None,
        }
    }

    /// Returns the name of the set: its `scan`, else its directory.
    pub fn name(&self) -> String {
        if self.config.scan.is_empty() { self.source.name() } else { self.config.scan.clone() }
    }

    /// Returns the hook of its feature input.
    pub fn input(&self) -> FeatureInput {
        self.config.feature_input_hook
    }

    /// Returns the hook of its feature output.
    pub fn output(&self) -> FeatureOutput {
        self.config.feature_output_hook
    }

    /// Returns true where a layer's encoder lies as `[d, F]`, so that a feature's row is spread over all of it.
    pub fn encodes_by_input(&self, layer: usize) -> bool {
        self.layers[layer].files.names.encoder_by_input
    }

    /// Returns the layers that features of `layer` write into.
    pub fn writes_to(&self, layer: usize) -> Range<usize> {
        match self.config.model_kind {
            Kind::PerLayer => layer..layer + 1,
            Kind::CrossLayer => layer..self.n_layers(),
        }
    }

    /// Encodes a layer's feature input `x` `[P, d]`: x W_enc^T + b_enc, in f32 whatever the model computes in. On the
    /// CPU where there are few rows, since such a product is bound by reading the encoder; else on the device of `x`.
    ///
    /// # Errors
    /// Fails where a weight is not finite, or the work was stopped.
    pub fn encode(&self, layer: usize, x: &Tensor, cancel: &Cancel) -> Result<Encoded, TranscoderError> {
        let files = &self.layers[layer].files;
        let (f, name, shape) = (files.n_features, &files.names.encoder, files.encoder_shape(self.d_model));
        let mut pre_activations = match (!x.device().is_cpu() && x.dim(0)? > FEW, files.names.encoder_by_input) {
            (true, true) => files.encoder.product_by_input_on_device(name, &shape, x, cancel)?,
            (true, false) => files.encoder.product_on_device(name, &shape, x, cancel)?,
            (false, by_input) => {
                let x = &x.to_device(&Device::Cpu)?;
                if by_input {
                    files.encoder.product_by_input(name, &shape, 0..f, x, Precision::F32, cancel)?
                } else {
                    files.encoder.product(name, &shape, x, Precision::F32, cancel)?
                }
            }
        };
        let bias = files.encoder.read(&files.names.encoder_bias, &[f])?;
        for row in pre_activations.chunks_mut(f) {
            row.iter_mut().zip(&bias).for_each(|(x, b)| *x += b);
        }
        Ok(Encoded { pre_activations, n_features: f })
    }

    /// Returns the activations `[P, F]` of a layer; the first `zeroed` positions are 0.
    pub fn activations(&self, layer: usize, encoded: &Encoded, zeroed: usize) -> Vec<f32> {
        self.activated(layer, encoded.clone(), zeroed)
    }

    /// Returns the same in the place of the pre-activations, which are many where there are many positions.
    pub fn activated(&self, layer: usize, encoded: Encoded, zeroed: usize) -> Vec<f32> {
        let Encoded { pre_activations: mut out, n_features } = encoded;
        let size = out.len();
        let rows: Vec<(usize, &mut [f32])> = out.chunks_mut(n_features.max(1)).enumerate().collect();
        parallel::each(rows, size, |(position, row)| {
            if position < zeroed {
                row.fill(0.0);
            } else {
                self.layers[layer].activation.apply(row);
            }
        });
        out
    }

    /// Returns the margin of each pre-activation `[P, F]` of a layer; see [`Activation::margins`].
    pub fn margins(&self, layer: usize, encoded: &Encoded) -> Vec<f32> {
        let mut out = encoded.pre_activations.clone();
        let size = out.len();
        let rows: Vec<&mut [f32]> = out.chunks_mut(encoded.n_features.max(1)).collect();
        parallel::each(rows, size, |row| self.layers[layer].activation.margins(row));
        out
    }

    /// Returns the active features of a layer by position, then feature; none at the first `zeroed` positions.
    pub fn active(&self, layer: usize, encoded: &Encoded, zeroed: usize) -> Vec<Active> {
        let width = encoded.n_features.max(1);
        let rows: Vec<(usize, &[f32])> = encoded.pre_activations.chunks(width).enumerate().skip(zeroed).collect();
        let mut found: Vec<Vec<Active>> = rows.iter().map(|_| Vec::new()).collect();
        let work = rows.into_iter().zip(&mut found).collect();
        parallel::each(work, encoded.pre_activations.len(), |((position, row), found)| {
            let mut activations = row.to_vec();
            self.layers[layer].activation.apply(&mut activations);
            let both = activations.iter().zip(row).enumerate();
            found.extend(both.filter(|(_, (activation, _))| **activation != 0.0).map(
                |(feature, (activation, pre_activation))| Active {
                    position: position as u32,
                    feature: feature as u32,
                    pre_activation: *pre_activation,
                    activation: *activation,
                },
            ));
        });
        found.concat()
    }

    /// Returns a feature's encoder row, `[d]`, and bias.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn encoder_row(&self, layer: usize, feature: usize) -> Result<(Vec<f32>, f32), TranscoderError> {
        Ok(self.encoder_rows(layer, &[feature])?.swap_remove(0))
    }

    /// Returns the encoder rows `[d]` of features of a layer, and their biases, read in one pass.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn encoder_rows(&self, layer: usize, features: &[usize]) -> Result<Vec<(Vec<f32>, f32)>, TranscoderError> {
        let files = &self.layers[layer].files;
        let (f, d, shape) = (files.n_features, self.d_model, files.encoder_shape(self.d_model));
        let (encoder, bias) = (&files.names.encoder, &files.names.encoder_bias);
        let with_bias = |feature: usize, row: Vec<f32>| -> Result<_, TranscoderError> {
            let mut value = [0.0];
            files.encoder.read_within(bias, &[f], feature, 0..1, &mut value)?;
            Ok((row, value[0]))
        };
        if files.names.encoder_by_input {
            let rows = files.encoder.read_columns(encoder, &shape, features)?;
            return features
                .iter()
                .zip(rows.chunks(d))
                .map(|(feature, row)| with_bias(*feature, row.to_vec()))
                .collect();
        }
        let rows = parallel::map(features.len(), |nth| {
            let mut row = vec![0.0; d];
            files.encoder.read_within(encoder, &shape, features[nth], 0..d, &mut row)?;
            with_bias(features[nth], row)
        })?;
        files.encoder.release_all(encoder);
        Ok(rows)
    }

    /// Returns the decoder rows of a feature of `layer` into each layer of [`Transcoder::writes_to`]:
    /// `[layers written, d]`, row after row.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn decoder_rows(&self, layer: usize, feature: usize) -> Result<Vec<f32>, TranscoderError> {
        let shape = self.decoder_shape(layer);
        let mut rows = vec![0.0; shape[1..].iter().product()];
        let files = &self.layers[layer].files;
        files.decoder().read_rows(&files.names.decoder, &shape, feature..feature + 1, &mut rows)?;
        if files.names.decodes_all_layers {
            rows.drain(..layer * self.d_model);
        }
        Ok(rows)
    }

    /// Reads the decoder row of a feature of `layer` into layer `to`, into `out` `[d]`. For many features of a layer,
    /// after which [`Transcoder::release_decoders`] releases the pages.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    ///
    /// # Panics
    /// Panics where the feature does not write into that layer.
    pub fn decoder_row(&self, layer: usize, feature: usize, to: usize, out: &mut [f32]) -> Result<(), TranscoderError> {
        assert!(self.writes_to(layer).contains(&to), "the feature writes into the layer");
        let files = &self.layers[layer].files;
        let nth = if files.names.decodes_all_layers { to } else { to - layer };
        let part = nth * self.d_model..(nth + 1) * self.d_model;
        files.decoder().read_within(&files.names.decoder, &self.decoder_shape(layer), feature, part, out)?;
        Ok(())
    }

    /// Returns the sum of a feature's decoder rows over the layers that it writes into, for features of one layer:
    /// `[d]`, one after another.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn written(&self, layer: usize, features: &[usize]) -> Result<Vec<f32>, TranscoderError> {
        let d = self.d_model;
        let (mut sums, mut row) = (vec![0.0f32; features.len() * d], vec![0.0f32; d]);
        for (sum, feature) in sums.chunks_mut(d).zip(features) {
            for to in self.writes_to(layer) {
                self.decoder_row(layer, *feature, to, &mut row)?;
                sum.iter_mut().zip(&row).for_each(|(s, w)| *s += w);
            }
        }
        self.release_decoders(layer);
        Ok(sums)
    }

    /// Releases the pages of a layer's decoders.
    pub fn release_decoders(&self, layer: usize) {
        let files = &self.layers[layer].files;
        files.decoder().release_all(&files.names.decoder);
    }

    /// Returns the decoder bias of a layer, `[d]`.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn decoder_bias(&self, layer: usize) -> Result<Vec<f32>, TranscoderError> {
        let files = &self.layers[layer].files;
        Ok(files.encoder.read(&files.names.decoder_bias, &[self.d_model])?)
    }

    /// Returns true where a layer has a skip connection.
    pub fn has_skip(&self, layer: usize) -> bool {
        self.layers[layer].has_skip
    }

    /// Returns the skip connection of a layer as `[d out, d in]`: it adds `x @ skip^T` to the feature output.
    ///
    /// # Errors
    /// Fails where a number is not finite.
    pub fn skip(&self, layer: usize, device: &Device) -> Result<Option<Tensor>, TranscoderError> {
        let Layer { files, has_skip, .. } = &*self.layers[layer];
        if !has_skip {
            return Ok(None);
        }
        let weight = files.encoder.tensor(&files.names.skip, &[self.d_model, self.d_model], device)?;
        Ok(Some(if files.names.skip_by_input { weight.t()?.contiguous()? } else { weight }))
    }
}
