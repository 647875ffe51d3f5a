//! The demo's feature store: that it is of this model and this corpus, and shows what its features stand for.

use crate::corpus::{Sentence, sentences, unknown_cities};
use crate::selectivity::Selectivity;
use crate::{at_city, capture, engine, question};
use circuitscope::demo;
use circuitscope::features::build::part::Course;
use circuitscope::features::build::piece::digest;
use circuitscope::features::store::Store;
use circuitscope::ids::{FeatureId, Layer};
use std::collections::HashMap;

/// The sentences that features are shown on: all that are not held out, and those about unknown cities.
fn shown() -> impl Iterator<Item = Sentence> {
    sentences().into_iter().filter(|sentence| !sentence.held_out).chain(unknown_cities())
}

fn store() -> Store {
    Store::open(&demo::sources().1, "features/", None).unwrap().expect("the demo has a store")
}

#[test]
fn the_store_is_of_the_demo_s_corpus_and_transcoder() {
    let (store, engine) = (store(), engine());
    let manifest = store.manifest().unwrap();
    let mut sum = Course::default();
    shown().for_each(|sentence| sum.add_digest(&digest(&sentence.text)));
    let facts = manifest.corpus.as_ref().unwrap();
    assert_eq!((facts.documents, &facts.sha256), (shown().count() as u64, &sum.hex()), "build the store again");
    assert_eq!((&manifest.transcoder, &manifest.model), (&engine.transcoder.name(), &engine.model.spec.name));
    let (mut fires, mut all) = (0, 0);
    for (layer, n) in manifest.n_features.iter().enumerate() {
        for feature in 0..*n {
            let (layer, feature) = (Layer::from(layer), FeatureId::from(feature));
            let dashboard = store.read(layer, feature).unwrap().expect("every feature has a dashboard");
            assert_eq!(
                (store.density(layer, feature), store.maximum(layer, feature)),
                (dashboard.density, Some(dashboard.max))
            );
            fires += usize::from(dashboard.max > 0.0);
            all += 1;
        }
    }
    assert!(fires * 20 >= all * 19, "{fires} of {all} features fire");
}

#[test]
fn the_features_of_texas_show_texas() {
    let (store, engine) = (store(), engine());
    let selectivity = Selectivity::of_demo();
    let sentences: HashMap<String, Option<&str>> = shown().map(|sentence| (sentence.text, sentence.place)).collect();
    let is_of_texas = |layer: usize, feature: usize| selectivity.share(layer, feature, "Texas") > 0.95;
    let n_features = &store.manifest().unwrap().n_features;
    let all = n_features.iter().enumerate().flat_map(|(layer, n)| (0..*n).map(move |feature| (layer, feature)));
    let of_texas: Vec<(usize, usize)> = all.filter(|(layer, feature)| is_of_texas(*layer, *feature)).collect();
    assert!(of_texas.len() >= 5, "{of_texas:?} stand for Texas");
    // What a newcomer sees first is among them.
    let at_dallas = at_city(&capture(&engine, &question("Dallas")));
    let (first, activation) = at_dallas
        .into_iter()
        .filter(|(at, _)| is_of_texas(at.layer().index(), at.feature.index()))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("a feature of Texas fires at Dallas");
    let most = store.maximum(first.layer(), first.feature).unwrap();
    assert!(activation >= 0.3 * most, "{activation}, where it is {most} on what it is shown on");
    for (layer, feature) in of_texas {
        let dashboard = store.read(Layer::from(layer), FeatureId::from(feature)).unwrap().unwrap();
        let strongest = &dashboard.quantiles[0].examples;
        let about: Vec<Option<&str>> = strongest.iter().map(|context| sentences[&context.tokens.join(" ")]).collect();
        let texan = about.iter().filter(|place| **place == Some("Texas")).count();
        assert!(about.len() >= 5 && texan * 10 >= about.len() * 9, "{layer}:{feature}: {about:?}");
    }
}
