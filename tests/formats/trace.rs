//! Traces made from the reference files, as if this program had traced them.

use crate::fixture::Tensors;
use circuitscope::graph::{
    FeatureAt, Provenance, RawTrace, RowTarget, Rows, Settings, Site, Sources, Target, TargetKind, Token,
};
use circuitscope::ids::{FeatureId, Layer, Position};

/// The trace whose graph a reference file holds. Columns of features that the file has dropped are empty.
pub fn of_reference(file: &Tensors) -> RawTrace {
    let tokens: Vec<_> =
        file.i64("input_tokens").iter().map(|&id| Token { id: id as u32, text: format!("«{id}»\n") }).collect();
    let n_layers = file.shape("error_norms")[0];
    let places = file.i64("active_features");
    let active: Vec<_> = places
        .chunks_exact(3)
        .map(|at| FeatureAt::mlp(Layer(at[0] as u32), Position(at[1] as u32), FeatureId(at[2] as u32)))
        .collect();
    let ids = file.i64("logit_target_ids");
    let targets: Vec<_> = ids
        .iter()
        .zip(file.f32("logit_probabilities"))
        .map(|(&id, probability)| Target { id: id as u32, kind: TargetKind::Token, probability, text: id.to_string() })
        .collect();
    let selected = file.i64("selected_features");
    let visit_order = if file.has("visit_order") { file.i64("visit_order") } else { selected.clone() };

    // Both orders of columns go features, errors, tokens; the matrix ends with the logits and has chosen features only.
    let n_nodes = file.shape("adjacency_matrix")[0];
    let matrix = file.f32("adjacency_matrix");
    let n_others = (n_layers + 1) * tokens.len();
    let row_of = |node: usize| {
        let row = &matrix[node * n_nodes..][..n_nodes];
        let mut columns = vec![0.0; active.len() + n_others];
        for (&column, &weight) in selected.iter().zip(row) {
            columns[column as usize] = weight;
        }
        columns[active.len()..].copy_from_slice(&row[selected.len()..][..n_others]);
        columns
    };
    let first_logit = n_nodes - targets.len();
    let mut rows: Vec<Vec<f32>> = (first_logit..n_nodes).map(row_of).collect();
    rows.extend(visit_order.iter().map(|index| row_of(selected.binary_search(index).unwrap())));
    let row_targets: Vec<_> = (0..targets.len() as u32)
        .map(RowTarget::Logit)
        .chain(visit_order.iter().map(|&index| RowTarget::Feature(index as u32)))
        .collect();
    RawTrace {
        n_layers,
        activations: file.f32("activation_values"),
        error_norms: file.f32("error_norms"),
        final_logits: file.f32("final_logits"),
        target_vectors: file.f32("logit_vectors"),
        row_abs_sums: rows.iter().map(|row| row.iter().map(|weight| f64::from(weight.abs())).sum()).collect(),
        row_constants: (0..rows.len()).map(|row| row as f32 / 8.0).collect(),
        row_values: (0..rows.len()).map(|row| -(row as f32)).collect(),
        rows: Rows::Dense { values: rows.concat() },
        row_targets,
        wanted_features: selected.len(),
        settings: Settings {
            prompt: "a \"quoted\" prompt, mit Umlaut: ü".into(),
            max_feature_nodes: None,
            ..Settings::default()
        },
        cut: None,
        provenance: Provenance { model: "tiny".into(), dtype: "f32".into(), ..Provenance::default() },
        sources: Sources::new(active, (0..n_layers).map(|layer| Site::mlp(layer.into())), tokens.len()),
        tokens,
        targets,
    }
}

/// The same trace with all entries dropped that are below a hundredth of their row's largest.
pub fn sparse(trace: &RawTrace) -> RawTrace {
    let Rows::Dense { values } = &trace.rows else { panic!("the trace is sparse already") };
    let (mut starts, mut columns, mut kept, mut dropped) = (vec![0], vec![], vec![], vec![]);
    for (row, total) in values.chunks_exact(trace.n_columns()).zip(&trace.row_abs_sums) {
        let largest = row.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
        let mut left_out = 0.0;
        for (column, &weight) in row.iter().enumerate() {
            if weight.abs() > largest / 100.0 {
                columns.push(column as u32);
                kept.push(weight);
            } else {
                left_out += f64::from(weight.abs());
            }
        }
        starts.push(columns.len() as u64);
        dropped.push(if *total > 0.0 { (left_out / total) as f32 } else { 0.0 });
    }
    RawTrace { rows: Rows::Sparse { starts, columns: columns.into(), values: kept.into(), dropped }, ..trace.clone() }
}
