//! The demo model, its transcoder and the feature store of that, embedded in the program. `examples/train_demo` and
//! `circuitscope features build` make them; see `assets/demo/README.md`.

use crate::hub::FileSource;

/// Name of the demo model.
pub const NAME: &str = "circuitscope-demo";

/// Prompt of the demo: a question of two hops, over a city that no two-hop sentence of the training held.
pub const PROMPT: &str = "fact : the capital of the state containing Dallas is";

/// Session that [`PROMPT`] opens with: pins and supernodes, which `assets/demo/README.md` says how to make again.
pub const SESSION: &str = include_str!("../assets/demo/session.json");

/// Second question of two hops, of the same kind over countries.
pub const SECOND_PROMPT: &str = "fact : the currency of the country containing Mumbai is";

/// Session that [`SECOND_PROMPT`] opens with.
pub const SECOND_SESSION: &str = include_str!("../assets/demo/second.session.json");

/// Questions that open with a circuit which is pinned and named, each with its session.
pub const STORIES: [(&str, &str); 2] = [(PROMPT, SESSION), (SECOND_PROMPT, SECOND_SESSION)];

/// City of [`PROMPT`].
pub const CITY: &str = "Dallas";

/// The same question about another city, the features of which can be swapped in.
pub const OTHER_PROMPT: &str = "fact : the capital of the state containing Oakland is";

/// City of [`OTHER_PROMPT`].
pub const OTHER_CITY: &str = "Oakland";

macro_rules! files {
    ($($folder:literal: $($name:literal),+;)+) => {
        ($(&[$(($name, include_bytes!(concat!("../assets/demo/", $folder, "/", $name)) as &[u8])),+] as &[_],)+)
    };
}

/// Returns the model's files and the transcoder's.
pub fn sources() -> (FileSource, FileSource) {
    let (model, transcoder) = files! {
        "model": "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json";
        "transcoder": "config.yaml",
            "layer_0.safetensors", "layer_1.safetensors", "layer_2.safetensors", "layer_3.safetensors",
            "features/circuitscope.json", "features/index.json.gz", "features/summary.safetensors",
            "features/layer_0.bin", "features/layer_1.bin", "features/layer_2.bin", "features/layer_3.bin";
    };
    (FileSource::Embedded(NAME, model), FileSource::Embedded("circuitscope-demo-transcoder", transcoder))
}
