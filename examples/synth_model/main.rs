//! Writes a model and a transcoder of real shape with random weights, to measure this program on.
//!
//! `cargo run --release --example synth_model -- --shape qwen3-0.6b --vocab 32000 DIR`

mod synth;

use anyhow::{bail, ensure};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};
use std::process::Command;
use synth::SHAPES;

/// Writes DIR/model and DIR/transcoder with random weights of real shape.
#[derive(Parser)]
struct Args {
    /// The model whose sizes to use
    #[arg(long, value_parser = PossibleValuesParser::new(SHAPES.map(|shape| shape.name)))]
    shape: String,
    /// The vocabulary's size, instead of the model's own
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..1_000_000))]
    vocab: Option<u32>,
    /// Write encoders as [d, F], GemmaScope's layout, instead of [F, d]
    #[arg(long)]
    encoders_by_input: bool,
    /// What the weights are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write
    directory: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let Some(mut shape) = SHAPES.into_iter().find(|shape| shape.name == args.shape) else {
        bail!("there is no shape {}", args.shape);
    };
    if let Some(vocab) = args.vocab {
        shape.vocab = vocab as usize;
    }
    shape.encoders_by_input = args.encoders_by_input;
    std::fs::create_dir_all(&args.directory)?;
    let needed = shape.bytes();
    let room = free_bytes(&args.directory);
    let gib = |bytes: usize| bytes as f64 / f64::from(1 << 30);
    match room {
        Some(room) => eprintln!("{}: {:.2} GiB to write, {:.2} GiB free", shape.name, gib(needed), gib(room)),
        None => eprintln!("{}: {:.2} GiB to write; how much is free cannot be told here", shape.name, gib(needed)),
    }
    // Some room is left for whoever else uses the disk.
    ensure!(
        room.is_none_or(|room| room > needed + needed / 20),
        "the disk of {} has too little room; make some or choose another directory",
        args.directory.display()
    );
    shape.write(&args.directory, args.seed)?;
    let directory = args.directory.display();
    println!("circuitscope trace --model {directory}/model --transcoder {directory}/transcoder \\");
    println!("  --prompt 'w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11' --max-feature-nodes 1000 --out trace.safetensors");
    Ok(())
}

/// Bytes free on a directory's disk, as `df` tells; `None` where there is no `df`.
fn free_bytes(directory: &Path) -> Option<usize> {
    let output = Command::new("df").args(["-Pk", "--"]).arg(directory).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kibibytes: usize = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024)
}
