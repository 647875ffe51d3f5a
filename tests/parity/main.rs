//! Agreement with circuit-tracer on the reference cases in `tests/fixtures`.

mod archives;
mod engine;
mod fixture;
mod graph;
mod independent;
mod interventions;
mod json;
mod published;
mod resuming;
mod variants;
