//! Options of a transcoder on the command line, beside those in its own files.

use crate::hub::{KeyValue, SetOptions};
use clap::builder::RangedU64ValueParser;

/// Keys of its `config.yaml`, and which one of several it is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SetOptionArgs {
    /// A key of the transcoder's config.yaml, with what stands in place of its value or where it has none: model_name,
    /// model_kind, feature_input_hook, feature_output_hook, scan, transcoders, activation or k. May be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    transcoder_option: Vec<KeyValue>,
    /// Features that a TopK transcoder keeps at each position, where its files do not say: as --transcoder-option k=K
    #[arg(long, value_name = "K", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    topk: Option<usize>,
    #[command(flatten)]
    pub choice: ChoiceArgs,
}

/// Which transcoder of a folder that holds several.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ChoiceArgs {
    /// Which width of Gemma Scope 2's folders, which have no config.yaml: 16k, 65k, 262k...
    #[arg(long, value_name = "WIDTH")]
    width: Option<String>,
    /// Which sparsity of Gemma Scope 2's folders: small, medium, big, or as small_affine with a skip connection
    #[arg(long, value_name = "L0")]
    l0: Option<String>,
}

impl SetOptionArgs {
    /// Returns the options that were given.
    pub fn options(&self) -> SetOptions {
        let ChoiceArgs { width, l0 } = self.choice.clone();
        SetOptions::new(&self.transcoder_option, self.topk, width, l0)
    }
}

impl ChoiceArgs {
    /// Returns the options that were given.
    pub fn options(&self) -> SetOptions {
        SetOptions::new(&[], None, self.width.clone(), self.l0.clone())
    }
}
