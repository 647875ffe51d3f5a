//! Memory, work and files of a run, computed from sizes before it begins.

use crate::attribution::{apart, layer_operations, memory};
use crate::model::ModelSpec;
use crate::training::TrainError;
use crate::training::arithmetic::{Factors, add_product};
use crate::training::parameters::Shape;
use crate::training::settings::{Settings, TranscoderKind};
use crate::training::stream::ROWS;
use gemm::Parallelism;
use std::time::{Duration, Instant};

/// Most steps that the buffer holds the tokens of.
const MOST_BUFFERED: usize = 16;

/// Part of the free memory that the buffer may take, as a divisor.
const BUFFER_PART: u64 = 2;

/// Side of the matrices whose product tells the machine's rate.
const SIDE: usize = 512;

/// Time for which the rate is measured.
const MEASURED: Duration = Duration::from_millis(200);

/// What a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Peak memory of the program in bytes, without the model's weights.
    pub memory_bytes: u64,
    /// Part of it that weights, moments and gradients take.
    pub weights_bytes: u64,
    /// Part of it that the buffer takes.
    pub buffer_bytes: u64,
    /// Tokens that the buffer holds.
    pub buffer_tokens: u64,
    /// Size of the set on disk.
    pub set_bytes: u64,
    /// Size of the saved state on disk, while it is trained.
    pub checkpoint_bytes: u64,
    /// Floating-point operations of the model.
    pub model_operations: u64,
    /// Floating-point operations of the transcoder.
    pub transcoder_operations: u64,
}

impl Needs {
    /// Computes the needs of a run.
    pub fn new(spec: &ModelSpec, settings: &Settings) -> Self {
        let (d, f, n) = (spec.d_model as u64, settings.features as u64, settings.batch as u64);
        let n_layers = settings.layers.len() as u64;
        let shapes = || (0..settings.layers.len()).map(|nth| Shape::new(settings, nth, spec.d_model));
        let weights: u64 = shapes().map(|shape| shape.n_weights() as u64).sum();
        let at_once = n_layers.min(rayon::current_num_threads() as u64);
        // Layers whose gradients are there at the same time.
        let together = if settings.kind == TranscoderKind::Clt { n_layers } else { at_once };
        // Without k half of the features are active at first.
        let active = settings.activation.k().map_or(f / 2, |k| k as u64);
        let weights_bytes = 4 * (3 * weights + weights * together / n_layers) + 8 * f * n_layers;
        let step_bytes = together * n * (16 * d + 12 * active) + at_once * n * f * 6;
        let rows = ROWS.max(settings.context) as u64;
        let pass_bytes = 4 * rows * (8 * d + 4 * spec.d_mlp as u64 + 2 * (spec.n_heads * settings.context) as u64);
        let buffer_tokens = n * (settings.buffer as u64).min(settings.steps());
        let buffer_bytes = buffer_tokens * n_layers * (8 * d + 4);
        let tokens = settings.steps() * n;
        let last = settings.layers.last().map_or(0, |last| last + 1) as u64;
        let model = last * layer_operations(spec, 0, settings.context) / settings.context as u64;
        // An encoder's product, and four vectors for each active feature and layer that it writes into, the encoder's own
        // gradient one of them.
        let transcoder: u64 = shapes()
            .map(|shape| {
                let skip = if shape.has_skip { 4 * d * d } else { 0 };
                2 * d * f + 2 * d * active * (3 * shape.reach as u64 + 1) + skip
            })
            .sum();
        Self {
            memory_bytes: memory::resident().unwrap_or(0) + weights_bytes + step_bytes.max(pass_bytes) + buffer_bytes,
            weights_bytes,
            buffer_bytes,
            buffer_tokens,
            set_bytes: 4 * weights,
            checkpoint_bytes: 12 * weights,
            model_operations: tokens * model,
            transcoder_operations: tokens * transcoder,
        }
    }

    /// Sets the largest buffer that fits into memory, of which at most `limit` bytes may be held, by default what the
    /// system has free; and returns the needs with it.
    ///
    /// # Errors
    /// Fails where not even a buffer of one batch fits.
    pub fn fit(spec: &ModelSpec, settings: &mut Settings, limit: Option<u64>) -> Result<Self, TrainError> {
        settings.buffer = 1;
        let least = Self::new(spec, settings);
        let Some(limit) = limit.or_else(memory::most) else {
            settings.buffer = MOST_BUFFERED;
            return Ok(Self::new(spec, settings));
        };
        if least.memory_bytes > limit {
            let what = apart(least.memory_bytes, "of memory", limit, "may be held");
            return Err(TrainError::Memory(format!(
                "the run takes {what}; train fewer --layers at a time, with fewer --features or a smaller --batch"
            )));
        }
        let free = (limit - least.memory_bytes) / BUFFER_PART;
        settings.buffer = (1 + (free / least.buffer_bytes.max(1)) as usize).min(MOST_BUFFERED);
        Ok(Self::new(spec, settings))
    }

    /// Estimates the time that the operations take at `rate` operations a second.
    pub fn time(&self, rate: f64) -> Duration {
        let operations = (self.model_operations + self.transcoder_operations) as f64;
        Duration::try_from_secs_f64(operations / rate).unwrap_or(Duration::MAX)
    }
}

/// Measures how many operations a second this machine does in a matrix product on all cores.
pub fn product_rate() -> f64 {
    let (left, right) = (vec![0.5; SIDE * SIDE], vec![0.25; SIDE * SIDE]);
    let mut sum = vec![0.0; SIDE * SIDE];
    let (begun, mut done) = (Instant::now(), 0.0);
    while begun.elapsed() < MEASURED {
        let threads = Parallelism::Rayon(rayon::current_num_threads());
        add_product(&mut sum, Factors::ByRows(&left, &right), [SIDE; 3], threads);
        done += 2.0 * (SIDE as f64).powi(3);
    }
    done / begun.elapsed().as_secs_f64()
}
