//! Models, with a transcoder or alone, made ready to compute with.

use crate::attribution::{Engine, memory, model_warnings};
use crate::graph::Token;
use crate::hub::FileSource;
use crate::model::{DeviceChoice, DeviceName, Precision, Transformer};
use crate::tokens::Tokenizer;
use anyhow::{Result, bail};
use std::error::Error as _;
use std::sync::Mutex;
use std::{env, io, thread};

/// Where and how models compute.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineOptions {
    /// Where.
    pub device: DeviceChoice,
    /// What weights are multiplied in.
    pub precision: Precision,
    /// Whether a model whose configuration holds an option that is not known here is refused.
    pub strict: bool,
}

/// A model without a transcoder.
pub struct ModelAlone {
    /// The language model.
    pub model: Transformer,
    /// How it reads.
    pub tokenizer: Tokenizer,
    /// What should be known of it; sentences.
    pub warnings: Vec<String>,
}

impl EngineOptions {
    /// Loads a model and its transcoder from the `places` of their files, which are asked for once there are threads and a
    /// device to compute on.
    ///
    /// # Errors
    /// There are no threads or no device, `places` fails, or what is there cannot be loaded.
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
    /// As [`EngineOptions::open`].
    pub fn open_model(self, place: impl FnOnce() -> Result<FileSource>) -> Result<ModelAlone> {
        let device = self.ready()?.open()?;
        let place = place()?;
        let (tokenizer, model) = (Tokenizer::open(&place)?, Transformer::open(&place, &device)?);
        self.check(&model)?;
        let warnings = model_warnings(&model, &tokenizer);
        Ok(ModelAlone { model: model.in_precision(self.precision), tokenizer, warnings })
    }

    /// Refuses a model with options that are not known, where that is asked for.
    fn check(self, model: &Transformer) -> Result<()> {
        match model.spec.doubt().filter(|_| self.strict) {
            Some(doubt) => bail!("{doubt}, which --strict forbids; leave it out if the numbers do not hang on it"),
            None => Ok(()),
        }
    }

    /// Starts the threads, and tells which device to begin with.
    fn ready(self) -> Result<DeviceName> {
        start_threads()?;
        Ok(match self.device {
            DeviceChoice::Auto => DeviceName::Cpu,
            DeviceChoice::Named(name) => name,
        })
    }
}

/// Starts the threads to compute on, where they are not there yet. They would otherwise be started at their first use,
/// and end the program where the system has none left.
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

/// Whether the stacks of rayon's threads and of candle's, as many again, need more addresses than the process may have. A
/// thread that is started and has no room for the stack of its signal handlers ends the program, so this is known before.
fn lack_addresses() -> bool {
    /// What a thread is given, with what its signal handlers and its heap start with.
    const ADDRESSES_PER_THREAD: u64 = (2 << 20) + (256 << 10);
    let asked =
        env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok()).filter(|&threads| threads > 0);
    let threads = asked.or_else(|| thread::available_parallelism().ok().map(|cores| cores.get() as u64)).unwrap_or(1);
    memory::addresses_left().is_some_and(|left| left < threads.saturating_mul(2 * ADDRESSES_PER_THREAD))
}

/// Whether the system has room for so many threads more. candle starts as many of its own at their first use, and does not
/// outlive being refused one.
///
/// # Errors
/// It refuses one.
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

/// What reads prompts.
pub trait Reads {
    /// How it cuts texts.
    fn tokenizer(&self) -> &Tokenizer;

    /// The prompt as the model reads it.
    ///
    /// # Errors
    /// It is empty, too long, or cannot be read.
    fn read(&self, prompt: &str) -> Result<Vec<Token>>;

    /// Ids taken as they are, with nothing put in front.
    ///
    /// # Errors
    /// There are none, too many, or one is past the vocabulary.
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
