//! Weights that stay on a device with memory of its own, where there is room for all of them.

use crate::model::{ModelError, free_memory};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Divisor of the free memory that weights may take to stay: the rest is for computing.
const PART: u64 = 2;

/// Weights of a model that were uploaded to a device once and are used from there.
#[derive(Debug, Default)]
pub(super) struct Resident {
    /// True where there is room for all of them; known from the first use on.
    has_room: OnceLock<bool>,
    held: Mutex<HashMap<String, Tensor>>,
}

impl Resident {
    /// Returns true where weights of `bytes` bytes in all stay on `device`.
    pub fn stays(&self, device: &Device, bytes: u64) -> bool {
        let fits = || free_memory(device).is_some_and(|free| bytes.saturating_mul(PART) <= free);
        *self.has_room.get_or_init(|| !device.is_cpu() && fits())
    }

    /// Returns the weight called `name`: the held one, or else what `read` returns, which is then held where weights
    /// stay.
    ///
    /// # Errors
    /// Fails as `read` does.
    pub fn get(&self, name: &str, read: impl FnOnce() -> Result<Tensor, ModelError>) -> Result<Tensor, ModelError> {
        let held = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weight) = held().get(name) {
            return Ok(weight.clone());
        }
        let weight = read()?;
        if self.has_room.get() == Some(&true) {
            held().insert(name.to_owned(), weight.clone());
        }
        Ok(weight)
    }
}
