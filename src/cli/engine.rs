//! Which model and transcoder a command works with.

use crate::attribution::Engine;
use crate::demo;
use crate::hub::Place;
use anyhow::{Result, bail};
use candle_core::Device;
use std::path::PathBuf;

/// The model and the transcoder.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EngineArgs {
    /// A Hugging Face model directory; with neither this nor --transcoder, the embedded demo
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// A transcoder directory in circuit-tracer's layout
    #[arg(long, value_name = "DIR")]
    pub transcoder: Option<PathBuf>,
    /// Threads to compute on; as many as there are cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

impl EngineArgs {
    /// Whether it is the embedded demo.
    pub fn is_demo(&self) -> bool {
        self.model.is_none() && self.transcoder.is_none()
    }

    /// Loads them, and says on stderr what is odd about them.
    ///
    /// # Errors
    /// One is given without the other, or cannot be loaded.
    pub fn open(&self) -> Result<Engine> {
        if let Some(threads) = self.threads {
            // SAFETY: commands load their model before they start any thread, and nothing else reads the environment
            // meanwhile. Candle and rayon take the number of threads from nowhere else.
            unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
        }
        let (model, transcoder) = match (&self.model, &self.transcoder) {
            (Some(model), Some(transcoder)) => (Place::directory(model)?, Place::directory(transcoder)?),
            (Some(_), None) => bail!("--model needs --transcoder: the directory of a transcoder trained on it"),
            (None, Some(_)) => bail!("--transcoder needs --model: the directory of the model that it was trained on"),
            (None, None) => demo::places(),
        };
        let engine = Engine::open(&model, &transcoder, &Device::Cpu)?;
        for warning in &engine.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(engine)
    }
}
