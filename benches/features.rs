//! What making a feature store costs beyond running the model: against the forward pass and the encoders alone, over
//! the same documents.
//!
//! `cargo bench --bench features` measures a small synthetic shape. Real shapes are written by the example
//! `synth_model` and given as directories: `RAYON_NUM_THREADS=1 cargo bench --bench features -- DIR...`.

#[path = "../examples/synth_model/synth.rs"]
mod synth;

use anyhow::{Context, bail};
use candle_core::Device;
use circuitscope::attribution::{Capture, Engine, memory};
use circuitscope::features::build::pass::Reader;
use circuitscope::features::build::piece::{self, Piece};
use circuitscope::features::build::{self, Corpus, Options};
use circuitscope::hub::FileSource;
use circuitscope::job::{Cancel, Monitor};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Measures on directories made by the example `synth_model`, or on a small shape of its own.
#[derive(Parser)]
struct Args {
    /// Documents
    #[arg(long, default_value_t = 16)]
    documents: usize,
    /// Tokens of a document
    #[arg(long, default_value_t = 255)]
    tokens: usize,
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
    println!("{} threads, {} documents of {} tokens", rayon::current_num_threads(), args.documents, args.tokens);
    args.directories.iter().try_for_each(|directory| {
        measure(directory, &args).with_context(|| format!("cannot measure {}", directory.display()))
    })
}

fn measure(directory: &Path, args: &Args) -> anyhow::Result<()> {
    let places =
        [FileSource::directory(&directory.join("model"))?, FileSource::directory(&directory.join("transcoder"))?];
    let engine = Engine::open(&places[0], &places[1], &Device::Cpu)?;
    let vocab = engine.model.spec.vocab_size.min(1000);
    let word = |document: usize, at: usize| format!("w{}", (document * 7919 + at * 31 + at * at) % (vocab - 1) + 1);
    let line = |document| (0..args.tokens).map(|at| word(document, at)).collect::<Vec<_>>().join(" ");
    let texts: Vec<String> = (0..args.documents).map(line).collect();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("corpus.txt");
    std::fs::write(&path, texts.join("\n"))?;

    // The forward pass and the encoders, and nothing done with what they give.
    let reader = Reader::new(&engine, vec![true; engine.transcoder.n_layers()]);
    let mut pieces: Vec<Arc<Piece>> = Vec::new();
    for (nth, text) in texts.iter().enumerate() {
        pieces.extend(reader.pieces(nth as u128, text)?);
    }
    let lengths: Vec<usize> = pieces.iter().map(|piece| reader.rows(piece)).collect();
    let tokens: usize = pieces.iter().map(|piece| piece.tokens.len()).sum();
    let begun = Instant::now();
    for batch in piece::pack(&lengths) {
        let batch: Vec<Arc<Piece>> = batch.iter().map(|nth| Arc::clone(&pieces[*nth])).collect();
        reader.run(&batch, |_, activations| drop(activations), &Cancel::default())?;
    }
    let pass = begun.elapsed().as_secs_f64();
    let name = engine.model.spec.name.rsplit('/').next().unwrap_or_default();
    println!("\n{name}: {tokens} tokens, pass and encoders {pass:.2} s");

    // The same as a trace does it, a document at a time; of a few of them.
    let begun = Instant::now();
    let some = &texts[..texts.len().min(4)];
    let mut of_some = 0;
    for text in some {
        let tokens: Vec<u32> = engine.read(text)?.iter().map(|token| token.id).collect();
        of_some += tokens.len() - 1;
        Capture::run(&engine.model, &engine.transcoder, &tokens, &Monitor::default())?;
    }
    let alone = begun.elapsed().as_secs_f64() * tokens as f64 / of_some as f64;

    let begun = Instant::now();
    let corpus = Corpus::new(vec![path], None);
    let gathered = build::gather(&engine, &corpus, &Options::default(), folder.path(), |_| {}, &Monitor::default())?;
    let whole = begun.elapsed().as_secs_f64();
    println!("  a document at a time, as a trace does it, {alone:.2} s");
    println!("  gathered in {whole:.2} s: {:.2} times the pass, {:.0} tokens/s", whole / pass, tokens as f64 / whole);
    let begun = Instant::now();
    let built = build::finish(&engine, &gathered.part, folder.path(), &Monitor::default())?;
    let finish = begun.elapsed().as_secs_f64();
    let fired: u64 = gathered.part.layers.iter().flat_map(|layer| &layer.tallies).map(|tally| tally.count).sum();
    println!("  {:.1} features fire at a token", fired as f64 / tokens as f64);
    println!("  {} features written in {finish:.2} s, promoted tokens included", built.features);
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    println!("  peak memory {}", memory::peak().map_or("unknown".to_owned(), |bytes| format!("{:.2} GiB", gib(bytes))));
    Ok(())
}
