//! Devices that a model computes on.

use crate::model::ModelError;
use candle_core::{Device, DeviceLocation};
use std::fmt;
use std::str::FromStr;

/// Device as the user names it: `cpu`, `cuda`, `cuda:1`, `metal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceName {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA card, counted from 0.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

impl DeviceName {
    /// Returns the name of a device.
    pub fn of(device: &Device) -> Self {
        match device.location() {
            DeviceLocation::Cpu => Self::Cpu,
            DeviceLocation::Cuda { gpu_id } => Self::Cuda(gpu_id),
            DeviceLocation::Metal { .. } => Self::Metal,
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// Fails with [`ModelError::Device`] where this build or this machine does not have it.
    pub fn open(self) -> Result<Device, ModelError> {
        let refuse = |what: String| Err(ModelError::Device { name: self, what });
        let (is_built, feature) = match self {
            Self::Cpu => return Ok(Device::Cpu),
            Self::Cuda(_) => (cfg!(feature = "cuda"), "cuda"),
            Self::Metal => (cfg!(feature = "metal"), "metal"),
        };
        if !is_built {
            return refuse(format!("this program was built without it (cargo build --release --features {feature})"));
        }
        let opened = match self {
            Self::Cpu => return Ok(Device::Cpu),
            Self::Cuda(nth) => cuda::open(nth).map_err(|error| error.to_string()),
            Self::Metal => metal(),
        };
        // Behind the first line candle may have a backtrace.
        opened.or_else(|error| refuse(error.lines().next().unwrap_or("the driver says no more").to_owned()))
    }
}

/// Choice of the device: one by name, or `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// Card of this machine where there is one and the model is worth it and fits, else the CPU.
    #[default]
    Auto,
    /// The named device.
    Named(DeviceName),
}

impl DeviceChoice {
    /// Devices with memory of their own that this program was built for, the first of each kind.
    pub const CARDS: &[DeviceName] = &[
        #[cfg(feature = "cuda")]
        DeviceName::Cuda(0),
        #[cfg(feature = "metal")]
        DeviceName::Metal,
    ];
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Named(name) => write!(f, "{name}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Named).map_err(|_| "it has to be auto, cpu, cuda, cuda:N or metal".to_owned())
    }
}

/// Opens Apple's GPU; candle panics where there is none.
fn metal() -> Result<Device, String> {
    match std::panic::catch_unwind(|| Device::new_metal(0)) {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(_) => Err("this machine has no device that Metal can use".to_owned()),
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(nth) => write!(f, "cuda:{nth}"),
            Self::Metal => write!(f, "metal"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let nth = |text: &str| text.parse().ok().map(Self::Cuda);
        let known = match text {
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            "metal" => Some(Self::Metal),
            _ => text.strip_prefix("cuda:").and_then(nth),
        };
        known.ok_or_else(|| "it has to be cpu, cuda, cuda:N or metal".to_owned())
    }
}

/// Returns the free bytes of a device with memory of its own; `None` for others, and where it does not tell.
pub fn free_memory(device: &Device) -> Option<u64> {
    cuda::free_memory(device)
}

/// Returns the peak bytes of this process on a device with memory of its own, where it tells.
pub fn most_held(device: &Device) -> Option<u64> {
    cuda::most_held(device)
}

/// NVIDIA's cards.
#[cfg(feature = "cuda")]
mod cuda {
    #[cfg(target_os = "linux")]
    use crate::model::cuda_libraries;
    use candle_core::cuda_backend::cudarc::driver::{DriverError, result, sys};
    use candle_core::{CudaDevice, Device};
    use std::ffi::c_void;

    /// Opens a card, by its number from 0.
    pub fn open(nth: usize) -> Result<Device, String> {
        #[cfg(target_os = "linux")]
        cuda_libraries::load()?;
        let device = Device::new_cuda_with_stream(nth).map_err(|error| error.to_string())?;
        if let Device::Cuda(card) = &device {
            // SAFETY: all threads share the device's one stream, so that work is done in the order in which it is asked for
            // and there is nothing to wait for between streams.
            unsafe { card.disable_event_tracking() };
            // What is freed stays with the process: the next block of rows is of the same size. Not vital.
            let _ = attribute(card, sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, Some(u64::MAX));
        }
        Ok(device)
    }

    pub fn free_memory(device: &Device) -> Option<u64> {
        use sys::CUmemPool_attribute::{CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT};
        let Device::Cuda(card) = device else { return None };
        let (free, _) = card.cuda_stream().context().mem_get_info().ok()?;
        let reserved = attribute(card, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, None).unwrap_or(0);
        let used = attribute(card, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, None).unwrap_or(0);
        Some(free as u64 + reserved.saturating_sub(used))
    }

    pub fn most_held(device: &Device) -> Option<u64> {
        let Device::Cuda(card) = device else { return None };
        attribute(card, sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, None).ok()
    }

    /// Reads, or sets, an attribute of the pool that the card's memory is taken from.
    fn attribute(card: &CudaDevice, attribute: sys::CUmemPool_attribute, new: Option<u64>) -> Result<u64, DriverError> {
        let mut value = new.unwrap_or(0);
        let at: *mut c_void = std::ptr::from_mut(&mut value).cast();
        // SAFETY: the card is open, the pool is its own, and all attributes that are asked for have 64 bits.
        unsafe {
            let pool = result::device::get_default_mem_pool(card.cuda_stream().context().cu_device())?;
            match new {
                Some(_) => result::mem_pool::set_attribute(pool, attribute, at)?,
                None => result::mem_pool::get_attribute(pool, attribute, at)?,
            }
        }
        Ok(value)
    }
}

/// NVIDIA's cards, for which this program was not built.
#[cfg(not(feature = "cuda"))]
mod cuda {
    use candle_core::Device;

    pub fn open(nth: usize) -> Result<Device, candle_core::Error> {
        Device::new_cuda(nth)
    }

    pub fn free_memory(_: &Device) -> Option<u64> {
        None
    }

    pub fn most_held(_: &Device) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for name in [DeviceName::Cpu, DeviceName::Cuda(0), DeviceName::Cuda(3), DeviceName::Metal] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!("cuda".parse(), Ok(DeviceName::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "metal:0"] {
            assert!(wrong.parse::<DeviceName>().is_err(), "{wrong}");
        }
    }
}
