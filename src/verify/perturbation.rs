//! Agreement of the local replacement model with the model under perturbations (Ameisen et al. 2025, "Evaluating
//! attribution graphs": perturbation agreement).

use crate::ids::NodeId;
use crate::job::Monitor;
use crate::verify::bench::{feature_at, within};
use crate::verify::pass::{Decoded, Pass, Ran};
use crate::verify::{Bench, VerifyError};
use candle_core::Tensor;

/// Agreement of the two models' changes a number of layers downstream, over the perturbed features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// Layers between the feature's layer and that behind which the residual stream is compared; at least 1.
    pub layers: usize,
    /// Number of features with so many layers downstream.
    pub n: usize,
    /// Mean cosine of the change in the local replacement model with that in the model.
    pub cosine: f64,
    /// Mean norm of their difference, as a share of the norm of the model's change.
    pub error: f64,
}

/// Agreement by distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Perturbations {
    /// Agreements from 1 layer downstream on.
    pub by_distance: Vec<Reach>,
}

impl Bench<'_> {
    /// Subtracts the contribution of each of `sources`, in the local replacement model and in the model, and compares
    /// the changes of the residual stream behind each later layer, over all positions. In the former, features respond
    /// with their activation functions, errors stay, and attention patterns and norm divisors are frozen; in the latter
    /// nothing is.
    ///
    /// # Errors
    /// Fails where there are no sources or one is no feature, weights cannot be read, or the work was stopped.
    pub fn perturbations(&self, sources: &[NodeId], monitor: &Monitor) -> Result<Perturbations, VerifyError> {
        if sources.is_empty() {
            return Err(VerifyError::Nothing("there is no feature to take away; pin some, or ask for more".into()));
        }
        let (engine, base) = (self.engine, &self.capture);
        let n_layers = engine.model.spec.n_layers;
        let (all, no_layer, nothing) = (vec![true; n_layers], vec![false; n_layers], vec![None; n_layers]);
        let errors = self.errors(monitor)?;
        let run = |local: bool, added: &[Option<Tensor>]| -> Result<Ran, VerifyError> {
            let replaced = if local { &all } else { &no_layer };
            let errors = local.then_some(errors.as_slice());
            Pass { engine, base, replaced, errors, added }.run(&within(monitor))
        };
        let before = [run(true, &nothing)?, run(false, &nothing)?];
        let mut sums = vec![(0usize, 0.0f64, 0.0f64); n_layers];
        for (done, &source) in sources.iter().enumerate() {
            monitor.report("perturbations", done as u64, sources.len() as u64)?;
            let at = feature_at(self.graph, source)?;
            let activation = self.activation(at);
            let mut taken = Decoded::new(&engine.model, &engine.transcoder, base.n_positions());
            taken.add(at.layer.index(), at.position.index(), at.feature.index(), -activation)?;
            let taken = taken.tensors()?;
            let after = [run(true, &taken)?, run(false, &taken)?];
            for layer in at.layer.index() + 1..n_layers {
                let change = |which: usize| -> Result<Vec<f32>, VerifyError> {
                    let change = after[which].streams[layer].sub(&before[which].streams[layer])?;
                    Ok(change.flatten_all()?.to_vec1()?)
                };
                let Some((cosine, error)) = compared(&change(0)?, &change(1)?) else { continue };
                let (n, cosines, errors) = &mut sums[layer - at.layer.index()];
                *n += 1;
                *cosines += cosine;
                *errors += error;
            }
        }
        let reach = |(layers, (n, cosines, errors)): (usize, (usize, f64, f64))| Reach {
            layers,
            n,
            cosine: cosines / n as f64,
            error: errors / n as f64,
        };
        let by_distance = sums.into_iter().enumerate().filter(|(_, (n, ..))| *n > 0).map(reach).collect();
        Ok(Perturbations { by_distance })
    }

    /// Returns the error vectors of the model's own run, by layer `[P, d]`.
    pub(super) fn errors(&self, monitor: &Monitor) -> Result<Vec<Tensor>, VerifyError> {
        let (engine, base) = (self.engine, &self.capture);
        let n_layers = engine.model.spec.n_layers;
        let mut decoded = Decoded::new(&engine.model, &engine.transcoder, base.n_positions());
        let mut errors = Vec::with_capacity(n_layers);
        for (layer, captured) in base.layers.iter().enumerate() {
            monitor.report("errors", layer as u64, n_layers as u64)?;
            for active in &captured.active {
                decoded.add(layer, active.position as usize, active.feature as usize, active.activation)?;
            }
            errors.push(captured.feature_output.sub(&decoded.at(layer, &captured.feature_input)?)?);
        }
        Ok(errors)
    }
}

/// Returns the cosine of `a` with `b` and the norm of their difference as a share of `b`'s; `None` where one is zero.
fn compared(a: &[f32], b: &[f32]) -> Option<(f64, f64)> {
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum::<f64>();
    let (both, of_a, of_b) = (sum(&|a, b| a * b), sum(&|a, _| a * a).sqrt(), sum(&|_, b| b * b).sqrt());
    let off = sum(&|a, b| (a - b) * (a - b)).sqrt();
    (of_a > 0.0 && of_b > 0.0).then(|| (both / (of_a * of_b), off / of_b))
}
