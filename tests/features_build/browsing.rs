//! Looking through features without a graph, and dictionaries of one residual stream, whose features can be looked at
//! and not traced.

use crate::fixture::{self, Tensors};
use crate::{built, demo_engine};
use circuitscope::attribution::Engine;
use circuitscope::demo;
use circuitscope::features::browse::{Catalogue, Order, fires};
use circuitscope::features::build::{Options, Selection, n_features};
use circuitscope::features::{Library, Search};
use circuitscope::hub::FileSource;
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::Monitor;
use std::fs;

fn library(engine: &Engine) -> Library {
    let (place, name, sizes) = (demo::places().1, engine.transcoder.name(), n_features(engine));
    let search = Search { transcoder: Some(&place), name: &name, sizes: Some(&sizes), ..Search::default() };
    Library::open(&search, &Monitor::default()).unwrap()
}

#[test]
fn lists_are_in_order_and_searches_find_what_contexts_say() {
    let (engine, monitor) = (demo_engine(), Monitor::default());
    let (library, sizes) = (library(&engine), n_features(&engine));
    let catalogue = Catalogue { library: &library, sizes: &sizes };
    let some: Selection = "1,2:0..9".parse().unwrap();
    let (by_layer, count) = catalogue.list(&some, Order::Layer, 386, &monitor).unwrap();
    assert_eq!((count, by_layer.len(), by_layer[385].layer, by_layer[385].feature), (394, 386, Layer(2), FeatureId(1)));
    let (by_density, _) = catalogue.list(&some, Order::Density, 394, &monitor).unwrap();
    assert!(by_density.is_sorted_by(|a, b| a.density >= b.density) && by_density[0].density > by_density[393].density);
    let (by_maximum, _) = catalogue.list(&Selection::ALL, Order::Maximum, 5, &monitor).unwrap();
    assert!(by_maximum.is_sorted_by(|a, b| a.maximum >= b.maximum) && by_maximum[0].maximum.unwrap() > 5.0);
    let (by_label, _) = catalogue.list(&some, Order::Label, 394, &monitor).unwrap();
    let name = |at: usize| by_label[at].label.as_ref().map(|label| label.text.to_lowercase());
    assert!((1..394).all(|at| name(at).is_none() || name(at - 1) <= name(at)) && name(0).is_some());

    let hits = catalogue.search(&Selection::ALL, "containing dallas", &monitor).unwrap();
    assert!(!hits.is_empty() && hits.is_sorted_by(|a, b| a.score >= b.score));
    assert!(hits[0].text.contains("containing Dallas"), "{}", hits[0].text);
    assert!(catalogue.search(&Selection::ALL, "zzzzqqqq", &monitor).unwrap().is_empty());
}

#[test]
fn neighbours_are_those_of_the_largest_cosine() {
    let (engine, monitor) = (demo_engine(), Monitor::default());
    let (library, sizes) = (library(&engine), n_features(&engine));
    let catalogue = Catalogue { library: &library, sizes: &sizes };
    let d = engine.model.spec.d_model;
    let written = |layer: usize, feature: usize| -> Vec<f64> {
        let rows = engine.transcoder.decoder_rows(layer, feature).unwrap();
        (0..d).map(|i| rows.iter().skip(i).step_by(d).map(|x| f64::from(*x)).sum()).collect()
    };
    let cosine = |a: &[f64], b: &[f64]| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let of = written(1, 7);
    let mut wanted: Vec<f64> = (0..4)
        .flat_map(|layer| (0..384).map(move |feature| (layer, feature)))
        .filter(|id| *id != (1, 7))
        .map(|(layer, feature)| cosine(&of, &written(layer, feature)))
        .collect();
    wanted.sort_by(|a, b| b.total_cmp(a));
    let found = catalogue.near(&engine.transcoder, (Layer(1), FeatureId(7)), &Selection::ALL, 20, &monitor).unwrap();
    let found: Vec<f64> = found.iter().map(|near| near.cosine.into()).collect();
    fixture::assert_close("cosines", &found, &wanted[..20], 1e-5);
    let beyond =
        catalogue.near(&engine.transcoder, (Layer(1), FeatureId(384)), &Selection::ALL, 20, &monitor).unwrap_err();
    assert!(beyond.to_string().contains("feature 384 of layer 1"), "{beyond}");
}

#[test]
fn what_fires_on_a_text_is_what_a_trace_finds_active() {
    let (engine, monitor) = (demo_engine(), Monitor::default());
    let found = fires(&engine, demo::PROMPT, &Selection::ALL, 1000, &monitor).unwrap();
    let capture = engine.capture(demo::PROMPT, &monitor).unwrap();
    assert_eq!(found.iter().map(|fires| fires.token.trim()).collect::<Vec<_>>().join(" "), demo::PROMPT);
    assert_eq!(found.iter().map(|fires| fires.features.len()).sum::<usize>(), capture.n_active());
    for (layer, captured) in capture.layers.iter().enumerate() {
        for active in &captured.active {
            let here = &found[active.position as usize - 1].features;
            let found = here.iter().find(|(l, f, _)| (l.index(), f.0) == (layer, active.feature)).unwrap();
            assert!((found.2 - active.activation).abs() < 1e-4);
        }
    }
    let of_two: Selection = "2".parse().unwrap();
    let some = fires(&engine, demo::PROMPT, &of_two, 1, &monitor).unwrap();
    assert!(some.iter().all(|fires| fires.features.len() <= 1 && fires.features.iter().all(|(l, ..)| *l == Layer(2))));
}

/// A reference case whose transcoder is said to read and write other places.
fn with_hooks(input: &str, output: &str) -> (tempfile::TempDir, Result<Engine, String>) {
    let case = fixture::folder("llama_plt_relu");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(case.join("transcoder")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let config = fs::read_to_string(folder.path().join("config.yaml")).unwrap();
    let other = |line: &str| match line.split_once(':') {
        Some(("feature_input_hook", _)) => format!("feature_input_hook: {input}"),
        Some(("feature_output_hook", _)) => format!("feature_output_hook: {output}"),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = config.lines().map(other).collect();
    fs::write(folder.path().join("config.yaml"), lines.join("\n")).unwrap();
    let places = [case.join("model"), folder.path().to_owned()].map(|path| FileSource::directory(&path).unwrap());
    let engine = Engine::open(&places[0], &places[1], &candle_core::Device::Cpu).map_err(|error| error.to_string());
    (folder, engine)
}

#[test]
fn a_dictionary_s_features_are_looked_at_and_not_traced() {
    let debug = Tensors::open(&fixture::folder("llama_plt_relu").join("p0.debug.safetensors"));
    let prompt = "the capital of France is".to_owned();
    for hook in ["resid_pre", "resid_mid", "resid_post"] {
        let name = format!("hook_{hook}");
        let (_folder, engine) = with_hooks(&name, &name);
        let engine = engine.unwrap();
        let (_, layers) = built(&engine, std::slice::from_ref(&prompt), &Options::default());
        let mut fired = 0;
        for (layer, dashboards) in layers.iter().enumerate() {
            let stream = debug.f32(&format!("layer{layer}.{hook}"));
            let d = engine.model.spec.d_model;
            for (feature, dashboard) in dashboards.iter().enumerate() {
                let (row, bias) = engine.transcoder.encoder_row(layer, feature).unwrap();
                let read = |x: &[f32]| (x.iter().zip(&row).map(|(x, w)| x * w).sum::<f32>() + bias).max(0.0);
                // Position 0, the special token, is left out.
                let most = stream.chunks(d).skip(1).map(read).fold(0.0, f32::max);
                assert!((dashboard.max - most).abs() < 1e-4, "{hook} {layer}:{feature}: {} not {most}", dashboard.max);
                fired += usize::from(most > 0.0);
            }
        }
        assert!(fired > 20, "{fired} features fire on {hook}");
        let refused = engine.capture(&prompt, &Monitor::default()).unwrap_err().to_string();
        assert!(refused.contains("it replaces no MLP, so there is nothing to trace"), "{refused}");
    }
    for (input, output) in [("hook_resid_pre", "hook_resid_post"), ("hook_resid_post", "hook_mlp_out")] {
        let refused = with_hooks(input, output).1.unwrap_err();
        assert!(refused.contains(&format!("read {input} and write {output}, as neither")), "{refused}");
    }
}
