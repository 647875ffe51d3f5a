//! NVIDIA's libraries, loaded when a card is asked for.
//!
//! On Linux a build for CUDA does not name them as libraries that it needs (`build.rs`), so that the program starts where
//! they are missing. Its calls into them are looked up at the first use, among everything that is loaded by then.

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};
use std::sync::OnceLock;

/// Folders that are looked through where the system's search finds nothing.
const FOLDERS: [&str; 2] = ["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64"];

/// The version of the toolkit that the program was built with, its first number.
const MAJOR: &str = env!("CIRCUITSCOPE_CUDA_MAJOR");

/// Loads what calls go to: the driver, and the toolkit's libraries of the version that was built for.
///
/// # Errors
/// One that is missing, and what has it.
pub(super) fn load() -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(|| names().iter().try_for_each(|name| load_one(name))).clone()
}

/// In an order in which each finds those that it needs itself.
fn names() -> [String; 5] {
    let of_toolkit = |name: &str| format!("lib{name}.so.{MAJOR}");
    let driver = "libcuda.so.1".to_owned();
    [driver, of_toolkit("cublasLt"), of_toolkit("cublas"), "libcurand.so.10".to_owned(), of_toolkit("nvrtc")]
}

fn load_one(name: &str) -> Result<(), String> {
    let tries = std::iter::once(name.to_owned()).chain(FOLDERS.map(|folder| format!("{folder}/{name}")));
    for path in tries {
        // SAFETY: these libraries do nothing when they are loaded but to set themselves up.
        if let Ok(library) = unsafe { Library::open(Some(&path), RTLD_LAZY | RTLD_GLOBAL) } {
            // Loaded for good: calls go there until the program ends.
            std::mem::forget(library);
            return Ok(());
        }
    }
    let has = if name == "libcuda.so.1" {
        "NVIDIA's driver".to_owned()
    } else {
        format!("the CUDA toolkit, version {MAJOR}")
    };
    Err(format!("{name} is missing; {has} has it"))
}
