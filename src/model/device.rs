//! Where a model computes.

use crate::model::ModelError;
use candle_core::{Device, DeviceLocation};
use std::fmt;
use std::str::FromStr;

/// A device, as a person names it: `cpu`, `cuda`, `cuda:1`, `metal`.
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
    /// What a device is called.
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
    /// [`ModelError::Device`] where this build or this machine does not have it.
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
            Self::Cuda(nth) => Device::new_cuda(nth),
            Self::Metal => Device::new_metal(0),
        };
        // Behind the first line candle may have a backtrace.
        opened.or_else(|error| refuse(error.to_string().lines().next().unwrap_or("the driver says no more").to_owned()))
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

/// Bytes that are free on a device with memory of its own; `None` for the others, and where it does not say.
#[cfg(feature = "cuda")]
pub fn free_memory(device: &Device) -> Option<u64> {
    let Device::Cuda(card) = device else { return None };
    let (free, _) = card.cuda_stream().context().mem_get_info().ok()?;
    Some(free as u64)
}

/// Bytes that are free on a device with memory of its own; `None` for the others, and where it does not say.
#[cfg(not(feature = "cuda"))]
pub fn free_memory(_: &Device) -> Option<u64> {
    None
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
