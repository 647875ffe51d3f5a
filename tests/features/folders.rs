//! A JSON file for each feature, of circuit-tracer's form and of Neuronpedia's.

use crate::by_hand::{FULL, full};
use crate::folder;
use circuitscope::features::Folder;
use circuitscope::ids::{FeatureId, Layer};

/// As Neuronpedia's site answers for a feature, with what is of no use here left out but for a field or two.
const NEURONPEDIA: &str = r#"{"modelId": "gemma-2-2b", "layer": "3-gemmascope-transcoder-16k", "index": "2",
    "sourceSetName": "gemmascope-transcoder-16k", "creator": null, "maxActApprox": 7.0, "hasVector": false,
    "pos_str": [" Texas", " Austin"], "pos_values": [1.5, 1.0], "neg_str": ["</s>"], "neg_values": [-1],
    "frac_nonzero": 0.002, "freq_hist_data_bar_heights": [90, 9, 1], "freq_hist_data_bar_values": [1, 3, 5],
    "activations": [
        {"tokens": ["in", " Dallas"], "values": [0, 2.5], "maxValue": 2.5, "maxValueTokenIndex": 1, "binMin": 2, "binMax": 3,
         "binContains": 0.5},
        {"tokens": ["a", " Dallas"], "values": [0.5, 4.0], "maxValueTokenIndex": 1, "binMin": -1, "binMax": -1,
         "binContains": -1},
        {"tokens": ["x"], "values": [3.5], "maxValueTokenIndex": 0, "binMin": 3, "binMax": 4, "binContains": 0.25},
        {"tokens": ["of", " Houston"], "values": [0.5, 6.0], "maxValueTokenIndex": 1},
        {"tokens": ["x"], "values": [3.25], "maxValueTokenIndex": 7, "binMin": 3, "binMax": 4, "binContains": 0.25}],
    "explanations": [{"description": " ", "typeName": "oai"}, {"description": "cities in Texas",
        "typeName": "np_acts-logits-general", "explanationModelName": "some-model"}]}"#;

#[test]
fn files_are_named_by_the_cantor_pairing() {
    // Layer 3, index 2: (3 + 2)(3 + 2 + 1) / 2 + 2.
    for name in ["17.json", "org/set/17.json", "features/org/set/17.json"] {
        let folder = folder(&[(name, FULL.as_bytes())]);
        let opened = Folder::open(folder.path(), "org/set").unwrap();
        let record = opened.read(Layer(3), FeatureId(2)).unwrap().unwrap();
        assert_eq!((record.dashboard, record.label), (full(), None));
        assert!(opened.read(Layer(2), FeatureId(3)).unwrap().is_none());
    }
    let folder = folder(&[("config.json", b"{}"), ("other/17.json", FULL.as_bytes())]);
    assert!(Folder::open(folder.path(), "org/set").is_none() && Folder::open(folder.path(), "../x").is_none());
}

#[test]
fn neuronpedias_features_are_read_too() {
    let folder = folder(&[("17.json", NEURONPEDIA.as_bytes()), ("18.json", NEURONPEDIA.as_bytes())]);
    let opened = Folder::open(folder.path(), "").unwrap();
    let record = opened.read(Layer(3), FeatureId(2)).unwrap().unwrap();
    assert_eq!(record.label.as_deref(), Some("cities in Texas"));
    let it = record.dashboard;
    assert_eq!((it.index, it.density, it.min, it.max), (2, Some(0.002), 0.0, 6.0));
    assert_eq!((&it.histogram, it.promoted.len()), (&vec![90.0, 9.0, 1.0], 2));
    assert_eq!(it.suppressed, ["</s>"]);
    let groups: Vec<_> = it.quantiles.iter().map(|group| (group.name.as_str(), group.examples.len())).collect();
    assert_eq!(groups, [("Top activations", 2), ("3.00 to 4.00", 2), ("2.00 to 3.00", 1)]);
    let peaks: Vec<_> = it.examples().map(|example| example.activations[example.strongest().unwrap()]).collect();
    assert_eq!(peaks, [6.0, 4.0, 3.5, 3.25, 2.5]);
    let repeated: Vec<_> = it.quantiles[1].examples.iter().map(|example| example.repeated).collect();
    assert_eq!(repeated, [false, true]);

    // Layer 2, index 3 is what 18 stands for, and the file speaks of another.
    let error = opened.read(Layer(2), FeatureId(3)).unwrap_err().to_string();
    assert!(error.contains("feature 2:3 of ") && error.contains("18.json: it is about feature 3:2"), "{error}");
}
