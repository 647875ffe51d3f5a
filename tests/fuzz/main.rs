//! The seeds of the fuzz targets, replayed on the stable toolchain, and a long run over changed ones for whoever has no
//! nightly: `cargo test --test fuzz -- --ignored`.

#[path = "../../fuzz/inputs.rs"]
mod inputs;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Inputs of each target in a long run; another number by `CIRCUITSCOPE_FUZZ_RUNS`.
const RUNS: u64 = 1_000_000;
/// The longest input.
const LONGEST: usize = 1 << 14;
/// What the formats are made of: a changed byte alone seldom makes a new one of them.
const WORDS: [&[u8]; 64] = [
    b"null",
    b"true",
    b"-1",
    b"1e39",
    b"0.5",
    b"4294967295",
    b"18446744073709551616",
    b"[]",
    b"{}",
    b"\"\"",
    b"[[",
    b"}",
    b",",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"\\x80",
    b"\xff",
    b"\"tokens\"",
    b"\"nodes\"",
    b"\"links\"",
    b"\"tokens_acts_list\"",
    b"\"train_token_ind\"",
    b"\"feature_type\"",
    b"\"layer\"",
    b"\"modelId\"",
    b"\"index\"",
    b"\"activations\"",
    b" and ",
    b" or ",
    b"not ",
    b"layer:",
    b"..",
    b">=",
    b"/a*(b/",
    b"is:pinned",
    b"from(",
    b")",
    b"(",
    b"\x80\x02}q",
    b"{{",
    b"}}",
    b"{% for a in range(100000) %}",
    b"{% endfor %}",
    b"{% set x = x ~ x %}",
    b" * 99999999",
    b".replace('', 'aaaa')",
    b"\"type\":\"Sequence\"",
    b"\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaa\"",
    b"\"pattern\":{\"Regex\":\"a*\"}",
    b"\"type\":\"NFKC\"",
    b"\"normalized\":true",
    b"\"num_hidden_layers\"",
    b"16777216",
    b"- &a",
    b"*a",
    b": |",
    b"'shape': (4294967296, 4), }",
    b"'descr': '<f4'",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\x93NUMPY\x01\x00",
    b"\"pins\"",
    b"\"version\"",
];

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 14] = [
    ("store", inputs::store),
    ("dashboard", inputs::dashboard),
    ("graph", inputs::graph),
    ("torch", inputs::torch),
    ("filter", inputs::filter),
    ("config", inputs::config),
    ("set", inputs::set),
    ("tokenizer", inputs::tokenizer),
    ("template", inputs::template),
    ("npz", inputs::npz),
    ("gguf", inputs::gguf),
    ("session", inputs::session),
    ("file", inputs::file),
    ("label", inputs::label),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn no_seed_makes_a_reader_panic() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 4, "{name} has {} seeds", seeds.len());
        seeds.iter().for_each(|seed| target(seed));
    }
}

#[test]
fn no_input_near_a_seed_makes_a_reader_panic() {
    TARGETS.into_iter().for_each(|target| run(target, 500));
}

#[test]
#[ignore = "a million inputs for each target take an hour"]
fn a_million_inputs_make_no_reader_panic() {
    // What panics on purpose and is caught, such as the tokenizers' crate, says so each time.
    std::panic::set_hook(Box::new(|_| {}));
    let runs = std::env::var("CIRCUITSCOPE_FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(move || {
                run(target, runs);
                println!("{}: {runs} inputs", target.0);
            });
        }
    });
}

/// Gives `runs` inputs to a target, each a seed or an earlier input, changed. They are the same in every run.
#[track_caller]
fn run((name, target): Target, runs: u64) {
    let seeds = seeds(name);
    let mut random = StdRng::seed_from_u64(0x5eed);
    let mut input = Vec::new();
    for nth in 0..runs {
        // A few changes upon each other lead farther away from what is well-formed.
        if nth % 8 == 0 || input.is_empty() {
            input.clone_from(&seeds[random.random_range(0..seeds.len())]);
        }
        for _ in 0..random.random_range(1..=4) {
            change(&mut input, &seeds, &mut random);
        }
        if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
            panic!("{name} fails at input {nth}: {}", input.escape_ascii());
        }
    }
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut StdRng) {
    let length = input.len();
    let at = random.random_range(0..=length);
    let end = (at + random.random_range(0..=16_usize)).min(length);
    match random.random_range(0..8) {
        0 if at < length => input[at] ^= 1 << random.random_range(0..8),
        1 if at < length => input[at] = random.random(),
        2 => input.truncate(at),
        3 => drop(input.drain(at..end)),
        4 => {
            let part = input[at..end].to_vec();
            let to = random.random_range(0..=length);
            input.splice(to..to, part);
        }
        5 => {
            let other = &seeds[random.random_range(0..seeds.len())];
            let start = random.random_range(0..=other.len());
            let stop = (start + random.random_range(0..=256_usize)).min(other.len());
            input.splice(at..at, other[start..stop].iter().copied());
        }
        6 => {
            let word = WORDS[random.random_range(0..WORDS.len())];
            input.splice(at..end, word.iter().copied());
        }
        _ => {
            // A number becomes another.
            let digits = (at..length).find(|at| input[*at].is_ascii_digit());
            if let Some(start) = digits {
                let stop = (start..length).find(|at| !input[*at].is_ascii_digit()).unwrap_or(length);
                let number = random.random::<u64>() >> random.random_range(0..64);
                input.splice(start..stop, number.to_string().into_bytes());
            }
        }
    }
    input.truncate(LONGEST);
}
