//! Activation bins, two an octave and the same for every feature, and the hash that draws examples for them.

/// Number of bins: one for what is below all ends, and one above each end.
pub const BINS: usize = 50;

/// Exponent of the least end, 2^-12; the largest is 2^12.
const LEAST: i32 = -12;

/// Returns the lower ends of the bins, ascending: 0 for the first, though that one also takes TopK's activations below
/// 0.
pub fn lower_ends() -> [f32; BINS] {
    let mut ends = [0.0; BINS];
    for (nth, end) in ends.iter_mut().skip(1).enumerate() {
        let octave = f64::from(LEAST + nth as i32 / 2).exp2();
        *end = (if nth % 2 == 0 { octave } else { octave * std::f64::consts::SQRT_2 }) as f32;
    }
    ends
}

/// Returns the bin of an activation.
pub fn bin(ends: &[f32; BINS], activation: f32) -> u8 {
    ends.partition_point(|end| *end <= activation).saturating_sub(1) as u8
}

/// Mixes the bits of a number (the finisher of SplitMix64).
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_lies_between_the_ends_of_its_bin() {
        let ends = lower_ends();
        assert!(ends.is_sorted() && ends[1] == 2f32.powi(-12) && ends[25] == 1.0 && ends[BINS - 1] == 4096.0);
        for x in [-3.0, 0.0, 1e-9, 1e-3, 0.5, 1.0, 1.3, 1.5, 4095.0, 1e30] {
            let nth = bin(&ends, x) as usize;
            assert!(ends[nth] <= x.max(0.0) && ends.get(nth + 1).is_none_or(|end| x < *end), "{x} in {nth}");
        }
    }
}
