//! `circuitscope diff --heads`: the attention heads that carry two graphs, side by side.

use crate::cli::engine::EngineArgs;
use crate::cli::graph::OpenGraph;
use crate::cli::heads::{grid, kinds};
use crate::cli::output::tell;
use crate::cli::progress::{WhenStopped, watch};
use crate::service::attention::{ComparedHead, by_difference, circuit_heads, compared_heads};
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;

/// Splits the influence of both graphs by heads, and prints the heads with their differences.
///
/// # Errors
/// Fails where the model cannot be read, a graph is not of it, or the work was stopped.
pub fn run(open: &[OpenGraph], engine: &EngineArgs, top: usize, json: bool) -> Result<()> {
    let engine = engine.open()?;
    let graphs: Vec<_> = open.iter().map(|it| (Arc::clone(&it.document.graph), it.kept.clone())).collect();
    let (heads, influence) = watch(WhenStopped::Abandon, move |monitor| {
        let of = |at: usize| circuit_heads(&engine, &graphs[at].0, &graphs[at].1, monitor);
        let (a, b) = (of(0)?, of(1)?);
        Ok((compared_heads(&a, &b), [a.flows.influence, b.flows.influence]))
    })?;
    tell(json, || value(&heads, influence), || lines(&heads, influence, top))
}

fn value(heads: &[ComparedHead], influence: [f64; 2]) -> Value {
    let head = |it: &ComparedHead| {
        json!({
            "layer": it.head.layer,
            "head": it.head.head,
            "influence": it.influence,
            "difference": it.difference(),
            "types": it.types,
        })
    };
    json!({ "influence": influence, "heads": heads.iter().map(head).collect::<Vec<_>>() })
}

fn lines(heads: &[ComparedHead], influence: [f64; 2], top: usize) -> Vec<String> {
    let mut lines = vec![
        format!("influence between positions: A {:.4}, B {:.4}", influence[0], influence[1]),
        format!("\n{:<12}{:>10}  {:>10}  {:>10}  {}", "layer.head", "A", "B", "B - A", "type: A; B"),
    ];
    lines.extend(by_difference(heads).into_iter().take(top).map(|at| {
        let it = &heads[at];
        let types = match it.types.each_ref().map(|types| kinds(types)) {
            [a, b] if a.is_empty() && b.is_empty() => String::new(),
            [a, b] => format!("{a}; {b}"),
        };
        let ([a, b], difference) = (it.influence, it.difference());
        let line = format!("{:<12}{a:+10.4}  {b:+10.4}  {difference:+10.4}  {types}", it.head.to_string());
        line.trim_end().to_owned()
    }));
    let of = |which: &dyn Fn(&ComparedHead) -> f64| -> Vec<_> { heads.iter().map(|it| (it.head, which(it))).collect() };
    for (title, of) in [
        ("A", of(&|it| it.influence[0])),
        ("B", of(&|it| it.influence[1])),
        ("B - A, each grid by its own largest", of(&ComparedHead::difference)),
    ] {
        lines.push(format!("\n{title}"));
        lines.extend(grid(&of));
    }
    lines
}
