//! Agreement with circuit-tracer on the reference cases in `tests/fixtures`.

mod engine;
mod fixture;
mod graph;
mod independent;
mod interventions;
mod json;
mod memory;
mod resuming;
mod variants;
