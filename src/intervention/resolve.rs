//! Resolution of interventions to changes at a prompt's positions.

use crate::attribution::Capture;
use crate::graph::{Action, Donor, FeatureAt, Intervention, Positions, Site};
use crate::ids::{FeatureId, Layer, Position};
use crate::intervention::{Change, InterventionError, Value};
use std::collections::HashMap;
use std::ops::Range;

/// Returns the changes that `interventions` make at the positions `read`, of a prompt of `prompt` tokens and the tokens
/// generated behind it. Muted ones make none.
///
/// # Errors
/// Fails where a position is not in the prompt, positions are an empty range, or a feature is set twice at a position.
pub fn resolve(
    interventions: &[Intervention],
    prompt: usize,
    read: Range<usize>,
) -> Result<Vec<Change>, InterventionError> {
    let mut changes = Vec::new();
    let mut made_by: HashMap<FeatureAt, &str> = HashMap::new();
    for intervention in interventions.iter().filter(|intervention| !intervention.muted) {
        let mut own: HashMap<FeatureAt, Value> = HashMap::new();
        if let Action::Swap { features, factor } = &intervention.action {
            for Donor { at, activation } in features.iter().filter(|donor| read.contains(&donor.at.position.index())) {
                let value = Value::To(factor * activation);
                if own.insert(*at, value).is_some_and(|other| other != value) {
                    return Err(twice(*at, &intervention.name, &intervention.name));
                }
            }
        }
        for site in &intervention.sites {
            let span = span(site, &intervention.name, prompt)?;
            let end = span.end.min(read.end);
            for position in span.start.max(read.start)..end {
                let at = FeatureAt { layer: site.layer, position: Position::from(position), feature: site.feature };
                own.entry(at).or_insert(value(&intervention.action));
            }
        }
        let mut own: Vec<_> = own.into_iter().collect();
        own.sort_unstable_by_key(|(at, _)| *at);
        for (feature, value) in own {
            if let Some(other) = made_by.insert(feature, &intervention.name) {
                return Err(twice(feature, other, &intervention.name));
            }
            changes.push(Change { feature, value });
        }
    }
    Ok(changes)
}

/// Returns the value that an action sets its sites to.
fn value(action: &Action) -> Value {
    match action {
        Action::Ablate | Action::Swap { .. } => Value::To(0.0),
        Action::Set { to } => Value::To(*to),
        Action::Scale { by } => Value::Times(*by),
        Action::Add { amount } => Value::Plus(*amount),
    }
}

fn twice(at: FeatureAt, first: &str, second: &str) -> InterventionError {
    InterventionError::Twice(format!("{} (by {first:?} and by {second:?})", name(at)))
}

/// Returns a feature's name in messages.
pub(super) fn name(FeatureAt { layer, position, feature }: FeatureAt) -> String {
    format!("feature {layer}:{position}:{feature}")
}

/// Returns the positions of a site; without end where they include generated tokens.
fn span(site: &Site, name: &str, prompt: usize) -> Result<Range<usize>, InterventionError> {
    let what = || format!("position of feature {site} in {name:?}");
    let place = |index: i32, past: usize| {
        let counted = if index < 0 { prompt as i64 + i64::from(index) } else { i64::from(index) };
        let there = usize::try_from(counted).ok().filter(|at| *at < prompt + past);
        there.ok_or_else(|| InterventionError::OutOfRange { what: what(), index: index.into(), count: prompt })
    };
    Ok(match site.positions {
        Positions::At(at) => place(at, 0)?..place(at, 0)? + 1,
        Positions::Range(start, end) => {
            let span = place(start, 0)?..place(end, 1)?;
            if span.is_empty() {
                return Err(InterventionError::NoPositions(what()));
            }
            span
        }
        Positions::From(start) => place(start, 0)?..usize::MAX,
        Positions::All => 0..usize::MAX,
    })
}

/// Returns the features that are active at `position` of a run, as sites.
pub fn sites_at(run: &Capture, position: Position) -> Vec<Site> {
    active_at(run, position).map(|(at, _)| at.into()).collect()
}

/// Returns the features that are active at position `from` of a run, with their activations there, for position `to` of
/// another run.
pub fn donors(run: &Capture, from: Position, to: Position) -> Vec<Donor> {
    active_at(run, from).map(|(at, activation)| Donor { at: FeatureAt { position: to, ..at }, activation }).collect()
}

fn active_at(run: &Capture, position: Position) -> impl Iterator<Item = (FeatureAt, f32)> {
    run.layers.iter().enumerate().flat_map(move |(layer, captured)| {
        let here = captured.active.iter().filter(move |active| active.position == position.0);
        here.map(move |active| {
            let at = FeatureAt { layer: Layer::from(layer), position, feature: FeatureId(active.feature) };
            (at, active.activation)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervention(name: &str, sites: &[&str], action: Action) -> Intervention {
        let site = |text: &&str| {
            let parts: Vec<_> = text.split(':').collect();
            let feature = FeatureId(parts[1].parse().unwrap());
            Site { layer: Layer(0), feature, positions: parts[0].parse().unwrap() }
        };
        Intervention { name: name.into(), sites: sites.iter().map(site).collect(), action, muted: false }
    }

    fn at(position: u32, feature: u32) -> FeatureAt {
        FeatureAt { layer: Layer(0), position: Position(position), feature: FeatureId(feature) }
    }

    fn places(list: &[Intervention], read: Range<usize>) -> Vec<(u32, u32, Value)> {
        let changes = resolve(list, 5, read).unwrap();
        changes.iter().map(|it| (it.feature.position.0, it.feature.feature.0, it.value)).collect()
    }

    #[test]
    fn positions_count_from_either_end_and_hold_on_through_what_is_generated() {
        let scale = Action::Scale { by: 2.0 };
        let twice = Value::Times(2.0);
        let list = [
            intervention("a", &["-1:1", "1..3:2"], scale.clone()),
            intervention("b", &["3..:3", "*:4", "-2..5:5"], scale),
        ];
        let of = |feature: u32, read: Range<usize>| -> Vec<u32> {
            places(&list, read).into_iter().filter(|it| it.1 == feature && it.2 == twice).map(|it| it.0).collect()
        };
        assert_eq!(of(1, 0..5), [4]);
        assert_eq!(of(2, 0..5), [1, 2]);
        assert_eq!((of(3, 0..5), of(3, 5..7)), (vec![3, 4], vec![5, 6]));
        assert_eq!((of(4, 0..5), of(4, 6..7)), (vec![0, 1, 2, 3, 4], vec![6]));
        assert_eq!((of(5, 0..5), of(1, 5..7)), (vec![3, 4], vec![]));
    }

    #[test]
    fn a_swap_takes_out_what_it_does_not_put_in() {
        let features = vec![Donor { at: at(2, 7), activation: 1.5 }, Donor { at: at(2, 9), activation: 2.0 }];
        let list = [intervention("swap", &["2:7", "2:8"], Action::Swap { features, factor: 2.0 })];
        let zero = Value::To(0.0);
        assert_eq!(places(&list, 0..5), [(2, 7, Value::To(3.0)), (2, 8, zero), (2, 9, Value::To(4.0))]);
    }

    #[test]
    fn what_cannot_be_made_is_said() {
        let wrong = |list: &[Intervention]| resolve(list, 5, 0..5).unwrap_err().to_string();
        for (positions, part) in [("5", "5"), ("-6", "-6"), ("1..6", "6"), ("5..", "5")] {
            let said = wrong(&[intervention("far", &[&format!("{positions}:1")], Action::Ablate)]);
            assert!(said.contains("\"far\"") && said.contains(&format!("{part} is out of range")), "{said}");
        }
        assert!(wrong(&[intervention("none", &["3..3:1"], Action::Ablate)]).contains("no position"));
        let both = [
            intervention("one", &["*:1"], Action::Ablate),
            intervention("other", &["2:1"], Action::Add { amount: 1.0 }),
        ];
        let said = wrong(&both);
        assert!(["0:2:1", "\"one\"", "\"other\"", "twice"].iter().all(|part| said.contains(part)), "{said}");
        let mut muted = both.to_vec();
        muted[0].muted = true;
        assert_eq!(resolve(&muted, 5, 0..5).unwrap().len(), 1);
    }
}
