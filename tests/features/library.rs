//! Which source goes before which, and what is said of those that cannot be used.

use crate::by_hand::{gzip, record, zlib};
use crate::folder;
use circuitscope::features::store::{CorpusFacts, Manifest, Writer};
use circuitscope::features::{Dashboard, Kind, LabelOrigin, Library, Search, imported_folder, own_folder};
use circuitscope::hub::FileSource;
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::job::Monitor;
use std::fs;
use std::path::Path;

const NAME: &str = "org/set";

/// A store of ours that has features 0 and 1 or so, each called by `mark`.
fn write(folder: &Path, mark: &str, features: &[usize], transcoder: Option<&str>) {
    let corpus = transcoder.map(|_| CorpusFacts::default());
    let manifest = Manifest {
        version: Manifest::VERSION,
        transcoder: transcoder.unwrap_or("other/name").to_owned(),
        n_layers: 1,
        n_features: vec![4],
        corpus,
        ..Manifest::default()
    };
    let mut writer = Writer::new(folder, manifest).unwrap();
    for feature in features {
        let dashboard = Dashboard { transcoder_id: mark.into(), density: Some(0.5), ..Dashboard::default() };
        writer.push(0, *feature, &dashboard).unwrap();
    }
    writer.finish().unwrap();
}

/// A store as another program publishes one, which has feature 2 as well, and a record of feature 1 that is damaged.
fn published() -> tempfile::TempDir {
    let (one, two) =
        (record(b"??"), record(&zlib(br#"{"transcoder_id": "published", "activation_frequency": 0.125}"#)));
    let ends = [one.len(), one.len() + two.len()];
    let index = format!(r#"[{{"filename": "0.bin", "offsets": [0, 0, {0}, {1}, {1}]}}]"#, ends[0], ends[1]);
    let layer = [one, two].concat();
    folder(&[("features/index.json.gz", &gzip(index.as_bytes())), ("features/0.bin", &layer)])
}

fn mark(library: &Library, feature: u32) -> Option<(String, Kind)> {
    let found = library.read(Layer(0), FeatureId(feature), &Monitor::default()).unwrap();
    found.dashboard.map(|(dashboard, origin)| (dashboard.transcoder_id, origin.kind))
}

#[test]
fn sources_are_asked_in_their_order() {
    let (data, transcoder, named) = (tempfile::tempdir().unwrap(), published(), tempfile::tempdir().unwrap());
    write(&own_folder(data.path(), NAME), "made", &[0], Some(NAME));
    write(&imported_folder(data.path(), NAME), "imported", &[0, 1, 2, 3], None);
    fs::write(
        imported_folder(data.path(), NAME).join("labels.jsonl"),
        r#"{"layer": 0, "feature": 3, "label": "theirs"}"#,
    )
    .unwrap();
    write(named.path(), "named", &[3], Some(NAME));
    let place = FileSource::directory(transcoder.path()).unwrap();
    let sizes = vec![4];
    let search = Search {
        transcoder: Some(&place),
        name: NAME,
        sizes: Some(&sizes),
        data: Some(data.path()),
        ..Search::default()
    };
    let library = Library::open(&search, &Monitor::default()).unwrap();
    let kinds: Vec<Kind> = library.origins().into_iter().map(|origin| origin.kind).collect();
    assert_eq!(kinds, [Kind::Made, Kind::Published, Kind::Imported]);
    assert_eq!(mark(&library, 0), Some(("made".into(), Kind::Made)));
    assert_eq!(mark(&library, 2), Some(("published".into(), Kind::Published)));
    assert_eq!(mark(&library, 3), Some(("imported".into(), Kind::Imported)));
    // The published record is damaged: that is said, and the next source is asked.
    assert_eq!(mark(&library, 1), Some(("imported".into(), Kind::Imported)));
    let found = library.read_here(Layer(0), FeatureId(1));
    assert!(found.notices.len() == 1 && found.notices[0].contains("feature 0:1 of "), "{:?}", found.notices);
    assert_eq!(library.density(Layer(0), FeatureId(0)), Some(0.5));
    let label = library.read_here(Layer(0), FeatureId(3)).label.unwrap();
    assert!(label.text == "theirs" && matches!(label.origin, LabelOrigin::Source(_)), "{label:?}");

    // What the person named goes before all.
    let labels = named.path().join("mine.csv");
    fs::write(&labels, "0,3,cities").unwrap();
    let folders = [named.path().to_owned()];
    let search = Search { folders: &folders, labels: &[labels], ..search };
    let library = Library::open(&search, &Monitor::default()).unwrap();
    assert_eq!(mark(&library, 3), Some(("named".into(), Kind::Made)));
    assert_eq!(mark(&library, 0), Some(("made".into(), Kind::Made)));
    let label = library.label(Layer(0), FeatureId(3)).unwrap();
    assert!(label.text == "cities" && matches!(label.origin, LabelOrigin::File(_)), "{label:?}");
}

#[test]
fn what_is_found_and_cannot_be_used_is_said_and_left_out() {
    let (data, transcoder) = (tempfile::tempdir().unwrap(), published());
    write(&own_folder(data.path(), NAME), "made", &[0], Some("org/another"));
    let place = FileSource::directory(transcoder.path()).unwrap();
    let search = Search { transcoder: Some(&place), name: NAME, data: Some(data.path()), ..Search::default() };
    let library = Library::open(&search, &Monitor::default()).unwrap();
    assert_eq!(library.origins().len(), 1);
    let notice = &library.notices()[0];
    assert!(notice.contains("another transcoder") && notice.contains("org/another"), "{notice}");

    // What the person named is refused.
    let folders = [own_folder(data.path(), NAME)];
    let search = Search { folders: &folders, ..search };
    assert!(Library::open(&search, &Monitor::default()).unwrap_err().to_string().contains("another transcoder"));
    let empty = [data.path().to_owned()];
    let search = Search { folders: &empty, ..search };
    assert!(Library::open(&search, &Monitor::default()).unwrap_err().to_string().contains("holds no dashboards"));
    // A transcoder's folder stands for its features.
    let folders = [transcoder.path().to_owned()];
    let library = Library::open(&Search { folders: &folders, ..Search::default() }, &Monitor::default()).unwrap();
    assert_eq!(mark(&library, 2), Some(("published".into(), Kind::Published)));
    assert_eq!(library.density(Layer(0), FeatureId(2)), Some(0.125), "known once it was read");
}
