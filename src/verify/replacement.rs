//! Replacement models, which have transcoders in place of MLPs and no errors, compared with the model (Ameisen et al.
//! 2025, "Evaluating the cross-layer transcoder").

use crate::attribution::{Capture, Engine, softmax};
use crate::job::Monitor;
use crate::verify::bench::within;
use crate::verify::pass::{Pass, Ran};
use crate::verify::{VerifyError, kl_divergence};

/// Agreement of a replacement model's next-token distributions with the model's, over the positions that are not
/// zeroed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Share of positions whose likeliest next token is the model's.
    pub share: f64,
    /// Mean divergence from the model's distribution, in nats.
    pub divergence: f64,
    /// True where the likeliest next token at the last position is the model's.
    pub last_agrees: bool,
    /// Divergence at the last position, in nats.
    pub last_divergence: f64,
}

/// Replacement models of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Replacements {
    /// Agreement by layer, with the transcoder in place of that layer's MLP alone.
    pub alone: Vec<Agreement>,
    /// Agreement by layer, with transcoders in place of all MLPs up to it. The last one is the whole replacement model.
    pub up_to: Vec<Agreement>,
}

/// Runs the model with transcoders in place of MLPs: of each layer alone, and of all layers up to each. Attention and
/// norms are computed again, and so are the features, from their new input. Zeroed positions, such as 0, keep their
/// MLPs.
///
/// # Errors
/// Fails where all positions are zeroed, weights cannot be read, or the work was stopped.
pub fn replacement(engine: &Engine, base: &Capture, monitor: &Monitor) -> Result<Replacements, VerifyError> {
    if base.zeroed >= base.n_positions() {
        return Err(VerifyError::Nothing("the prompt has no position at which features are active".into()));
    }
    let n_layers = engine.model.spec.n_layers;
    let none = vec![None; n_layers];
    let run = |replaced: &[bool]| -> Result<Ran, VerifyError> {
        Pass { engine, base, replaced, errors: None, added: &none }.run(&within(monitor))
    };
    let distributions = |ran: &Ran| ran.logits[base.zeroed..].iter().map(|row| softmax(row)).collect::<Vec<_>>();
    let model = distributions(&run(&vec![false; n_layers])?);
    let mut found = Replacements { alone: Vec::new(), up_to: Vec::new() };
    for layer in 0..n_layers {
        monitor.report("replacements", layer as u64, n_layers as u64)?;
        let alone: Vec<bool> = (0..n_layers).map(|it| it == layer).collect();
        let up_to: Vec<bool> = (0..n_layers).map(|it| it <= layer).collect();
        found.alone.push(agreement(&model, &distributions(&run(&alone)?)));
        found.up_to.push(agreement(&model, &distributions(&run(&up_to)?)));
    }
    Ok(found)
}

fn agreement(model: &[Vec<f64>], other: &[Vec<f64>]) -> Agreement {
    let best = |all: &[f64]| (0..all.len()).max_by(|a, b| all[*a].total_cmp(&all[*b]).then(b.cmp(a)));
    let each: Vec<(bool, f64)> =
        model.iter().zip(other).map(|(p, q)| (best(p) == best(q), kl_divergence(p, q))).collect();
    let n = each.len() as f64;
    let last = each.last().copied().unwrap_or((true, 0.0));
    Agreement {
        share: each.iter().filter(|(agrees, _)| *agrees).count() as f64 / n,
        divergence: each.iter().map(|(_, divergence)| divergence).sum::<f64>() / n,
        last_agrees: last.0,
        last_divergence: last.1,
    }
}
