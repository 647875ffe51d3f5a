//! Makes the demo: trains a tiny language model and its cross-layer transcoder on generated
//! sentences, measures both, and writes them with a model card.
//!
//! ```text
//! cargo run --release --example train_demo                       # everything, into assets/demo
//! cargo run --release --example train_demo -- --evaluate         # measure what is there
//! cargo run --release --example train_demo -- --transcoder-only  # keep the model that is there
//! cargo run --release --example train_demo -- --corpus FILE      # write the sentences, one a line
//! ```

mod activity;
mod card;
mod circuit;
mod corpus;
mod evaluate;
mod model;
mod optimizer;
mod report;
mod sampler;
mod save;
mod seeding;
mod selectivity;
mod swaps;
mod tokenizer;
mod train_model;
mod train_transcoder;
mod transcoder;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use crate::card::Made;
use crate::report::Report;
use crate::sampler::Sampler;
use crate::tokenizer::Vocabulary;
use crate::train_model::ModelPlan;
use crate::train_transcoder::TranscoderPlan;

/// Train the demo model and its transcoder, and measure them.
#[derive(Parser)]
struct Arguments {
    /// Where everything random starts from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Training steps of the model.
    #[arg(long, default_value_t = 1200)]
    steps: usize,
    /// Training steps of the transcoder.
    #[arg(long, default_value_t = 1600)]
    transcoder_steps: usize,
    /// Features of the transcoder in each layer.
    #[arg(long, default_value_t = 384)]
    features: usize,
    /// Weight of the use of hidden units in the model's loss.
    #[arg(long, default_value_t = 0.0015)]
    hidden_l1: f64,
    /// Weight of active features in the transcoder's loss, at the end of its training.
    #[arg(long, default_value_t = 0.02)]
    sparsity: f64,
    /// Where to write, and what to evaluate.
    #[arg(long, default_value = "assets/demo")]
    out: PathBuf,
    /// Train and write the model, then stop.
    #[arg(long, conflicts_with_all = ["transcoder_only", "evaluate"])]
    model_only: bool,
    /// Keep the model in the output directory and train its transcoder anew.
    #[arg(long, conflicts_with = "evaluate")]
    transcoder_only: bool,
    /// Train nothing and write nothing: measure what is in the output directory.
    #[arg(long)]
    evaluate: bool,
    /// Train nothing: write the sentences, a line each, into this file.
    #[arg(long, conflicts_with_all = ["model_only", "transcoder_only", "evaluate"])]
    corpus: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sentences = corpus::sentences();
    if let Some(path) = &arguments.corpus {
        let lines: String = sentences.iter().map(|sentence| format!("{}\n", sentence.text)).collect();
        return std::fs::write(path, lines).with_context(|| format!("{} cannot be written", path.display()));
    }
    let vocabulary = Vocabulary::new(&sentences);
    let model_dir = arguments.out.join("model");
    if !arguments.transcoder_only && !arguments.evaluate {
        let plan = ModelPlan { seed: arguments.seed, steps: arguments.steps, hidden_l1: arguments.hidden_l1 };
        let weights = train_model::train(&plan, &sentences, &vocabulary)?;
        save::save_model(&model_dir, &weights, &vocabulary)?;
        if arguments.model_only {
            return Ok(());
        }
    }
    if !arguments.evaluate {
        let plan = TranscoderPlan {
            seed: arguments.seed,
            steps: arguments.transcoder_steps,
            features: arguments.features,
            sparsity: arguments.sparsity,
        };
        // The transcoder learns from the model as it was rounded on its way to disk.
        let model = save::load_model(&model_dir)?;
        let sampler = Sampler::new(&sentences, &vocabulary)?;
        let transcoder = train_transcoder::train(&plan, &model, &sampler)?;
        save::save_transcoder(&arguments.out.join("transcoder"), &transcoder)?;
    }
    let report = Report::measure(&arguments.out, &sentences, &vocabulary)?;
    print!("{}", report.markdown());
    println!("\n{} bars missed", report.failures());
    if !arguments.evaluate {
        let made = Made {
            seed: arguments.seed,
            steps: arguments.steps,
            hidden_l1: arguments.hidden_l1,
            transcoder_steps: arguments.transcoder_steps,
            features: arguments.features,
            sparsity: arguments.sparsity,
        };
        let card = card::text(&made, &sentences, &vocabulary, &report);
        std::fs::write(arguments.out.join("README.md"), card)?;
    }
    Ok(())
}
