//! The reference cases: their files, and the tensors in them.

use candle_core::Device;
use circuitscope::model::DeviceName;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

/// Every case.
pub const CASES: [&str; 9] = [
    "gemma2_clt_jumprelu",
    "gemma2_plt_jumprelu",
    "gemma3_plt_jumprelu_skip",
    "gpt2_plt_relu",
    "llama_clt_relu",
    "llama_plt_relu",
    "llama_plt_relu_skip",
    "llama_plt_topk",
    "qwen3_plt_relu",
];

/// Where the cases are computed: on the device that `CIRCUITSCOPE_TEST_DEVICE` names, as `--device` takes it.
pub fn device() -> Device {
    let name = std::env::var("CIRCUITSCOPE_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    name.parse::<DeviceName>().unwrap().open().unwrap()
}

/// The folder of a case.
pub fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case)
}

/// The graph files of a case, by name: `p0.full.safetensors` and its like, which hold an adjacency matrix.
pub fn graph_files(case: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder(case))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .filter(|path| Tensors::open(path).has("adjacency_matrix"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{case} has no graph files");
    files
}

/// The tensors of one file.
pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn open(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors().tensor(name).is_ok()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.tensors().tensor(name).unwrap().shape().to_vec()
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.numbers(name, Dtype::F32, f32::from_le_bytes)
    }

    pub fn f64(&self, name: &str) -> Vec<f64> {
        self.numbers(name, Dtype::F64, f64::from_le_bytes)
    }

    pub fn i64(&self, name: &str) -> Vec<i64> {
        self.numbers(name, Dtype::I64, i64::from_le_bytes)
    }

    /// A mask: bytes of 0 and 1.
    pub fn mask(&self, name: &str) -> Vec<bool> {
        self.numbers(name, Dtype::U8, |[byte]: [u8; 1]| byte != 0)
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    fn numbers<T, const SIZE: usize>(&self, name: &str, dtype: Dtype, number: fn([u8; SIZE]) -> T) -> Vec<T> {
        let tensors = self.tensors();
        let tensor = tensors.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(tensor.dtype(), dtype, "{name}");
        tensor.data().chunks_exact(SIZE).map(|bytes| number(bytes.try_into().unwrap())).collect()
    }
}

/// Asserts that two lists agree within `tolerance`, and says where they differ most.
#[track_caller]
pub fn assert_close(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}: lengths");
    let far = |at: &usize| (found[*at] - wanted[*at]).abs();
    // A NaN compares as the largest.
    if let Some(worst) = (0..found.len()).max_by(|a, b| far(a).total_cmp(&far(b))) {
        let (found, wanted) = (found[worst], wanted[worst]);
        assert!(far(&worst) <= tolerance, "{what}[{worst}] is {found}, not {wanted} within {tolerance:e}");
    }
}

/// Widens, for [`assert_close`].
pub fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}
