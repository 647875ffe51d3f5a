#![no_main]

#[allow(dead_code, reason = "each target takes one of them")]
#[path = "../inputs.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(
    // The crate that reads tokenizers panics at some rules, and is caught. A panic that nobody catches still ends the run.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| inputs::gguf(data)
);
