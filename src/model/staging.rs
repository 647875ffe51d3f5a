//! Transfers of numbers to a device with memory of its own, and back.
//!
//! A card copies asynchronously only from and to pinned memory, which the system may not move. Allocating that takes
//! longer than a copy, so it is kept for the next use.

use candle_core::{Device, Tensor};

/// Transfers of numbers to a device and results back, while the host continues.
#[derive(Debug, Default)]
pub struct Staging(way::Staging);

impl Staging {
    /// Returns a tensor `[n]` on `device` of the `n` numbers that `fill` writes, all of them. The device may read them
    /// until the result of the next [`Staging::ask`] has been [`Staging::fetch`]ed.
    ///
    /// # Errors
    /// Fails where there is no room for it, or the device refuses it.
    pub fn send(&mut self, n: usize, device: &Device, fill: impl FnOnce(&mut [f32])) -> candle_core::Result<Tensor> {
        self.0.send(n, device, fill)
    }

    /// Requests the numbers of a tensor `[n]` in f32, once the device has computed them. Does not wait.
    ///
    /// # Errors
    /// Fails where there is no room for them, or the device refuses it.
    pub fn ask(&mut self, tensor: &Tensor) -> candle_core::Result<()> {
        self.0.ask(tensor)
    }

    /// Waits for the requested numbers.
    ///
    /// # Errors
    /// Fails where computing them failed.
    pub fn fetch(&mut self) -> candle_core::Result<&[f32]> {
        self.0.fetch()
    }
}

/// Transfers to and from NVIDIA's cards.
#[cfg(feature = "cuda")]
mod way {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::{
        CudaEvent, CudaStream, DevicePtr, DevicePtrMut, PinnedHostSlice, result,
    };
    use candle_core::op::BackpropOp;
    use candle_core::{CudaStorage, Device, Result, Storage, Tensor};
    use std::sync::{Mutex, PoisonError};

    /// Pinned memory that is not in use.
    static SPARE: Mutex<Vec<PinnedHostSlice<u8>>> = Mutex::new(Vec::new());

    /// Granularity of sizes in bytes, so that a little more fits too.
    const STEP: usize = 1 << 20;

    /// Memory that the system may not move.
    struct Pinned(Option<PinnedHostSlice<u8>>);

    impl Pinned {
        /// Allocates at least `n` bytes. Spare memory that is too small is freed, so that little of it is held at any
        /// time.
        fn new(n: usize, stream: &CudaStream) -> Result<Self> {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            let fitting = (0..spare.len()).filter(|at| spare[*at].len() >= n).min_by_key(|at| spare[*at].len());
            if let Some(at) = fitting {
                return Ok(Self(Some(spare.swap_remove(at))));
            }
            spare.clear();
            // SAFETY: every byte that is read of it is written before.
            let made = unsafe { stream.context().alloc_pinned_with_flags(n.next_multiple_of(STEP), 0) }.w()?;
            Ok(Self(Some(made)))
        }

        fn len(&self) -> usize {
            self.0.as_ref().map_or(0, PinnedHostSlice::len)
        }

        fn bytes(&mut self) -> Result<&mut [u8]> {
            match &mut self.0 {
                Some(pinned) => pinned.as_mut_slice().w(),
                None => Ok(&mut []),
            }
        }
    }

    impl Drop for Pinned {
        fn drop(&mut self) {
            SPARE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
        }
    }

    /// Returns room for `n` numbers in `pinned`, which is made larger where it is too small.
    fn room<'a>(pinned: &'a mut Option<Pinned>, n: usize, stream: &CudaStream) -> Result<&'a mut [f32]> {
        if pinned.as_ref().is_none_or(|pinned| pinned.len() < 4 * n) {
            *pinned = None;
            *pinned = Some(Pinned::new(4 * n, stream)?);
        }
        match pinned {
            Some(pinned) => Ok(bytemuck::cast_slice_mut(&mut pinned.bytes()?[..4 * n])),
            None => Ok(&mut []),
        }
    }

    #[derive(Default)]
    pub struct Staging {
        sent: Option<Pinned>,
        asked: Option<Pinned>,
        /// Number of requested numbers, and the event of their arrival.
        under_way: Option<(usize, CudaEvent)>,
        /// Numbers requested from another device.
        plain: Vec<f32>,
    }

    impl std::fmt::Debug for Staging {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let bytes = |pinned: &Option<Pinned>| pinned.as_ref().map_or(0, Pinned::len);
            write!(f, "Staging({} and {} bytes)", bytes(&self.sent), bytes(&self.asked))
        }
    }

    impl Staging {
        pub fn send(&mut self, n: usize, to: &Device, fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
            let Device::Cuda(card) = to else {
                let mut numbers = vec![0.0; n];
                fill(&mut numbers);
                return Tensor::from_vec(numbers, n, to);
            };
            let stream = card.cuda_stream();
            let from = room(&mut self.sent, n, &stream)?;
            fill(from);
            // SAFETY: every number is written by the copy, behind which all that reads them stands in the stream.
            let mut into = unsafe { stream.alloc::<f32>(n) }.w()?;
            {
                let (address, _guard) = into.device_ptr_mut(&stream);
                // SAFETY: the host's numbers stay as they are until what comes behind the copy has been waited for.
                unsafe { result::memcpy_htod_async(address, from, stream.cu_stream()) }.w()?;
            }
            let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(into, card.clone()));
            Ok(Tensor::from_storage(storage, n, BackpropOp::none(), false))
        }

        pub fn ask(&mut self, tensor: &Tensor) -> Result<()> {
            self.under_way = None;
            let (storage, layout) = tensor.storage_and_layout();
            let (Storage::Cuda(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
                self.plain = tensor.to_vec1()?;
                return Ok(());
            };
            let (from, stream) = (storage.as_cuda_slice::<f32>()?.slice(start..end), storage.device.cuda_stream());
            let into = room(&mut self.asked, end - start, &stream)?;
            let (address, _guard) = from.device_ptr(&stream);
            // SAFETY: as many numbers as are written stand there, and nobody reads them before the event is waited for.
            unsafe { result::memcpy_dtoh_async(into, address, stream.cu_stream()) }.w()?;
            self.under_way = Some((end - start, stream.record_event(None).w()?));
            Ok(())
        }

        pub fn fetch(&mut self) -> Result<&[f32]> {
            let Some((n, event)) = self.under_way.take() else { return Ok(&self.plain) };
            event.synchronize().w()?;
            match &mut self.asked {
                Some(pinned) => Ok(bytemuck::cast_slice(&pinned.bytes()?[..4 * n])),
                None => Ok(&[]),
            }
        }
    }
}

/// Transfers to and from devices that candle copies for.
#[cfg(not(feature = "cuda"))]
mod way {
    use candle_core::{Device, Result, Tensor};

    #[derive(Debug, Default)]
    pub struct Staging(Vec<f32>);

    impl Staging {
        pub fn send(&mut self, n: usize, to: &Device, fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
            let mut numbers = vec![0.0; n];
            fill(&mut numbers);
            Tensor::from_vec(numbers, n, to)
        }

        pub fn ask(&mut self, tensor: &Tensor) -> Result<()> {
            self.0 = tensor.to_vec1()?;
            Ok(())
        }

        pub fn fetch(&mut self) -> Result<&[f32]> {
            Ok(&self.0)
        }
    }
}
