//! The run: tokens are read, shuffled and trained on, and the state is saved now and then.

use crate::features::build::Corpus;
use crate::features::build::corpus::LeftOut;
use crate::format::FormatError;
use crate::job::{Cancelled, Monitor};
use crate::training::beginning::begin;
use crate::training::evaluate::evaluate;
use crate::training::gradient::{Batch, Loss};
use crate::training::optimizer::Optimized;
use crate::training::parameters::{Parameters, Shape};
use crate::training::random::Random;
use crate::training::record::{self, Moment, Record};
use crate::training::save::{self, Saved};
use crate::training::scale::Scale;
use crate::training::settings::{Activation, Settings, TranscoderKind};
use crate::training::stream::{Place, Stream, Tokens};
use crate::training::{Subject, TrainError, checkpoint};
use gemm::Parallelism;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

/// Phase of training, counted in tokens.
pub const TRAINING: &str = "training";

/// Steps of which the errors are kept.
const COURSE: u64 = 200;

/// Weight of a batch's least activation in the mean that becomes BatchTopK's threshold.
const BOUND_UPDATE: f32 = 0.05;

/// Purpose of the numbers that shuffle the buffer.
const SHUFFLE: u64 = 1 << 32;

/// Options of a run that change no number.
#[derive(Clone, Debug)]
pub struct Options {
    /// True to go on from the saved state.
    pub resume: bool,
    /// Time between two saves of the state.
    pub every: Duration,
    /// What tells this model from others, kept with the state.
    pub model: Value,
    /// Documents that are not trained on, to measure on at the end.
    pub held_out: Option<Corpus>,
}

/// Progress of a run, after a step.
#[derive(Clone, Debug)]
pub struct Report {
    /// Number of steps taken.
    pub step: u64,
    /// Number of steps in all.
    pub steps: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Tokens a second since the run began, reading included.
    pub rate: f64,
    /// Time left.
    pub left: Option<Duration>,
    /// True where the state was just saved.
    pub is_saved: bool,
    /// What was seen of each layer.
    pub layers: Vec<LayerReport>,
}

/// What a step saw of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Layer of the model.
    pub layer: usize,
    /// Share of the outputs' variance that is left, outliers weighted down.
    pub error: f64,
    /// Mean number of active features.
    pub l0: f64,
    /// Share of the features that count as dead.
    pub dead: f64,
}

/// Outcome of a run.
#[derive(Clone, Debug)]
pub struct Trained {
    /// What is kept of it beside the set.
    pub record: Record,
    /// Lines of the corpus that held no document.
    pub left_out: LeftOut,
}

/// Layer under training.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub optimized: Optimized,
    /// Tokens since each feature was last active, `[F]`.
    pub silent: Vec<u64>,
    /// Running mean of the least activation of a batch; not a number before the first.
    pub bound: f32,
}

/// State between two steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// Layers that share a loss, together.
    groups: Vec<Vec<Layer>>,
    pub scales: Vec<Scale>,
    pub step: u64,
    /// Number of buffers filled before the current one.
    pub fill: u64,
    /// Place in the corpus where the current buffer began.
    pub place: Place,
    /// Errors at some of the steps.
    pub course: Vec<Moment>,
}

impl State {
    /// Begins with the tokens of the first buffer, normalised, and their weights.
    fn fresh(
        settings: &Settings,
        scales: Vec<Scale>,
        (tokens, weights): (&Tokens, &[Vec<f32>]),
        width: usize,
        place: Place,
    ) -> Self {
        let layer = |nth: usize| {
            let shape = Shape::new(settings, nth, width);
            let streams = (&tokens.inputs[nth][..], &tokens.outputs[nth][..]);
            let fresh = begin(settings, (shape, settings.layers[nth]), &scales[nth], streams, &weights[nth]);
            Layer { optimized: Optimized::new(fresh, shape), silent: vec![0; settings.features], bound: f32::NAN }
        };
        let layers = (0..settings.layers.len()).into_par_iter().map(layer).collect();
        Self::restored(settings, layers, scales, 0, 0, place, Vec::new())
    }

    /// Restores a state from its parts.
    pub fn restored(
        settings: &Settings,
        layers: Vec<Layer>,
        scales: Vec<Scale>,
        step: u64,
        fill: u64,
        place: Place,
        course: Vec<Moment>,
    ) -> Self {
        let groups = match settings.kind {
            TranscoderKind::Plt => layers.into_iter().map(|layer| vec![layer]).collect(),
            TranscoderKind::Clt => vec![layers],
        };
        Self { groups, scales, step, fill, place, course }
    }

    /// Returns the layers, in order.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.groups.iter().flatten()
    }

    /// Writes the set with its record into a folder; nothing of it stays where that fails.
    fn save(&self, folder: &Path, record: &Record) -> Result<(), TrainError> {
        let settings = &record.settings;
        let is_batch = matches!(settings.activation, Activation::BatchTopK(_));
        let saved = |layer| {
            let Layer { optimized, bound, .. }: &Layer = layer;
            // A layer whose features were never active has no bound.
            Saved { weights: &optimized.weights, bound: is_batch.then_some(bound.max(0.0)) }
        };
        let layers: Vec<Saved<'_>> = self.layers().map(saved).collect();
        let write = || -> Result<(), TrainError> {
            save::layers(folder, settings, &layers, &self.scales)?;
            record.write(folder)?;
            Ok(save::config(folder, &record.model_name, settings)?)
        };
        write().inspect_err(|_| {
            let names = save::names(settings).into_iter().chain(record::NAMES.map(str::to_owned));
            // The error that is told is the first one.
            names.for_each(|name| drop(fs::remove_file(folder.join(name))));
            drop(fs::remove_dir(folder));
        })
    }
}

/// Trains a transcoder on a corpus, and writes it into a folder, which is made. `model` says which model it is, for
/// [`Options::resume`].
///
/// # Errors
/// Fails where the settings do not fit the model, the folder holds another set, the corpus is too short, the loss is no
/// number any more, a file cannot be read or written, or the work was stopped, with its state saved.
pub fn train(
    subject: &Subject<'_>,
    corpus: &Corpus,
    mut settings: Settings,
    folder: &Path,
    options: &Options,
    mut tell: impl FnMut(&Report),
    monitor: &Monitor,
) -> Result<Trained, TrainError> {
    let spec = &subject.model.spec;
    settings.check(spec.n_layers)?;
    let path = folder.join(checkpoint::NAME);
    check_folder(folder, &path, options.resume)?;
    let mut restored = None;
    if options.resume {
        restored = Some(checkpoint::read(&path, &mut settings, spec.d_model, &options.model)?);
    }
    let place = restored.as_ref().map(|state| state.place.clone()).unwrap_or_default();
    let mut stream = Stream::open(subject, corpus, &settings, place, monitor.cancel())?;
    let mut run = Run {
        settings: &settings,
        width: spec.d_model,
        parallelism: parallelism(&settings),
        folder,
        options,
        begun: Instant::now(),
        begun_at: restored.as_ref().map_or(0, |state| state.step),
        saved: Instant::now(),
        seen: Vec::new(),
        monitor,
    };
    let mut state = run.fill(&mut stream, restored, &mut tell)?;
    while state.step < settings.steps() {
        state.fill += 1;
        state = run.fill(&mut stream, Some(state), &mut tell)?;
    }
    run.make_folder()?;
    let mut record = Record {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model_name: spec.name.clone(),
        model: options.model.clone(),
        n_layers: spec.n_layers,
        tokens: run.tokens(state.step),
        epochs: stream.place().epoch,
        corpus: stream.place().digest.clone(),
        layers: run.seen,
        course: state.course.clone(),
        evaluation: None,
        settings: settings.clone(),
    };
    state.save(folder, &record)?;
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(FormatError::writing(&path, error).into());
    }
    if let Some(held_out) = &options.held_out {
        let cancel = monitor.cancel();
        let mut documents = Stream::open(subject, held_out, &settings, Place::default(), cancel)?;
        match evaluate(&mut documents, &state, &settings, spec.d_model, cancel) {
            // The transcoder is there.
            Err(error) if error.is_cancelled() => {}
            evaluation => {
                record.evaluation = Some(evaluation?);
                record.write(folder)?;
            }
        }
    }
    Ok(Trained { record, left_out: stream.left_out().clone() })
}

/// Checks that a folder is one to begin in, or to go on in.
fn check_folder(folder: &Path, checkpoint: &Path, resume: bool) -> Result<(), TrainError> {
    let shown = folder.display();
    let wrong = |what: String| Err(TrainError::Settings(what));
    match (folder.join(save::CONFIG).exists(), checkpoint.exists(), resume) {
        (true, ..) => wrong(format!("{shown} holds a transcoder already; train into another folder with --out")),
        (_, true, false) => wrong(format!(
            "{shown} holds the state of a run that was stopped; go on with --resume, or remove {}",
            checkpoint.display()
        )),
        (_, false, true) => wrong(format!("{shown} holds no state to go on from; leave --resume out to begin")),
        _ => Ok(()),
    }
}

/// Returns how many threads work on one product: layers are shared out first.
fn parallelism(settings: &Settings) -> Parallelism {
    let threads = rayon::current_num_threads();
    if settings.layers.len() >= threads { Parallelism::None } else { Parallelism::Rayon(threads) }
}

struct Run<'a> {
    settings: &'a Settings,
    width: usize,
    parallelism: Parallelism,
    folder: &'a Path,
    options: &'a Options,
    begun: Instant,
    /// Step at which this run began.
    begun_at: u64,
    saved: Instant,
    /// What the last step saw.
    seen: Vec<LayerReport>,
    monitor: &'a Monitor,
}

impl Run<'_> {
    fn tokens(&self, step: u64) -> u64 {
        step * self.settings.batch as u64
    }

    fn make_folder(&self) -> Result<(), TrainError> {
        fs::create_dir_all(self.folder).map_err(|error| FormatError::writing(self.folder, error).into())
    }

    /// Fills the buffer from the stream, and takes the steps that were not taken with it yet. Without a state it begins
    /// with one.
    fn fill(
        &mut self,
        stream: &mut Stream<'_>,
        state: Option<State>,
        tell: &mut impl FnMut(&Report),
    ) -> Result<State, TrainError> {
        let settings = self.settings;
        let (step, fill) = state.as_ref().map_or((0, 0), |state| (state.step, state.fill));
        let first_step = fill * settings.buffer as u64;
        let n_batches = (settings.steps() - first_step).min(settings.buffer as u64) as usize;
        let place = stream.place().clone();
        let state = state.map(|state| State { place: place.clone(), ..state });
        if self.monitor.report(TRAINING, self.tokens(step), settings.tokens).is_err() {
            return Err(self.stopped(state.as_ref())?);
        }
        let mut tokens = match stream.tokens(n_batches * settings.batch, true, self.monitor.cancel()) {
            Err(error) if error.is_cancelled() => return Err(self.stopped(state.as_ref())?),
            tokens => tokens?,
        };
        let (mut state, weights) = match state {
            Some(state) => {
                let weights = normalize(&mut tokens, &state.scales, self.width);
                (state, weights)
            }
            None => {
                let scale = |nth: usize| Scale::of(&tokens.inputs[nth], &tokens.outputs[nth], self.width);
                let scales: Vec<Scale> = (0..settings.layers.len()).into_par_iter().map(scale).collect();
                let weights = normalize(&mut tokens, &scales, self.width);
                (State::fresh(settings, scales, (&tokens, &weights), self.width, place), weights)
            }
        };
        let order = Random::new(settings.seed, SHUFFLE + fill).order(n_batches * settings.batch);
        for chosen in order.chunks(settings.batch).skip((state.step - first_step) as usize) {
            if self.monitor.report(TRAINING, self.tokens(state.step), settings.tokens).is_err() {
                return Err(self.stopped(Some(&state))?);
            }
            let is_saved = self.saved.elapsed() >= self.options.every;
            if is_saved {
                self.save(&state)?;
            }
            self.step(&mut state, &tokens, &weights, chosen)?;
            tell(&self.report(state.step, is_saved));
        }
        Ok(state)
    }

    fn save(&mut self, state: &State) -> Result<(), TrainError> {
        self.make_folder()?;
        checkpoint::write(&self.folder.join(checkpoint::NAME), state, self.settings, &self.options.model)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Saves the state of a run that is stopped, and returns the error that says so.
    fn stopped(&mut self, state: Option<&State>) -> Result<TrainError, TrainError> {
        let Some(state) = state else { return Ok(TrainError::Cancelled(Cancelled)) };
        self.save(state)?;
        Ok(TrainError::Stopped { done: self.tokens(state.step), tokens: self.settings.tokens })
    }

    fn report(&self, step: u64, is_saved: bool) -> Report {
        let (taken, seconds) = (step - self.begun_at, self.begun.elapsed().as_secs_f64());
        let steps = self.settings.steps();
        Report {
            step,
            steps,
            tokens: self.tokens(step),
            rate: self.tokens(taken) as f64 / seconds.max(1e-9),
            left: Duration::try_from_secs_f64(seconds / taken as f64 * (steps - step) as f64).ok(),
            is_saved,
            layers: self.seen.clone(),
        }
    }

    /// Takes a step with the chosen tokens.
    fn step(
        &mut self,
        state: &mut State,
        tokens: &Tokens,
        weights: &[Vec<f32>],
        chosen: &[u32],
    ) -> Result<(), TrainError> {
        let (settings, width, step) = (self.settings, self.width, state.step);
        let (loss, rate) = (Loss::at(settings, step, self.parallelism), settings.rate_at(step));
        let of_group = settings.layers.len() / state.groups.len();
        let seen = state.groups.par_iter_mut().enumerate().map(|(nth, group)| {
            let members = nth * of_group..(nth + 1) * of_group;
            let batch = Batch::gather(tokens, weights, members.clone(), chosen, width);
            step_group(group, &settings.layers[members], &batch, settings, loss, rate, step)
        });
        let seen: Vec<Vec<LayerReport>> = seen.collect::<Result<_, _>>()?;
        self.seen = seen.concat();
        state.step += 1;
        let between = settings.steps().div_ceil(COURSE);
        if state.step.is_multiple_of(between) || state.step == settings.steps() {
            let errors = self.seen.iter().map(|layer| layer.error as f32).collect();
            state.course.push(Moment { step: state.step, errors });
        }
        Ok(())
    }
}

/// Divides the tokens by the scales, and returns their weights, `[N]` a layer.
pub(super) fn normalize(tokens: &mut Tokens, scales: &[Scale], width: usize) -> Vec<Vec<f32>> {
    let Tokens { inputs, outputs } = tokens;
    let layers = inputs.par_iter_mut().zip(outputs).zip(scales);
    let normalized = layers.map(|((inputs, outputs), scale)| {
        let weights = outputs.chunks(width).map(|row| scale.weight(row)).collect();
        inputs.iter_mut().for_each(|x| *x /= scale.input);
        outputs.iter_mut().for_each(|x| *x /= scale.output);
        weights
    });
    normalized.collect()
}

/// Takes a step with layers that share a loss.
pub(super) fn step_group(
    group: &mut [Layer],
    layers: &[usize],
    batch: &Batch,
    settings: &Settings,
    loss: Loss,
    rate: f32,
    step: u64,
) -> Result<Vec<LayerReport>, TrainError> {
    let dead = |layer: &Layer| -> Vec<u32> {
        let is_dead = |feature: &u32| layer.silent[*feature as usize] >= settings.dead_after;
        (0..settings.features as u32).filter(is_dead).collect()
    };
    let dead: Vec<Vec<u32>> = group.iter().map(dead).collect();
    let weights: Vec<&Parameters> = group.iter().map(|layer| &layer.optimized.weights).collect();
    let outcome = loss.of(&weights, batch, &dead);
    if !outcome.loss.is_finite() {
        let nth = outcome.errors.iter().position(|error| !error.is_finite()).unwrap_or(0);
        return Err(TrainError::NotFinite { layer: layers[nth], step: step + 1, rate: settings.rate });
    }
    let n_tokens = settings.batch as u64;
    let mut seen = Vec::with_capacity(group.len());
    group.par_iter_mut().zip(outcome.gradients).for_each(|(layer, gradient)| {
        layer.optimized.step(gradient, step, rate, settings.has_unit_decoders());
    });
    for (nth, layer) in group.iter_mut().enumerate() {
        for (silent, fired) in layer.silent.iter_mut().zip(&outcome.fired[nth]) {
            *silent = if *fired { 0 } else { *silent + n_tokens };
        }
        let least = outcome.least[nth];
        if least.is_finite() {
            let before = if layer.bound.is_nan() { least } else { layer.bound };
            layer.bound = before + BOUND_UPDATE * (least - before);
        }
        seen.push(LayerReport {
            layer: layers[nth],
            error: outcome.errors[nth],
            l0: outcome.n_active[nth] as f64 / n_tokens as f64,
            dead: dead[nth].len() as f64 / settings.features as f64,
        });
    }
    Ok(seen)
}
