//! Makes the demo: trains a tiny language model and its transcoder on generated
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
mod standing;
mod swaps;
mod tokenizer;
mod train_model;
mod train_transcoder;
mod transcoder;
mod words;

use std::path::PathBuf;

use anyhow::{Context, Result};
use circuitscope::model::DeviceName;
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
    /// Let features write into their own layer alone.
    #[arg(long)]
    per_layer: bool,
    /// Share of the features that start on what the MLP makes of many tokens.
    #[arg(long, default_value_t = 0.25)]
    coarse: f64,
    /// Hidden units of each of the model's MLPs.
    #[arg(long, default_value_t = 384)]
    mlp_width: usize,
    /// Keep all embeddings where they were drawn, not those of cities alone.
    #[arg(long)]
    freeze_all: bool,
    /// Weight of the use of hidden units in the model's loss.
    #[arg(long, default_value_t = 0.0015)]
    hidden_l1: f64,
    /// Weight of active features in the transcoder's loss, at the end of its training.
    #[arg(long, default_value_t = 0.02)]
    sparsity: f64,
    /// How much dearer rare features are, relative to that.
    #[arg(long, default_value_t = 0.0)]
    rarity: f64,
    /// Where to train: cpu, cuda, cuda:N.
    #[arg(long, default_value = "cpu")]
    device: DeviceName,
    /// Train on questions about unknown cities too.
    #[arg(long)]
    unknown: bool,
    /// Print the figures as one line of JSON.
    #[arg(long)]
    json: bool,
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
    /// Train nothing: measure what is in the output directory, and write the model card of what these options made.
    #[arg(long, conflicts_with_all = ["model_only", "transcoder_only", "evaluate"])]
    card_only: bool,
    /// Train nothing: write the sentences that are not held out, a line each, into this file.
    #[arg(long, conflicts_with_all = ["model_only", "transcoder_only", "evaluate", "card_only"])]
    corpus: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut sentences = corpus::sentences();
    if arguments.unknown {
        sentences.extend(corpus::unknown_cities());
    }
    if let Some(path) = &arguments.corpus {
        let lines: String = sentences.iter().filter(|s| !s.held_out).map(|s| format!("{}\n", s.text)).collect();
        return std::fs::write(path, lines).with_context(|| format!("{} cannot be written", path.display()));
    }
    let device = arguments.device.open()?;
    let vocabulary = Vocabulary::new(&sentences);
    let model_dir = arguments.out.join("model");
    let made = Made {
        model: ModelPlan {
            seed: arguments.seed,
            steps: arguments.steps,
            mlp_width: arguments.mlp_width,
            hidden_l1: arguments.hidden_l1,
            freeze_all: arguments.freeze_all,
        },
        transcoder: TranscoderPlan {
            seed: arguments.seed,
            steps: arguments.transcoder_steps,
            features: arguments.features,
            per_layer: arguments.per_layer,
            coarse: arguments.coarse,
            sparsity: arguments.sparsity,
            rarity: arguments.rarity,
        },
        unknown: arguments.unknown,
    };
    let keeps_transcoder = arguments.evaluate || arguments.card_only;
    if !arguments.transcoder_only && !keeps_transcoder {
        let weights = train_model::train(&made.model, &sentences, &vocabulary, &device)?;
        save::save_model(&model_dir, &weights, &vocabulary)?;
        if arguments.model_only {
            return Ok(());
        }
    }
    if !keeps_transcoder {
        // The transcoder learns from the model as it was rounded on its way to disk.
        let model = save::load_model(&model_dir, &device)?;
        let sampler = Sampler::new(&sentences, &vocabulary)?;
        let transcoder = train_transcoder::train(&made.transcoder, &model, &sampler)?;
        save::save_transcoder(&arguments.out.join("transcoder"), &transcoder)?;
    }
    let report = Report::measure(&arguments.out, &sentences, &vocabulary, &device)?;
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.markdown());
        println!("\n{} bars missed", report.failures());
    }
    if !arguments.evaluate {
        let card = card::text(&made, &sentences, &vocabulary, &report);
        std::fs::write(arguments.out.join("README.md"), card)?;
    }
    Ok(())
}
