//! Baseline run of a prompt, and runs of it with interventions.

use crate::attribution::{Capture, Engine, softmax};
use crate::graph::{FeatureAt, Interventions, Token};
use crate::intervention::run::base_activation;
use crate::intervention::{InterventionError, Mode, Outcome, intervene, resolve};
use crate::job::Monitor;

/// Unaltered run of a prompt, against which effects are measured.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Captured run.
    pub capture: Capture,
    /// Logits at the last position, `[V]`.
    pub logits: Vec<f32>,
}

/// Probabilities of tokens against the dose of interventions.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Doses.
    pub doses: Vec<f32>,
    /// Vocabulary indices of the tokens.
    pub tokens: Vec<u32>,
    /// Softmax probabilities at the last position, by token, then by dose.
    pub probabilities: Vec<Vec<f64>>,
}

impl Baseline {
    /// Runs the model on a prompt.
    ///
    /// # Errors
    /// Fails where weights cannot be read, a value leaves the range of f32, or the work was stopped.
    pub fn run(engine: &Engine, tokens: &[Token], monitor: &Monitor) -> Result<Self, InterventionError> {
        Self::of(engine, engine.capture_tokens(tokens, monitor)?, monitor)
    }

    /// Completes `capture`, a run of the model.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub fn of(engine: &Engine, capture: Capture, monitor: &Monitor) -> Result<Self, InterventionError> {
        let last = capture.final_output.narrow(0, capture.n_positions() - 1, 1)?;
        let logits = engine.model.logits(&last, monitor.cancel())?.swap_remove(0);
        Ok(Self { capture, logits })
    }

    /// Returns a feature's activation; 0 where it is not active.
    pub fn activation(&self, feature: FeatureAt) -> f32 {
        base_activation(&self.capture, feature)
    }

    /// Runs the model with interventions.
    ///
    /// # Errors
    /// Fails as [`resolve`] and [`intervene`] do.
    ///
    /// # Examples
    /// ```
    /// use candle_core::Device;
    /// use circuitscope::attribution::Engine;
    /// use circuitscope::intervention::{Action, Baseline, Effects, Intervention, Interventions, sites_at};
    /// use circuitscope::{demo, ids::Position, job::Monitor};
    ///
    /// let (model, transcoder) = demo::sources();
    /// let engine = Engine::open(&model, &transcoder, &Device::Cpu)?;
    /// let tokens = engine.read(demo::PROMPT)?;
    /// let base = Baseline::run(&engine, &tokens, &Monitor::default())?;
    /// let last = Position::from(tokens.len() - 1);
    /// let ablation = Intervention {
    ///     name: "every feature of the last token".to_owned(),
    ///     sites: sites_at(&base.capture, last),
    ///     action: Action::Ablate,
    ///     muted: false,
    /// };
    /// let interventions = Interventions { list: vec![ablation], ..Interventions::default() };
    /// let altered = base.altered(&engine, &interventions, &Monitor::default())?;
    /// let effects = Effects::of(&base, &altered, &[], &[], 1);
    /// let (answer, fallen) = (effects.before[0], effects.falling[0]);
    /// assert_eq!(engine.tokenizer.text(answer.id), "Austin");
    /// assert!(fallen.id == answer.id && fallen.of_probability() < 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn altered(
        &self,
        engine: &Engine,
        interventions: &Interventions,
        monitor: &Monitor,
    ) -> Result<Outcome, InterventionError> {
        let n_positions = self.capture.n_positions();
        let changes = resolve(&interventions.list, n_positions, 0..n_positions)?;
        let mode = Mode::of(interventions, engine.transcoder.n_layers());
        intervene(&engine.model, &engine.transcoder, &self.capture, &changes, &mode, monitor)
    }

    /// Returns the probabilities of `tokens` at each of `doses`. The dose is that of the intervention of index `which`,
    /// or else of all that are not muted ([`Action::dose`](crate::graph::Action::dose)); the others stay.
    ///
    /// # Errors
    /// Fails as [`Baseline::altered`] does.
    pub fn sweep(
        &self,
        engine: &Engine,
        interventions: &Interventions,
        which: Option<usize>,
        doses: &[f32],
        tokens: &[u32],
        monitor: &Monitor,
    ) -> Result<Sweep, InterventionError> {
        let mut probabilities = vec![Vec::with_capacity(doses.len()); tokens.len()];
        let mut dosed = interventions.clone();
        // A run reports its layers to a monitor of its own, so that this one shows how many doses are done.
        let inner = Monitor::with_cancel(monitor.cancel().clone());
        for (nth, dose) in doses.iter().enumerate() {
            monitor.report("doses", nth as u64, doses.len() as u64)?;
            for (at, (dosed, given)) in dosed.list.iter_mut().zip(&interventions.list).enumerate() {
                if which.is_none_or(|which| which == at) {
                    dosed.action = given.action.at_dose(*dose);
                }
            }
            let outcome = self.altered(engine, &dosed, &inner)?;
            let all = softmax(outcome.logits.last().map_or(&[], Vec::as_slice));
            for (row, token) in probabilities.iter_mut().zip(tokens) {
                row.push(all.get(*token as usize).copied().unwrap_or(0.0));
            }
        }
        Ok(Sweep { doses: doses.to_vec(), tokens: tokens.to_vec(), probabilities })
    }
}
