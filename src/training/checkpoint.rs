//! State of a run in a file, from which it goes on bit for bit.

use crate::format::tensors::{self, Reader, Tensor};
use crate::training::TrainError;
use crate::training::optimizer::Optimized;
use crate::training::parameters::{Parameters, Shape};
use crate::training::record::Moment;
use crate::training::run::{Layer, State};
use crate::training::scale::Scale;
use crate::training::settings::Settings;
use crate::training::stream::Place;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Name of the file within the folder that is trained into.
pub(super) const NAME: &str = "training.checkpoint";

/// Key of the metadata.
const KEY: &str = "circuitscope-training";

/// State without its tensors.
#[derive(Serialize, Deserialize)]
struct Head {
    program: String,
    /// Files of the model by name, with their hashes.
    model: Value,
    settings: Settings,
    step: u64,
    fill: u64,
    place: Place,
    course: Vec<Moment>,
}

/// Writes the state.
///
/// # Errors
/// Fails where the file cannot be written.
pub(super) fn write(path: &Path, state: &State, settings: &Settings, model: &Value) -> Result<(), TrainError> {
    let head = Head {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.clone(),
        settings: settings.clone(),
        step: state.step,
        fill: state.fill,
        place: state.place.clone(),
        course: state.course.clone(),
    };
    let head = serde_json::to_string(&head).map_err(|error| TrainError::Checkpoint(error.to_string()))?;
    let layers: Vec<(usize, &Layer)> = state.layers().enumerate().collect();
    let names: Vec<[String; 6]> = layers.iter().map(|(nth, _)| names(*nth)).collect();
    let mut all = Vec::new();
    for ((nth, layer), names) in layers.iter().zip(&names) {
        let Optimized { weights, means, squares } = &layer.optimized;
        for (name, numbers) in names.iter().zip([weights, means, squares]) {
            let n = numbers.parts().iter().map(|part| part.len()).sum::<usize>();
            all.push(Tensor::new(name, [n], numbers.parts().concat()));
        }
        let scale = state.scales[*nth].numbers();
        all.push(Tensor::new(&names[3], [scale.len()], scale));
        all.push(Tensor::new(&names[4], [layer.silent.len()], layer.silent.iter().copied()));
        all.push(Tensor::new(&names[5], [1], [layer.bound]));
    }
    Ok(tensors::write(path, Some((KEY, head)), all)?)
}

fn names(nth: usize) -> [String; 6] {
    ["weights", "means", "squares", "scale", "silent", "bound"].map(|name| format!("{nth}.{name}"))
}

/// Reads the state. The buffer of `settings` becomes the one that it was made with.
///
/// # Errors
/// Fails where the file cannot be read, or was made by another version, of another model or with other settings.
pub(super) fn read(path: &Path, settings: &mut Settings, width: usize, model: &Value) -> Result<State, TrainError> {
    let mut file = Reader::open(path)?;
    let head = file.metadata(KEY).and_then(|head| serde_json::from_str::<Head>(head).ok());
    let head = head.ok_or_else(|| file.damaged("its head cannot be read"))?;
    settings.buffer = head.settings.buffer;
    let other = if head.program != env!("CARGO_PKG_VERSION") {
        Some(format!("version {} of the program", head.program))
    } else if head.model != *model {
        Some("another model".to_owned())
    } else {
        head.settings.differing(settings).map(|name| format!("another {name}"))
    };
    if let Some(other) = other {
        let what =
            format!("{} was made with {other}; give what it was made with, or begin anew elsewhere", path.display());
        return Err(TrainError::Checkpoint(what));
    }
    let mut layers = Vec::new();
    let mut scales = Vec::new();
    for nth in 0..settings.layers.len() {
        let shape = Shape::new(settings, nth, width);
        let [weights, means, squares, scale, silent, bound] = names(nth);
        let mut parameters = |name: &str| -> Result<Parameters, TrainError> {
            let numbers = file.read::<f32>(name, &[Some(shape.n_weights())])?;
            let (mut all, mut rest) = (Parameters::zeros(shape), &numbers[..]);
            for part in all.parts_mut() {
                let (own, others) = rest.split_at(part.len());
                part.copy_from_slice(own);
                rest = others;
            }
            Ok(all)
        };
        let optimized =
            Optimized { weights: parameters(&weights)?, means: parameters(&means)?, squares: parameters(&squares)? };
        let silent = file.read(&silent, &[Some(shape.n_features)])?;
        let bound = file.read(&bound, &[Some(1)])?[0];
        layers.push(Layer { optimized, silent, bound });
        let numbers = file.read(&scale, &[None])?;
        let scale = Scale::from_numbers(&numbers).filter(|_| numbers.len() > width);
        scales.push(scale.ok_or_else(|| file.damaged("a layer's scale is cut off"))?);
    }
    Ok(State::restored(settings, layers, scales, head.step, head.fill, head.place, head.course))
}
