//! Directory with a JSON file for each feature, named by the Cantor pairing of layer and index.

use crate::features::FeatureError;
use crate::features::record::{self, Record};
use crate::format::json::cantor_pairing;
use crate::hub::is_inside;
use crate::ids::{FeatureId, Layer};
use crate::untrusted;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of the largest file of a feature.
const MOST: u64 = 8 << 20;

/// Directory of `{number}.json`, or of `{scan}/{number}.json` by the transcoder's name.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the directory at `path`, or the one below it that is named as the transcoder, `scan`; `None` where neither
    /// holds a file named by a number.
    pub fn open(path: &Path, scan: &str) -> Option<Self> {
        let inside = (!scan.is_empty() && is_inside(scan)).then_some(scan);
        let named = inside.into_iter().flat_map(|scan| [path.join(scan), path.join("features").join(scan)]);
        let found = named.chain([path.to_owned()]).find(|path| has_numbers(path))?;
        Some(Self { path: found })
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the record of a feature; `None` where it has no file.
    ///
    /// # Errors
    /// Fails where the file cannot be read, or is about another feature.
    pub fn read(&self, layer: Layer, feature: FeatureId) -> Result<Option<Record>, FeatureError> {
        let path = self.path.join(format!("{}.json", cantor_pairing(layer, feature)));
        let file = path.display().to_string();
        let bytes = match untrusted::read(&path, MOST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FeatureError::Read { file, error }),
        };
        let wrong = |what: String| FeatureError::Record { layer, feature, file: file.clone(), what };
        let record = record::parse(&bytes).map_err(&wrong)?;
        match &record.named {
            Some(named) if (named.layer, named.feature) != (layer, feature) => {
                Err(wrong(format!("it is about feature {}:{}", named.layer, named.feature)))
            }
            _ => Ok(Some(record)),
        }
    }
}

fn has_numbers(path: &Path) -> bool {
    let is_number = |name: &str| name.strip_suffix(".json").is_some_and(|name| name.parse::<u64>().is_ok());
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(is_number))
}
