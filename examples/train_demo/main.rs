//! Makes the demo model and its transcoder.
mod corpus;
mod model;
mod optimizer;
mod sampler;
mod save;
mod tokenizer;
mod train_model;
mod train_transcoder;
mod transcoder;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 1200)]
    steps: usize,
    #[arg(long, default_value_t = 2400)]
    transcoder_steps: usize,
    #[arg(long, default_value_t = 768)]
    features: usize,
    #[arg(long, default_value_t = 0.004)]
    hidden_l1: f64,
    #[arg(long, default_value_t = 0.04)]
    sparsity: f64,
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    #[arg(long)]
    freeze_all: bool,
    #[arg(long)]
    relu: bool,
    #[arg(long, default_value = "assets/demo")]
    out: PathBuf,
    #[arg(long)]
    model_only: bool,
    #[arg(long)]
    transcoder_only: bool,
    #[arg(long)]
    evaluate: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sentences = corpus::sentences();
    let vocabulary = tokenizer::Vocabulary::new(&sentences);
    eprintln!("{} sentences, {} held out, {} words", sentences.len(), sentences.iter().filter(|s| s.held_out).count(), vocabulary.len());
    let (model_dir, transcoder_dir) = (arguments.out.join("model"), arguments.out.join("transcoder"));
    if !arguments.transcoder_only && !arguments.evaluate {
        let plan = train_model::ModelPlan {
            seed: arguments.seed,
            steps: arguments.steps,
            hidden_l1: arguments.hidden_l1,
            freeze_all: arguments.freeze_all,
        };
        let weights = train_model::train(&plan, &sentences, &vocabulary)?;
        save::save_model(&model_dir, &weights, &vocabulary)?;
    }
    let model = save::load_model(&model_dir)?;
    if !arguments.model_only && !arguments.evaluate {
        let plan = train_transcoder::TranscoderPlan {
            seed: arguments.seed,
            steps: arguments.transcoder_steps,
            features: arguments.features,
            sparsity: arguments.sparsity,
            scale: arguments.scale,
            relu: arguments.relu,
        };
        let sampler = sampler::Sampler::new(&sentences, &vocabulary)?;
        let transcoder = train_transcoder::train(&plan, &model, &sampler)?;
        save::save_transcoder(&transcoder_dir, &transcoder)?;
    }
    Ok(())
}
