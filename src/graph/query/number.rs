//! Tests of numbers by a term.

use crate::graph::query::ast::{Compare, Range, Term};
use crate::graph::query::eval::Truth;
use crate::graph::query::fields::NumberField;
use crate::graph::query::parser::counts_from_end;

/// Test that a number lies in one of these ranges, both ends included.
pub(super) struct Test(Vec<(f64, f64)>);

impl Test {
    /// Returns the test of a term. Its numbers that count from the end are made to count from the start, in the
    /// precision of the numbers that they are compared with.
    pub fn of(term: &Term, counts: impl Fn(NumberField) -> f64) -> Option<(NumberField, Self)> {
        let bound = |field: NumberField, value: f64| {
            if value < 0.0 && counts_from_end(field) {
                value + counts(field)
            } else if field.is_single() {
                // As it was stored, so that a number is equal to itself as it is shown.
                f64::from(value as f32)
            } else {
                value
            }
        };
        let (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
        Some(match term {
            Term::Compare(field, compare, value) => {
                let value = bound(*field, *value);
                let range = match compare {
                    Compare::Less => (least, value.next_down()),
                    Compare::AtMost => (least, value),
                    Compare::More => (value.next_up(), most),
                    Compare::AtLeast => (value, most),
                };
                (*field, Self(vec![range]))
            }
            Term::Within(field, ranges) => {
                let end = |end: Option<f64>, none| end.map_or(none, |value| bound(*field, value));
                let bounds = |range: &Range| (end(range.from, least), end(range.to, most));
                (*field, Self(ranges.iter().map(bounds).collect()))
            }
            _ => return None,
        })
    }

    pub fn holds(&self, number: f64) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&number))
    }

    /// Tests each of `numbers`.
    pub fn of_each(&self, numbers: impl Iterator<Item = f64>) -> Vec<Truth> {
        // A single range, as nearly always, is two comparisons and no branch.
        if let [(from, to)] = self.0[..] {
            return numbers.map(|number| Truth::from((from <= number) & (number <= to))).collect();
        }
        numbers.map(|number| Truth::from(self.holds(number))).collect()
    }
}
