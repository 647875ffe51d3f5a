//! Adam (Kingma and Ba 2015) over a layer's weights.

use crate::training::parameters::{Parameters, Shape};
use pulp::{Arch, Simd, WithSimd};

/// Decay of the mean of gradients.
const MEAN_DECAY: f32 = 0.9;
/// Decay of the mean of their squares.
const SQUARE_DECAY: f32 = 0.999;
/// Least divisor.
const EPSILON: f32 = 1e-8;

/// Weights with the moments of their gradients.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Optimized {
    pub weights: Parameters,
    pub means: Parameters,
    pub squares: Parameters,
}

impl Optimized {
    /// Begins with these weights.
    pub fn new(weights: Parameters, shape: Shape) -> Self {
        Self { weights, means: Parameters::zeros(shape), squares: Parameters::zeros(shape) }
    }

    /// Takes step number `step`, from 0. Decoders that are kept at length 1 move around the sphere alone.
    pub fn step(&mut self, mut gradient: Parameters, step: u64, rate: f32, unit_decoders: bool) {
        let n_features = self.weights.encoder_bias.len();
        if unit_decoders {
            tangential(&self.weights, &mut gradient);
        }
        let t = (step + 1) as f64;
        let corrections = [MEAN_DECAY, SQUARE_DECAY].map(|decay| (1.0 / (1.0 - f64::from(decay).powf(t))) as f32);
        let [means, squares] = [&mut self.means, &mut self.squares].map(Parameters::parts_mut);
        for (((weights, gradient), means), squares) in
            self.weights.parts_mut().into_iter().zip(gradient.parts()).zip(means).zip(squares)
        {
            Arch::new().dispatch(Moving { weights, gradient, means, squares, rate, corrections });
        }
        if unit_decoders {
            self.weights.normalize_decoders(n_features);
        }
    }
}

/// Takes from the gradient of each decoder of length 1 what would change its length.
fn tangential(weights: &Parameters, gradient: &mut Parameters) {
    let width = weights.decoder_bias.len();
    for feature in 0..weights.encoder_bias.len() {
        let row = feature * width..(feature + 1) * width;
        let along: f32 = weights
            .decoders
            .iter()
            .zip(&gradient.decoders)
            .flat_map(|(decoder, gradient)| decoder[row.clone()].iter().zip(&gradient[row.clone()]))
            .map(|(x, slope)| x * slope)
            .sum();
        if along != 0.0 {
            for (gradient, decoder) in gradient.decoders.iter_mut().zip(&weights.decoders) {
                gradient[row.clone()].iter_mut().zip(&decoder[row.clone()]).for_each(|(slope, x)| *slope -= along * x);
            }
        }
    }
}

struct Moving<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    means: &'a mut [f32],
    squares: &'a mut [f32],
    rate: f32,
    corrections: [f32; 2],
}

impl WithSimd for Moving<'_> {
    type Output = ();

    /// The loop is plain, and compiled for the instructions that were chosen.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { weights, gradient, means, squares, rate, corrections } = self;
        let n = weights.len();
        let (gradient, means, squares) = (&gradient[..n], &mut means[..n], &mut squares[..n]);
        for nth in 0..n {
            let slope = gradient[nth];
            means[nth] = MEAN_DECAY * means[nth] + (1.0 - MEAN_DECAY) * slope;
            squares[nth] = SQUARE_DECAY * squares[nth] + (1.0 - SQUARE_DECAY) * slope * slope;
            let divisor = (squares[nth] * corrections[1]).sqrt() + EPSILON;
            weights[nth] -= rate * means[nth] * corrections[0] / divisor;
        }
    }
}
