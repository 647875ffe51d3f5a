//! What is done where memory is short changes where numbers are kept, not the numbers.

use crate::fixture::folder;
use candle_core::Device;
use circuitscope::attribution::{Engine, Limits, TargetChoice, TraceOptions};
use circuitscope::graph::{AttributionGraph, Cut, RawTrace, Rows, Settings};
use circuitscope::hub::FileSource;
use circuitscope::job::Monitor;

fn trace(engine: &Engine, max_feature_nodes: Option<usize>) -> RawTrace {
    let settings = Settings {
        prompt: "the capital of France is".to_owned(),
        max_feature_nodes,
        batch_size: 4,
        update_interval: 2,
        ..Settings::default()
    };
    let targets = TargetChoice::likeliest(&settings);
    engine.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, &Monitor::default()).unwrap()
}

/// Every row written out in full.
fn dense(trace: &RawTrace) -> Vec<Vec<f32>> {
    let width = trace.n_columns();
    match &trace.rows {
        Rows::Dense { values } => values.chunks(width).map(<[f32]>::to_vec).collect(),
        Rows::Sparse { starts, columns, values, .. } => starts
            .windows(2)
            .map(|range| {
                let range = range[0] as usize..range[1] as usize;
                let mut row = vec![0.0; width];
                columns[range.clone()].iter().zip(&values[range]).for_each(|(c, x)| row[*c as usize] = *x);
                row
            })
            .collect(),
    }
}

#[test]
fn sparse_rows_in_a_file_are_the_whole_ones_but_for_what_they_say_they_drop() {
    let files = tempfile::tempdir().unwrap();
    for case in ["llama_plt_relu", "gemma2_clt_jumprelu"] {
        let place = |which: &str| FileSource::directory(&folder(case).join(which)).unwrap();
        let mut engine = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap();
        let (whole, some) = (trace(&engine, None), trace(&engine, Some(30)));
        assert!(matches!(whole.rows, Rows::Dense { .. }));
        let block_rows = whole.cut.as_ref().unwrap().block_rows;
        for share in [0.0, 0.01, 0.3] {
            engine.limits = Limits { dropped_share: Some(share), folder: Some(files.path().to_owned()), memory: None };
            let sparse = trace(&engine, None);
            assert_eq!(sparse.cut, Some(Cut { block_rows, dropped_share: Some(share) }));
            assert_eq!((&sparse.row_targets, &sparse.row_abs_sums), (&whole.row_targets, &whole.row_abs_sums));
            let Rows::Sparse { dropped, .. } = &sparse.rows else { panic!("rows are not sparse") };
            assert!(dropped.iter().any(|dropped| f64::from(*dropped) >= share / 2.0));
            for (row, (found, wanted)) in dense(&sparse).iter().zip(dense(&whole)).enumerate() {
                let mut lost = 0.0;
                for (found, wanted) in found.iter().zip(&wanted) {
                    assert!(found == wanted || *found == 0.0);
                    lost += f64::from((wanted - found).abs());
                }
                let sum = whole.row_abs_sums[row];
                assert!(lost <= (share + 1e-9) * sum && (lost - f64::from(dropped[row]) * sum).abs() <= 1e-6 * sum);
            }
        }
        engine.limits.dropped_share = Some(0.0);
        let found = trace(&engine, Some(30));
        assert_eq!((&found.row_targets, dense(&found)), (&some.row_targets, dense(&some)), "{case}");
        let edges = |trace: &RawTrace| AttributionGraph::from_trace(trace).unwrap().n_edges();
        assert_eq!(edges(&found), edges(&some));
        assert_eq!(files.path().read_dir().unwrap().count(), 0);
    }
}
