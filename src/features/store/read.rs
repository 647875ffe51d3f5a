//! Reader of stores, whoever wrote them: the index as a whole, a record by its range of bytes.

use crate::features::inflate::inflate;
use crate::features::record;
use crate::features::store::{INDEX, MANIFEST, Manifest, SUMMARY};
use crate::features::{Dashboard, FeatureError, Sizes};
use crate::hub::{Blob, FileSource, is_inside};
use crate::ids::{FeatureId, Layer};
use crate::untrusted::{excerpt, json_fault, safetensors_fault};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::ops::Range;
use std::path::PathBuf;

/// Bytes of the largest record, compressed or not: some twenty times the largest in use. Its parsed JSON takes some
/// thirty times as much.
const MOST_RECORD: usize = 8 << 20;
/// Bytes of the largest unpacked index where the number of features is not known.
const MOST_INDEX: usize = 512 << 20;
/// Largest ratio of unpacked to compressed index, beyond what is small anyway.
const MOST_EXPANSION: usize = 50;
const SMALL_INDEX: usize = 16 << 20;
/// Bytes of an offset, its comma and its white space in an index.
const OFFSET: usize = 64;
/// Bytes of the largest manifest.
const MOST_MANIFEST: u64 = 1 << 24;

/// Folder of dashboards in circuit-tracer's binary form.
#[derive(Debug)]
pub struct Store {
    place: FileSource,
    prefix: String,
    index: Index,
    manifest: Option<Manifest>,
    summary: Option<Summary>,
}

/// Places of records, by layer.
#[derive(Debug)]
pub struct Index(Vec<Records>);

/// Records of a layer.
#[derive(Debug, Default)]
struct Records {
    file: String,
    /// Offsets, ascending, `[F + 1]`.
    offsets: Vec<u64>,
}

/// Entry of an index; a writer may leave a layer out by leaving it empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    filename: String,
    offsets: Vec<u64>,
}

impl Index {
    /// Reads the bytes of `index.json.gz`, unpacked or not; `file` is its name in messages.
    ///
    /// # Errors
    /// Fails where it is damaged, leads out of its folder, or is for a transcoder of other sizes.
    pub fn read(packed: &[u8], sizes: Option<&Sizes>, file: &str) -> Result<Self, FeatureError> {
        let wrong = |what: String| FeatureError::Source { file: file.to_owned(), what };
        let known = sizes.map_or(MOST_INDEX, |sizes| (1 << 20) + OFFSET * sizes.iter().sum::<usize>());
        let most = known.min(packed.len().saturating_mul(MOST_EXPANSION).max(SMALL_INDEX));
        let text = match packed {
            [b'[', ..] => packed.to_vec(),
            _ => inflate(packed, most).map_err(wrong)?,
        };
        let layers: Vec<Option<Entry>> = serde_json::from_slice(&text).map_err(|e| wrong(json_fault(&e)))?;
        let mut records = Vec::with_capacity(layers.len());
        for (layer, entry) in layers.into_iter().enumerate() {
            let Entry { filename, offsets } = entry.unwrap_or_default();
            if !offsets.is_empty() && !is_inside(&filename) {
                return Err(wrong(format!("layer {layer}: {:?} leads out of its folder", excerpt(&filename))));
            }
            if let Some(at) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
                let (start, end) = (offsets[at], offsets[at + 1]);
                return Err(wrong(format!("feature {layer}:{at}: its record runs from byte {start} to byte {end}")));
            }
            records.push(Records { file: filename, offsets });
        }
        Ok(Self(records))
    }

    /// Returns the number of features of each layer that have a place in the index.
    pub fn sizes(&self) -> Sizes {
        self.0.iter().map(|records| records.offsets.len().saturating_sub(1)).collect()
    }

    /// Returns the file and the byte range of a feature's record; `None` where there is none.
    pub fn record(&self, layer: Layer, feature: FeatureId) -> Option<(&str, Range<u64>)> {
        let records = self.0.get(layer.index())?;
        let (start, end) = (*records.offsets.get(feature.index())?, *records.offsets.get(feature.index() + 1)?);
        (start < end).then_some((records.file.as_str(), start..end))
    }
}

/// Density and maximum of every feature, known without its record.
#[derive(Debug)]
struct Summary {
    blob: Blob,
    /// Byte ranges of each layer's densities and maxima.
    layers: Vec<[Range<usize>; 2]>,
}

impl Summary {
    fn open(place: &FileSource, prefix: &str, sizes: &Sizes) -> Result<Option<Self>, FeatureError> {
        let name = format!("{prefix}{SUMMARY}");
        let Some(blob) = place.find(&name)? else { return Ok(None) };
        let wrong = |what: String| FeatureError::Source { file: place.path(&name), what };
        let tensors = SafeTensors::deserialize(&blob).map_err(|e| wrong(safetensors_fault(&e)))?;
        let range = |layer: usize, size: usize, what: &str| {
            let tensor = tensors.tensor(&format!("{what}.{layer}")).map_err(|e| wrong(safetensors_fault(&e)))?;
            let (dtype, shape) = (tensor.dtype(), tensor.shape());
            if dtype != Dtype::F32 || shape != [size] {
                return Err(wrong(format!("{what}.{layer} is {dtype:?} {shape:?} and not F32 [{size}]")));
            }
            let start = tensor.data().as_ptr() as usize - blob.as_ptr() as usize;
            Ok(start..start + tensor.data().len())
        };
        let both = |(layer, size): (usize, &usize)| Ok([range(layer, *size, "density")?, range(layer, *size, "max")?]);
        let layers = sizes.iter().enumerate().map(both).collect::<Result<_, FeatureError>>()?;
        Ok(Some(Self { blob, layers }))
    }

    /// Returns the density (0) or the maximum (1) of a feature; `None` where it is not known.
    fn get(&self, which: usize, layer: Layer, feature: FeatureId) -> Option<f32> {
        let (values, _) = self.blob[self.layers.get(layer.index())?[which].clone()].as_chunks();
        values.get(feature.index()).map(|bytes| f32::from_le_bytes(*bytes)).filter(|value| value.is_finite())
    }
}

impl Store {
    /// Opens the store in `place` whose file names have `prefix` (empty, or ending in `/`) in front; `None` where there
    /// is none. `sizes` are the transcoder's, where they are known.
    ///
    /// # Errors
    /// Fails where the index, the manifest or the summary is damaged, or the store is for another transcoder.
    pub fn open(place: &FileSource, prefix: &str, sizes: Option<&Sizes>) -> Result<Option<Self>, FeatureError> {
        let name = format!("{prefix}{INDEX}");
        let Some(packed) = place.find(&name)? else { return Ok(None) };
        let file = place.path(&name);
        let index = Index::read(&packed, sizes, &file)?;
        let manifest = read_manifest(place, &format!("{prefix}{MANIFEST}"))?;
        let is_imported = manifest.as_ref().is_some_and(|manifest| manifest.corpus.is_none());
        let own = index.sizes();
        if let Some(what) = sizes.and_then(|sizes| misfit(&own, sizes, is_imported)) {
            return Err(FeatureError::OtherTranscoder { file, what });
        }
        let summary = Summary::open(place, prefix, &own)?;
        Ok(Some(Self { place: place.clone(), prefix: prefix.to_owned(), index, manifest, summary }))
    }

    /// Returns the folder that holds it, for messages.
    pub fn path(&self) -> String {
        match self.prefix.trim_end_matches('/') {
            "" => self.place.name(),
            folder => self.place.path(folder),
        }
    }

    /// Returns the path of a file of its folder on this machine.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.place.directory_path()?.join(format!("{}{name}", self.prefix)))
    }

    /// Returns its manifest, where it has one.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Returns its index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the share of tokens on which a feature fires, where it is known without its record.
    pub fn density(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        self.summary.as_ref()?.get(0, layer, feature)
    }

    /// Returns a feature's largest activation, where it is known without its record.
    pub fn maximum(&self, layer: Layer, feature: FeatureId) -> Option<f32> {
        self.summary.as_ref()?.get(1, layer, feature)
    }

    /// Returns a feature's dashboard; `None` where the store has none of it.
    ///
    /// # Errors
    /// Fails with [`FeatureError::Record`] where the record is damaged, [`FeatureError::FileSource`] where its file
    /// cannot be read.
    pub fn read(&self, layer: Layer, feature: FeatureId) -> Result<Option<Dashboard>, FeatureError> {
        let Some((file, range)) = self.index.record(layer, feature) else { return Ok(None) };
        let name = format!("{}{file}", self.prefix);
        let path = self.place.path(&name);
        let wrong = |what: String| FeatureError::Record { layer, feature, file: path.clone(), what };
        check_length(&range).map_err(wrong)?;
        let bytes = match self.place.part(&name, range.clone())? {
            Some(bytes) => bytes,
            None => return Err(wrong("the file is missing".to_owned())),
        };
        if (bytes.len() as u64) < range.end - range.start {
            return Err(wrong(format!("the file ends before byte {}, where its record ends", range.end)));
        }
        unpack(&bytes).map(Some).map_err(wrong)
    }
}

fn read_manifest(place: &FileSource, name: &str) -> Result<Option<Manifest>, FeatureError> {
    let Some(bytes) = place.part(name, 0..MOST_MANIFEST)? else { return Ok(None) };
    let wrong = |what: String| FeatureError::Source { file: place.path(name), what };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| wrong(json_fault(&e)))?;
    if manifest.version > Manifest::VERSION {
        let (found, known) = (manifest.version, Manifest::VERSION);
        return Err(wrong(format!("it is of version {found}, and this program reads version {known}; update it")));
    }
    Ok(Some(manifest))
}

/// Returns why a store of these sizes does not fit the transcoder's; `None` where it does. An imported store may end
/// before the transcoder's last feature.
fn misfit(own: &Sizes, transcoder: &Sizes, is_imported: bool) -> Option<String> {
    if own.len() != transcoder.len() && !(is_imported && own.len() < transcoder.len()) {
        return Some(format!("it has {} layers, the transcoder has {}", own.len(), transcoder.len()));
    }
    let fits = |own: usize, size: usize| own == 0 || own == size || (is_imported && own < size);
    let layer = own.iter().zip(transcoder).position(|(own, size)| !fits(*own, *size))?;
    Some(format!("layer {layer} has {} features, the transcoder has {}", own[layer], transcoder[layer]))
}

/// Checks the length of a record's range.
///
/// # Errors
/// Describes the fault, for the end of a sentence.
pub(in crate::features) fn check_length(range: &Range<u64>) -> Result<(), String> {
    match range.end - range.start {
        0..4 => Err("its record has no room for a length".to_owned()),
        length if length > MOST_RECORD as u64 => Err(format!("its record is said to have {length} bytes")),
        _ => Ok(()),
    }
}

/// Reads a record: the length of what follows, u32 little-endian, and JSON, compressed by gzip or zlib.
///
/// # Errors
/// Describes the fault, for the end of a sentence.
pub fn unpack(bytes: &[u8]) -> Result<Dashboard, String> {
    let (length, packed) = bytes.split_first_chunk().ok_or("its record has no room for a length")?;
    let length = u32::from_le_bytes(*length) as usize;
    let packed = packed
        .get(..length)
        .ok_or_else(|| format!("its record is cut off: {} of {length} bytes are there", packed.len()))?;
    Ok(record::parse(&inflate(packed, MOST_RECORD)?)?.dashboard)
}
