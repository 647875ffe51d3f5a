//! Links a build for CUDA so that it starts on machines without NVIDIA's libraries.
//!
//! The crates below ask the linker for these libraries, which makes the system load them before the program starts, or
//! refuse to start it. On Linux, linker scripts that name nothing stand in for them, and `src/model/cuda_libraries.rs` has
//! the functions. The toolkit's runtime, which registers kernels before `main`, is linked in; it looks for the driver by
//! itself.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

/// Libraries that are loaded when a card is asked for.
const LATER: [&str; 5] = ["cuda", "cublas", "cublasLt", "curand", "nvrtc"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return Ok(());
    }
    println!("cargo:rustc-env=CIRCUITSCOPE_CUDA_MAJOR={}", toolkit());
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return Ok(());
    }
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else { return Ok(()) };
    for name in LATER {
        fs::write(out.join(format!("lib{name}.so")), "/* the program has what is called */\n")?;
    }
    fs::write(out.join("libcudart.so"), "INPUT(-lcudart_static -ldl -lrt -lpthread)\n")?;
    println!("cargo:rustc-link-search=native={}", out.display());
    Ok(())
}

/// The first number of the toolkit's version; the newest one where its compiler does not say.
fn toolkit() -> String {
    let told = Command::new("nvcc").arg("--version").output().ok();
    let told = told.map(|told| String::from_utf8_lossy(&told.stdout).into_owned()).unwrap_or_default();
    let release = told.split("release ").nth(1).and_then(|rest| rest.split('.').next());
    release.unwrap_or("13").to_owned()
}
