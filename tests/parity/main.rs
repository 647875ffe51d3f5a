//! Agreement with circuit-tracer on the reference cases in `tests/fixtures`.

mod archives;
mod attention;
mod devices;
mod engine;
mod fixture;
mod generation;
mod gguf;
mod graph;
mod independent;
mod interventions;
mod json;
mod layouts;
mod memory;
mod neox;
mod provenance;
mod published;
mod real;
mod resuming;
mod variants;
