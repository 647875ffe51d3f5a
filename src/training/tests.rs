//! Gradients held to finite differences of a plain reference in f64, a planted dictionary found again, and saved sets
//! read again.

use crate::hub::FileSource;
use crate::job::Cancel;
use crate::training::arithmetic::{Factors, add_product};
use crate::training::beginning::begin;
use crate::training::entries::{Entries, Rule, WINDOW};
use crate::training::gradient::{Batch, Loss, encode, reconstruct};
use crate::training::optimizer::Optimized;
use crate::training::parameters::{Parameters, Shape};
use crate::training::random::Random;
use crate::training::run::{Layer, step_group};
use crate::training::save::{self, Saved};
use crate::training::scale::Scale;
use crate::training::settings::{Activation, Settings, TranscoderKind};
use crate::training::stream::Tokens;
use crate::transcoder::Transcoder;
use candle_core::{Device, Tensor};
use gemm::Parallelism;

const WIDTH: usize = 5;
const FEATURES: usize = 9;
const TOKENS: usize = 12;

fn settings(kind: TranscoderKind, activation: Activation, skip: bool, layers: usize) -> Settings {
    Settings {
        kind,
        features: FEATURES,
        activation,
        skip,
        layers: (0..layers).collect(),
        tokens: 1,
        context: 16,
        batch: 1,
        buffer: 1,
        rate: 1e-3,
        sparsity: 0.3,
        dead_after: u64::MAX,
        seed: 1,
    }
}

fn drawn(random: &mut Random, n: usize, scale: f32) -> Vec<f32> {
    (0..n).map(|_| scale * random.normal()).collect()
}

/// Parts of a layer's weights in f64, in the order of [`Parameters::parts`].
type Parts = Vec<Vec<f64>>;

/// Loss of the module's documentation, number by number, and what is left of each layer's outputs. The dead features
/// reconstruct `left`, where it is given.
fn reference(
    layers: &[Parts],
    batch: &Batch,
    dead: &[Vec<u32>],
    loss: Loss,
    left: Option<&[Vec<f64>]>,
) -> (f64, Vec<Vec<f64>>) {
    let n_tokens = batch.weights[0].len();
    let reach = |nth: usize| layers[nth].len() - 5;
    let bias = |nth: usize| &layers[nth][2 + reach(nth)];
    let pre = |nth: usize, token: usize, feature: usize| -> f64 {
        let x = &batch.inputs[nth][token * WIDTH..(token + 1) * WIDTH];
        let row = &layers[nth][0][feature * WIDTH..(feature + 1) * WIDTH];
        layers[nth][1][feature] + row.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum::<f64>()
    };
    let all_pre: Vec<Vec<f64>> = (0..layers.len())
        .map(|nth| (0..n_tokens * FEATURES).map(|at| pre(nth, at / FEATURES, at % FEATURES)).collect())
        .collect();
    // The n-th largest of some numbers, the smallest that is kept.
    let nth_largest = |numbers: &[f64], n: usize| {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted[n - 1]
    };
    let activation = |nth: usize, token: usize, feature: usize| -> f64 {
        let row = &all_pre[nth][token * FEATURES..(token + 1) * FEATURES];
        let x = row[feature];
        let is_active = match loss.activation {
            Activation::TopK(k) => x >= nth_largest(row, k),
            Activation::BatchTopK(k) => x >= nth_largest(&all_pre[nth], k * n_tokens),
            Activation::Relu => x > 0.0,
            Activation::JumpRelu => x > layers[nth][3 + reach(nth)][feature].exp(),
        };
        if is_active { x } else { 0.0 }
    };
    let length = |nth: usize, feature: usize| -> f64 {
        let row = feature * WIDTH..(feature + 1) * WIDTH;
        layers[nth][2..2 + reach(nth)].iter().flat_map(|d| &d[row.clone()]).map(|x| x * x).sum::<f64>().sqrt()
    };
    let root = (WIDTH as f64).sqrt();
    let (mut total, mut errors) = (0.0, Vec::new());
    for nth in 0..layers.len() {
        let mut left_here = Vec::new();
        for token in 0..n_tokens {
            let x = &batch.inputs[nth][token * WIDTH..(token + 1) * WIDTH];
            for out in 0..WIDTH {
                let at = token * WIDTH + out;
                let (mut made, mut of_dead) = (bias(nth)[out], 0.0);
                let skip = &layers[nth][4 + reach(nth)];
                if !skip.is_empty() {
                    made += (0..WIDTH).map(|i| skip[out * WIDTH + i] * f64::from(x[i])).sum::<f64>();
                }
                for from in (0..=nth).filter(|from| nth - from < reach(*from)) {
                    let decoder = &layers[from][2 + nth - from];
                    for feature in 0..FEATURES {
                        made += activation(from, token, feature) * decoder[feature * WIDTH + out];
                    }
                    for feature in &dead[from] {
                        let feature = *feature as usize;
                        of_dead += pre(from, token, feature).max(0.0) * decoder[feature * WIDTH + out];
                    }
                }
                let weight = f64::from(batch.weights[nth][token]) / (n_tokens * WIDTH) as f64;
                let missing = made - f64::from(batch.outputs[nth][at]);
                total += weight * missing * missing;
                if dead.iter().any(|dead| !dead.is_empty()) {
                    let target = left.map_or(missing, |left| left[nth][at]);
                    total += weight / 32.0 * (of_dead + target) * (of_dead + target);
                }
                left_here.push(missing);
            }
            for feature in 0..FEATURES {
                let a = activation(nth, token, feature);
                let sparsity = f64::from(loss.sparsity) / n_tokens as f64;
                total += match (loss.activation, loss.kind) {
                    (Activation::TopK(_) | Activation::BatchTopK(_), _) => 0.0,
                    (_, TranscoderKind::Clt) => sparsity * (8.0 * a * length(nth, feature) / root).tanh(),
                    (Activation::Relu, _) => sparsity * a * length(nth, feature) / root,
                    (Activation::JumpRelu, _) => sparsity * f64::from(u8::from(a != 0.0)),
                };
            }
        }
        errors.push(left_here);
    }
    (total, errors)
}

/// The threshold's gradient is no slope of this loss; see below.
#[test]
fn gradients_are_the_slopes_of_the_loss() {
    use Activation::{BatchTopK, JumpRelu, Relu, TopK};
    use TranscoderKind::{Clt, Plt};
    let cases = [
        (Plt, TopK(3), true, true),
        (Plt, BatchTopK(3), false, false),
        (Plt, Relu, false, true),
        (Plt, JumpRelu, true, false),
        (Clt, JumpRelu, true, true),
        (Clt, Relu, false, false),
        (Clt, TopK(2), false, true),
    ];
    for (kind, activation, skip, with_dead) in cases {
        let n_layers = if kind == Clt { 3 } else { 1 };
        let settings = settings(kind, activation, skip, n_layers);
        let mut random = Random::new(7, 1);
        let mut layers: Vec<Parameters> = (0..n_layers)
            .map(|nth| Parameters::fresh(Shape::new(&settings, nth, WIDTH), &settings, nth, &[0.1; WIDTH]))
            .collect();
        for part in layers.iter_mut().flat_map(Parameters::parts_mut) {
            part.iter_mut().for_each(|x| *x += 0.3 * random.normal());
        }
        let mut streams = |scale: f32| -> Vec<Vec<f32>> {
            (0..n_layers).map(|_| drawn(&mut random, TOKENS * WIDTH, scale)).collect()
        };
        let (inputs, outputs) = (streams(1.0), streams(1.0));
        let weights = vec![(0..TOKENS).map(|token| 1.0 / (1 + token % 3) as f32).collect(); n_layers];
        let batch = Batch { inputs, outputs, weights };
        let dead: Vec<Vec<u32>> =
            (0..n_layers as u32).map(|nth| if with_dead { vec![nth, 5] } else { vec![] }).collect();
        let loss = Loss { kind, activation, sparsity: settings.sparsity, parallelism: Parallelism::None };
        let outcome = loss.of(&layers.iter().collect::<Vec<_>>(), &batch, &dead);
        let exact: Vec<Parts> = layers
            .iter()
            .map(|layer| layer.parts().iter().map(|part| part.iter().map(|x| f64::from(*x)).collect()).collect())
            .collect();
        let (total, left) = reference(&exact, &batch, &dead, loss, None);
        assert!((outcome.loss - total).abs() < 1e-5 * total, "{activation} {kind:?}: {} for {total}", outcome.loss);
        for nth in 0..n_layers {
            let n_parts = exact[nth].len();
            for part in (0..n_parts).filter(|part| *part != n_parts - 2 && !exact[nth][*part].is_empty()) {
                for _ in 0..3 {
                    let direction = drawn(&mut random, exact[nth][part].len(), 1.0);
                    let moved = |step: f64| {
                        let mut moved = exact.clone();
                        moved[nth][part].iter_mut().zip(&direction).for_each(|(x, v)| *x += step * f64::from(*v));
                        reference(&moved, &batch, &dead, loss, Some(&left)).0
                    };
                    let step = 1e-6;
                    let slope = (moved(step) - moved(-step)) / (2.0 * step);
                    let gradient = outcome.gradients[nth].parts()[part].iter().zip(&direction);
                    let found: f64 = gradient.map(|(slope, v)| f64::from(*slope) * f64::from(*v)).sum();
                    assert!(
                        (found - slope).abs() < 2e-5 * (1.0 + slope.abs()),
                        "{activation} {kind:?}, layer {nth}, part {part}: {found} for {slope}"
                    );
                }
            }
        }
    }
}

/// Moves a threshold by as much as its window is wide, over tokens that lie evenly on both sides: the straight-through
/// gradient is the slope of the loss over that step.
#[test]
fn the_gradient_of_a_threshold_is_the_slope_over_its_window() {
    let settings = Settings { features: 1, ..settings(TranscoderKind::Plt, Activation::JumpRelu, false, 1) };
    let (threshold, n) = (1.0f32, 20);
    let offset = |nth: usize| (nth as f32 + 0.5 - n as f32 / 2.0) * WINDOW / n as f32;
    let inputs = (0..n).flat_map(|nth| [threshold + offset(nth), 1.0]).collect();
    let batch = Batch { inputs: vec![inputs], outputs: vec![[1.0, 0.5].repeat(n)], weights: vec![vec![1.0; n]] };
    let mut layer = Parameters::zeros(Shape::new(&settings, 0, 2));
    layer.encoder[0] = 1.0;
    // So short that the error hardly changes by it.
    layer.decoders[0][0] = 1e-3;
    let loss =
        Loss { kind: settings.kind, activation: settings.activation, sparsity: 0.01, parallelism: Parallelism::None };
    let at = |threshold: f32| {
        let mut layer = layer.clone();
        layer.log_threshold[0] = threshold.ln();
        loss.of(&[&layer], &batch, &[vec![]])
    };
    let slope = (at(threshold + WINDOW / 2.0).loss - at(threshold - WINDOW / 2.0).loss) / f64::from(WINDOW);
    let found = f64::from(at(threshold).gradients[0].log_threshold[0] / threshold);
    assert!(slope.abs() > 1e-3 && (found / slope - 1.0).abs() < 1e-2, "{found} for {slope}");
}

/// An MLP of 512 neurons in 64 dimensions, few of which are active at a time, is taken apart again.
#[test]
fn a_planted_dictionary_is_found_again() {
    const PLANTED: usize = 512;
    const WIDTH: usize = 64;
    const ACTIVE: usize = 3;
    const BIAS: f32 = 0.8;
    let settings = Settings {
        features: 640,
        batch: 256,
        tokens: 256 * 1200,
        rate: 1e-2,
        dead_after: 20_000,
        ..settings(TranscoderKind::Plt, Activation::TopK(ACTIVE), false, 1)
    };
    let mut random = Random::new(3, 3);
    let mut directions = || {
        let mut rows = drawn(&mut random, PLANTED * WIDTH, 1.0);
        rows.chunks_mut(WIDTH).for_each(|row| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        });
        rows
    };
    let (read, written) = (directions(), directions());
    let by_column: Vec<f32> = (0..WIDTH * PLANTED).map(|at| written[at % PLANTED * WIDTH + at / PLANTED]).collect();
    let mut tokens = |n: usize| {
        let mut inputs = vec![0.0; n * WIDTH];
        for row in inputs.chunks_mut(WIDTH) {
            for _ in 0..ACTIVE {
                let feature = (random.uniform() * PLANTED as f64) as usize;
                let strength = 1.5 + random.uniform() as f32;
                row.iter_mut().zip(&read[feature * WIDTH..]).for_each(|(x, e)| *x += strength * e);
            }
        }
        let mut hidden = vec![-BIAS; n * PLANTED];
        add_product(&mut hidden, Factors::ByRows(&inputs, &read), [n, PLANTED, WIDTH], Parallelism::None);
        hidden.iter_mut().for_each(|x| *x = x.max(0.0));
        let mut outputs = vec![0.0; n * WIDTH];
        add_product(&mut outputs, Factors::ByRows(&hidden, &by_column), [n, WIDTH, PLANTED], Parallelism::None);
        (inputs, outputs)
    };
    let (inputs, outputs) = tokens(4096);
    let scale = Scale::of(&inputs, &outputs, WIDTH);
    let shape = Shape::new(&settings, 0, WIDTH);
    let normalized = |numbers: &[f32], scale: f32| numbers.iter().map(|x| x / scale).collect::<Vec<_>>();
    let streams = (&normalized(&inputs, scale.input)[..], &normalized(&outputs, scale.output)[..]);
    let weights = begin(&settings, (shape, 0), &scale, streams, &[1.0; 4096]);
    let optimized = Optimized::new(weights, shape);
    let mut group = [Layer { optimized, silent: vec![0; settings.features], bound: f32::NAN }];
    let chosen: Vec<u32> = (0..settings.batch as u32).collect();
    for step in 0..settings.steps() {
        let (mut inputs, mut outputs) = tokens(settings.batch);
        let weights = vec![outputs.chunks(WIDTH).map(|row| scale.weight(row)).collect()];
        inputs.iter_mut().for_each(|x| *x /= scale.input);
        outputs.iter_mut().for_each(|x| *x /= scale.output);
        let tokens = Tokens { inputs: vec![inputs], outputs: vec![outputs] };
        let batch = Batch::gather(&tokens, &weights, 0..1, &chosen, WIDTH);
        let loss = Loss::at(&settings, step, Parallelism::None);
        step_group(&mut group, &[0], &batch, &settings, loss, settings.rate_at(step), step).unwrap();
    }
    // Decoders have length 1.
    let decoder = &group[0].optimized.weights.decoders[0];
    let mut cosines = vec![0.0; PLANTED * settings.features];
    let sizes = [PLANTED, settings.features, WIDTH];
    add_product(&mut cosines, Factors::ByRows(&written, decoder), sizes, Parallelism::None);
    let best = cosines.chunks(settings.features).map(|row| row.iter().copied().fold(0.0, f32::max));
    let mean = best.sum::<f32>() / PLANTED as f32;
    assert!(mean >= 0.95, "mean best cosine {mean}");
}

/// Compares activations and reconstructions of raw inputs with those of the normalised inputs under training.
#[test]
fn a_saved_set_does_what_was_trained() {
    use Activation::{BatchTopK, JumpRelu, Relu, TopK};
    use TranscoderKind::{Clt, Plt};
    for (kind, activation, skip) in [
        (Plt, TopK(3), true),
        (Plt, BatchTopK(3), false),
        (Plt, Relu, true),
        (Clt, JumpRelu, true),
        (Clt, TopK(2), false),
    ] {
        let n_layers = 3;
        let settings = settings(kind, activation, skip, n_layers);
        let mut random = Random::new(11, 1);
        let mut layers: Vec<Parameters> = (0..n_layers)
            .map(|nth| Parameters::fresh(Shape::new(&settings, nth, WIDTH), &settings, nth, &[0.1; WIDTH]))
            .collect();
        for part in layers.iter_mut().flat_map(Parameters::parts_mut) {
            part.iter_mut().for_each(|x| *x += 0.3 * random.normal());
        }
        let inputs: Vec<Vec<f32>> = (0..n_layers).map(|_| drawn(&mut random, TOKENS * WIDTH, 4.0)).collect();
        let scale =
            |nth: usize| Scale::of(&inputs[nth], &drawn(&mut Random::new(nth as u64, 2), TOKENS * WIDTH, 7.0), WIDTH);
        let scales: Vec<Scale> = (0..n_layers).map(scale).collect();
        let bound = matches!(activation, BatchTopK(_)).then_some(0.4);
        let saved: Vec<Saved<'_>> = layers.iter().map(|weights| Saved { weights, bound }).collect();
        let folder = tempfile::tempdir().unwrap();
        save::layers(folder.path(), &settings, &saved, &scales).unwrap();
        save::config(folder.path(), "a \"model\": of tests", &settings).unwrap();
        let set = Transcoder::alone(&FileSource::directory(folder.path()).unwrap()).unwrap();
        assert_eq!(set.trained_on(), "a \"model\": of tests");
        let normalized: Vec<Vec<f32>> =
            inputs.iter().zip(&scales).map(|(all, scale)| all.iter().map(|x| x / scale.input).collect()).collect();
        let mut entries = Vec::new();
        for nth in 0..n_layers {
            let pre = encode(&layers[nth], &normalized[nth], Parallelism::None);
            let thresholds: Vec<f32> = layers[nth].log_threshold.iter().map(|log| log.exp()).collect();
            let rule = match (activation, bound) {
                (_, Some(bound)) => Rule::Above(bound),
                _ => Rule::of(activation, &thresholds, &pre, TOKENS),
            };
            entries.push(Entries::select(&pre, FEATURES, rule));
            let raw = Tensor::new(&inputs[nth][..], &Device::Cpu).unwrap().reshape((TOKENS, WIDTH)).unwrap();
            let encoded = set.encode(nth, &raw, &Cancel::default()).unwrap();
            let activations = set.activations(nth, &encoded, 0);
            let mut wanted = vec![0.0; TOKENS * FEATURES];
            for token in 0..TOKENS {
                for at in entries[nth].of(token) {
                    wanted[token * FEATURES + entries[nth].features[at] as usize] = entries[nth].activations[at];
                }
            }
            let far =
                activations.iter().zip(&wanted).find(|(a, b)| (*a - *b).abs() > 1e-4 || (**a == 0.0) != (**b == 0.0));
            assert!(far.is_none(), "{activation} {kind:?}: {far:?}");
        }
        for nth in 0..n_layers {
            let writers = || (0..=nth).filter(|from| set.writes_to(*from).contains(&nth));
            let written = writers().map(|from| (&entries[from], &layers[from].decoders[nth - from][..]));
            let wanted = reconstruct(&layers[nth], &normalized[nth], written, Parallelism::None);
            let mut found = set.decoder_bias(nth).unwrap().repeat(TOKENS);
            if let Some(skip) = set.skip(nth, &Device::Cpu).unwrap() {
                let skip = skip.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                add_product(
                    &mut found,
                    Factors::ByRows(&inputs[nth], &skip),
                    [TOKENS, WIDTH, WIDTH],
                    Parallelism::None,
                );
            }
            let mut row = [0.0; WIDTH];
            for from in writers() {
                for token in 0..TOKENS {
                    for at in entries[from].of(token) {
                        set.decoder_row(from, entries[from].features[at] as usize, nth, &mut row).unwrap();
                        let sum = &mut found[token * WIDTH..(token + 1) * WIDTH];
                        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += entries[from].activations[at] * x);
                    }
                }
            }
            for (found, wanted) in found.iter().zip(&wanted) {
                let wanted = wanted * scales[nth].output;
                assert!(
                    (found - wanted).abs() < 1e-3 * (1.0 + wanted.abs()),
                    "{activation} {kind:?}: {found} for {wanted}"
                );
            }
        }
    }
}
