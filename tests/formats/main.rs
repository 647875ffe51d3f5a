//! What is written is read back, and what is damaged is refused with a sentence.

mod arbitrary;
mod circuit;
mod dense;
mod export;
mod exports;
mod field;
mod fields_kept;
mod hostile;
mod influence;
mod json;
mod open;
mod raw;
mod trace;

#[allow(dead_code, reason = "the parity tests need more of it")]
#[path = "../parity/fixture.rs"]
mod fixture;
