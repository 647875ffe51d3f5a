//! Dashboards of features: what other programs and this one wrote is read, and what is damaged is refused with a
//! sentence.

mod by_hand;
mod folders;
mod hostile;
mod import;
mod library;

use circuitscope::features::store::Store;
use circuitscope::features::{Dashboard, FeatureError};
use circuitscope::hub::FileSource;
use circuitscope::ids::{FeatureId, Layer};
use std::fs;
use std::path::Path;

/// Reads feature `layer:feature` of the store in `folder`.
fn read(folder: &Path, layer: u32, feature: u32) -> Result<Option<Dashboard>, FeatureError> {
    let place = FileSource::directory(folder)?;
    Store::open(&place, "", None)?.expect("a store").read(Layer(layer), FeatureId(feature))
}

/// Writes files into a folder of their own.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}
