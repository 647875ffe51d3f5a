//! Record of a run, kept beside the set, and sets of some layers each put together.

use crate::format::{FormatError, write_atomically};
use crate::training::evaluate::Evaluation;
use crate::training::run::LayerReport;
use crate::training::settings::{Settings, TranscoderKind};
use crate::training::{TrainError, card, save};
use crate::untrusted;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file, and those of the card's.
const NAME: &str = "training.json";
const CARD: [&str; 2] = ["README.md", "curves.svg"];

/// Names of all files that [`Record::write`] writes.
pub(super) const NAMES: [&str; 3] = [NAME, CARD[0], CARD[1]];

/// What was trained, on what, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the program.
    pub program: String,
    /// Name of the model.
    pub model_name: String,
    /// Files of the model by name, with their hashes.
    pub model: Value,
    /// Number of the model's layers.
    pub n_layers: usize,
    /// Settings of the run.
    pub settings: Settings,
    /// Tokens trained on.
    pub tokens: u64,
    /// Number of times that the corpus was read to its end.
    pub epochs: u64,
    /// Hash of the corpus, as far as it was read.
    pub corpus: String,
    /// What the last step saw.
    pub layers: Vec<LayerReport>,
    /// Course of the run.
    pub course: Vec<Moment>,
    /// Figures on held-out documents, where there were some.
    pub evaluation: Option<Evaluation>,
}

/// What was seen at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Number of the step.
    pub step: u64,
    /// Share of the outputs' variance that was left, by layer.
    pub errors: Vec<f32>,
}

impl Record {
    /// Writes the record and its card into the folder of the set.
    ///
    /// # Errors
    /// Fails where a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(NAME);
        let text =
            serde_json::to_string_pretty(self).map_err(|error| FormatError::writing(&path, io::Error::other(error)))?;
        write_atomically(&path, |out| writeln!(out, "{text}"))?;
        for (name, text) in CARD.into_iter().zip([card::markdown(self), card::curves(self)]) {
            write_atomically(&folder.join(name), |out| out.write_all(text.as_bytes()))?;
        }
        Ok(())
    }

    /// Reads the record of a set.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(NAME);
        let file = untrusted::open(&path).map_err(|error| FormatError::Read { path: path.clone(), error })?;
        let what = |error: serde_json::Error| {
            TrainError::Merge(format!("{}: {}; make it again", path.display(), untrusted::json_fault(&error)))
        };
        serde_json::from_reader(io::BufReader::new(file)).map_err(what)
    }
}

/// Puts sets together that were trained on some layers each: copies their files into `out`, `config.yaml` last. Returns
/// the record of the whole.
///
/// # Errors
/// Fails where they do not belong together, a layer is missing or there twice, or a file cannot be read or written.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Record, TrainError> {
    let wrong = |what: String| Err(TrainError::Merge(what));
    if out.join(save::CONFIG).exists() {
        return wrong(format!("{} holds a transcoder already; give another folder as --out", out.display()));
    }
    let mut records = Vec::with_capacity(folders.len());
    for folder in folders {
        records.push((folder, Record::read(folder)?));
    }
    let Some((first_folder, first)) = records.first().cloned() else {
        return wrong("there is nothing to put together".to_owned());
    };
    if first.settings.kind == TranscoderKind::Clt {
        return wrong(format!("{} is a cross-layer transcoder, which is trained as a whole", first_folder.display()));
    }
    for (folder, record) in &records {
        if let Some(what) = differs(&first, record) {
            let (folder, first) = (folder.display(), first_folder.display());
            return wrong(format!("{folder} does not belong to {first}: it has another {what}"));
        }
    }
    let mut whole = first.clone();
    let mut sources = Vec::new();
    for layer in 0..first.n_layers {
        let having: Vec<_> = records.iter().filter(|(_, record)| record.settings.layers.contains(&layer)).collect();
        match having[..] {
            [(folder, _)] => sources.push(folder.join(format!("layer_{layer}.safetensors"))),
            [] => return wrong(format!("layer {layer} is in none of the folders; train it with --layers {layer}")),
            [(one, _), (other, _), ..] => {
                return wrong(format!("layer {layer} is in both {} and {}", one.display(), other.display()));
            }
        }
    }
    whole.layers = records.iter().flat_map(|(_, record)| record.layers.clone()).collect();
    whole.layers.sort_by_key(|report| report.layer);
    whole.settings.layers = (0..first.n_layers).collect();
    // Runs of other layers took the same steps, but their courses are not one.
    whole.course.clear();
    whole.evaluation = evaluations(&records);
    fs::create_dir_all(out).map_err(|error| FormatError::writing(out, error))?;
    for source in &sources {
        copy(source, &out.join(source.file_name().unwrap_or_default()))?;
    }
    whole.write(out)?;
    copy(&first_folder.join(save::CONFIG), &out.join(save::CONFIG))?;
    Ok(whole)
}

/// Returns what two runs have to share and do not.
fn differs(a: &Record, b: &Record) -> Option<String> {
    let fields = [
        ("model", a.model != b.model || a.n_layers != b.n_layers),
        ("version of the program", a.program != b.program),
        ("corpus", a.corpus != b.corpus),
        ("number of tokens", a.tokens != b.tokens),
    ];
    if let Some((name, _)) = fields.iter().find(|(_, differs)| *differs) {
        return Some((*name).to_owned());
    }
    let mut settings = b.settings.clone();
    settings.layers.clone_from(&a.settings.layers);
    // Memory decides about it, on each machine.
    settings.buffer = a.settings.buffer;
    a.settings.differing(&settings)
}

fn evaluations(records: &[(&PathBuf, Record)]) -> Option<Evaluation> {
    let all: Option<Vec<&Evaluation>> = records.iter().map(|(_, record)| record.evaluation.as_ref()).collect();
    let all = all?;
    let tokens = all.first()?.tokens;
    let mut layers: Vec<_> = all.iter().flat_map(|evaluation| evaluation.layers.clone()).collect();
    layers.sort_by_key(|layer| layer.layer);
    all.iter().all(|evaluation| evaluation.tokens == tokens).then_some(Evaluation { tokens, layers })
}

fn copy(from: &Path, to: &Path) -> Result<(), FormatError> {
    let mut file = untrusted::open(from).map_err(|error| FormatError::Read { path: from.to_owned(), error })?;
    write_atomically(to, |out| io::copy(&mut file, out).map(drop))
}
