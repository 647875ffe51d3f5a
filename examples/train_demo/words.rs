//! Where features of the first layer start: on words that its MLP makes much the same of.
//!
//! What enters the first MLP hardly depends on what comes before a word, so that a few hundred kinds of inputs are all
//! there is. They are few enough to be linked by what the MLP makes of them, all with all, and to find for each group the
//! direction that tells its words from all others: the cities of a state, a rare one as much as a frequent one.

use std::collections::HashSet;

use anyhow::Result;
use candle_core::{Device, Tensor};

use crate::activity::Activity;
use crate::model::Llama;
use crate::sampler::Row;
use crate::seeding::{Seed, directions, dot, inverse, mean};

/// Outputs at least this near (cosine) to the first of a kind are of that kind.
const KIND: f32 = 0.92;
/// Groups of kinds are joined while their outputs are this near (cosine), on average over all pairs. Those of two cities
/// of a state are some 0.65 near, those of cities of different states 0.1, and 0.46 at most with few exceptions.
const ALIKE: f32 = 0.46;
/// A feature starts with this margin on either side of its threshold, relative to the length of its mean input.
const MARGIN: f32 = 0.5;
/// How much dearer a kind of the group that is missed is than another that is not told apart.
const MISSED: f32 = 10.0;
/// Weight of the squared length of the direction, relative to the mean square of an input.
const SHORTER: f64 = 3.0;
const ROUNDS: usize = 300;

/// Kinds of inputs of a layer, each with what it is on average.
struct Kinds {
    /// Without their mean. [K, d]
    inputs: Vec<Vec<f32>>,
    /// Without their mean. [K, d]
    outputs: Vec<Vec<f32>>,
    /// [d]
    mean_input: Vec<f32>,
}

/// Rows without their mean, and that mean.
fn centred(mut rows: Vec<Vec<f32>>) -> (Vec<Vec<f32>>, Vec<f32>) {
    let all: Vec<usize> = (0..rows.len()).collect();
    let middle = mean(&rows, &all, |_| 1.0);
    rows.iter_mut().for_each(|x| x.iter_mut().zip(&middle).for_each(|(x, m)| *x -= m));
    (rows, middle)
}

impl Kinds {
    /// From inputs and outputs [N, d].
    fn find(inputs: &[Vec<f32>], outputs: &[Vec<f32>]) -> Self {
        let all: Vec<usize> = (0..outputs.len()).collect();
        let middle = mean(outputs, &all, |_| 1.0);
        let unit = |y: &[f32]| {
            let centred: Vec<f32> = y.iter().zip(&middle).map(|(y, m)| y - m).collect();
            let length = dot(&centred, &centred).sqrt().max(1e-3);
            centred.into_iter().map(|y| y / length).collect::<Vec<f32>>()
        };
        let mut kinds: Vec<(Vec<f32>, Vec<usize>)> = Vec::new();
        for i in all {
            let direction = unit(&outputs[i]);
            match kinds.iter_mut().find(|(first, _)| dot(first, &direction) >= KIND) {
                Some((_, members)) => members.push(i),
                None => kinds.push((direction, vec![i])),
            }
        }
        let of = |rows: &[Vec<f32>]| kinds.iter().map(|(_, m)| mean(rows, m, |_| 1.0)).collect::<Vec<_>>();
        let (inputs, mean_input) = centred(of(inputs));
        let (outputs, _) = centred(of(outputs));
        Kinds { inputs, outputs, mean_input }
    }

    /// Groups of kinds with outputs that point the same way, by average linkage: those that cost most if they were left out
    /// come first.
    fn groups(&self) -> Result<Vec<Vec<usize>>> {
        let unit = directions(&self.outputs)?;
        let mut near: Vec<Vec<f32>> = unit.matmul(&unit.t()?)?.to_vec2()?;
        let count = near.len();
        for (i, row) in near.iter_mut().enumerate() {
            row[i] = f32::MIN;
        }
        let nearest = |row: &[f32]| row.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("kinds");
        let mut groups: Vec<Vec<usize>> = (0..count).map(|i| vec![i]).collect();
        let mut best: Vec<(usize, f32)> = near.iter().map(|row| nearest(row)).collect();
        loop {
            let a = (0..count).max_by(|&a, &b| best[a].1.total_cmp(&best[b].1)).expect("there are kinds");
            let (b, cosine) = best[a];
            if cosine < ALIKE {
                break;
            }
            let [size_a, size_b] = [a, b].map(|i| groups[i].len() as f32);
            // Those already joined to others, and the two themselves, stay out of reach.
            let both = near[a].iter().zip(&near[b]);
            let joined: Vec<f32> = both
                .map(|(x, y)| if x.min(*y) < -1.5 { f32::MIN } else { (x * size_a + y * size_b) / (size_a + size_b) })
                .collect();
            for (row, &joined) in near.iter_mut().zip(&joined) {
                (row[a], row[b]) = (joined, f32::MIN);
            }
            near[a] = joined;
            near[b].fill(f32::MIN);
            let moved = std::mem::take(&mut groups[b]);
            groups[a].extend(moved);
            for i in 0..count {
                if i == a || i == b || best[i].0 == a || best[i].0 == b || near[i][a] > best[i].1 {
                    best[i] = nearest(&near[i]);
                }
            }
        }
        groups.retain(|group| !group.is_empty());
        let power = |group: &[usize]| group.iter().map(|&k| dot(&self.outputs[k], &self.outputs[k])).sum::<f32>();
        groups.sort_by(|a, b| power(b).total_cmp(&power(a)));
        Ok(groups)
    }

    /// For each group, a direction and an offset that tell its kinds from all others: at least 1 on the former and at most -1
    /// on the latter, as far as that can be had. [groups, d + 1]
    fn told_apart(&self, groups: &[Vec<usize>]) -> Result<Vec<Vec<f32>>> {
        let (count, width) = (self.inputs.len(), self.inputs[0].len() + 1);
        let power = self.inputs.iter().map(|x| dot(x, x)).sum::<f32>() / count as f32;
        let one = power.sqrt();
        let rows: Vec<f32> = self.inputs.iter().flat_map(|x| x.iter().copied().chain([one])).collect();
        let rows =
            (Tensor::from_vec(rows, (count, width), &Device::Cpu)? * f64::from(width as f32 / (2.0 * power)).sqrt())?;
        let mut wanted = vec![vec![-1.0f32; groups.len()]; count];
        for (g, group) in groups.iter().enumerate() {
            group.iter().for_each(|&k| wanted[k][g] = 1.0);
        }
        let wanted = Tensor::new(wanted, &Device::Cpu)?;
        let weights = wanted.gt(0.0)?.to_dtype(candle_core::DType::F32)?.affine(f64::from(MISSED) - 1.0, 1.0)?;
        let step = Tensor::new(inverse(rows.t()?.matmul(&rows)?.to_vec2()?, SHORTER), &Device::Cpu)?;
        let mut directions = Tensor::zeros((width, groups.len()), candle_core::DType::F32, &Device::Cpu)?;
        for _ in 0..ROUNDS {
            let short = (wanted.mul(&rows.matmul(&directions)?)?.affine(-1.0, 1.0)?.relu()? * &weights)?;
            let slope = ((&directions * SHORTER)? - rows.t()?.matmul(&(short * &wanted)?)?)?;
            directions = (directions - (step.matmul(&slope)? * (1.5 / f64::from(MISSED)))?)?;
        }
        let scale = f64::from(width as f32 / (2.0 * power)).sqrt();
        let mut found: Vec<Vec<f32>> = (directions * scale)?.t()?.to_vec2()?;
        found.iter_mut().for_each(|row| row[width - 1] *= one);
        Ok(found)
    }
}

/// At most `most` features of the first layer, each for a group of words, from all beginnings of the rows.
///
/// Inputs and outputs of the model are divided by `scales` first.
pub fn seeds(model: &Llama, rows: &[Row], scales: [f64; 2], most: usize) -> Result<Vec<Seed>> {
    let activity = Activity::collect(model, rows, usize::MAX)?;
    let mut seen = HashSet::new();
    let starts = rows.iter().flat_map(|row| (2..=row.tokens.len()).map(|end| &row.tokens[..end]));
    let new: Vec<u32> = starts.enumerate().filter(|(_, start)| seen.insert(*start)).map(|(i, _)| i as u32).collect();
    let new = Tensor::new(new, model.device())?;
    let take = |tensor: &Tensor, scale: f64| {
        Ok::<_, anyhow::Error>((tensor.index_select(&new, 0)? / scale)?.to_vec2::<f32>()?)
    };
    let kinds = Kinds::find(&take(&activity.inputs[0], scales[0])?, &take(&activity.outputs[0], scales[1])?);
    let mut groups = kinds.groups()?;
    groups.truncate(most);
    let apart = kinds.told_apart(&groups)?;
    let seed = |(group, mut encoder): (&Vec<usize>, Vec<f32>)| {
        let own = mean(&kinds.inputs, group, |_| 1.0);
        let margin = MARGIN * dot(&own, &own).sqrt();
        encoder.iter_mut().for_each(|w| *w *= margin);
        let offset = encoder.pop().expect("an offset follows the direction");
        let activation = |k: &usize| (dot(&encoder, &kinds.inputs[*k]) + offset).max(0.0);
        let activation = (group.iter().map(activation).sum::<f32>() / group.len() as f32).max(0.1);
        let bias = offset - dot(&encoder, &kinds.mean_input);
        Seed { encoder, bias, activation, output: mean(&kinds.outputs, group, |_| 1.0) }
    };
    Ok(groups.iter().zip(apart).map(seed).collect())
}
