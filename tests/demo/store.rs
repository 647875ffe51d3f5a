//! The demo's feature store: that it is of this model and this corpus, and shows what its features stand for.

use crate::selectivity::Selectivity;
use crate::{at_city, capture, corpus, engine, question};
use circuitscope::demo;
use circuitscope::features::build::part::Course;
use circuitscope::features::build::piece::digest;
use circuitscope::features::store::Store;
use circuitscope::ids::{FeatureId, Layer};
use std::collections::HashMap;

fn store() -> Store {
    Store::open(&demo::places().1, "features/", None).unwrap().expect("the demo has a store")
}

#[test]
fn the_store_is_of_the_demo_s_corpus_and_transcoder() {
    let (store, engine) = (store(), engine());
    let manifest = store.manifest().unwrap();
    let sentences = corpus::sentences();
    let mut sum = Course::default();
    sentences.iter().for_each(|sentence| sum.add_digest(&digest(&sentence.text)));
    let facts = manifest.corpus.as_ref().unwrap();
    assert_eq!((facts.documents, &facts.sha256), (sentences.len() as u64, &sum.hex()), "build the store again");
    assert_eq!((&manifest.transcoder, &manifest.model), (&engine.transcoder.name(), &engine.model.spec.name));
    let mut fires = 0;
    for (layer, n) in manifest.n_features.iter().enumerate() {
        for feature in 0..*n {
            let (layer, feature) = (Layer::from(layer), FeatureId::from(feature));
            let dashboard = store.read(layer, feature).unwrap().expect("every feature has a dashboard");
            assert_eq!(
                (store.density(layer, feature), store.maximum(layer, feature)),
                (dashboard.density, Some(dashboard.max))
            );
            fires += usize::from(dashboard.max > 0.0);
        }
    }
    assert!(fires > 1500, "{fires} features fire");
}

#[test]
fn the_features_of_texas_show_texas() {
    let (store, engine) = (store(), engine());
    let selectivity = Selectivity::measure(&engine);
    let sentences: HashMap<String, Option<&str>> =
        corpus::sentences().into_iter().map(|sentence| (sentence.text, sentence.place)).collect();
    let dallas = capture(&engine, &question("Dallas"));
    let mut of_texas: Vec<_> = at_city(&dallas)
        .into_iter()
        .filter(|(at, _)| selectivity.share(at.layer.index(), at.feature.index(), "Texas") > 0.9)
        .collect();
    of_texas.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert!(of_texas.len() >= 3, "{} features of Texas fire at Dallas", of_texas.len());
    for (at, activation) in of_texas {
        let dashboard = store.read(at.layer, at.feature).unwrap().unwrap();
        // The prompt is the beginning of a sentence of the corpus.
        assert!(activation <= dashboard.max + 1e-3, "{activation} is more than the store's {}", dashboard.max);
        let strongest = &dashboard.quantiles[0].examples;
        let about: Vec<Option<&str>> = strongest.iter().map(|context| sentences[&context.tokens.join(" ")]).collect();
        let texan = about.iter().filter(|place| **place == Some("Texas")).count();
        assert!(about.len() >= 5 && texan * 10 >= about.len() * 9, "{}:{}: {about:?}", at.layer, at.feature);
    }
}
