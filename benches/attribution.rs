//! What attribution costs: rows a second, and how much of the machine's matrix-product rate that uses.
//!
//! `cargo bench --bench attribution` measures a small synthetic shape. Real shapes are written by the example
//! `synth_model` and given as directories: `RAYON_NUM_THREADS=1 cargo bench --bench attribution -- DIR...`.

#[path = "../examples/synth_model/synth.rs"]
mod synth;

use anyhow::{Context, bail};
use candle_core::Tensor;
use circuitscope::attribution::{Engine, TargetChoice, TraceOptions, memory};
use circuitscope::graph::{FeatureAt, RawTrace, RowTarget, Settings};
use circuitscope::hub::FileSource;
use circuitscope::job::{Monitor, Phase};
use circuitscope::model::{DeviceName, Precision, most_held};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Seconds that circuit-tracer takes for 1,000 rows at a shape, times the rate (in GFLOP/s) of torch's own product
/// on the same single thread, as measured with 12 tokens at its best batch size.
const REFERENCE: [(&str, f64); 3] = [("qwen3-0.6b", 8170.0), ("gemma-2-2b", 16_700.0), ("gpt2-small", 2080.0)];
/// How much faster torch's product is than candle's on one thread.
const TORCH_OVER_CANDLE: f64 = 1.15;

/// Measures attribution on directories made by the example `synth_model`, or on a small shape of its own.
#[derive(Parser)]
struct Args {
    /// Features that get a row
    #[arg(long, default_value_t = 1000)]
    rows: usize,
    /// Tokens of the prompt, the leading one included
    #[arg(long, default_value_t = 12)]
    tokens: usize,
    /// Traces of each shape; the fastest counts
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Where to compute: cpu, cuda, cuda:N, metal
    #[arg(long, default_value_t)]
    device: DeviceName,
    /// What the model's weights are multiplied in: f32, bf16
    #[arg(long, default_value_t)]
    dtype: Precision,
    /// Directories that hold `model` and `transcoder`
    directories: Vec<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    let own = tempfile::tempdir()?;
    if args.directories.is_empty() {
        let Some(small) = synth::SHAPES.into_iter().find(|shape| shape.name == "small") else {
            bail!("there is no small shape");
        };
        println!("writing a small model of {} MiB", small.bytes() >> 20);
        small.write(own.path(), 1)?;
        args.directories.push(own.path().to_owned());
    }
    let (threads, place) = (rayon::current_num_threads(), args.device);
    println!("{place}, {}, {threads} threads, {} tokens, best of {}", args.dtype, args.tokens, args.repeats);
    args.directories.iter().try_for_each(|directory| {
        measure(directory, &args).with_context(|| format!("cannot measure {}", directory.display()))
    })
}

fn measure(directory: &Path, args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let places =
        [FileSource::directory(&directory.join("model"))?, FileSource::directory(&directory.join("transcoder"))?];
    let engine = Engine::open(&places[0], &places[1], &args.device.open()?)?.in_precision(args.dtype);
    let load = begun.elapsed().as_secs_f64();
    let words: Vec<_> = (1..args.tokens).map(|word| format!("w{word}")).collect();
    let settings = Settings { prompt: words.join(" "), max_feature_nodes: Some(args.rows), ..Settings::default() };
    let options = TraceOptions { targets: TargetChoice::likeliest(&settings), settings, cut: None };
    let (mut forward, mut rows, mut product) = (f64::INFINITY, f64::INFINITY, 0.0_f64);
    let mut first: Option<Vec<Phase>> = None;
    let mut last = None;
    for _ in 0..args.repeats.max(1) {
        // The machine's rate is taken beside each trace, since it moves with whatever else runs.
        product = product.max(product_rate(&engine, args.tokens)?);
        let (monitor, mut plan) = (Monitor::default(), None);
        let trace = engine.trace(&options, |made| plan = Some(made.clone()), &monitor)?;
        first.get_or_insert_with(|| monitor.phases());
        let (of_rows, before): (Vec<Phase>, Vec<Phase>) =
            monitor.phases().into_iter().partition(|phase| phase.name.ends_with("rows") || phase.name == "ranking");
        let seconds = |phases: &[Phase]| phases.iter().map(|phase| phase.time.as_secs_f64()).sum::<f64>();
        (rows, forward) = (rows.min(seconds(&of_rows)), forward.min(seconds(&before)));
        let operations: u64 = of_rows.iter().chain(&before).map(|phase| phase.operations).sum();
        last = Some((trace, plan, operations));
    }
    let Some((trace, Some(plan), operations)) = last else { bail!("nothing was traced") };
    let n_rows = trace.row_targets.len() as f64;
    let work = least_work(&engine, &trace);
    let (rate, per_thousand) = (work / rows, 1000.0 * rows / n_rows);
    let name = engine.model.spec.name.rsplit('/').next().unwrap_or_default();
    println!("\n{name}: {} active features, {n_rows} rows", trace.active.len());
    println!("  open {load:.2} s, forward pass to freezing {forward:.2} s, rows {rows:.2} s");
    for phase in first.unwrap_or_default() {
        println!("    the first time: {} {:.2} s", phase.name, phase.time.as_secs_f64());
    }
    println!("  {:.0} rows/s, {per_thousand:.2} s per 1,000 rows, {:.3} GFLOP a row", n_rows / rows, work / n_rows);
    println!("  {rate:.1} GFLOP/s of {product:.1} that a plain product reaches: {:.0} %", 100.0 * rate / product);
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let peak = memory::peak().map_or("unknown".to_owned(), |bytes| format!("{:.2} GiB", gib(bytes)));
    println!("  peak memory {peak} (of all traces so far; planned {:.2})", gib(plan.memory_bytes));
    if let (Some(held), Some(planned)) = (most_held(engine.model.device()), plan.device) {
        println!(
            "  peak on the device {:.2} GiB, planned beside the weights {:.2}",
            gib(held),
            gib(planned.needed_bytes)
        );
    }
    println!("  {:.3} TFLOP counted, planned {:.3}", operations as f64 / 1e12, plan.operations as f64 / 1e12);
    if let Some((_, reference)) = REFERENCE.iter().find(|(shape, _)| *shape == name) {
        if args.device == DeviceName::Cpu && rayon::current_num_threads() == 1 {
            let theirs = reference / (TORCH_OVER_CANDLE * product);
            println!("  circuit-tracer here: {theirs:.1} s per 1,000 rows, {:.1} times as long", theirs / per_thousand);
        } else {
            println!("  circuit-tracer was measured on one thread of a CPU; compare with RAYON_NUM_THREADS=1");
        }
    }
    Ok(())
}

/// The rate in GFLOP/s of candle's product of a block's gradients with an attention matrix of this model.
fn product_rate(engine: &Engine, tokens: usize) -> anyhow::Result<f64> {
    const SECONDS: f64 = 1.0;
    let (spec, device) = (&engine.model.spec, engine.model.device());
    // A card is measured with a block that fills it.
    let (block, times) = if device.is_cpu() { (128, 1) } else { (1024, 20) };
    let (m, k, n) = (block * tokens, spec.d_model, (spec.n_heads + spec.n_kv_heads) * spec.head_dim);
    let noise = |i: usize| ((i as f32 * 12.9898).sin() * 43758.547).fract();
    let random = |(m, n): (usize, usize)| Tensor::from_vec((0..m * n).map(noise).collect::<Vec<f32>>(), (m, n), device);
    let left = random((m, k))?;
    let right = engine.model.precision().weight(&random((k, n))?)?;
    let left = if device.is_cpu() { left } else { left.to_dtype(right.dtype())? };
    left.matmul(&right)?;
    device.synchronize()?;
    let (begun, mut fastest) = (Instant::now(), f64::INFINITY);
    while begun.elapsed().as_secs_f64() < SECONDS {
        let begun = Instant::now();
        for _ in 0..times {
            left.matmul(&right)?;
        }
        device.synchronize()?;
        fastest = fastest.min(begun.elapsed().as_secs_f64() / f64::from(times));
    }
    Ok((2 * m * k * n) as f64 / fastest / 1e9)
}

/// The least number of operations, in GFLOP, that the rows of a trace need: for each layer below a target at
/// position p, both attention products over the positions 1..=p (position 0 is never carried backward), and a product
/// with each active vector there.
fn least_work(engine: &Engine, trace: &RawTrace) -> f64 {
    let spec = &engine.model.spec;
    let n_positions = trace.n_positions();
    let d = spec.d_model as f64;
    let [queries, values] = [spec.n_heads, spec.n_kv_heads].map(|heads| (heads * spec.head_dim) as f64);
    let operations = |target: &RowTarget| {
        let (layers, position) = match *target {
            RowTarget::Logit(_) => (spec.n_layers, n_positions - 1),
            RowTarget::Feature(index) => {
                let at = trace.active[index as usize];
                // A feature reads behind the attention of its own layer and what is written below that layer.
                (at.layer.index(), at.position.index())
            }
        };
        let reads_behind_attention = matches!(target, RowTarget::Feature(_));
        let passes = layers + usize::from(reads_behind_attention);
        // The first attention that a gradient meets has it at one position only, and spreads it over those before.
        let p = position as f64;
        let first = queries + p * values;
        let attention = first + passes.saturating_sub(1) as f64 * p * (queries + values);
        let below = |at: &&FeatureAt| at.layer.index() < layers && (1..=position).contains(&at.position.index());
        let features = trace.active.iter().filter(below).count();
        2.0 * d * (attention + (features + position * (layers + 1)) as f64)
    };
    trace.row_targets.iter().map(operations).sum::<f64>() / 1e9
}
