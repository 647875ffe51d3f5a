//! Activation functions of transcoders, and the features that they leave active.

/// How pre-activations become activations.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x where x is above the feature's threshold, else 0. `[F]`
    JumpRelu(Vec<f32>),
    /// The k largest of a row, which may be negative.
    TopK(usize),
}

/// An active feature of one layer: a non-zero activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Active {
    /// Where.
    pub position: u32,
    /// Which feature of the layer.
    pub feature: u32,
    /// What the encoder gives.
    pub pre_activation: f32,
    /// What the activation function makes of it.
    pub activation: f32,
}

impl Activation {
    /// Activations of one position's pre-activations `[F]`, in place.
    pub fn apply(&self, row: &mut [f32]) {
        match self {
            Self::Relu => row.iter_mut().for_each(|x| *x = x.max(0.0)),
            Self::JumpRelu(thresholds) => {
                for (x, threshold) in row.iter_mut().zip(thresholds) {
                    if *x <= *threshold {
                        *x = 0.0;
                    }
                }
            }
            Self::TopK(k) if *k < row.len() => {
                let mut sorted = row.to_vec();
                let (_, kth, _) = sorted.select_nth_unstable_by(*k - 1, |a, b| b.total_cmp(a));
                let kth = *kth;
                // Of several equal to the k-th only as many are kept as have room, the first ones first.
                let mut room = *k - row.iter().filter(|x| **x > kth).count();
                for x in row.iter_mut() {
                    if *x == kth && room > 0 {
                        room -= 1;
                    } else if *x <= kth {
                        *x = 0.0;
                    }
                }
            }
            Self::TopK(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(activation: &Activation, row: &[f32]) -> Vec<f32> {
        let mut row = row.to_vec();
        activation.apply(&mut row);
        row
    }

    #[test]
    fn a_threshold_itself_is_not_active() {
        assert_eq!(applied(&Activation::JumpRelu(vec![0.5, 0.5]), &[0.5, 0.6]), [0.0, 0.6]);
    }

    #[test]
    fn top_k_keeps_negative_values_and_no_more_than_k() {
        assert_eq!(applied(&Activation::TopK(2), &[-3.0, -1.0, -2.0]), [0.0, -1.0, -2.0]);
        assert_eq!(applied(&Activation::TopK(2), &[1.0, 2.0, 1.0, 1.0]), [1.0, 2.0, 0.0, 0.0]);
        assert_eq!(applied(&Activation::TopK(5), &[1.0, -2.0]), [1.0, -2.0]);
    }
}
