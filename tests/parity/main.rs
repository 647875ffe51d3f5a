//! Agreement with circuit-tracer on the reference cases in `tests/fixtures`.

mod fixture;
mod graph;
