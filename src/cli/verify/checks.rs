//! Sections of the report, one for each check.

use crate::cli::graph::OpenGraph;
use crate::cli::verify::Checked;
use crate::cli::verify::report::{Section, Table};
use crate::graph::{CORE, Freeze, NOISE, Stability, StabilityClass, stability as measure, usual_grid};
use crate::ids::NodeId;
use crate::intervention::Mode;
use crate::job::Monitor;
use crate::verify::plot::{Plot, Series};
use crate::verify::{self, Agreement, Correlation, EdgeCheck, Effect, PREDICTED, Pair, Predictor, UNIT, told};
use anyhow::Result;
use serde_json::{Value, json};

pub fn edge(checked: &Checked<'_>, ends: (NodeId, NodeId), modes: &[Freeze], monitor: &Monitor) -> Result<Section> {
    let (graph, n_layers) = (&checked.open.document.graph, checked.open.document.graph.n_layers());
    let (source, target) = (graph.node_name(ends.0), graph.node_name(ends.1));
    let mut found = Vec::new();
    for mode in modes {
        found.push((*mode, checked.bench.edge(ends.0, ends.1, &Mode::over_all(*mode, n_layers), monitor)?));
    }
    let row = |(mode, check): &(Freeze, EdgeCheck)| {
        let likeliest = [check.likeliest.0, check.likeliest.1].map(|id| checked.engine.tokenizer.text(id));
        vec![
            mode.name().to_owned(),
            signed(check.pair.predicted),
            signed(check.pair.observed),
            format!("{:.4}", check.divergence),
            if likeliest[0] == likeliest[1] { "stays".into() } else { format!("{} to {}", likeliest[0], likeliest[1]) },
        ]
    };
    let outputs = found.iter().flat_map(|(mode, check)| {
        check.outputs.iter().map(move |it| {
            vec![
                mode.name().to_owned(),
                checked.open.node_title(it.pair.target),
                signed(it.pair.predicted),
                signed(it.pair.observed),
                format!("{:.3} to {:.3}", it.before, it.after),
            ]
        })
    });
    let outputs = outputs.collect();
    let json = found.iter().map(|(mode, check)| {
        let outputs = check.outputs.iter().map(|it| {
            let mut all = pair_json(checked.open, &it.pair);
            all["probability_before"] = json!(it.before);
            all["probability_after"] = json!(it.after);
            all
        });
        let mut all = pair_json(checked.open, &check.pair);
        all["mode"] = json!(mode.name());
        all["outputs"] = json!(outputs.collect::<Vec<_>>());
        all["divergence"] = json!(check.divergence);
        all["likeliest"] = json!([check.likeliest.0, check.likeliest.1].map(|id| checked.engine.tokenizer.text(id)));
        all
    });
    let json = json!({ "weight": found[0].1.weight, "modes": json.collect::<Vec<_>>() });
    Ok(Section {
        key: "edge",
        title: format!("Edge from {source} to {target}"),
        text: vec![
            format!("Its direct effect is {}; {source} is set to 0.", signed(f64::from(found[0].1.weight))),
            PREDICTED.into(),
            UNIT.into(),
        ],
        tables: vec![
            Table {
                head: vec!["mode", "predicted", "observed", "divergence (nats)", "likeliest token"],
                rows: found.iter().map(row).collect(),
            },
            Table { head: vec!["mode", "output", "predicted", "observed", "probability"], rows: outputs },
        ],
        plots: Vec::new(),
        json,
    })
}

pub fn subgraph(
    checked: &Checked<'_>,
    sources: &[NodeId],
    mode: Freeze,
    top: usize,
    monitor: &Monitor,
) -> Result<Section> {
    let (open, graph) = (checked.open, &checked.open.document.graph);
    let found = checked.bench.pairs(sources, &Mode::over_all(mode, graph.n_layers()), monitor)?;
    let row = |pair: &Pair| {
        vec![
            open.node_title(pair.source),
            open.node_title(pair.target),
            signed(pair.predicted),
            signed(pair.observed),
            signed(pair.observed - pair.predicted),
        ]
    };
    let is_output = |pair: &&Pair| graph.node(pair.target).is_logit();
    let points = |pairs: Vec<&Pair>| pairs.into_iter().map(|pair| (pair.predicted, pair.observed)).collect();
    let (outputs, features): (Vec<&Pair>, Vec<&Pair>) = found.all.iter().partition(is_output);
    let divergences = found.divergences.iter().map(|(id, nats)| json!({ "node": open.name(*id), "divergence": nats }));
    let divergences = divergences.collect::<Vec<_>>();
    Ok(Section {
        key: "subgraph",
        title: format!("{} features, ablated one by one ({})", sources.len(), mode.name()),
        text: vec![
            UNIT.into(),
            format!("At features: {}.", found.features),
            format!("At outputs: {}.", found.outputs),
            format!("The {} worst disagreements of {}:", top.min(found.all.len()), found.all.len()),
        ],
        tables: vec![Table {
            head: vec!["ablated", "at", "predicted", "observed", "off by"],
            rows: found.all.iter().take(top).map(row).collect(),
        }],
        plots: vec![Plot {
            title: format!("Predicted and observed changes ({})", mode.name()),
            x: "predicted by the graph".into(),
            y: "observed in the model".into(),
            series: vec![
                Series { name: "at features".into(), points: points(features) },
                Series { name: "at outputs".into(), points: points(outputs) },
            ],
            diagonal: true,
            joined: false,
        }],
        json: json!({
            "mode": mode.name(),
            "features": correlation(found.features),
            "outputs": correlation(found.outputs),
            "pairs": found.all.iter().map(|pair| pair_json(open, pair)).collect::<Vec<_>>(),
            "divergences": divergences,
        }),
    })
}

pub fn faithfulness(checked: &Checked<'_>, most: usize, mode: Freeze, monitor: &Monitor) -> Result<Section> {
    let (open, graph) = (checked.open, &checked.open.document.graph);
    let found = checked.bench.faithfulness(most, &Mode::over_all(mode, graph.n_layers()), monitor)?;
    let rows = Effect::ALL.into_iter().flat_map(|effect| {
        Predictor::ALL.map(|predictor| {
            let Correlation { pearson, spearman, .. } = found.correlation(predictor, effect);
            vec![effect.name().to_owned(), predictor.name().to_owned(), told(spearman), told(pearson)]
        })
    });
    let rows = rows.collect();
    let correlations = Effect::ALL.into_iter().flat_map(|effect| {
        Predictor::ALL.map(|predictor| {
            let mut all = correlation(found.correlation(predictor, effect));
            all["effect"] = json!(effect.name());
            all["predictor"] = json!(predictor.name());
            all
        })
    });
    let correlations: Vec<Value> = correlations.collect();
    let features = found.features.iter().map(|it| {
        json!({
            "node": open.name(it.node),
            "node_influence": it.predictor(Predictor::Influence),
            "direct_edge": it.predictor(Predictor::DirectEdge),
            "activation": it.predictor(Predictor::Activation),
            "divergence": it.effect(Effect::Divergence),
            "logits": it.effect(Effect::Logits),
        })
    });
    let features = features.collect::<Vec<_>>();
    let log = |x: f64| if x > 0.0 { x.log10() } else { f64::NAN };
    let points =
        found.features.iter().map(|it| (log(it.predictor(Predictor::Influence)), log(it.effect(Effect::Divergence))));
    let points = points.collect();
    Ok(Section {
        key: "faithfulness",
        title: format!("Whether influence says which features matter ({})", mode.name()),
        text: vec![format!(
            "{} of {} features of the graph were set to 0, one at a time. Node influence is what flows through a feature to the \
             outputs, over all paths; the direct edge is the sum of absolute edges to the outputs, weighed by their probabilities. Correlations are over \
             features.",
            found.features.len(),
            graph.feature_nodes().count()
        )],
        tables: vec![Table { head: vec!["effect", "predictor", "Spearman", "Pearson"], rows }],
        plots: vec![Plot {
            title: "Node influence and effect, by feature".into(),
            x: "node influence, log10".into(),
            y: "divergence in nats, log10".into(),
            series: vec![Series { name: "features".into(), points }],
            diagonal: false,
            joined: false,
        }],
        json: json!({ "mode": mode.name(), "correlations": correlations, "features": features }),
    })
}

pub fn replacement(checked: &Checked<'_>, monitor: &Monitor) -> Result<Section> {
    let found = verify::replacement(checked.engine, checked.bench.capture(), monitor)?;
    let row = |(layer, (alone, up_to)): (usize, (&Agreement, &Agreement))| {
        let share = |it: &Agreement| format!("{:.3}", it.share);
        let nats = |it: &Agreement| format!("{:.4}", it.divergence);
        let last = if up_to.last_agrees { "the same" } else { "another" };
        vec![
            layer.to_string(),
            share(alone),
            nats(alone),
            share(up_to),
            nats(up_to),
            format!("{last}, {:.4}", up_to.last_divergence),
        ]
    };
    let layers = || found.alone.iter().zip(&found.up_to).enumerate();
    let agreement = |it: &Agreement| {
        json!({
            "agreement": it.share,
            "divergence": it.divergence,
            "last_agrees": it.last_agrees,
            "last_divergence": it.last_divergence,
        })
    };
    let line = |name: &str, all: &[Agreement]| Series {
        name: name.into(),
        points: all.iter().enumerate().map(|(layer, it)| (layer as f64, it.divergence)).collect(),
    };
    Ok(Section {
        key: "replacement",
        title: "The model with transcoders in place of its MLPs, errors left out".into(),
        text: vec![
            "Agreement is the share of positions whose likeliest next token stays, divergence the mean Kullback-Leibler \
             divergence from the model's next-token distribution. Attention, norms and features are computed anew; zeroed \
             positions keep their MLPs."
                .into(),
        ],
        tables: vec![Table {
            head: vec![
                "layer",
                "alone: agreement",
                "divergence (nats)",
                "all up to it: agreement",
                "divergence (nats)",
                "last token: likeliest, nats",
            ],
            rows: layers().map(row).collect(),
        }],
        plots: vec![Plot {
            title: "Divergence of the replacement model".into(),
            x: "layer".into(),
            y: "nats, mean over positions".into(),
            series: vec![line("this layer alone", &found.alone), line("all up to it", &found.up_to)],
            diagonal: false,
            joined: true,
        }],
        json: json!({
            "alone": found.alone.iter().map(agreement).collect::<Vec<_>>(),
            "up_to": found.up_to.iter().map(agreement).collect::<Vec<_>>(),
        }),
    })
}

pub fn perturbation(checked: &Checked<'_>, sources: &[NodeId], monitor: &Monitor) -> Result<Section> {
    let found = checked.bench.perturbations(sources, monitor)?.by_distance;
    let line = |name: &str, of: fn(&verify::Reach) -> f64| Series {
        name: name.into(),
        points: found.iter().map(|it| (it.layers as f64, of(it))).collect(),
    };
    let row = |it: &verify::Reach| {
        vec![it.layers.to_string(), it.n.to_string(), format!("{:.3}", it.cosine), format!("{:.3}", it.error)]
    };
    let each = found.iter().map(|it| json!({ "layers": it.layers, "n": it.n, "cosine": it.cosine, "error": it.error }));
    let each = each.collect::<Vec<_>>();
    Ok(Section {
        key: "perturbation",
        title: "Perturbations of the local replacement model and of the model".into(),
        text: vec![format!(
            "What each of {} features writes was taken away, in both. Compared is the change of the residual stream, over \
             all positions, so many layers above the feature's: the mean cosine, and the mean norm of the difference as a \
             share of the model's change.",
            sources.len()
        )],
        tables: vec![Table {
            head: vec!["layers downstream", "features", "cosine", "error"],
            rows: found.iter().map(row).collect(),
        }],
        plots: vec![Plot {
            title: "Agreement by distance".into(),
            x: "layers downstream".into(),
            y: "cosine; error as a share".into(),
            series: vec![line("cosine", |it| it.cosine), line("error", |it| it.error)],
            diagonal: false,
            joined: true,
        }],
        json: json!({ "by_distance": each }),
    })
}

pub fn stability(open: &OpenGraph, top: usize, monitor: &Monitor) -> Result<Section> {
    let graph = &open.document.graph;
    let grid = usual_grid();
    let found: Stability = measure(graph, &grid, monitor)?;
    let [core, contingent, noise] = found.counts();
    let mut kept: Vec<_> = graph.edges().filter(|edge| open.kept.has_edge(edge.id)).collect();
    kept.sort_by(|a, b| found.edge(a.id).total_cmp(&found.edge(b.id)));
    let row = |edge: &crate::graph::Edge| {
        let share = found.edge(edge.id);
        vec![
            open.node_title(edge.source),
            open.node_title(edge.target),
            signed(f64::from(edge.weight)),
            format!("{share:.2}"),
            StabilityClass::of(share).name().to_owned(),
        ]
    };
    let edges = kept.iter().map(|edge| {
        let mut all = open.edge_json(*edge);
        all["kept_by"] = json!(found.edge(edge.id));
        all["standing"] = json!(StabilityClass::of(found.edge(edge.id)).name());
        all
    });
    let edges: Vec<Value> = edges.collect();
    let nodes = open.kept.node_ids().filter(|id| graph.node(*id).is_feature() || graph.node(*id).is_error());
    let nodes: Vec<Value> = nodes.map(|id| json!({ "node": open.name(id), "kept_by": found.node(id) })).collect();
    Ok(Section {
        key: "stability",
        title: "Which edges hang on the thresholds".into(),
        text: vec![
            format!(
                "The graph was pruned at {} pairs of thresholds. An edge is core where at least {:.0} % of them keep it, \
                 noise where at most {:.0} % do, contingent in between.",
                found.n_settings(),
                100.0 * CORE,
                100.0 * NOISE
            ),
            format!("{core} edges are core, {contingent} contingent, {noise} noise that some setting keeps."),
            format!("The {} least stable of the {} edges that are kept now:", top.min(kept.len()), kept.len()),
        ],
        tables: vec![Table {
            head: vec!["from", "to", "weight", "kept by", "standing"],
            rows: kept.iter().take(top).map(row).collect(),
        }],
        plots: Vec::new(),
        json: json!({
            "settings": found.n_settings(),
            "core": core,
            "contingent": contingent,
            "noise": noise,
            "edges": edges,
            "nodes": nodes,
        }),
    })
}

fn pair_json(open: &OpenGraph, pair: &Pair) -> Value {
    json!({
        "source": open.name(pair.source),
        "target": open.name(pair.target),
        "predicted": pair.predicted,
        "observed": pair.observed,
    })
}

fn correlation(of: Correlation) -> Value {
    json!({ "spearman": of.spearman, "pearson": of.pearson, "n": of.n })
}

fn signed(number: f64) -> String {
    format!("{number:+.4}")
}
