//! Activation functions of transcoders, and active features.

/// Activation function.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x where x is above the feature's threshold, else 0. `[F]`
    JumpRelu(Vec<f32>),
    /// The k largest of a row, which may be negative.
    TopK(usize),
}

/// Active feature of one layer: a non-zero activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Active {
    /// Position of the token.
    pub position: u32,
    /// Index of the feature within the layer.
    pub feature: u32,
    /// Output of the encoder.
    pub pre_activation: f32,
    /// Output of the activation function.
    pub activation: f32,
}

impl Activation {
    /// Subtracts from each of one position's pre-activations `[F]`, in place, the value that it has to exceed to be
    /// active: 0 (ReLU), the feature's threshold (JumpReLU), the k-th largest of the row (TopK, which the k-th itself
    /// need not exceed). Negative is below; infinite where everything is active.
    pub fn margins(&self, row: &mut [f32]) {
        match self {
            Self::Relu => {}
            Self::JumpRelu(thresholds) => row.iter_mut().zip(thresholds).for_each(|(x, threshold)| *x -= threshold),
            Self::TopK(k) if *k < row.len() => {
                let mut sorted = row.to_vec();
                let (_, kth, _) = sorted.select_nth_unstable_by(*k - 1, |a, b| b.total_cmp(a));
                row.iter_mut().for_each(|x| *x -= *kth);
            }
            Self::TopK(_) => row.fill(f32::INFINITY),
        }
    }

    /// Computes the activations of one position's pre-activations `[F]`, in place.
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
    fn margins_are_measured_from_what_has_to_be_exceeded() {
        let margins = |activation: Activation, row: &[f32]| {
            let mut row = row.to_vec();
            activation.margins(&mut row);
            row
        };
        assert_eq!(margins(Activation::Relu, &[-1.0, 2.0]), [-1.0, 2.0]);
        assert_eq!(margins(Activation::JumpRelu(vec![0.5, 3.0]), &[-1.0, 2.0]), [-1.5, -1.0]);
        assert_eq!(margins(Activation::TopK(2), &[-3.0, -1.0, -2.0]), [-1.0, 1.0, 0.0]);
        assert_eq!(margins(Activation::TopK(3), &[-3.0, -1.0, -2.0]), [f32::INFINITY; 3]);
    }

    #[test]
    fn top_k_keeps_negative_values_and_no_more_than_k() {
        assert_eq!(applied(&Activation::TopK(2), &[-3.0, -1.0, -2.0]), [0.0, -1.0, -2.0]);
        assert_eq!(applied(&Activation::TopK(2), &[1.0, 2.0, 1.0, 1.0]), [1.0, 2.0, 0.0, 0.0]);
        assert_eq!(applied(&Activation::TopK(5), &[1.0, -2.0]), [1.0, -2.0]);
    }
}
