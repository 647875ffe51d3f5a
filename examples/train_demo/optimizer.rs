//! AdamW over two groups of weights, with gradient clipping and frozen rows.

use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};

pub struct Optimizer {
    vars: Vec<Var>,
    groups: Vec<AdamW>,
    /// Gradients are scaled down to at most this norm, taken over all weights.
    clip: Option<f64>,
    /// A variable, and a factor for its gradient: 0 in rows that must not move.
    mask: Option<(Var, Tensor)>,
}

impl Optimizer {
    /// `decayed` variables shrink by `weight_decay`, `plain` ones do not.
    pub fn new(decayed: Vec<Var>, plain: Vec<Var>, beta2: f64, weight_decay: f64) -> Result<Self> {
        let vars = decayed.iter().chain(&plain).cloned().collect();
        let group = |vars, weight_decay| {
            let params = ParamsAdamW { beta2, weight_decay, ..ParamsAdamW::default() };
            AdamW::new(vars, params)
        };
        let groups = vec![group(decayed, weight_decay)?, group(plain, 0.0)?];
        Ok(Optimizer { vars, groups, clip: None, mask: None })
    }

    pub fn clip(self, norm: f64) -> Self {
        Optimizer { clip: Some(norm), ..self }
    }

    pub fn mask(self, var: Var, mask: Tensor) -> Self {
        Optimizer { mask: Some((var, mask)), ..self }
    }

    pub fn step(&mut self, mut grads: GradStore, lr: f64) -> Result<()> {
        if let Some((var, mask)) = &self.mask
            && let Some(grad) = grads.get(var)
        {
            let grad = grad.broadcast_mul(mask)?;
            grads.insert(var, grad);
        }
        if let Some(clip) = self.clip {
            // All of it stays on the device: to read the norm here would wait for every step.
            let squares = self.vars.iter().filter_map(|var| grads.get(var)).map(|grad| grad.sqr()?.sum_all());
            let norm = Tensor::stack(&squares.collect::<candle_core::Result<Vec<_>>>()?, 0)?.sum_all()?.sqrt()?;
            let scale = (norm + 1e-12)?.recip()?.affine(clip, 0.0)?.minimum(1.0)?;
            for var in &self.vars {
                if let Some(grad) = grads.get(var) {
                    let grad = grad.broadcast_mul(&scale)?;
                    grads.insert(var, grad);
                }
            }
        }
        for group in &mut self.groups {
            group.set_learning_rate(lr);
            group.step(&grads)?;
        }
        Ok(())
    }
}
