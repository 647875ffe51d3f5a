//! Numbering of features: the index in its layer that a feature's number stands for.
//!
//! The field `feature` of a node is written in five ways: as the Cantor pairing of layer and index; as `layer * 10^k +
//! index`, with a power of ten above the width of the dictionary; as the digits of the layer followed by those of the
//! index; as the index alone; and as a hash, which tells nothing. The id of the node names the index too, mostly. One
//! rule decides the way for all features of a kind in a file:
//!
//! 1. A way that finds every number's own layer in it cannot do so by chance, once there are enough numbers: it is
//!    taken, whatever the ids say.
//! 2. Else the way that agrees with the ids of the most features, where it does with more than half of them.
//! 3. Else a way that finds the layers, though that could be chance once in a while.
//! 4. Else the numbers tell nothing.
//!
//! A feature whose number does not fit that way gets the number in its id, and where that holds none its number as it
//! stands.

/// Largest power of ten that is tried.
const MOST_DIGITS: u32 = 18;
/// Bits of evidence against chance that outweigh ids that disagree: one in a million.
const PROOF: f64 = 20.0;
/// Bits of evidence that suffice where the ids agree with no way at all.
const LIKELY: f64 = 4.0;

/// Numbers of a feature in its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Numbered {
    /// Layer as the file counts it.
    pub layer: u32,
    /// Number in `feature`.
    pub number: Option<u128>,
    /// Index in the id.
    pub named: Option<u128>,
}

/// Way in which the numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// The Cantor pairing of layer and index.
    Paired,
    /// `layer * 10^k + index`.
    Offset(u32),
    /// The digits of the layer, then those of the index.
    Joined,
    /// The index.
    Plain,
    /// Numbers that tell nothing.
    Silent,
}

impl Numbering {
    /// Determines the way in which the numbers of these features are written.
    pub fn of(features: &[Numbered]) -> Self {
        // A feature that is active at many positions says no more than one.
        let mut distinct = features.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let telling: Vec<Numbered> = distinct.into_iter().filter(|it| it.number.is_some()).collect();
        if telling.is_empty() {
            return Self::Silent;
        }
        let found = || Self::with_layer().map(|way| (way, way.evidence(&telling)));
        let beyond = |least: f64| found().find(|(_, bits)| *bits >= least).map(|(way, _)| way);
        beyond(PROOF).or_else(|| Self::agreeing(&telling)).or_else(|| beyond(LIKELY)).unwrap_or(Self::Silent)
    }

    /// Returns the index of a feature whose number is written in this way.
    pub fn index(self, feature: Numbered) -> Option<u128> {
        feature.number.and_then(|number| self.read(feature.layer, number)).or(feature.named).or(feature.number)
    }

    /// Iterates over the ways that hold the layer too, the most telling one first.
    fn with_layer() -> impl Iterator<Item = Self> {
        let offsets = (1..=MOST_DIGITS).map(Self::Offset);
        std::iter::once(Self::Paired).chain(offsets).chain([Self::Joined])
    }

    fn agreeing(telling: &[Numbered]) -> Option<Self> {
        let named: Vec<&Numbered> = telling.iter().filter(|it| it.named.is_some()).collect();
        let agree = |way: Self| {
            named.iter().filter(|it| it.number.and_then(|number| way.read(it.layer, number)) == it.named).count()
        };
        let ways = Self::with_layer().chain([Self::Plain]).map(|way| (agree(way), way));
        // Of equals the first.
        let best = ways.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.filter(|(agreed, _)| 2 * agreed > named.len()).map(|(_, way)| way)
    }

    /// Returns the index in a number; `None` where it is no number of that layer.
    fn read(self, layer: u32, number: u128) -> Option<u128> {
        match self {
            Self::Paired => unpair(number).and_then(|(found, index)| (found == u128::from(layer)).then_some(index)),
            Self::Offset(digits) => {
                let step = 10u128.pow(digits);
                number.checked_sub(u128::from(layer) * step).filter(|index| *index < step)
            }
            Self::Joined if layer == 0 => Some(number),
            Self::Joined => number.to_string().strip_prefix(&layer.to_string())?.parse().ok(),
            Self::Plain => Some(number),
            Self::Silent => None,
        }
    }

    /// Returns the bits of evidence that the numbers are written so: how unlikely it is that numbers of their size hold
    /// their layers by chance. It is 0 where more than a tenth of them do not.
    fn evidence(self, telling: &[Numbered]) -> f64 {
        let bits = |it: &Numbered| {
            let number = it.number?;
            self.read(it.layer, number)?;
            Some(match self {
                // One number in each diagonal is of that layer.
                Self::Paired => (diagonal(number) as f64 + 1.0).log2(),
                // Numbers of the layers below are as likely.
                Self::Offset(_) => (f64::from(it.layer) + 1.0).log2(),
                Self::Joined if it.layer > 0 => f64::from(it.layer.ilog10() + 1) * 10f64.log2(),
                Self::Joined | Self::Plain | Self::Silent => 0.0,
            })
        };
        let found: Vec<f64> = telling.iter().filter_map(bits).collect();
        if 10 * found.len() < 9 * telling.len() { 0.0 } else { found.iter().sum() }
    }
}

/// Returns the pair whose Cantor pairing is `number`: `(l + i)(l + i + 1) / 2 + i`.
fn unpair(number: u128) -> Option<(u128, u128)> {
    let diagonal = diagonal(number);
    let index = number.checked_sub(diagonal.checked_mul(diagonal + 1)? / 2)?;
    Some((diagonal.checked_sub(index)?, index))
}

/// Returns the sum of layer and index of the pair whose Cantor pairing is `number`. Numbers beyond those of pairs of 32
/// bits have the last of their diagonals.
fn diagonal(number: u128) -> u128 {
    ((8 * number.min(1 << 66) + 1).isqrt() - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paired(layer: u128, index: u128) -> u128 {
        (layer + index) * (layer + index + 1) / 2 + index
    }

    fn written(way: Numbering, layer: u32, index: u128) -> u128 {
        match way {
            Numbering::Paired => paired(layer.into(), index),
            Numbering::Offset(digits) => u128::from(layer) * 10u128.pow(digits) + index,
            Numbering::Joined if layer > 0 => format!("{layer}{index}").parse().unwrap(),
            Numbering::Joined | Numbering::Plain | Numbering::Silent => index,
        }
    }

    /// Generates features of a dictionary of 40,000 on some layers.
    fn features() -> impl Strategy<Value = Vec<(u32, u128)>> {
        proptest::collection::vec((0..26u32, 0..40_000u128), 1..60)
    }

    fn way() -> impl Strategy<Value = Numbering> {
        let offset = (5..=MOST_DIGITS).prop_map(Numbering::Offset);
        prop_oneof![Just(Numbering::Paired), Just(Numbering::Plain), Just(Numbering::Joined), offset]
    }

    fn indices(features: &[Numbered]) -> Vec<Option<u128>> {
        let way = Numbering::of(features);
        features.iter().map(|it| way.index(*it)).collect()
    }

    proptest! {
        #[test]
        fn pairing_is_undone(layer: u32, index: u32) {
            let (layer, index) = (u128::from(layer), u128::from(index));
            prop_assert_eq!(unpair(paired(layer, index)), Some((layer, index)));
        }

        #[test]
        fn any_number_is_unpaired(number: u128) {
            // It may be a pair beyond 32 bits, or none; it must not be another pair.
            if let Some((layer, index)) = unpair(number) {
                prop_assert_eq!(paired(layer, index), number);
            }
        }

        #[test]
        fn numbers_that_agree_with_ids_mean_the_index_however_they_are_written(features in features(), way in way()) {
            let all: Vec<_> = features.iter().map(|&(layer, index)| Numbered {
                layer, number: Some(written(way, layer, index)), named: Some(index),
            }).collect();
            let wanted: Vec<_> = features.iter().map(|(_, index)| Some(*index)).collect();
            prop_assert_eq!(indices(&all), wanted);
        }

        #[test]
        fn a_hash_says_nothing(hashes in proptest::collection::vec((0..26u32, 1_000_000..1u128 << 60), 8..60), named: bool) {
            let all: Vec<_> = hashes.iter().enumerate().map(|(at, &(layer, number))| Numbered {
                layer, number: Some(number), named: Some(if named { at as u128 } else { number }),
            }).collect();
            let wanted: Vec<_> = all.iter().map(|it| it.named).collect();
            prop_assert_eq!(indices(&all), wanted);
        }
    }

    #[test]
    fn numbers_that_cannot_be_chance_go_before_ids() {
        for way in [Numbering::Paired, Numbering::Offset(5), Numbering::Offset(9)] {
            let all: Vec<_> = (0..20u32)
                .map(|at| Numbered {
                    layer: at,
                    number: Some(written(way, at, 700 + u128::from(at))),
                    named: Some(16_000 + u128::from(at)),
                })
                .collect();
            assert_eq!(Numbering::of(&all), way);
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_passed_over_for_the_id() {
        let one = |layer: u32, number: Option<u128>, named: Option<u128>| Numbered { layer, number, named };
        let mut all: Vec<_> = (0..20).map(|at| one(at, Some(paired(at.into(), 300)), Some(300))).collect();
        all.push(one(3, Some(12), Some(5)));
        all.push(one(3, None, Some(6)));
        all.push(one(3, Some(12), None));
        assert_eq!(indices(&all)[20..], [Some(5), Some(6), Some(12)]);
        assert_eq!(indices(&[one(0, None, None)]), [None]);
    }
}
