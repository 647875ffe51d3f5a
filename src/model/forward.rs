//! The only forward pass through the layers: every pass over a model is this one with other [`Hooks`].

use crate::job::Cancel;
use crate::model::attention::{Heads, Looks, scores, softmax, uncapped_scores};
use crate::model::rope::Rope;
use crate::model::spec::NormKind;
use crate::model::{Cache, Hooks, MlpInput, MlpOutput, ModelError, Norm, NormScales, Transformer};
use crate::parallel;
use candle_core::Tensor;
use std::ops::Range;

/// Input of a pass: one prompt, the positions after a cache, or several prompts whose rows lie one after another.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// Residual stream in front of the first layer, `[rows, d]`.
    resid: Tensor,
    prompts: Vec<Prompt<'a>>,
    end: End,
}

/// End of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Point in front of a layer's MLP, which is not computed.
    Mlp(usize),
    /// Point behind a layer.
    Layer(usize),
}

/// Prompt, or the part of it that was not read yet, among the rows of a pass.
#[derive(Debug)]
struct Prompt<'a> {
    rows: Range<usize>,
    /// Rotary tables by layer.
    ropes: Vec<Option<Rope>>,
    cache: Option<&'a mut Cache>,
}

impl Input<'_> {
    /// Sets an early end of the pass.
    #[must_use]
    pub fn until(self, end: End) -> Self {
        Self { end, ..self }
    }
}

impl Transformer {
    /// Returns the input for one prompt.
    ///
    /// # Errors
    /// Fails as [`Transformer::embed`] does.
    pub(crate) fn prompt(&self, ids: &[u32]) -> Result<Input<'static>, ModelError> {
        self.prompts(&[ids], 0)
    }

    /// Returns the input for several prompts, each of which attends to itself alone; padded with rows of zeros to
    /// `rows`.
    ///
    /// # Errors
    /// Fails as [`Transformer::embed`] does.
    pub(crate) fn prompts(&self, all: &[impl AsRef<[u32]>], rows: usize) -> Result<Input<'static>, ModelError> {
        let (mut prompts, mut resid, mut end) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()), 0);
        for ids in all {
            let ids = ids.as_ref();
            resid.push(self.embedded(ids, 0..ids.len())?);
            prompts.push(Prompt { rows: end..end + ids.len(), ropes: self.ropes(0..ids.len())?, cache: None });
            end += ids.len();
        }
        Ok(Input { resid: stacked(resid, rows)?, prompts, end: End::Layer(self.spec.n_layers - 1) })
    }

    /// Returns the input for the positions `unread` of the prompt `ids`, which follow those in `cache` and are added to
    /// it.
    ///
    /// # Errors
    /// Fails as [`Transformer::embed`] does.
    pub(crate) fn unread<'a>(
        &self,
        ids: &[u32],
        unread: Range<usize>,
        cache: &'a mut Cache,
    ) -> Result<Input<'a>, ModelError> {
        let (resid, ropes) = (self.embedded(&ids[unread.clone()], unread.clone())?, self.ropes(unread.clone())?);
        let prompts = vec![Prompt { rows: 0..unread.len(), ropes, cache: Some(cache) }];
        Ok(Input { resid, prompts, end: End::Layer(self.spec.n_layers - 1) })
    }

    /// Returns the embeddings of `ids` at `positions`, learned positions included, `[n, d]`.
    fn embedded(&self, ids: &[u32], positions: Range<usize>) -> Result<Tensor, ModelError> {
        let tokens = self.embed(ids)?;
        Ok(match self.learned_positions(positions)? {
            Some(learned) => tokens.add(&learned)?,
            None => tokens,
        })
    }

    /// Returns the rotary tables of `positions` by layer; layers with the same frequencies share theirs.
    fn ropes(&self, positions: Range<usize>) -> Result<Vec<Option<Rope>>, ModelError> {
        let mut ropes: Vec<Option<Rope>> = Vec::with_capacity(self.spec.n_layers);
        for layer in &self.spec.layers {
            let known = self.spec.layers[..ropes.len()].iter().position(|seen| seen.rope == layer.rope);
            ropes.push(match (&layer.rope, known) {
                (None, _) => None,
                (Some(_), Some(known)) => ropes[known].clone(),
                (Some(rope), None) => Some(Rope::new(rope, self.spec.rotary_dim, positions.clone(), self.device())?),
            });
        }
        Ok(ropes)
    }

    /// Returns the rotary tables of one layer's `positions`; `None` where positions are learned.
    pub(crate) fn rope(&self, layer: usize, positions: Range<usize>) -> Result<Option<Rope>, ModelError> {
        let rope = self.spec.layers[layer].rope.as_ref();
        Ok(rope.map(|rope| Rope::new(rope, self.spec.rotary_dim, positions, self.device())).transpose()?)
    }

    /// Returns a layer's attention scores `[heads, P, P]` (query, key), scaled, in front of softcap and mask, for the
    /// residual stream `[P, d]` in front of the layer.
    ///
    /// # Errors
    /// Fails where weights cannot be read, or the work was stopped.
    pub(crate) fn scores(&self, layer: usize, resid: &Tensor, cancel: &Cancel) -> Result<Tensor, ModelError> {
        let (input, _) = normed(&self.attention_norm(layer)?, resid, None)?;
        let rope = self.rope(layer, 0..resid.dim(0)?)?;
        let (queries, keys) = self.attention(layer)?.queries_and_keys(&self.spec, &input, rope.as_ref(), cancel)?;
        uncapped_scores(&self.spec, &queries, &keys)
    }

    /// Runs the layers, and returns the residual stream `[rows, d]` at the pass's end.
    ///
    /// # Errors
    /// Fails as the hooks do, where weights cannot be read, or the work was stopped.
    pub(crate) fn forward<H: Hooks>(
        &self,
        input: Input<'_>,
        hooks: &mut H,
        cancel: &Cancel,
    ) -> Result<Tensor, H::Error> {
        let Input { mut resid, mut prompts, end } = input;
        let (End::Mlp(last) | End::Layer(last)) = end;
        for layer in 0..=last {
            hooks.resid_pre(layer, &mut resid)?;
            let (written, attention, after_attention) = self.attend(layer, &resid, &mut prompts, hooks, cancel)?;
            let resid_pre = resid;
            resid = add(&resid_pre, &written)?;
            drop(written);
            hooks.resid_mid(layer, &mut resid)?;
            let reads = if self.spec.parallel_residual { resid_pre } else { resid.clone() };
            let mut input = self.mlp_input(layer, reads, hooks.frozen_norm_scales(layer))?;
            hooks.mlp_in(layer, &mut input)?;
            if end == End::Mlp(layer) {
                break;
            }
            let (written, after_mlp) = self.through_mlp(layer, &input, hooks, cancel)?;
            resid = add(&resid, &written)?;
            let norm_scales = NormScales { attention, after_attention, mlp: input.divisor, after_mlp };
            hooks.resid_post(layer, &mut resid, norm_scales)?;
        }
        Ok(resid)
    }

    /// Returns the attention output of a layer for the residual stream `[rows, d]`, and the divisors of the norms
    /// around it.
    fn attend<H: Hooks>(
        &self,
        layer: usize,
        resid: &Tensor,
        prompts: &mut [Prompt<'_>],
        hooks: &mut H,
        cancel: &Cancel,
    ) -> Result<(Tensor, Tensor, Option<Tensor>), H::Error> {
        let (weights, norm) = (self.attention(layer)?, self.attention_norm(layer)?);
        let frozen = hooks.frozen_norm_scales(layer);
        let (input, divisor) = normed(&norm, resid, frozen.map(|frozen| &frozen.attention))?;
        let frozen: Vec<Option<Tensor>> =
            (0..prompts.len()).map(|nth| hooks.frozen_pattern(layer, nth).cloned()).collect();
        let project = |nth: usize| {
            let Prompt { rows, ropes, cache } = &prompts[nth];
            let own = input.narrow(0, rows.start, rows.len())?;
            let frozen = frozen[nth].clone().filter(|_| cache.is_none());
            weights.heads(&self.spec, &own, ropes[layer].as_ref(), frozen, cancel)
        };
        let mut heads = parallel::map(prompts.len(), project)?;
        drop(input);
        for (heads, prompt) in heads.iter_mut().zip(prompts) {
            if let Some(cache) = &mut prompt.cache {
                cache.extend(layer, heads)?;
            }
        }
        let patterns = self.patterns(layer, &heads, hooks)?;
        let write = |nth: usize| weights.write(&self.spec, &heads[nth].values, &patterns[nth], cancel);
        let written = stacked(parallel::map(heads.len(), write)?, resid.dim(0).map_err(ModelError::from)?)?;
        let frozen = hooks.frozen_norm_scales(layer).and_then(|frozen| frozen.after_attention.as_ref());
        let (mut written, after) = through(self.after_attention_norm(layer)?, written, frozen)?;
        hooks.attention_out(layer, &mut written)?;
        Ok((written, divisor, after))
    }

    /// Returns the attention patterns of a layer, one a prompt.
    fn patterns<H: Hooks>(&self, layer: usize, heads: &[Heads], hooks: &mut H) -> Result<Vec<Tensor>, H::Error> {
        let window = self.spec.layers[layer].window;
        let scored = |nth: usize| match &heads[nth].looks {
            Looks::Frozen(pattern) => Ok(pattern.clone()),
            Looks::At { query, keys } => scores(&self.spec, query, keys, window),
        };
        let mut patterns = parallel::map(heads.len(), scored)?;
        let is_open = |nth: usize| matches!(heads[nth].looks, Looks::At { .. });
        for nth in (0..heads.len()).filter(|nth| is_open(*nth)) {
            hooks.scores(layer, nth, &mut patterns[nth])?;
        }
        patterns = parallel::map(heads.len(), |nth| -> Result<_, ModelError> {
            Ok(if is_open(nth) { softmax(&patterns[nth])? } else { patterns[nth].clone() })
        })?;
        for (nth, pattern) in patterns.iter_mut().enumerate() {
            hooks.pattern(layer, nth, pattern)?;
        }
        Ok(patterns)
    }

    /// Returns the MLP input of a layer for the residual stream `[rows, d]`.
    fn mlp_input(&self, layer: usize, resid: Tensor, frozen: Option<&NormScales>) -> Result<MlpInput, ModelError> {
        let norm = self.mlp_norm(layer)?;
        let divisor = match frozen {
            Some(frozen) => frozen.mlp.clone(),
            None => norm.divisor(&resid)?,
        };
        let divided = norm.divide(&resid, &divisor)?;
        let mlp_in = norm.scale(&divided)?;
        let normalized = if self.spec.norm == NormKind::Layer { mlp_in.clone() } else { divided };
        Ok(MlpInput { resid, divisor, normalized, mlp_in })
    }

    /// Returns a layer's MLP output for its MLP input, `[rows, d]`, and the divisor of the norm behind it.
    fn through_mlp<H: Hooks>(
        &self,
        layer: usize,
        input: &MlpInput,
        hooks: &mut H,
        cancel: &Cancel,
    ) -> Result<(Tensor, Option<Tensor>), H::Error> {
        let (from, mut output) = match hooks.instead_of_mlp(layer, input)? {
            Some(given) => given,
            None => (MlpOutput::BeforeNorm, self.mlp(layer, &input.mlp_in, cancel)?),
        };
        let mut divisor = None;
        if from == MlpOutput::BeforeNorm {
            hooks.mlp_out(layer, MlpOutput::BeforeNorm, &mut output)?;
            let frozen = hooks.frozen_norm_scales(layer).and_then(|frozen| frozen.after_mlp.as_ref());
            (output, divisor) = through(self.after_mlp_norm(layer)?, output, frozen)?;
        }
        hooks.mlp_out(layer, MlpOutput::AfterNorm, &mut output)?;
        Ok((output, divisor))
    }
}

/// Returns a norm's output for `x` `[rows, d]`, and its divisor, which may be frozen.
pub(super) fn normed(norm: &Norm, x: &Tensor, frozen: Option<&Tensor>) -> Result<(Tensor, Tensor), ModelError> {
    let divisor = match frozen {
        Some(frozen) => frozen.clone(),
        None => norm.divisor(x)?,
    };
    Ok((norm.scale(&norm.divide(x, &divisor)?)?, divisor))
}

/// Applies a norm, where there is one, to `x`; returns its divisor too.
fn through(norm: Option<Norm>, x: Tensor, frozen: Option<&Tensor>) -> Result<(Tensor, Option<Tensor>), ModelError> {
    let Some(norm) = norm else { return Ok((x, None)) };
    let (x, divisor) = normed(&norm, &x, frozen)?;
    Ok((x, Some(divisor)))
}

fn add(a: &Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    Ok(a.add(b)?)
}

/// Concatenates rows, padded with zeros to `rows`.
fn stacked(mut parts: Vec<Tensor>, rows: usize) -> Result<Tensor, ModelError> {
    let all = if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::cat(&parts, 0)? };
    let missing = rows.saturating_sub(all.dim(0)?);
    Ok(if missing == 0 { all } else { all.pad_with_zeros(0, 0, missing)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::FileSource;
    use candle_core::Device;
    use std::collections::HashMap;
    use std::path::Path;

    /// Values read in a pass, by layer and point, and values replaced.
    #[derive(Default)]
    struct Points {
        read: HashMap<(usize, &'static str), Tensor>,
        /// True to raise all scores by the same amount, which changes no pattern.
        raises: bool,
        /// True to write nothing into the residual stream.
        silences: bool,
    }

    impl Points {
        fn keep(&mut self, layer: usize, point: &'static str, x: &Tensor) -> Result<(), ModelError> {
            assert!(self.read.insert((layer, point), x.clone()).is_none(), "{point} is passed once");
            Ok(())
        }
    }

    impl Hooks for Points {
        type Error = ModelError;

        fn resid_pre(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), ModelError> {
            self.keep(layer, "resid_pre", resid)
        }

        fn scores(&mut self, layer: usize, _: usize, scores: &mut Tensor) -> Result<(), ModelError> {
            if self.raises {
                *scores = (&*scores + 1.0)?;
            }
            self.keep(layer, "scores", scores)
        }

        fn pattern(&mut self, layer: usize, _: usize, pattern: &mut Tensor) -> Result<(), ModelError> {
            self.keep(layer, "pattern", pattern)
        }

        fn attention_out(&mut self, layer: usize, written: &mut Tensor) -> Result<(), ModelError> {
            if self.silences {
                *written = written.zeros_like()?;
            }
            self.keep(layer, "attention_out", written)
        }

        fn resid_mid(&mut self, layer: usize, resid: &mut Tensor) -> Result<(), ModelError> {
            self.keep(layer, "resid_mid", resid)
        }

        fn mlp_in(&mut self, layer: usize, input: &mut MlpInput) -> Result<(), ModelError> {
            self.keep(layer, "mlp reads", &input.resid)?;
            self.keep(layer, "mlp_in", &input.mlp_in)
        }

        fn mlp_out(&mut self, layer: usize, at: MlpOutput, output: &mut Tensor) -> Result<(), ModelError> {
            if self.silences && at == MlpOutput::AfterNorm {
                *output = output.zeros_like()?;
            }
            self.keep(layer, if at == MlpOutput::AfterNorm { "mlp_out" } else { "before norm" }, output)
        }

        fn resid_post(&mut self, layer: usize, resid: &mut Tensor, _: NormScales) -> Result<(), ModelError> {
            self.keep(layer, "resid_post", resid)
        }
    }

    fn numbers(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Checks a model with norms behind attention and MLP, and one with a parallel residual.
    #[test]
    fn each_point_follows_from_those_before_it() {
        for case in ["gemma2_plt_jumprelu", "neox_plt_relu_skip"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case).join("model");
            let model = Transformer::open(&FileSource::directory(&folder).unwrap(), &Device::Cpu).unwrap();
            let run = |mut points: Points| {
                let end = model.forward(model.prompt(&[7, 300, 21, 5]).unwrap(), &mut points, &Cancel::default());
                (numbers(&end.unwrap()), points.read)
            };
            let (end, read) = run(Points::default());
            let n_layers = model.spec.n_layers;
            for layer in 0..n_layers {
                let at = |point: &'static str| read[&(layer, point)].clone();
                let sum = |a: &'static str, b: &'static str| numbers(&at(a).add(&at(b)).unwrap());
                assert_eq!(numbers(&softmax(&at("scores")).unwrap()), numbers(&at("pattern")), "{case}");
                assert_eq!(sum("resid_pre", "attention_out"), numbers(&at("resid_mid")), "{case}");
                let reads = if model.spec.parallel_residual { "resid_pre" } else { "resid_mid" };
                assert_eq!(numbers(&at(reads)), numbers(&at("mlp reads")), "{case}");
                let own = model.mlp_norm(layer).unwrap().apply(&at(reads)).unwrap();
                assert_eq!(numbers(&own), numbers(&at("mlp_in")), "{case}");
                let own = model.mlp(layer, &at("mlp_in"), &Cancel::default()).unwrap();
                assert_eq!(numbers(&own), numbers(&at("before norm")), "{case}");
                let (own, _) = through(model.after_mlp_norm(layer).unwrap(), own, None).unwrap();
                assert_eq!(numbers(&own), numbers(&at("mlp_out")), "{case}");
                assert_eq!(sum("resid_mid", "mlp_out"), numbers(&at("resid_post")), "{case}");
                let next = read.get(&(layer + 1, "resid_pre")).map_or_else(|| end.clone(), numbers);
                assert_eq!(next, numbers(&at("resid_post")), "{case}");
            }
            let (raised, _) = run(Points { raises: true, ..Points::default() });
            assert!(raised.iter().zip(&end).all(|(a, b)| (a - b).abs() <= 1e-4 * (1.0 + b.abs())), "{case}");
            let (silenced, read) = run(Points { silences: true, ..Points::default() });
            assert_eq!(silenced, numbers(&read[&(0, "resid_pre")]), "{case}");
            assert_ne!(silenced, end, "{case}");
        }
    }
}
