//! Where features start: on inputs for which the MLP writes much the same.
//!
//! Features that start from random directions are active on half of everything, and most of them end up as blends of a
//! few unrelated words. Features that start on single inputs stay with them: one a city. What the cities of a state have
//! in common is what the MLP makes of them, so that features start on that, and others on what is then left.

use anyhow::Result;
use candle_core::{Device, Tensor};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;

/// How many tokens are looked at.
pub const CANDIDATES: usize = 16_384;
/// A fresh feature is active on inputs that go more than this share of the way from the mean input
/// to the mean of its own.
const NEARNESS: f32 = 0.5;
/// What is added to the variance of the inputs in every direction, relative to its mean over all directions.
const RIDGE: f64 = 0.03;
/// Outputs at least this near (cosine) to the centre of a cluster belong to it. Those at the cities of a state are some 0.85
/// near to their mean, those at two cities of different states below 0.46 to each other, with few exceptions.
const ALIKE: f32 = 0.6;
/// How often a cluster is gathered around its centre: one output at first, then the mean of those that belonged to it.
const ROUNDS: usize = 4;
/// Clusters are looked for until this share of what the outputs cost is left.
const LEFT_OVER: f32 = 0.02;
/// Inputs at least this near (cosine) are of one kind.
const KIND: f32 = 0.6;
/// At most so many kinds of inputs make a feature.
const KINDS: usize = 12;

/// Tokens of a layer that features can start on.
pub struct Candidates {
    /// Without their mean.
    inputs: Vec<Vec<f32>>,
    mean_input: Vec<f32>,
    /// Inverse covariance of the inputs. [d, d]
    precision: Vec<Vec<f32>>,
    /// Without their mean.
    outputs: Vec<Vec<f32>>,
    /// `outputs`, brought to length 1. [N, d]
    directions: Tensor,
    weights: Vec<f32>,
}

/// How a feature starts.
pub struct Seed {
    /// [d]
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

pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inverse of a symmetric matrix, with something added to its diagonal first. [d, d]
pub fn inverse(matrix: Vec<Vec<f32>>, added: f64) -> Vec<Vec<f32>> {
    let width = matrix.len();
    let wide = |row: Vec<f32>| row.into_iter().map(f64::from).collect();
    let mut left: Vec<Vec<f64>> = matrix.into_iter().map(wide).collect();
    let mut right = vec![vec![0.0f64; width]; width];
    for i in 0..width {
        left[i][i] += added;
        right[i][i] = 1.0;
    }
    // Gauss and Jordan; what is added keeps all pivots away from 0.
    for i in 0..width {
        let pivot = left[i][i];
        for matrix in [&mut left, &mut right] {
            matrix[i].iter_mut().for_each(|x| *x /= pivot);
        }
        for j in (0..width).filter(|&j| j != i) {
            let factor = left[j][i];
            for matrix in [&mut left, &mut right] {
                let row = matrix[i].clone();
                matrix[j].iter_mut().zip(row).for_each(|(x, y)| *x -= factor * y);
            }
        }
    }
    right.into_iter().map(|row| row.into_iter().map(|x| x as f32).collect()).collect()
}

/// Inverse of the covariance of centred rows, with a ridge. [d, d]
fn precision(rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
    let width = rows.first().map_or(0, Vec::len);
    let centred = Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu)?;
    let covariance = (centred.t()?.matmul(&centred)? / rows.len() as f64)?.to_vec2::<f32>()?;
    let variance = (0..width).map(|i| f64::from(covariance[i][i])).sum::<f64>() / width as f64;
    Ok(inverse(covariance, RIDGE * variance))
}

/// Rows brought to length 1. [N, d]
pub fn directions(rows: &[Vec<f32>]) -> Result<Tensor> {
    let unit = rows.iter().flat_map(|y| {
        let length = dot(y, y).sqrt().max(1e-3);
        y.iter().map(move |y| y / length)
    });
    let width = rows.first().map_or(0, Vec::len);
    Ok(Tensor::from_vec(unit.collect::<Vec<f32>>(), (rows.len(), width), &Device::Cpu)?)
}

/// Mean of some rows, each with its weight.
pub fn mean(rows: &[Vec<f32>], members: &[usize], weight: impl Fn(usize) -> f32) -> Vec<f32> {
    let mut mean = vec![0.0; rows[0].len()];
    let total: f32 = members.iter().map(|&i| weight(i)).sum();
    for &i in members {
        mean.iter_mut().zip(&rows[i]).for_each(|(mean, x)| *mean += x * weight(i) / total);
    }
    mean
}

impl Candidates {
    /// From the first tokens of inputs and outputs [N, d] with weights [N].
    pub fn new(inputs: &Tensor, outputs: &Tensor, weights: &Tensor) -> Result<Self> {
        let (inputs, mean_input) = centred(inputs)?;
        let (outputs, _) = centred(outputs)?;
        let mut weights = weights.to_vec1()?;
        weights.truncate(CANDIDATES);
        let (directions, precision) = (directions(&outputs)?, precision(&inputs)?);
        Ok(Candidates { directions, inputs, mean_input, precision, outputs, weights })
    }

    /// How much an output would cost if it were left out. [N]
    fn power(&self) -> Vec<f32> {
        self.outputs.iter().zip(&self.weights).map(|(y, weight)| dot(y, y) * weight).collect()
    }

    /// Cosines of all outputs with a direction. [N]
    fn cosines(&self, direction: &Tensor) -> Result<Vec<f32>> {
        Ok(self.directions.matmul(&direction.unsqueeze(1)?)?.squeeze(1)?.to_vec1()?)
    }

    /// A feature for some tokens. What it reads is the mean over kinds of inputs, rare ones as much as frequent ones:
    /// all cities of a state, however often each occurs.
    pub fn seed(&self, members: &[usize]) -> Seed {
        let mut kinds: Vec<(usize, Vec<usize>)> = Vec::new();
        for &i in members {
            let x = &self.inputs[i];
            let near = |first: usize| {
                let y = &self.inputs[first];
                dot(x, y) >= KIND * (dot(x, x) * dot(y, y)).sqrt()
            };
            match kinds.iter().position(|(first, _)| near(*first)) {
                Some(kind) => kinds[kind].1.push(i),
                None if kinds.len() < KINDS => kinds.push((i, vec![i])),
                None => {}
            }
        }
        let kinds: Vec<Vec<f32>> =
            kinds.iter().map(|(_, kind)| mean(&self.inputs, kind, |i| self.weights[i])).collect();
        let own = mean(&kinds, &(0..kinds.len()).collect::<Vec<_>>(), |_| 1.0);
        let length = dot(&own, &own).sqrt().max(1e-3);
        // What tells these inputs from all others, not what they share with many: that they are cities, for example.
        let mut encoder: Vec<f32> = self.precision.iter().map(|row| dot(row, &own)).collect();
        let scale = length / dot(&encoder, &own).max(1e-6);
        encoder.iter_mut().for_each(|w| *w *= scale);
        Seed {
            bias: -dot(&encoder, &self.mean_input) - NEARNESS * length,
            activation: (1.0 - NEARNESS) * length,
            output: mean(&self.outputs, members, |i| self.weights[i]),
            encoder,
        }
    }

    /// Tokens at which the MLP writes much the same, such as all cities of a state: at most `most` groups, those whose
    /// outputs cost most if they were left out. What a group has in common is then taken away from its outputs, so that
    /// later groups stand for what is left.
    pub fn take_clusters(&mut self, most: usize, rng: &mut StdRng) -> Result<Vec<Seed>> {
        let mut open = self.power();
        let enough = LEFT_OVER * open.iter().sum::<f32>();
        let mut clusters: Vec<(f32, Vec<usize>)> = Vec::new();
        while open.iter().sum::<f32>() > enough {
            let first = WeightedIndex::new(&open)?.sample(rng);
            let mut members = vec![first];
            let mut centre = self.directions.get(first)?;
            for _ in 0..ROUNDS {
                let cosines = self.cosines(&centre)?;
                let near: Vec<usize> = (0..open.len()).filter(|&i| open[i] > 0.0 && cosines[i] >= ALIKE).collect();
                if near.is_empty() {
                    break;
                }
                let picked = Tensor::new(near.iter().map(|&i| i as u32).collect::<Vec<_>>(), &Device::Cpu)?;
                let sum = self.directions.index_select(&picked, 0)?.mean(0)?;
                centre = sum.broadcast_div(&(sum.sqr()?.sum_all()?.sqrt()? + 1e-12)?)?;
                members = near;
            }
            clusters.push((members.iter().map(|&i| open[i]).sum(), members.clone()));
            members.into_iter().chain([first]).for_each(|i| open[i] = 0.0);
        }
        clusters.sort_by(|a, b| b.0.total_cmp(&a.0));
        clusters.truncate(most);
        let seeds: Vec<Seed> = clusters.iter().map(|(_, members)| self.seed(members)).collect();
        for (seed, (_, members)) in seeds.iter().zip(&clusters) {
            for &i in members {
                self.outputs[i].iter_mut().zip(&seed.output).for_each(|(y, common)| *y -= common);
            }
        }
        self.directions = directions(&self.outputs)?;
        Ok(seeds)
    }

    /// Takes what features write away from the outputs, so that later groups stand for what is left.
    pub fn take_away(&mut self, seeds: &[Seed]) -> Result<()> {
        for (x, y) in self.inputs.iter().zip(&mut self.outputs) {
            for seed in seeds {
                let pre = dot(&seed.encoder, x) + dot(&seed.encoder, &self.mean_input) + seed.bias;
                if pre > 0.0 {
                    y.iter_mut().zip(&seed.output).for_each(|(y, common)| *y -= common * pre / seed.activation);
                }
            }
        }
        self.directions = directions(&self.outputs)?;
        Ok(())
    }

    /// Tokens grouped around some whose outputs point in very different directions. These are drawn
    /// one after the other with a chance that grows with the distance to the nearest one drawn
    /// before, so that rare words count as much as frequent ones.
    pub fn groups(&self, count: usize, rng: &mut StdRng) -> Result<Vec<Vec<usize>>> {
        let power = self.power();
        let mut distance = vec![f32::INFINITY; power.len()];
        let mut nearest = vec![0; power.len()];
        let mut centre = WeightedIndex::new(&power)?.sample(rng);
        for group in 0..count {
            for (i, cosine) in self.cosines(&self.directions.get(centre)?)?.into_iter().enumerate() {
                let away = (1.0 - cosine).max(0.0);
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
