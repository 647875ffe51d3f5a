//! Computation of a score's split among sources.

use crate::attribution::qk::frozen::FrozenProjection;
use crate::attribution::qk::{Against, Factors, FrozenHead, Look, QkAttribution, QkQuestion, QkSource, Softcap};
use crate::attribution::{Probe, ReadSite, TargetRow, TraceError, memory};
use crate::graph::Head;
use crate::ids::Position;
use crate::job::Monitor;
use candle_core::Tensor;
use std::ops::{Range, RangeInclusive};

/// Most numbers of gradients, or of effects, that are held at a time: 256 MiB of them.
const HELD: usize = 1 << 26;

/// Score of a question, and the maps that it is computed with.
struct Score {
    /// Look at the key.
    look: Look,
    /// Score, less the reference.
    value: f64,
    frozen: FrozenHead,
    /// Keys whose scores make up the value, with their weights.
    keys: Vec<(Position, f64)>,
}

impl Probe<'_> {
    /// Returns the attention of a head from a position to every key that the query sees, in their order.
    ///
    /// # Errors
    /// Fails with [`TraceError::Attention`] where there is no such head or position; or where weights cannot be read,
    /// or the work was stopped.
    pub fn looks(&self, head: Head, query: Position, monitor: &Monitor) -> Result<Vec<Look>, TraceError> {
        self.check_head(head)?;
        self.check_position("query", query)?;
        let (layer, row) = (head.layer.index(), head.head as usize);
        let stream = self.stream(layer)?;
        let at = |all: &Tensor| -> Result<Vec<f32>, TraceError> { Ok(all.get(row)?.get(query.index())?.to_vec1()?) };
        let scores = at(&self.engine.model.scores(layer, stream, monitor.cancel())?)?;
        let pattern = at(&self.run.capture.layers[layer].pattern)?;
        let look = |key: usize| Look { key: Position::from(key), score: scores[key], pattern: pattern[key] };
        Ok(self.seen(layer, query.index()).map(look).collect())
    }

    /// Returns the attention of a head from a position, by position of the key, `[P]`; 0 for keys that it does not see.
    ///
    /// # Errors
    /// Fails with [`TraceError::Attention`] where there is no such head or position.
    pub fn pattern(&self, head: Head, query: Position) -> Result<Vec<f32>, TraceError> {
        self.check_head(head)?;
        self.check_position("query", query)?;
        let pattern = &self.run.capture.layers[head.layer.index()].pattern;
        Ok(pattern.get(head.head as usize)?.get(query.index())?.to_vec1()?)
    }

    /// Splits a head's score among the sources on either side of it.
    ///
    /// # Errors
    /// Fails with [`TraceError::Attention`] where there is no such head or position, or the query does not see the key;
    /// or where weights cannot be read, or the work was stopped.
    ///
    /// # Examples
    /// ```
    /// use candle_core::Device;
    /// use circuitscope::attribution::{Against, Engine, Probe, QkQuestion, QkSide};
    /// use circuitscope::{demo, ids::Position, job::Monitor};
    ///
    /// let (model, transcoder) = demo::sources();
    /// let engine = Engine::open(&model, &transcoder, &Device::Cpu)?;
    /// let tokens = engine.read(demo::PROMPT)?;
    /// let probe = Probe::new(&engine, &tokens, &Monitor::default())?;
    /// let (query, key) = (Position::from(tokens.len() - 1), Position::from(tokens.len() - 2));
    /// let question = QkQuestion { head: "1.0".parse()?, query, key, against: Against::Softmax };
    /// let split = probe.qk(&question, &Monitor::default())?;
    /// assert!(split.identity_error() < 1e-5);
    /// let (strongest, contribution) = split.strongest(QkSide::Key, 1)[0];
    /// println!("{:?} {contribution:+.3}", split.sources()[strongest]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn qk(&self, question: &QkQuestion, monitor: &Monitor) -> Result<QkAttribution, TraceError> {
        let score = self.score(question, monitor)?;
        let (width, sides) = (self.engine.model.spec.head_dim, self.factors(question, &score, monitor)?);
        let sum = |factors: &[f32]| -> Vec<f64> {
            let mut sum = vec![0.0; width];
            for row in factors.chunks(width) {
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            sum
        };
        let marginals = |factors: &[f32], other: &[f64]| -> Vec<f64> {
            let product = |row: &[f32]| row.iter().zip(other).map(|(x, y)| f64::from(*x) * y).sum();
            factors.chunks(width).map(product).collect()
        };
        let [queries, keys] = sides;
        let marginals = [marginals(&queries, &sum(&keys)), marginals(&keys, &sum(&queries))];
        Ok(self.split(question, &score, marginals, Factors { width, queries, keys }))
    }

    /// Splits a head's score among the sources of either side, without their pairs: two rows instead of two for each
    /// number of a query.
    ///
    /// # Errors
    /// Fails as [`Probe::qk`] does.
    pub fn qk_sums(&self, question: &QkQuestion, monitor: &Monitor) -> Result<QkAttribution, TraceError> {
        let score = self.score(question, monitor)?;
        let (frozen, stream) = (&score.frozen, self.stream(question.head.layer.index())?);
        let summed = |all: &[Vec<f32>], at: &[(Position, f64)]| -> Vec<f64> {
            let mut sum = vec![0.0; self.engine.model.spec.head_dim];
            for (position, weight) in at {
                sum.iter_mut().zip(&all[position.index()]).for_each(|(sum, x)| *sum += weight * f64::from(*x));
            }
            sum
        };
        let query = [(question.query, frozen.scale)];
        let of_query = summed(&frozen.query.of(stream)?, &query);
        let of_keys = summed(&frozen.key.of(stream)?, &score.keys);
        let targets = [
            summed_target(question.head, &frozen.query, &query, &of_keys)?,
            summed_target(question.head, &frozen.key, &score.keys, &of_query)?,
        ];
        let mut values = vec![0.0; 2 * self.n_columns()];
        let (constants, _) = self.run.replacement.rows(&targets, &mut values, monitor.cancel())?;
        let (queries, keys) = values.split_at(self.n_columns());
        let side = |row: &[f32], constant: f32| row.iter().copied().chain([constant]).map(f64::from).collect();
        let marginals = [side(queries, constants[0]), side(keys, constants[1])];
        Ok(self.split(question, &score, marginals, Factors::default()))
    }

    /// Returns the score that a question is about.
    fn score(&self, question: &QkQuestion, monitor: &Monitor) -> Result<Score, TraceError> {
        let looks = self.looks(question.head, question.query, monitor)?;
        let weights = self.key_weights(question, &looks)?;
        let seen = looks.iter().find(|look| look.key == question.key).copied();
        let Some(look) = seen else { return Err(self.unseen(question, question.key)) };
        let value = looks.iter().zip(&weights).map(|(look, weight)| weight * f64::from(look.score)).sum();
        let frozen = FrozenHead::new(&self.engine.model, &self.run.capture, question.head, monitor.cancel())?;
        let keys = looks.iter().zip(weights).map(|(look, weight)| (look.key, weight));
        Ok(Score { look, value, frozen, keys: keys.filter(|(_, weight)| *weight != 0.0).collect() })
    }

    fn split(&self, question: &QkQuestion, score: &Score, marginals: [Vec<f64>; 2], factors: Factors) -> QkAttribution {
        let look = score.look;
        let softcap = self.engine.model.spec.attention_softcap;
        QkAttribution {
            question: *question,
            score: look.score,
            pattern: look.pattern,
            scale: score.frozen.scale,
            softcap: softcap.map(|cap| Softcap::of(cap, look.score.into())),
            value: score.value,
            sources: self.sources().iter().map(QkSource::Source).chain([QkSource::Bias]).collect(),
            marginals,
            factors,
        }
    }

    /// Returns the weight of the score of each of `looks` in the value that is split.
    ///
    /// # Errors
    /// Fails as [`Probe::qk`] does.
    pub(crate) fn key_weights(&self, question: &QkQuestion, looks: &[Look]) -> Result<Vec<f64>, TraceError> {
        let is = |look: &Look, key: Position| f64::from(u8::from(look.key == key));
        if let Against::Position(other) = question.against {
            self.check_position("--against", other)?;
            if !looks.iter().any(|look| look.key == other) {
                return Err(self.unseen(question, other));
            }
        }
        self.check_position("key", question.key)?;
        let weight = |look: &Look| {
            is(look, question.key)
                - match question.against {
                    Against::Nothing => 0.0,
                    Against::Softmax => f64::from(look.pattern),
                    Against::Position(other) => is(look, other),
                }
        };
        Ok(looks.iter().map(weight).collect())
    }

    /// Returns the effects by source on the query's numbers, scaled, and on the keys', summed over keys by their
    /// weights: `[sources, head_dim]` each, the constants last.
    fn factors(&self, question: &QkQuestion, score: &Score, monitor: &Monitor) -> Result<[Vec<f32>; 2], TraceError> {
        let Score { frozen, keys, .. } = score;
        let (columns, width) = (self.n_columns(), self.engine.model.spec.head_dim);
        let at_once = self.numbers_at_once()?;
        let mut sides = [(); 2].map(|()| vec![0.0f32; (columns + 1) * width]);
        for first in (0..width).step_by(at_once) {
            monitor.report("attention scores", first as u64, width as u64)?;
            let range = first..width.min(first + at_once);
            let query = [(question.query, frozen.scale)];
            let mut targets = targets(question.head, &frozen.query, &query, range.clone())?;
            targets.extend(self::targets(question.head, &frozen.key, keys, range.clone())?);
            let mut values = vec![0.0; targets.len() * columns];
            let (constants, _) = self.run.replacement.rows(&targets, &mut values, monitor.cancel())?;
            for (at, (row, constant)) in values.chunks(columns).zip(constants).enumerate() {
                let (side, number) = (&mut sides[at / range.len()], first + at % range.len());
                row.iter().chain([&constant]).enumerate().for_each(|(source, x)| side[source * width + number] = *x);
            }
        }
        Ok(sides)
    }

    /// Returns how many numbers of a query and of a key are read at a time, so that both sides' factors, and gradients
    /// and effects of what is read, fit into memory.
    ///
    /// # Errors
    /// Fails with [`TraceError::ScoreMemory`] where not even one does.
    fn numbers_at_once(&self) -> Result<usize, TraceError> {
        let (columns, width) = (self.n_columns(), self.engine.model.spec.head_dim);
        let numbers = columns.max(self.run.capture.n_positions() * self.engine.model.spec.d_model);
        let at_once = (HELD / (2 * numbers)).clamp(1, width);
        let (factors, each) = (8 * ((columns + 1) * width) as u64, 16 * numbers as u64);
        let Some(limit) = self.engine.limits.most() else { return Ok(at_once) };
        let held = memory::resident().unwrap_or(0);
        let fits = limit.saturating_sub(held + factors) / each;
        match usize::try_from(fits).unwrap_or(usize::MAX).min(at_once) {
            0 => Err(TraceError::ScoreMemory { needed: held + factors + each, limit }),
            at_once => Ok(at_once),
        }
    }

    /// Returns the positions of the keys that a query of a layer sees.
    fn seen(&self, layer: usize, query: usize) -> RangeInclusive<usize> {
        let window = self.engine.model.spec.layers[layer].window;
        let first = window.map_or(0, |window| (query + 1).saturating_sub(window));
        first..=query
    }

    fn unseen(&self, question: &QkQuestion, key: Position) -> TraceError {
        let QkQuestion { head, query, .. } = question;
        let why = match self.engine.model.spec.layers[head.layer.index()].window {
            Some(window) if key < *query => format!("layer {} attends within a window of {window} tokens", head.layer),
            _ => "it comes later".to_owned(),
        };
        let seen = self.seen(head.layer.index(), query.index());
        let what = format!(
            "the query at position {query} does not see position {key}: {why}; it sees positions {} to {}",
            seen.start(),
            seen.end()
        );
        TraceError::Attention { name: format!("head {head}"), what }
    }

    pub(in crate::attribution) fn check_head(&self, head: Head) -> Result<(), TraceError> {
        let spec = &self.engine.model.spec;
        let counted = |what: &str, n: usize| {
            Err(TraceError::Attention {
                name: format!("head {head}"),
                what: format!("the model has {n} {what}, counted from 0"),
            })
        };
        match head {
            Head { layer, .. } if layer.index() >= spec.n_layers => counted("layers", spec.n_layers),
            Head { head, .. } if head as usize >= spec.n_heads => counted("heads a layer", spec.n_heads),
            Head { .. } => Ok(()),
        }
    }

    fn check_position(&self, which: &str, position: Position) -> Result<(), TraceError> {
        let n = self.run.capture.n_positions();
        if position.index() < n {
            return Ok(());
        }
        let what = format!("the prompt has {n} tokens, at positions 0 to {}", n - 1);
        Err(TraceError::Attention { name: format!("{which} position {position}"), what })
    }

    /// Returns the captured residual stream in front of a layer, `[P, d]`.
    fn stream(&self, layer: usize) -> Result<&Tensor, TraceError> {
        self.run.capture.streams.get(layer).ok_or_else(|| TraceError::Attention {
            name: format!("layer {layer}"),
            what: "its residual stream was not kept when the model was run; run it anew".to_owned(),
        })
    }
}

/// Returns a target for each of some numbers of a projection, summed over positions by their weights.
fn targets(
    head: Head,
    projection: &FrozenProjection,
    at: &[(Position, f64)],
    numbers: Range<usize>,
) -> Result<Vec<TargetRow>, TraceError> {
    let last = at.iter().map(|(position, _)| position.index()).max().unwrap_or(0);
    let mut targets: Vec<TargetRow> = Vec::with_capacity(numbers.len());
    for (position, weight) in at {
        let (position, (reads, constants)) = (position.index(), projection.reads(position.index())?);
        let d = reads.len() / constants.len();
        let scaled = |x: &f32| (weight * f64::from(*x)) as f32;
        if targets.is_empty() {
            // One position is read alone, several from the first of the prompt on.
            let n = if at.len() == 1 { 1 } else { last + 1 };
            let none = || vec![0.0; n * d];
            let target = |_| TargetRow {
                layer: head.layer.index(),
                site: ReadSite::Attention,
                position: last,
                read: none(),
                constant: 0.0,
            };
            targets.extend(numbers.clone().map(target));
        }
        let place = if at.len() == 1 { 0 } else { position };
        for (target, number) in targets.iter_mut().zip(numbers.clone()) {
            let own = &reads[number * d..(number + 1) * d];
            target.read[place * d..(place + 1) * d].iter_mut().zip(own).for_each(|(at, x)| *at = scaled(x));
            target.constant += scaled(&constants[number]);
        }
    }
    Ok(targets)
}

/// Returns the target of a projection's numbers times `by` `[head_dim]`, summed over numbers, and over positions by their
/// weights.
fn summed_target(
    head: Head,
    projection: &FrozenProjection,
    at: &[(Position, f64)],
    by: &[f64],
) -> Result<TargetRow, TraceError> {
    let last = at.iter().map(|(position, _)| position.index()).max().unwrap_or(0);
    let (mut read, mut constant) = (Vec::new(), 0.0);
    for (position, weight) in at {
        let (reads, constants) = projection.reads(position.index())?;
        let d = reads.len() / constants.len();
        let mut sum = vec![0.0f64; d];
        for ((by, row), of_bias) in by.iter().zip(reads.chunks(d)).zip(constants) {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * by * f64::from(*x));
            constant += weight * by * f64::from(of_bias);
        }
        // One position is read alone, several from the first of the prompt on.
        let place = if at.len() == 1 { 0 } else { position.index() };
        read.resize(if at.len() == 1 { d } else { (last + 1) * d }, 0.0);
        read[place * d..(place + 1) * d].iter_mut().zip(sum).for_each(|(at, x)| *at = x as f32);
    }
    let (layer, site) = (head.layer.index(), ReadSite::Attention);
    Ok(TargetRow { layer, site, position: last, read, constant: constant as f32 })
}
