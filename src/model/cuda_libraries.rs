//! NVIDIA's libraries, loaded when a card is asked for.
//!
//! The crates that use them want them linked, so that the system would refuse to start a program where they are
//! missing. On Linux the called functions have stand-ins here instead, which jump to the real ones that [`load`] found;
//! `build.rs` keeps the linker from looking for the libraries. A function without a stand-in is an error of the linker.

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Folders to search where the system's search finds nothing.
const FOLDERS: [&str; 2] = ["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64"];

/// Major version of the toolkit that the program was built with.
const MAJOR: &str = env!("CIRCUITSCOPE_CUDA_MAJOR");

/// Name of a function, and the address that a call of it jumps to.
type Forwarded = (&'static str, &'static AtomicPtr<()>);

/// Defines stand-ins by library, and lists them.
macro_rules! stand_ins {
    ($($library:literal: $($name:ident)*;)*) => {
        $($(
            #[expect(non_snake_case, reason = "NVIDIA's name")]
            mod $name {
                use std::sync::atomic::AtomicPtr;

                pub(super) static TO: AtomicPtr<()> = AtomicPtr::new(super::missing as fn() as *mut ());

                /// Jumps to NVIDIA's function of this name with the same arguments.
                #[unsafe(no_mangle)]
                #[unsafe(naked)]
                unsafe extern "C" fn $name() {
                    #[cfg(target_arch = "x86_64")]
                    std::arch::naked_asm!("jmp qword ptr [rip + {to}]", to = sym TO);
                    #[cfg(target_arch = "aarch64")]
                    std::arch::naked_asm!("adrp x16, {to}", "ldr x16, [x16, :lo12:{to}]", "br x16", to = sym TO);
                }
            }
        )*)*

        /// Libraries, each after those that it depends on, with the functions called in each.
        const LIBRARIES: &[(&str, &[Forwarded])] = &[
            $(($library, &[$((stringify!($name), &$name::TO)),*])),*
        ];
    };
}

stand_ins! {
    "libcuda.so.1":
        cuCtxDestroy_v2 cuCtxGetCurrent cuCtxSetCurrent cuCtxSynchronize cuDeviceGet cuDeviceGetAttribute
        cuDeviceGetDefaultMemPool cuDevicePrimaryCtxRelease_v2 cuDevicePrimaryCtxRetain cuEventCreate cuEventDestroy_v2
        cuEventRecord cuEventSynchronize cuGetErrorString cuInit cuLaunchKernel cuMemAllocAsync cuMemAlloc_v2 cuMemFreeAsync cuMemFreeHost cuMemFree_v2
        cuMemGetInfo_v2 cuMemHostAlloc cuMemPoolGetAttribute cuMemPoolSetAttribute cuMemcpyDtoDAsync_v2 cuMemcpyDtoHAsync_v2
        cuMemcpyHtoDAsync_v2 cuMemcpyPeerAsync cuMemsetD8Async cuModuleGetFunction cuModuleLoad cuModuleLoadData
        cuModuleUnload cuStreamCreate cuStreamDestroy_v2 cuStreamIsCapturing cuStreamSynchronize cuStreamWaitEvent;
    "libcublasLt.so.MAJOR": ;
    "libcublas.so.MAJOR":
        cublasCreate_v2 cublasDestroy_v2 cublasDgemmStridedBatched cublasGemmStridedBatchedEx cublasSetStream_v2;
    "libcurand.so.10":
        curandCreateGenerator curandDestroyGenerator curandGenerateNormal curandGenerateNormalDouble curandGenerateUniform curandGenerateUniformDouble
        curandSetPseudoRandomGeneratorSeed curandSetStream;
}

/// Target of calls that are made before the libraries are loaded.
fn missing() {
    eprintln!("error: NVIDIA's libraries were called before they were loaded");
    std::process::abort();
}

/// Loads the driver and the toolkit's libraries, of the version that the program was built with.
///
/// # Errors
/// Names a library that is missing or too old, and what provides it.
pub(super) fn load() -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(|| LIBRARIES.iter().try_for_each(|(name, functions)| load_one(name, functions))).clone()
}

fn load_one(name: &str, functions: &[Forwarded]) -> Result<(), String> {
    let name = name.replace("MAJOR", MAJOR);
    let has = match name.as_str() {
        "libcuda.so.1" => "NVIDIA's driver".to_owned(),
        _ => format!("the CUDA toolkit, version {MAJOR}"),
    };
    let mut tries = std::iter::once(name.clone()).chain(FOLDERS.map(|folder| format!("{folder}/{name}")));
    // SAFETY: these libraries do nothing when they are loaded but to set themselves up.
    let library = tries.find_map(|path| unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_GLOBAL) }.ok());
    let library = library.ok_or_else(|| format!("{name} is missing; {has} has it"))?;
    for (function, to) in functions {
        // SAFETY: only its address is taken.
        let found = unsafe { library.get::<*mut ()>(function.as_bytes()) };
        let found = found.map_err(|_| format!("{name} is too old: it has no {function}; {has} has it"))?;
        to.store(found.into_raw().cast(), Ordering::Release);
    }
    // Loaded for good: calls go there until the program ends.
    std::mem::forget(library);
    Ok(())
}
