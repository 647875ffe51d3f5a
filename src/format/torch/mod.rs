//! circuit-tracer's `.pt`: a dict of tensors as torch saves it, an archive with a pickle in it.
//!
//! A pickle is a program that builds objects by calling what it names. Nothing is called here: the `pickle` machine
//! records each call with its arguments, and of those only tensors and plain values are understood. candle has a reader
//! of such files too, but it is made for weights of known origin: it copies what a pickle refers to twice, so that a
//! short one can ask for any amount of memory, panics where a call has too few arguments, and writes to the terminal
//! what it skips.

mod graph;
mod pickle;
mod tensor;

pub use graph::read;
