//! Options of the sources of dashboards and labels.

use crate::cli::set_args::SetOptionArgs;
use crate::hub::{PRESETS, Preset, SetOptions, Source};
use crate::service::library::{FeatureFiles, KnownTranscoder};
use crate::service::models::hub;
use anyhow::Result;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Folders and files that the user names.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NamedArgs {
    /// A folder of feature dashboards: a store of `features build` or of circuit-tracer, or a JSON file for each feature.
    /// It goes before what is found without being named. May be given several times
    #[arg(long = "features", value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// A file of labels: CSV or JSON lines of layer, feature and label, or a graph. May be given several times
    #[arg(long, value_name = "FILE")]
    pub labels: Vec<PathBuf>,
}

impl NamedArgs {
    /// Returns the files and folders that the user named.
    pub fn files(&self) -> FeatureFiles {
        FeatureFiles { folders: self.folders.clone(), labels: self.labels.clone() }
    }
}

/// Whose features.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SetArgs {
    /// The transcoder: a directory in circuit-tracer's layout, or a hub reference, ORG/REPO[/FOLDER][@REVISION]. If none
    /// is given, the embedded demo's; with --features, whichever those are for
    #[arg(long, value_name = "DIR|REF")]
    pub transcoder: Option<PathBuf>,
    #[command(flatten)]
    said: SetOptionArgs,
    /// The transcoder of a published pair
    #[arg(long, value_name = "NAME", conflicts_with = "transcoder",
          value_parser = PossibleValuesParser::new(PRESETS.map(|preset| preset.name)))]
    pub preset: Option<String>,
    /// Ask the hub for features that nothing on this machine knows. Its server then learns which ones are looked at
    #[arg(long)]
    pub download: bool,
    /// Forbid the network, also where the hub may be asked
    #[arg(long)]
    pub offline: bool,
}

impl SetArgs {
    /// Returns the transcoder of the options. `is_named` says that dashboards are named, which may be of any.
    ///
    /// # Errors
    /// Fails where there is no such directory, and it is no reference either.
    pub fn set(&self, is_named: bool) -> Result<KnownTranscoder> {
        let said = self.said.options();
        let (source, known) = match (&self.transcoder, self.preset.as_deref().and_then(Preset::named)) {
            (Some(path), _) => (Source::parse(path)?, SetOptions::default()),
            (None, Some(preset)) => (Source::parse(preset.transcoder.as_ref())?, preset.said()),
            (None, None) if is_named => return Ok(KnownTranscoder::default()),
            (None, None) => return Ok(KnownTranscoder::demo()),
        };
        KnownTranscoder::at(source, &known.and(&said), &hub(self.offline))
    }
}
