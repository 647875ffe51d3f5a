//! Options of the model and transcoder of a command.

use crate::attribution::Engine;
use crate::cli::output::note;
use crate::cli::pull;
use crate::cli::set_args::SetOptionArgs;
use crate::demo;
use crate::hub::{FileSource, FileSourceError, HubError, PRESETS, Preset, Request, SetOptions, Source};
use crate::model::{DeviceChoice, DeviceName, Precision};
use crate::service::engine::{EngineOptions, ModelAlone};
use crate::service::models::hub;
use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// The model and the transcoder.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EngineArgs {
    /// The model: a Hugging Face directory, a GGUF file, or a hub reference, ORG/REPO[@REVISION]; if not given, the one
    /// that --transcoder was trained for. With neither, the embedded demo
    #[arg(long, value_name = "DIR|FILE|REF")]
    pub model: Option<PathBuf>,
    /// The transcoder: a directory in circuit-tracer's layout or one of Gemma Scope's, or a hub reference,
    /// ORG/REPO[/FOLDER][@REVISION]
    #[arg(long, value_name = "DIR|REF")]
    pub transcoder: Option<PathBuf>,
    #[command(flatten)]
    pub said: SetOptionArgs,
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
    // `Cli::read` takes it from the command line, since it has to be known before any thread is.
    /// Threads to compute on; as many as there are cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub device: DeviceArgs,
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

impl EngineArgs {
    /// Returns true for the embedded demo.
    pub fn is_demo(&self) -> bool {
        self.model.is_none() && self.transcoder.is_none() && self.preset.is_none()
    }

    /// Returns the options of computing.
    pub fn options(&self) -> EngineOptions {
        EngineOptions { device: self.device.device, precision: self.device.dtype, strict: self.strict }
    }

    /// Loads model and transcoder, and prints their warnings on stderr.
    ///
    /// # Errors
    /// Fails where one cannot be found or loaded.
    pub fn open(&self) -> Result<Engine> {
        let engine = self.options().open(|| self.sources())?;
        warn(&engine.warnings);
        Ok(engine)
    }

    /// Loads a model alone, where one was named and no transcoder, and prints its warnings on stderr; on the CPU unless
    /// another device is requested.
    ///
    /// # Errors
    /// Fails where it cannot be found or loaded.
    pub fn open_model(&self) -> Result<Option<ModelAlone>> {
        if self.model.is_none() || self.transcoder.is_some() {
            return Ok(None);
        }
        self.alone(|| self.model_source()).map(Some)
    }

    /// Does the same for the model in `place`.
    ///
    /// # Errors
    /// Fails where it cannot be loaded.
    pub fn open_model_of(&self, place: &FileSource) -> Result<ModelAlone> {
        self.alone(|| Ok(place.clone()))
    }

    fn alone(&self, place: impl FnOnce() -> Result<FileSource>) -> Result<ModelAlone> {
        let alone = self.options().open_model(place)?;
        warn(&alone.warnings);
        Ok(alone)
    }

    /// Returns the source of the model's files, of the embedded demo's where none was named; with `--download` missing
    /// files are fetched first.
    ///
    /// # Errors
    /// Fails where it cannot be found.
    pub fn model_source(&self) -> Result<FileSource> {
        let Some(model) = &self.model else { return Ok(demo::sources().0) };
        let (hub, source) = (hub(self.offline), Source::parse(model)?);
        Ok(match (hub.model(&source), &source) {
            (Err(HubError::NotHere { .. } | HubError::Incomplete { .. }), Source::Hub(reference)) if self.download => {
                pull::fetch(&hub, &Request::Each(vec![reference.clone()], SetOptions::default()), false)?;
                hub.model(&source)?
            }
            (place, _) => place?,
        })
    }

    /// Sets the device of the trace to resume, unless a device was requested.
    #[must_use]
    pub fn as_before(&self, device: &str) -> Self {
        let mut args = self.clone();
        if let (DeviceChoice::Auto, Ok(name)) = (args.device.device, device.parse()) {
            args.device.device = DeviceChoice::Named(name);
        }
        args
    }

    /// Sets the device to the CPU, to read sizes where the requested card is not in this machine.
    #[must_use]
    pub fn on_processor(&self) -> Self {
        let mut args = self.clone();
        args.device.device = DeviceChoice::Named(DeviceName::Cpu);
        args
    }

    /// Returns true where a card was requested by name.
    pub fn wants_card(&self) -> bool {
        matches!(self.device.device, DeviceChoice::Named(name) if name != DeviceName::Cpu)
    }

    /// Returns the options that select the same model, transcoder, device and precision, for another command.
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
        words.extend(self.said.options().words());
        words
    }

    /// Returns the sources of their files; with `--download` missing files are fetched first.
    pub fn sources(&self) -> Result<(FileSource, FileSource)> {
        let Some(request) = self.request()? else { return Ok(demo::sources()) };
        let Request::Pair { model, transcoder, said } = &request else { bail!("a command works on a pair") };
        let hub = hub(self.offline);
        match hub.pair(model.as_ref(), transcoder, said) {
            Err(
                HubError::NotHere { .. }
                | HubError::Incomplete { .. }
                | HubError::FileSource(FileSourceError::Elsewhere { .. }),
            ) if self.download => {}
            sources => return Ok(sources?),
        }
        pull::fetch(&hub, &request, false)?;
        Ok(hub.pair(model.as_ref(), transcoder, said)?)
    }

    /// Where the transcoder lies, for what needs no model; with `--download` it is fetched first where it is missing.
    ///
    /// # Errors
    /// It cannot be had, or none was named.
    pub fn transcoder_source(&self) -> Result<FileSource> {
        let Some(Request::Pair { transcoder, said, .. }) = self.request()? else { return Ok(demo::sources().1) };
        let hub = hub(self.offline);
        match (hub.transcoder(&transcoder, &said), &transcoder) {
            (Err(HubError::NotHere { .. } | HubError::Incomplete { .. }), Source::Hub(reference)) if self.download => {
                pull::fetch(&hub, &Request::Each(vec![reference.clone()], said.clone()), false)?;
                Ok(hub.transcoder(&transcoder, &said)?)
            }
            (place, _) => Ok(place?),
        }
    }

    /// Returns the sources of their files on this machine.
    ///
    /// # Errors
    /// Fails where they are not on this machine, or the names are not valid.
    pub fn sources_here(&self) -> Result<(FileSource, FileSource)> {
        Self { download: false, offline: true, ..self.clone() }.sources()
    }

    /// Returns the request of the options; `None` for the embedded demo.
    fn request(&self) -> Result<Option<Request>> {
        let source = |path: &PathBuf| Source::parse(path);
        let said = self.said.options();
        if self.transcoder.is_none() && self.preset.is_none() && !said.is_empty() {
            bail!("--transcoder-option, --topk, --width and --l0 are about a transcoder; give it with --transcoder");
        }
        Ok(match (&self.preset, &self.model, &self.transcoder) {
            (Some(name), ..) => match Preset::named(name).map(Request::preset) {
                Some(Request::Pair { model, transcoder, said: known }) => {
                    Some(Request::Pair { model, transcoder, said: known.and(&said) })
                }
                other => other,
            },
            (None, model, Some(transcoder)) => {
                let model = model.as_ref().map(source).transpose()?;
                Some(Request::Pair { model, transcoder: source(transcoder)?, said })
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

fn warn(warnings: &[String]) {
    for warning in warnings {
        note!("warning: {warning}");
    }
}
