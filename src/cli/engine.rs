//! Which model and transcoder a command works with.

use crate::attribution::{Engine, model_warnings};
use crate::cli::output::note;
use crate::cli::pull;
use crate::demo;
use crate::graph::Token;
use crate::hub::{Hub, HubError, PRESETS, Place, PlaceError, Preset, Request, Source};
use crate::model::{DeviceChoice, DeviceName, Precision, Transformer};
use crate::tokens::Tokenizer;
use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::{io, thread};

/// The model and the transcoder.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EngineArgs {
    /// The model: a Hugging Face directory, a GGUF file, or a hub reference, ORG/REPO[@REVISION]; if not given, the one
    /// that --transcoder was trained for. With neither, the embedded demo
    #[arg(long, value_name = "DIR|FILE|REF")]
    pub model: Option<PathBuf>,
    /// The transcoder: a directory in circuit-tracer's layout, or a hub reference, ORG/REPO[/FOLDER][@REVISION]
    #[arg(long, value_name = "DIR|REF")]
    pub transcoder: Option<PathBuf>,
    /// A published model with its transcoder, instead of --model and --transcoder
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "transcoder"],
          value_parser = PossibleValuesParser::new(PRESETS.map(|preset| preset.name)))]
    pub preset: Option<String>,
    /// Download from the hub what is not on this machine; otherwise the network is not touched
    #[arg(long)]
    pub download: bool,
    /// Forbid the network, also where --download or the program would ask for it
    #[arg(long)]
    pub offline: bool,
    /// Refuse a model whose config.json holds an option that is not known here, instead of a warning
    #[arg(long)]
    pub strict: bool,
    /// Threads to compute on; as many as there are cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub device: DeviceArgs,
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

/// Where the model computes, and in which numbers.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DeviceArgs {
    /// Where the model computes: cpu, cuda or cuda:N (an NVIDIA card), metal (Apple's GPU); auto: the card that this
    /// program was built for, where there is one and the model fits, else the cpu
    #[arg(long, value_name = "auto|cpu|cuda[:N]|metal", default_value_t)]
    device: DeviceChoice,
    /// What the model's weights are multiplied in. bf16 takes half of a card's memory and is less exact: how much less is
    /// said, on screen and in the graph
    #[arg(long, default_value_t, value_parser = PossibleValuesParser::new(Precision::ALL.map(Precision::name))
          .try_map(|name| name.parse::<Precision>()))]
    dtype: Precision,
}

/// The hub as this process's environment says.
pub fn hub(offline: bool) -> Hub {
    Hub::from_env(&|name| std::env::var_os(name), offline)
}

/// Starts the threads to compute on, where they are not there yet. They would otherwise be started at their first use,
/// and end the program where the system has none left.
fn start_threads(threads: Option<u16>) -> Result<()> {
    let wanted = threads.map_or(0, usize::from);
    let cause = match rayon::ThreadPoolBuilder::new().num_threads(wanted).build_global() {
        Err(error) if error.source().is_some() => error.source().map_or_else(String::new, ToString::to_string),
        // Without a cause in the system it says that they are there.
        _ => match can_start(rayon::current_num_threads()) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        },
    };
    bail!(
        "the threads to compute on cannot be started ({cause}); ask for fewer with --threads, or allow more processes or \
         memory (ulimit -u, ulimit -v)"
    )
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

impl EngineArgs {
    /// Whether it is the embedded demo.
    pub fn is_demo(&self) -> bool {
        self.model.is_none() && self.transcoder.is_none() && self.preset.is_none()
    }

    /// Loads them, and says on stderr what is odd about them.
    ///
    /// # Errors
    /// One cannot be had, or cannot be loaded.
    pub fn open(&self) -> Result<Engine> {
        let device = self.ready()?.open()?;
        let (model, transcoder) = self.places()?;
        let mut engine = Engine::open(&model, &transcoder, &device)?;
        self.check(&engine.model)?;
        if self.device.device == DeviceChoice::Auto {
            engine = engine.on_best_device(self.device.dtype);
        }
        let engine = engine.in_precision(self.device.dtype);
        for warning in &engine.warnings {
            note!("warning: {warning}");
        }
        Ok(engine)
    }

    /// Refuses a model with options that are not known, where that is asked for.
    fn check(&self, model: &Transformer) -> Result<()> {
        match model.spec.doubt().filter(|_| self.strict) {
            Some(doubt) => bail!("{doubt}, which --strict forbids; leave it out if the numbers do not hang on it"),
            None => Ok(()),
        }
    }

    /// Loads a model alone, where one was named and no transcoder, and says on stderr what is odd about it; on the CPU
    /// unless another device is asked for.
    ///
    /// # Errors
    /// It cannot be had, or cannot be loaded.
    pub fn open_model(&self) -> Result<Option<ModelAlone>> {
        let (Some(model), None) = (&self.model, &self.transcoder) else { return Ok(None) };
        let device = self.ready()?.open()?;
        let (hub, source) = (hub(self.offline), Source::parse(model)?);
        let place = match (hub.model(&source), &source) {
            (Err(HubError::NotHere { .. } | HubError::Incomplete { .. }), Source::Hub(reference)) if self.download => {
                pull::fetch(&hub, &Request::Each(vec![reference.clone()]), false)?;
                hub.model(&source)?
            }
            (place, _) => place?,
        };
        let (tokenizer, model) = (Tokenizer::open(&place)?, Transformer::open(&place, &device)?);
        self.check(&model)?;
        let warnings = model_warnings(&model, &tokenizer);
        for warning in &warnings {
            note!("warning: {warning}");
        }
        Ok(Some(ModelAlone { model: model.in_precision(self.device.dtype), tokenizer, warnings }))
    }

    /// Starts the threads, and tells which device to begin with.
    fn ready(&self) -> Result<DeviceName> {
        if let Some(threads) = self.threads {
            // SAFETY: commands load their model before they start any thread but those that fetch it, which have
            // nothing to do with candle or rayon, and are done when this is read. These take the number of threads
            // from nowhere else.
            unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
        }
        start_threads(self.threads)?;
        Ok(match self.device.device {
            DeviceChoice::Auto => DeviceName::Cpu,
            DeviceChoice::Named(name) => name,
        })
    }

    /// The same, computing where a trace was made that is gone on from, unless a device was asked for.
    #[must_use]
    pub fn as_before(&self, device: &str) -> Self {
        let mut args = self.clone();
        if let (DeviceChoice::Auto, Ok(name)) = (args.device.device, device.parse()) {
            args.device.device = DeviceChoice::Named(name);
        }
        args
    }

    /// The same on the processor, to look at sizes where the card that was asked for is not at hand.
    #[must_use]
    pub fn on_processor(&self) -> Self {
        let mut args = self.clone();
        args.device.device = DeviceChoice::Named(DeviceName::Cpu);
        args
    }

    /// Whether a card was asked for by name.
    pub fn wants_card(&self) -> bool {
        matches!(self.device.device, DeviceChoice::Named(name) if name != DeviceName::Cpu)
    }

    /// The options that name the same model, transcoder, device and numbers, for another command.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        for (option, value) in [
            ("--model", path(&self.model)),
            ("--transcoder", path(&self.transcoder)),
            ("--preset", self.preset.clone()),
        ] {
            value.into_iter().for_each(|value| add(option, value));
        }
        add("--device", self.device.device.to_string());
        add("--dtype", self.device.dtype.to_string());
        words
    }

    /// Where they lie; with `--download` what is missing is fetched first.
    pub fn places(&self) -> Result<(Place, Place)> {
        let Some(request) = self.request()? else { return Ok(demo::places()) };
        let Request::Pair { model, transcoder } = &request else { bail!("a command works on a pair") };
        let hub = hub(self.offline);
        match hub.pair(model.as_ref(), transcoder) {
            Err(
                HubError::NotHere { .. } | HubError::Incomplete { .. } | HubError::Place(PlaceError::Elsewhere { .. }),
            ) if self.download => {}
            places => return Ok(places?),
        }
        pull::fetch(&hub, &request, false)?;
        Ok(hub.pair(model.as_ref(), transcoder)?)
    }

    /// Where they lie on this machine.
    ///
    /// # Errors
    /// They are not here, or what was named is none.
    pub fn places_here(&self) -> Result<(Place, Place)> {
        Self { download: false, offline: true, ..self.clone() }.places()
    }

    /// What was asked for; `None` for the embedded demo.
    fn request(&self) -> Result<Option<Request>> {
        let source = |path: &PathBuf| Source::parse(path);
        Ok(match (&self.preset, &self.model, &self.transcoder) {
            (Some(name), ..) => Preset::named(name).map(Request::preset),
            (None, model, Some(transcoder)) => {
                Some(Request::Pair { model: model.as_ref().map(source).transpose()?, transcoder: source(transcoder)? })
            }
            (None, Some(model), None) => {
                let made_for = |preset: &&Preset| model.as_os_str() == preset.model || model.as_os_str() == preset.name;
                match PRESETS.iter().find(made_for) {
                    Some(preset) => bail!("--model needs --transcoder; or give --preset {} for both", preset.name),
                    None => bail!("--model needs --transcoder: a transcoder that was trained on it"),
                }
            }
            (None, None, None) => None,
        })
    }
}
