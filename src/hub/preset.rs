//! Published pairs of a model and its transcoder that have a short name.

/// A model and a transcoder that was trained on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Name that the user types.
    pub name: &'static str,
    /// Repository of the model.
    pub model: &'static str,
    /// Repository of the transcoder.
    pub transcoder: &'static str,
}

/// All presets, the smallest model first within its family.
pub const PRESETS: [Preset; 5] = [
    Preset { name: "gemma-2-2b", model: "google/gemma-2-2b", transcoder: "mntss/gemma-scope-transcoders" },
    Preset { name: "llama-3.2-1b", model: "meta-llama/Llama-3.2-1B", transcoder: "mntss/transcoder-Llama-3.2-1B" },
    Preset { name: "qwen3-0.6b", model: "Qwen/Qwen3-0.6B", transcoder: "mwhanna/qwen3-0.6b-transcoders-lowl0" },
    Preset { name: "qwen3-1.7b", model: "Qwen/Qwen3-1.7B", transcoder: "mwhanna/qwen3-1.7b-transcoders-lowl0" },
    Preset { name: "qwen3-4b", model: "Qwen/Qwen3-4B", transcoder: "mwhanna/qwen3-4b-transcoders" },
];

impl Preset {
    /// Returns the preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}
