//! Writer of stores. The same dashboards give the same bytes, in whatever order they come.

use crate::features::Dashboard;
use crate::features::store::{MANIFEST, Manifest, SUMMARY};
use crate::format::tensors::{self, Tensor};
use crate::format::{FormatError, write_atomically};
use crate::parallel;
use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// File name of the index.
pub const INDEX: &str = "index.json.gz";

/// Places of a layer's records; an entry of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerIndex {
    /// Name of the file beside the index.
    pub filename: String,
    /// Offsets, `[F + 1]`: record `i` is `offsets[i]..offsets[i + 1]`, empty for a feature without a dashboard.
    pub offsets: Vec<u64>,
}

/// Writer of a store. Records wait in a temporary file of the folder until [`Writer::finish`] puts them in order, so
/// that features may come in any order, and an existing store stays until then.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    manifest: Manifest,
    spool: BufWriter<File>,
    spooled: u64,
    layers: Vec<LayerRecords>,
}

/// Records and statistics of a layer's features, `[F]` each.
#[derive(Debug)]
struct LayerRecords {
    /// Start and length of each record in the spool.
    at: Vec<Option<(u64, u32)>>,
    density: Vec<f32>,
    max: Vec<f32>,
}

impl Writer {
    /// Begins a store in `folder`, which is created if need be, for the layers and features of `manifest`.
    ///
    /// # Errors
    /// Fails where the folder cannot be created or written.
    pub fn new(folder: &Path, manifest: Manifest) -> Result<Self, FormatError> {
        let writing = |error| FormatError::writing(folder, error);
        fs::create_dir_all(folder).map_err(writing)?;
        let spool = tempfile::tempfile_in(folder).map_err(writing)?;
        let layer = |features: &usize| LayerRecords {
            at: vec![None; *features],
            density: vec![f32::NAN; *features],
            max: vec![f32::NAN; *features],
        };
        let layers = manifest.n_features.iter().map(layer).collect();
        Ok(Self { folder: folder.to_owned(), manifest, spool: BufWriter::new(spool), spooled: 0, layers })
    }

    /// Adds a feature's dashboard, replacing an earlier one of the same feature.
    ///
    /// # Errors
    /// Fails where it cannot be written, or the manifest has no such feature.
    pub fn push(&mut self, layer: usize, feature: usize, dashboard: &Dashboard) -> Result<(), FormatError> {
        let record = record(dashboard).map_err(|error| FormatError::writing(&self.folder, error))?;
        self.put(layer, feature, dashboard, &record)
    }

    /// Adds the dashboards of several features of a layer, compressing them on all cores.
    ///
    /// # Errors
    /// Fails as [`Writer::push`] does.
    pub fn push_all(&mut self, layer: usize, dashboards: &[(usize, Dashboard)]) -> Result<(), FormatError> {
        let records = parallel::map(dashboards.len(), |nth| record(&dashboards[nth].1))
            .map_err(|error| FormatError::writing(&self.folder, error))?;
        let mut both = dashboards.iter().zip(&records);
        both.try_for_each(|((feature, dashboard), record)| self.put(layer, *feature, dashboard, record))
    }

    fn put(&mut self, layer: usize, feature: usize, from: &Dashboard, record: &[u8]) -> Result<(), FormatError> {
        let writing = |error| FormatError::writing(&self.folder, error);
        let place = self.layers.get_mut(layer).filter(|records| feature < records.at.len());
        let Some(records) = place else {
            let what = format!("its manifest has no feature {feature} of layer {layer}");
            return Err(writing(io::Error::new(io::ErrorKind::InvalidInput, what)));
        };
        self.spool.write_all(record).map_err(writing)?;
        records.at[feature] = Some((self.spooled, record.len() as u32));
        records.density[feature] = from.density.unwrap_or(f32::NAN);
        records.max[feature] = from.max;
        self.spooled += record.len() as u64;
        Ok(())
    }

    /// Puts the records in order and writes the store; a file at a time, the index last, so that a store without an
    /// index is unfinished.
    ///
    /// # Errors
    /// Fails where a file cannot be written.
    pub fn finish(self) -> Result<(), FormatError> {
        self.finish_telling(|_| {})
    }

    /// Does the same, and hands the number of layers that are written to `told` after each.
    ///
    /// # Errors
    /// Fails as [`Writer::finish`] does.
    pub fn finish_telling(self, mut told: impl FnMut(usize)) -> Result<(), FormatError> {
        let Self { folder, manifest, spool, layers, .. } = self;
        let writing = |error: io::Error| FormatError::writing(&folder, error);
        let mut spool = BufReader::new(spool.into_inner().map_err(|error| writing(error.into_error()))?);
        match fs::remove_file(folder.join(INDEX)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(writing(error)),
            _ => {}
        }
        let mut index = Vec::with_capacity(layers.len());
        for (layer, records) in layers.iter().enumerate() {
            let filename = format!("layer_{layer}.bin");
            let mut offsets = Vec::with_capacity(records.at.len() + 1);
            offsets.push(0);
            write_atomically(&folder.join(&filename), |out| {
                let mut end = 0;
                for at in &records.at {
                    if let Some((start, length)) = *at {
                        spool.seek(SeekFrom::Start(start))?;
                        io::copy(&mut (&mut spool).take(length.into()), out)?;
                        end += u64::from(length);
                    }
                    offsets.push(end);
                }
                Ok(())
            })?;
            index.push(LayerIndex { filename, offsets });
            told(layer + 1);
        }
        write_summary(&folder.join(SUMMARY), &layers)?;
        write_atomically(&folder.join(MANIFEST), |out| {
            serde_json::to_writer_pretty(&mut *out, &manifest)?;
            out.write_all(b"\n")
        })?;
        write_atomically(&folder.join(INDEX), |out| {
            let mut gzip: GzEncoder<_> = GzBuilder::new().mtime(0).write(out, Compression::best());
            gzip.write_all(&serde_json::to_vec(&index)?)?;
            gzip.finish().map(drop)
        })
    }
}

/// Encodes a record: the length of what follows, u32 little-endian, and the JSON as a zlib stream.
fn record(dashboard: &Dashboard) -> io::Result<Vec<u8>> {
    // In one piece: the encoder clears a buffer for each piece that it is given.
    let json = serde_json::to_vec(dashboard)?;
    let mut zlib = ZlibEncoder::new(vec![0; size_of::<u32>()], Compression::default());
    zlib.write_all(&json)?;
    let mut record = zlib.finish()?;
    let length = u32::try_from(record.len() - size_of::<u32>()).map_err(io::Error::other)?;
    record[..size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
    Ok(record)
}

fn write_summary(path: &Path, layers: &[LayerRecords]) -> Result<(), FormatError> {
    let names: Vec<[String; 2]> =
        (0..layers.len()).map(|layer| ["density", "max"].map(|what| format!("{what}.{layer}"))).collect();
    let tensors = layers.iter().zip(&names).flat_map(|(records, [density, max])| {
        let tensor = |name, values: &[f32]| Tensor::new(name, [values.len()], values.to_vec());
        [tensor(density, &records.density), tensor(max, &records.max)]
    });
    tensors::write(path, None, tensors.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::{GzDecoder, ZlibDecoder};

    fn manifest() -> Manifest {
        Manifest { version: Manifest::VERSION, n_layers: 2, n_features: vec![3, 2], ..Manifest::default() }
    }

    fn dashboard(index: u64) -> Dashboard {
        Dashboard { index, max: 2.5, density: Some(0.25), promoted: vec!["\"é\n".into()], ..Dashboard::default() }
    }

    fn written(order: &[(usize, usize)]) -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(folder.path(), manifest()).unwrap();
        for (layer, feature) in order {
            writer.push(*layer, *feature, &dashboard(*feature as u64)).unwrap();
        }
        writer.finish().unwrap();
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        let mut files: Vec<_> = entries.map(read).collect();
        files.sort();
        (folder, files)
    }

    #[test]
    fn the_order_in_which_features_come_does_not_matter() {
        let (_, forward) = written(&[(0, 0), (0, 2), (1, 1)]);
        let (_, backward) = written(&[(1, 1), (0, 2), (0, 0)]);
        assert!(forward == backward);
        let names: Vec<&str> = forward.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["circuitscope.json", "index.json.gz", "layer_0.bin", "layer_1.bin", "summary.safetensors"]);
    }

    /// Reads a record as the format is described, with no code of this program.
    #[test]
    fn a_record_lies_where_the_index_says() {
        let (folder, files) = written(&[(0, 2), (0, 0)]);
        let mut index = String::new();
        GzDecoder::new(files[1].1.as_slice()).read_to_string(&mut index).unwrap();
        let index: serde_json::Value = serde_json::from_str(&index).unwrap();
        let offset = |layer: usize, nth: usize| index[layer]["offsets"][nth].as_u64().unwrap() as usize;
        assert_eq!((offset(0, 1), offset(1, 2)), (offset(0, 2), 0));
        let bytes = fs::read(folder.path().join(index[0]["filename"].as_str().unwrap())).unwrap();
        let record = &bytes[offset(0, 2)..offset(0, 3)];
        let (length, stream) = record.split_at(4);
        assert_eq!(u32::from_le_bytes(length.try_into().unwrap()) as usize, stream.len());
        let json: serde_json::Value = serde_json::from_reader(ZlibDecoder::new(stream)).unwrap();
        assert_eq!((&json["index"], &json["top_logits"][0]), (&2.into(), &"\"é\n".into()));
    }

    #[test]
    fn the_summary_knows_what_was_pushed_and_says_what_was_not() {
        let (folder, _) = written(&[(0, 1)]);
        let mut reader = tensors::Reader::open(&folder.path().join(SUMMARY)).unwrap();
        let density: Vec<f32> = reader.read("density.0", &[Some(3)]).unwrap();
        assert!(density[0].is_nan() && density[1] == 0.25);
        assert_eq!(reader.read::<f32>("max.0", &[Some(3)]).unwrap()[1], 2.5);
        let mut writer = Writer::new(folder.path(), manifest()).unwrap();
        assert!(writer.push(0, 3, &dashboard(0)).unwrap_err().to_string().contains("no feature 3 of layer 0"));
    }
}
