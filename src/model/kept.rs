//! Weights that stay in memory from pass to pass, because every token needs them again.

use crate::model::entry::Entry;
use crate::model::{ModelError, Weights};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

/// Split of a model's weights by what happens to them between two passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeightPlan {
    /// Bytes of those that stay in memory: quantised ones in f32, all others in their type on disk.
    pub kept_bytes: u64,
    /// Bytes on disk of those that are read again in each pass.
    pub streamed_bytes: u64,
}

impl fmt::Display for WeightPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kept, streamed] = [self.kept_bytes, self.streamed_bytes].map(|bytes| bytes as f64 / f64::from(1 << 30));
        match self.streamed_bytes {
            0 => write!(f, "{kept:.2} GiB of weights stay in memory"),
            _ => write!(
                f,
                "{kept:.2} GiB of weights stay in memory, and {streamed:.2} GiB are read again for each token"
            ),
        }
    }
}

/// Weights that stay.
#[derive(Debug, Default)]
pub(super) struct Kept {
    plan: WeightPlan,
    /// Tensors that are converted once, with their numbers `[n, d]` in f32.
    converted: HashMap<String, OnceLock<Vec<f32>>>,
    /// Places, by file and first byte, of the tensors for which there is no room.
    streamed: HashSet<(usize, usize)>,
}

impl Kept {
    /// Returns true where the pages of an entry are to be released after a read. Small tensors stay: releasing them
    /// would release their neighbours' pages too.
    pub fn releases(&self, entry: &Entry) -> bool {
        self.streamed.contains(&(entry.file, entry.bytes.start))
    }

    /// Returns the numbers of a tensor that is converted once, calling `read` for them the first time.
    ///
    /// # Errors
    /// Fails as `read` does.
    pub fn converted(
        &self,
        name: &str,
        read: impl FnOnce() -> Result<Vec<f32>, ModelError>,
    ) -> Result<Option<&[f32]>, ModelError> {
        let Some(place) = self.converted.get(name) else { return Ok(None) };
        let numbers = match place.get() {
            Some(numbers) => numbers,
            None => {
                let numbers = read()?;
                place.get_or_init(|| numbers)
            }
        };
        Ok(Some(numbers))
    }
}

/// Hold on a model's weights: while it lives, those of its plan stay in memory.
#[derive(Debug)]
pub struct KeptWeights<'a> {
    weights: &'a Weights,
    kept: Arc<Kept>,
}

impl KeptWeights<'_> {
    /// Returns what stays and what does not.
    pub fn plan(&self) -> WeightPlan {
        self.kept.plan
    }
}

impl Drop for KeptWeights<'_> {
    fn drop(&mut self) {
        if Arc::strong_count(&self.kept) == 1 {
            self.weights.release_files();
        }
    }
}

impl Weights {
    /// Keeps the tensors `names`, those in front first, as far as `room` bytes allow. Where some are kept already, the
    /// hold is on these.
    pub(super) fn keep(&self, names: impl Iterator<Item = String>, room: u64) -> KeptWeights<'_> {
        let mut current = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let kept = current.upgrade().unwrap_or_else(|| Arc::new(self.planned(names, room)));
        *current = Arc::downgrade(&kept);
        KeptWeights { weights: self, kept }
    }

    fn planned(&self, names: impl Iterator<Item = String>, room: u64) -> Kept {
        let (mut kept, mut left) = (Kept::default(), room);
        for name in names {
            let Some(entry) = self.get(&name) else { continue };
            let (numbers, on_disk) = (entry.shape.iter().product::<usize>(), entry.bytes.len() as u64);
            let needed = if entry.is_plain() { on_disk } else { (numbers * size_of::<f32>()) as u64 };
            if needed > left {
                kept.streamed.insert((entry.file, entry.bytes.start));
                kept.plan.streamed_bytes += on_disk;
                continue;
            }
            left -= needed;
            kept.plan.kept_bytes += needed;
            if !entry.is_plain() {
                kept.converted.insert(name, OnceLock::new());
            }
        }
        kept
    }

    /// Returns the weights that stay at present, if any do.
    pub(super) fn kept(&self) -> Option<Arc<Kept>> {
        Weak::upgrade(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::FileSource;
    use crate::job::Cancel;
    use crate::model::Precision;
    use candle_core::quantized::gguf_file::{self, Value};
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};
    use std::fs::File;

    /// Compares products with a quantised tensor, one whose rows lie in another order, and a plain one, for few rows and
    /// many, where all, some or none of them stay.
    #[test]
    fn products_with_weights_that_stay_are_the_same_bit_for_bit() {
        let (n, d) = (24, 64);
        let noise = |rows: usize| {
            let numbers = (0..rows * d).map(|i| ((i as f32 * 12.9898).sin() * 43758.547).fract());
            Tensor::from_vec(numbers.collect::<Vec<f32>>(), (rows, d), &Device::Cpu).unwrap()
        };
        let [blocks, plain] =
            [GgmlDType::Q8_0, GgmlDType::F16].map(|dtype| QTensor::quantize(&noise(n), dtype).unwrap());
        let tensors = [("output.weight", &blocks), ("blk.0.attn_q.weight", &plain), ("blk.0.ffn_up.weight", &plain)];
        let heads = Value::U32(3);
        let architecture = Value::String("llama".to_owned());
        let head = [("general.architecture", &architecture), ("llama.attention.head_count", &heads)];
        let folder = tempfile::tempdir().unwrap();
        gguf_file::write(&mut File::create(folder.path().join("x.gguf")).unwrap(), &head, &tensors).unwrap();
        let weights = Weights::open_gguf(&FileSource::directory(folder.path()).unwrap(), "x.gguf").unwrap();
        let names = ["lm_head", "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj"];
        let names = names.map(|name| format!("{name}.weight"));
        let products = || {
            let mut all = Vec::new();
            for (name, rows) in names.iter().flat_map(|name| [1, 5, 100].map(|rows| (name, rows))) {
                let x = noise(rows);
                all.extend(weights.product(name, &[n, d], &x, Precision::F32, &Cancel::default()).unwrap());
            }
            all.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        };
        let expected = products();
        let (converted, mapped) = (4 * (n * d) as u64, 2 * (n * d) as u64);
        for (room, kept) in
            [(u64::MAX, 2 * converted + mapped), (converted + mapped, converted + mapped), (mapped, mapped), (0, 0)]
        {
            let hold = weights.keep(names.iter().cloned(), room);
            assert_eq!(hold.plan().kept_bytes, kept);
            assert_eq!(hold.plan().streamed_bytes == 0, room == u64::MAX);
            assert!(products() == expected && products() == expected, "{room} bytes");
            assert_eq!(weights.keep(names.iter().cloned(), 0).plan(), hold.plan(), "what is kept already is shared");
        }
        assert!(weights.kept().is_none() && products() == expected);
    }
}
