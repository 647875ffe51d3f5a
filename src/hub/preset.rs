//! Published pairs of a model and its transcoder that have a short name.

use crate::hub::SetOptions;

/// Model and a transcoder that was trained on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// Name that the user types.
    pub name: &'static str,
    /// Repository of the model.
    pub model: &'static str,
    /// Repository of the transcoder, and the folder in it.
    pub transcoder: &'static str,
    /// Size of the transcoder's repository when it was last looked at, in GiB, where that is known. The hub knows
    /// today's size, and which part is needed.
    pub transcoder_gib: Option<f64>,
    /// Number of features that TopK keeps, where the transcoder's files leave that out.
    top_k: Option<usize>,
    /// Note to read before use; empty where there is none.
    pub note: &'static str,
}

/// Creates a preset whose size is not known.
const fn pair(name: &'static str, model: &'static str, transcoder: &'static str) -> Preset {
    Preset { name, model, transcoder, transcoder_gib: None, top_k: None, note: "" }
}

/// Creates a preset whose transcoder's repository has a size.
const fn of_size(name: &'static str, model: &'static str, transcoder: &'static str, gib: f64) -> Preset {
    Preset { transcoder_gib: Some(gib), ..pair(name, model, transcoder) }
}

/// All presets, the smallest model first within its family.
pub const PRESETS: [Preset; 19] = [
    pair("gemma-2-2b", "google/gemma-2-2b", "mntss/gemma-scope-transcoders"),
    of_size("gemma-2-2b-426k", "google/gemma-2-2b", "mntss/clt-gemma-2-2b-426k", 26.5),
    of_size("gemma-2-2b-2.5m", "google/gemma-2-2b", "mntss/clt-gemma-2-2b-2.5M", 159.0),
    pair(
        "gemma-3-270m",
        "google/gemma-3-270m",
        "mwhanna/gemma-scope-2-270m-pt/transcoder_all/width_16k_l0_small_affine",
    ),
    pair(
        "gemma-3-270m-it",
        "google/gemma-3-270m-it",
        "mwhanna/gemma-scope-2-270m-it/transcoder_all/width_16k_l0_small_affine",
    ),
    pair("gemma-3-1b", "google/gemma-3-1b-pt", "mwhanna/gemma-scope-2-1b-pt/transcoder_all/width_16k_l0_small_affine"),
    pair(
        "gemma-3-1b-it",
        "google/gemma-3-1b-it",
        "mwhanna/gemma-scope-2-1b-it/transcoder_all/width_16k_l0_small_affine",
    ),
    pair("gemma-3-4b", "google/gemma-3-4b-pt", "mwhanna/gemma-scope-2-4b-pt/transcoder_all/width_16k_l0_small_affine"),
    pair(
        "gemma-3-4b-it",
        "google/gemma-3-4b-it",
        "mwhanna/gemma-scope-2-4b-it/transcoder_all/width_16k_l0_small_affine",
    ),
    of_size("llama-3.2-1b", "meta-llama/Llama-3.2-1B", "mntss/transcoder-Llama-3.2-1B", 32.3),
    pair("llama-3.2-1b-clt", "meta-llama/Llama-3.2-1B", "mntss/clt-llama-3.2-1b-524k"),
    Preset {
        top_k: Some(128),
        note: "not for commercial use",
        ..of_size("llama-3.1-8b-it", "meta-llama/Llama-3.1-8B-Instruct", "facebook/crv-8b-instruct-transcoders", 63.3)
    },
    pair("qwen3-0.6b", "Qwen/Qwen3-0.6B", "mwhanna/qwen3-0.6b-transcoders-lowl0"),
    of_size("qwen3-0.6b-clt", "Qwen/Qwen3-0.6B-Base", "bluelightai/clt-qwen3-0.6b-base-20k", 46.1),
    pair("qwen3-1.7b", "Qwen/Qwen3-1.7B", "mwhanna/qwen3-1.7b-transcoders-lowl0"),
    of_size("qwen3-1.7b-clt", "Qwen/Qwen3-1.7B-Base", "bluelightai/clt-qwen3-1.7b-base-20k", 78.9),
    pair("qwen3-4b", "Qwen/Qwen3-4B", "mwhanna/qwen3-4b-transcoders"),
    pair("qwen3-8b", "Qwen/Qwen3-8B", "mwhanna/qwen3-8b-transcoders"),
    pair("qwen3-14b", "Qwen/Qwen3-14B", "mwhanna/qwen3-14b-transcoders-lowl0"),
];

impl Preset {
    /// Returns the preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Returns the options that its transcoder needs.
    pub fn said(&self) -> SetOptions {
        SetOptions::new(&[], self.top_k, None, None)
    }
}
