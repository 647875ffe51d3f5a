//! Loading of models, with a transcoder or alone.

use crate::attribution::{Engine, memory, model_warnings};
use crate::graph::Token;
use crate::hub::FileSource;
use crate::model::{DeviceChoice, DeviceName, Precision, Transformer};
use crate::tokens::Tokenizer;
use anyhow::{Result, bail};
use std::error::Error as _;
use std::sync::Mutex;
use std::{env, io, thread};

/// Options of computing.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineOptions {
    /// Device.
    pub device: DeviceChoice,
    /// Type in which weights are multiplied.
    pub precision: Precision,
    /// True to refuse a model whose configuration holds an option that is not known.
    pub strict: bool,
}

/// Model without a transcoder.
pub struct ModelAlone {
    /// Language model.
    pub model: Transformer,
    /// Tokenizer of the model.
    pub tokenizer: Tokenizer,
    /// Warnings about the model; sentences.
    pub warnings: Vec<String>,
}

impl EngineOptions {
    /// Loads a model and its transcoder from the `places` of their files. `places` is called once threads and a device
    /// are ready.
    ///
    /// # Errors
    /// Fails where there are no threads or no device, `places` fails, or the files cannot be loaded.
    pub fn open(self, places: impl FnOnce() -> Result<(FileSource, FileSource)>) -> Result<Engine> {
        let device = self.ready()?.open()?;
        let (model, transcoder) = places()?;
        let mut engine = Engine::open(&model, &transcoder, &device)?;
        self.check(&engine.model)?;
        if self.device == DeviceChoice::Auto {
            engine = engine.on_best_device(self.precision);
        }
        Ok(engine.in_precision(self.precision))
    }

    /// Loads a model alone, as [`EngineOptions::open`] does; on the CPU unless another device is named.
    ///
    /// # Errors
    /// Fails as [`EngineOptions::open`] does.
    pub fn open_model(self, place: impl FnOnce() -> Result<FileSource>) -> Result<ModelAlone> {
        let device = self.ready()?.open()?;
        let place = place()?;
        let (tokenizer, model) = (Tokenizer::open(&place)?, Transformer::open(&place, &device)?);
        self.check(&model)?;
        let warnings = model_warnings(&model, &tokenizer);
        Ok(ModelAlone { model: model.in_precision(self.precision), tokenizer, warnings })
    }

    /// Refuses a model with options that are not known, if `strict` is set.
    fn check(self, model: &Transformer) -> Result<()> {
        match model.spec.doubt().filter(|_| self.strict) {
            Some(doubt) => bail!("{doubt}, which --strict forbids; leave it out if the numbers do not hang on it"),
            None => Ok(()),
        }
    }

    /// Starts the threads, and returns the device to begin with.
    fn ready(self) -> Result<DeviceName> {
        start_threads()?;
        Ok(match self.device {
            DeviceChoice::Auto => DeviceName::Cpu,
            DeviceChoice::Named(name) => name,
        })
    }
}

/// Starts the compute threads, unless they run already. They would otherwise be started at their first use, and end the
/// program where the system has none left.
fn start_threads() -> Result<()> {
    let cause = if lack_addresses() {
        "their stacks need more addresses than are left".to_owned()
    } else {
        match rayon::ThreadPoolBuilder::new().build_global() {
            Err(error) if error.source().is_some() => error.source().map_or_else(String::new, ToString::to_string),
            // Without a cause in the system it says that they are there.
            _ => match can_start(rayon::current_num_threads()) {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
        }
    };
    bail!(
        "the threads to compute on cannot be started ({cause}); ask for fewer with --threads, or allow more processes or \
         memory (ulimit -u, ulimit -v)"
    )
}

/// Returns true where the stacks of rayon's threads and of candle's, as many again, need more addresses than the
/// process may have. A thread that has no room for the stack of its signal handlers ends the program, so this is
/// checked first.
fn lack_addresses() -> bool {
    /// Addresses of a thread, with the initial ones of its signal handlers and its heap.
    const ADDRESSES_PER_THREAD: u64 = (2 << 20) + (256 << 10);
    let asked =
        env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok()).filter(|&threads| threads > 0);
    let threads = asked.or_else(|| thread::available_parallelism().ok().map(|cores| cores.get() as u64)).unwrap_or(1);
    memory::addresses_left().is_some_and(|left| left < threads.saturating_mul(2 * ADDRESSES_PER_THREAD))
}

/// Checks that the system has room for so many more threads. candle starts as many of its own at their first use, and
/// panics if it is refused one.
///
/// # Errors
/// Fails where the system refuses one.
fn can_start(threads: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let held = gate.lock();
        let wait = || drop(gate.lock());
        let started: io::Result<Vec<_>> =
            (0..threads).map(|_| thread::Builder::new().spawn_scoped(scope, wait)).collect();
        drop(held);
        started.map(drop)
    })
}

/// Reader of prompts.
pub trait Reads {
    /// Returns the tokenizer.
    fn tokenizer(&self) -> &Tokenizer;

    /// Tokenizes the prompt.
    ///
    /// # Errors
    /// Fails where the prompt is empty, too long, or cannot be read.
    fn read(&self, prompt: &str) -> Result<Vec<Token>>;

    /// Returns the tokens of these ids, with nothing put in front.
    ///
    /// # Errors
    /// Fails where there are none or too many, or one is past the vocabulary.
    fn tokens(&self, ids: &[u32]) -> Result<Vec<Token>>;
}

impl Reads for Engine {
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn read(&self, prompt: &str) -> Result<Vec<Token>> {
        Ok(Self::read(self, prompt)?)
    }

    fn tokens(&self, ids: &[u32]) -> Result<Vec<Token>> {
        Ok(Self::tokens(self, ids)?)
    }
}

impl Reads for ModelAlone {
    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn read(&self, prompt: &str) -> Result<Vec<Token>> {
        Ok(self.tokenizer.read_within(prompt, self.model.spec.max_positions)?)
    }

    fn tokens(&self, ids: &[u32]) -> Result<Vec<Token>> {
        Ok(self.tokenizer.tokens(ids, self.model.spec.vocab_size, self.model.spec.max_positions)?)
    }
}
