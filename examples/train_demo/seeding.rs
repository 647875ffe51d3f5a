//! Where features start: on inputs for which the MLP writes much the same.
//!
//! Features that start from random directions are active on half of everything, and most of them
//! end up as blends of a few unrelated words. Features that start on single inputs stay with
//! them: one a city. What the cities of a state have in common is what the MLP makes of them.

use anyhow::Result;
use candle_core::Tensor;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;

/// How many tokens are looked at.
pub const CANDIDATES: usize = 16_384;
/// A fresh feature is active on inputs that go more than this share of the way from the mean input
/// to the mean of its own.
const NEARNESS: f32 = 0.4;

/// Tokens of a layer that features can start on.
pub struct Candidates {
    /// Without their mean.
    inputs: Vec<Vec<f32>>,
    mean_input: Vec<f32>,
    /// Without their mean.
    outputs: Vec<Vec<f32>>,
    /// `outputs`, brought to length 1.
    directions: Vec<Vec<f32>>,
    weights: Vec<f32>,
}

/// How a feature starts.
pub struct Seed {
    /// [d], length 1
    pub encoder: Vec<f32>,
    pub bias: f32,
    /// What it is on its own inputs, on average.
    pub activation: f32,
    /// What the MLP writes there, on average and without the mean over all tokens. [d]
    pub output: Vec<f32>,
}

fn centred(rows: &Tensor) -> Result<(Vec<Vec<f32>>, Vec<f32>)> {
    let rows = rows.narrow(0, 0, CANDIDATES.min(rows.dim(0)?))?;
    let mean = rows.mean(0)?;
    Ok((rows.broadcast_sub(&mean)?.to_vec2()?, mean.to_vec1()?))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Candidates {
    /// From the first tokens of inputs and outputs [N, d] with weights [N].
    pub fn new(inputs: &Tensor, outputs: &Tensor, weights: &Tensor) -> Result<Self> {
        let (inputs, mean_input) = centred(inputs)?;
        let (outputs, _) = centred(outputs)?;
        let mut weights = weights.to_vec1()?;
        weights.truncate(CANDIDATES);
        let directions = outputs.iter().map(|y| {
            let length = dot(y, y).sqrt().max(1e-3);
            y.iter().map(|y| y / length).collect()
        });
        Ok(Candidates { directions: directions.collect(), inputs, mean_input, outputs, weights })
    }

    /// A feature for some tokens.
    pub fn seed(&self, members: &[usize]) -> Seed {
        let mean = |rows: &[Vec<f32>]| {
            let mut mean = vec![0.0; rows[0].len()];
            let total: f32 = members.iter().map(|&i| self.weights[i]).sum();
            for &i in members {
                mean.iter_mut().zip(&rows[i]).for_each(|(mean, x)| *mean += x * self.weights[i] / total);
            }
            mean
        };
        let mut encoder = mean(&self.inputs);
        let length = dot(&encoder, &encoder).sqrt().max(1e-3);
        encoder.iter_mut().for_each(|w| *w /= length);
        Seed {
            bias: -dot(&encoder, &self.mean_input) - NEARNESS * length,
            activation: (1.0 - NEARNESS) * length,
            output: mean(&self.outputs),
            encoder,
        }
    }

    /// Tokens grouped around some whose outputs point in very different directions. These are drawn
    /// one after the other with a chance that grows with the distance to the nearest one drawn
    /// before, so that rare words count as much as frequent ones.
    pub fn groups(&self, count: usize, rng: &mut StdRng) -> Result<Vec<Vec<usize>>> {
        let power: Vec<f32> = self.outputs.iter().zip(&self.weights).map(|(y, weight)| dot(y, y) * weight).collect();
        let mut distance = vec![f32::INFINITY; power.len()];
        let mut nearest = vec![0; power.len()];
        let mut centre = WeightedIndex::new(&power)?.sample(rng);
        for group in 0..count {
            let newest = &self.directions[centre];
            for (i, y) in self.directions.iter().enumerate() {
                let away = (1.0 - dot(y, newest)).max(0.0);
                if away < distance[i] {
                    distance[i] = away;
                    nearest[i] = group;
                }
            }
            nearest[centre] = group;
            distance[centre] = 0.0;
            let chances = distance.iter().zip(&power).map(|(distance, power)| distance * power);
            centre = WeightedIndex::new(chances)?.sample(rng);
        }
        let mut groups = vec![Vec::new(); count];
        for (i, group) in nearest.into_iter().enumerate() {
            groups[group].push(i);
        }
        Ok(groups)
    }
}
