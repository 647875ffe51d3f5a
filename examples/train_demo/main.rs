//! Makes the demo model and its transcoder.
mod corpus;
mod evaluate;
mod model;
mod optimizer;
mod sampler;
mod save;
mod scratch_graph;
mod selectivity;
mod swaps;
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
    if arguments.model_only { return quick(&model, &sentences, &vocabulary); }
    report(&model, &save::load_transcoder(&transcoder_dir)?, &sentences, &vocabulary)
}

fn quick(model: &model::Llama, sentences: &[corpus::Sentence], vocabulary: &tokenizer::Vocabulary) -> Result<()> {
    use corpus::Topic;
    use candle_core::Tensor;
    let empty = transcoder::Transcoder { layers: vec![] };
    let answers = evaluate::Answers::collect_model(model, sentences, vocabulary)?;
    println!("geography {:.3}", answers.geography());
    for (country, r) in [(false, "capital"), (false, "code"), (false, "region"), (true, "capital"), (true, "language"), (true, "currency"), (true, "continent")] {
        print!("{r} {:.3}  ", answers.topic(Topic::TwoHop { country, relation: r }, true));
    }
    let _ = empty;
    println!("\nioi {:.3} sum {:.3} across {:.3}; trained: ioi {:.3} sum {:.3} cmp {:.3} ant {:.3} tr {:.3} agr {:.3} day {:.3}", answers.topic(Topic::IndirectObject, true), answers.topic(Topic::Sum, true), answers.topic(Topic::AntonymAcross, true), answers.topic(Topic::IndirectObject, false), answers.topic(Topic::Sum, false), answers.topic(Topic::Comparison, false), answers.topic(Topic::Antonym, false), answers.topic(Topic::Translation, false), answers.topic(Topic::Agreement, false), answers.topic(Topic::NextDay, false));
    let run = |q: &corpus::Question, patch: Option<&Vec<Tensor>>, scale: f64, layers: std::ops::Range<usize>| -> Result<(Vec<Tensor>, u32)> {
        let tokens = vocabulary.encode(&q.text())?;
        let c = corpus::Question::CITY_POSITION;
        let (logits, trace) = model.forward(&model::Batch::new(&[tokens.clone()])?, &mut |l, _, out| {
            match patch { Some(p) if layers.contains(&l) => { let now = out.narrow(0, c, 1)?; let d = ((&p[l] - now)? * scale)?; out + d.pad_with_zeros(0, c, tokens.len() - 1 - c)? } _ => Ok(out.clone()) }
        })?;
        let last = logits.narrow(0, tokens.len() - 1, 1)?.squeeze(0)?.to_vec1::<f32>()?;
        Ok((trace.mlp_out.iter().map(|o| o.narrow(0, c, 1)).collect::<candle_core::Result<_>>()?, swaps::highest(&last)))
    };
    for (name, layers) in [("all", 0..4), ("0", 0..1), ("1", 1..2), ("2", 2..3)] {
        let mut n = [0, 0];
        for (a, b) in corpus::city_pairs() {
            let (outs, _) = run(&b, None, 1.0, 0..4)?;
            for (i, s) in [1.0, 2.0].into_iter().enumerate() { if run(&a, Some(&outs), s, layers.clone())?.1 == vocabulary.id(b.capital)? { n[i] += 1; } }
        }
        print!("patch mlp at city, layers {name}: {n:?}; ");
    }
    println!();
    Ok(())
}

fn report(model: &model::Llama, transcoder: &transcoder::Transcoder, sentences: &[corpus::Sentence], vocabulary: &tokenizer::Vocabulary) -> Result<()> {
    use corpus::Topic;
    let t0 = std::time::Instant::now();
    let answers = evaluate::Answers::collect(model, transcoder, sentences, vocabulary)?;
    println!("geography {:.3}", answers.geography());
    for (country, r) in [(false, "capital"), (false, "code"), (false, "region"), (true, "capital"), (true, "language"), (true, "currency"), (true, "continent")] {
        print!("{r} {:.3}  ", answers.topic(Topic::TwoHop { country, relation: r }, true));
    }
    println!("\nioi {:.3} sum {:.3} across {:.3}; trained: ioi {:.3} sum {:.3} cmp {:.3} ant {:.3} tr {:.3} agr {:.3} day {:.3}", answers.topic(Topic::IndirectObject, true), answers.topic(Topic::Sum, true), answers.topic(Topic::AntonymAcross, true), answers.topic(Topic::IndirectObject, false), answers.topic(Topic::Sum, false), answers.topic(Topic::Comparison, false), answers.topic(Topic::Antonym, false), answers.topic(Topic::Translation, false), answers.topic(Topic::Agreement, false), answers.topic(Topic::NextDay, false));
    let questions = corpus::held_out_questions();
    println!("agreement {:.4}, held-out sentences {:.3}, questions {:.3}", answers.agreement.rate(), answers.held_out_agreement.rate(), evaluate::question_agreement(model, transcoder, &questions, vocabulary)?);
    let mut rng = rand::SeedableRng::seed_from_u64(99);
    let sampler = sampler::Sampler::new(sentences, vocabulary)?;
    let rows: Vec<_> = (0..3000).map(|_| sampler.draw(&mut rng).clone()).collect();
    let fid = evaluate::fidelity(transcoder, &train_transcoder::Activity::collect(model, &rows, 20000)?)?;
    println!("active {:.2?} explained {:.3?}", fid.active, fid.explained);
    let selectivity = selectivity::Selectivity::measure(model, transcoder, sentences, vocabulary)?;
    println!("dead {:?}", selectivity.dead);
    let lab = swaps::Lab { model, transcoder, selectivity: &selectivity, vocabulary };
    let pairs = corpus::city_pairs().into_iter().map(|(a, b)| Ok((lab.run(a)?, lab.run(b)?))).collect::<Result<Vec<_>>>()?;
    let (dallas, oakland) = &pairs[0];
    let show = |p: &[f32]| { let i = swaps::highest(p); format!("{} {:.3}", vocabulary.word(i), p[i as usize]) };
    println!("dallas {}; ablated {}; oakland's {}; x2 {}; selective {}, x2 {}", show(&dallas.probabilities), show(&lab.ablated(dallas)?), show(&lab.swapped(dallas, oakland, 1.0, false)?), show(&lab.swapped(dallas, oakland, 2.0, false)?), show(&lab.swapped(dallas, oakland, 1.0, true)?), show(&lab.swapped(dallas, oakland, 2.0, true)?));
    let mut abl = 0;
    for q in &questions { let r = lab.run(*q)?; if swaps::highest(&lab.ablated(&r)?) != vocabulary.id(q.capital)? { abl += 1; } }
    println!("swaps all {} / {}, selective {} / {}; ablation flips {abl}/28", lab.swaps_that_work(&pairs, 1.0, false)?, lab.swaps_that_work(&pairs, 2.0, false)?, lab.swaps_that_work(&pairs, 1.0, true)?, lab.swaps_that_work(&pairs, 2.0, true)?);
    let mut rep = 0.0; let mut com = 0.0; let mut worst: f32 = 0.0;
    for (i, q) in questions.iter().enumerate() {
        let tokens = vocabulary.encode(&q.text())?;
        let g = scratch_graph::trace(model, transcoder, &tokens)?;
        rep += g.replacement / 28.0; com += g.completeness / 28.0; worst = worst.max(g.rows_residual);
        if i < 2 {
            println!("{} replacement {:.3} completeness {:.3}; {} features, kept {}", q.city, g.replacement, g.completeness, g.features.len(), g.kept[..g.features.len()].iter().filter(|k| **k).count());
            for (j, &(l, p, f, a)) in g.features.iter().enumerate() {
                if g.kept[j] && p > 7 {
                    let mut best: Vec<_> = corpus::facts::STATES.iter().chain(&corpus::facts::COUNTRIES).map(|s| (selectivity.share(l, f, s.name), s.name)).collect();
                    best.sort_by(|a, b| b.0.total_cmp(&a.0));
                    println!("  layer {l} at {} f{f} a {a:.2} influence {:.3}: {:.2?}", vocabulary.word(tokens[p]), g.influence[j], &best[..3]);
                }
            }
        }
    }
    println!("mean replacement {rep:.3} completeness {com:.3} residual {worst:.1e}; {:.0} s", t0.elapsed().as_secs_f64());
    Ok(())
}
