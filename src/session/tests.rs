//! Tests that no work of the user is lost: on the way to the file and back, beside other programs, and where things
//! fail.

use super::saved::{Absent, Made, Saved};
use super::*;
use crate::graph::{
    Action, AttributionGraph, Document, Edit, Edits, GraphInfo, Intervention, Interventions, Labelled, Node, NodeKind,
    Origin, Positions, Site, Thresholds, Token,
};
use crate::ids::{FeatureId, Layer, Position};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Builds a document of the features of these indices, one a layer and position, an error, a token, a logit and a
/// foreign node.
fn document(features: &[u32]) -> Document {
    let position = Position(0);
    let plain = |kind| Node { kind, activation: None };
    let mut nodes: Vec<_> = features
        .iter()
        .map(|&at| plain(NodeKind::Feature { layer: Layer(at), position, feature: FeatureId(at) }))
        .collect();
    nodes.push(plain(NodeKind::Error { layer: Layer(0), position }));
    nodes.push(plain(NodeKind::Token { position, id: 4 }));
    nodes.push(plain(NodeKind::Logit { position, id: 4, probability: 1.0, text: "four".into() }));
    nodes.push(plain(NodeKind::Other { layer: None, position, kind: "lorsa".into(), name: "0_0_0".into() }));
    let info = GraphInfo { n_layers: 9, tokens: vec![Token { id: 4, text: "four".into() }], partial: false };
    Document {
        origin: Arc::new(Origin { prompt: "four".into(), ..Origin::default() }),
        graph: Arc::new(AttributionGraph::from_edges(info, nodes, []).unwrap()),
        trace: None,
        labels: Arc::default(),
        edited: Arc::new(Edited { notes: "from the file".into(), ..Edited::default() }),
        occurrences: None,
        densities: Arc::default(),
        foreign: Arc::default(),
    }
}

fn any_session() -> impl Strategy<Value = Session> {
    let nodes = || proptest::collection::vec((0..10u32).prop_map(NodeId), 0..6);
    let edit = prop_oneof![
        (0..5u8).prop_map(|step| Edit::SetThresholds(Thresholds {
            node: f64::from(step) / 7.0,
            edge: 1.0,
            density: f64::from(step) / 4.0
        })),
        nodes().prop_map(Edit::Pin),
        ("[ab]", nodes()).prop_map(|(name, members)| Edit::Group { name, members }),
        nodes().prop_map(Edit::Ungroup),
        ((0..10u32), "\\PC{0,4}").prop_map(|(id, label)| Edit::Label(Labelled::Node(NodeId(id)), label)),
        ((0..9u32), "[ab\"]?").prop_map(|(at, label)| Edit::Label(Labelled::Feature(Layer(at), FeatureId(3)), label)),
        "\\PC{0,9}".prop_map(Edit::SetNotes),
        ("\\PC{0,9}", any::<bool>(), -3..3i32).prop_map(|(name, muted, at)| {
            let site = Site { layer: Layer(1), feature: FeatureId(4), positions: Positions::From(at) };
            let action = Action::Scale { by: at as f32 / 7.0 };
            let list = vec![Intervention { name, sites: vec![site], action, muted }];
            Edit::SetInterventions(Interventions { list, ..Interventions::default() })
        }),
    ];
    let edits = proptest::collection::vec(edit, 0..12).prop_map(|list| {
        let mut edits = Edits::default();
        list.into_iter().for_each(|edit| {
            edits.apply(edit);
        });
        edits.now().clone()
    });
    let marks = proptest::collection::btree_map(proptest::char::range('a', 'z'), (0..10u32).prop_map(NodeId), 0..4);
    (edits, nodes(), marks, nodes(), any::<bool>(), "\\PC{0,9}").prop_map(|(edited, chosen, marks, walk, on, text)| {
        let walk: Vec<_> = walk.into_iter().map(|node| Station { node, reached: Reached::AsInput }).collect();
        Session {
            edited,
            selected: chosen.first().copied(),
            refused: vec![chosen.clone()],
            chosen,
            filters: BTreeMap::from([(text.clone(), "layer:3".into())]),
            filter: on.then(|| ActiveFilter { query: text.clone(), hides: on }),
            filter_history: vec![text.clone()],
            marks,
            walk_at: walk.len() / 2,
            walk,
            screen: BTreeMap::from([("focus".into(), text)]),
        }
    })
}

/// Returns a session after it was written and read again on another graph.
fn through_file(session: &Session, absent: &Absent, from: &Document, to: &Document) -> (Session, Absent) {
    let saved = Saved::new(session, absent, &from.graph, &Made::of(&from.origin));
    let text = serde_json::to_string(&saved).unwrap();
    serde_json::from_str::<Saved>(&text).unwrap().on(&to.graph)
}

proptest! {
    #[test]
    fn a_session_is_what_it_was(session in any_session()) {
        let document = document(&[0, 1, 2, 3, 4, 5]);
        let (read, absent) = through_file(&session, &Absent::default(), &document, &document);
        prop_assert_eq!(read, session);
        prop_assert_eq!(absent, Absent::default());
    }

    #[test]
    fn a_session_fits_a_graph_that_has_grown(session in any_session()) {
        // In the larger one, every node has another index.
        let (small, large) = (document(&[1, 2, 3, 4, 5, 6]), document(&[0, 1, 2, 3, 4, 5, 6, 7]));
        let (read, absent) = through_file(&session, &Absent::default(), &small, &large);
        prop_assert_eq!(absent, Absent::default());
        let shift = |id: &NodeId| NodeId(if id.0 < 6 { id.0 + 1 } else { id.0 + 2 });
        prop_assert_eq!(&read.edited.pins, &session.edited.pins.iter().map(shift).collect::<Vec<_>>());
        prop_assert_eq!(read.marks.len(), session.marks.len());
        let (back, _) = through_file(&read, &Absent::default(), &large, &small);
        prop_assert_eq!(back, session);
    }

    #[test]
    fn what_a_graph_does_not_have_stays_in_the_file(session in any_session(), notes in "[a-z]{3}") {
        let (whole, part) = (document(&[0, 1, 2, 3, 4, 5]), document(&[2, 5]));
        let (mut read, absent) = through_file(&session, &Absent::default(), &whole, &part);
        prop_assert_eq!(absent.n_nodes() > 0, read.edited.pins.len() < session.edited.pins.len()
            || read.marks.len() < session.marks.len()
            || read.edited.labels.len() < session.edited.labels.len());
        read.edited.notes.clone_from(&notes);
        let (back, absent) = through_file(&read, &absent, &part, &whole);
        prop_assert_eq!(absent, Absent::default());
        let sorted = |pins: &[NodeId]| { let mut pins = pins.to_vec(); pins.sort(); pins };
        prop_assert_eq!(sorted(&back.edited.pins), sorted(&session.edited.pins));
        prop_assert_eq!(&back.edited.labels, &session.edited.labels);
        prop_assert_eq!(&back.marks, &session.marks);
        prop_assert_eq!(&back.edited.notes, &notes);
        let names = |edited: &Edited| -> BTreeMap<NodeId, String> {
            let members = edited.groups.iter().flat_map(|group| group.members.iter().map(|id| (*id, group.name.clone())));
            members.collect()
        };
        prop_assert_eq!(names(&back.edited), names(&session.edited));
    }

    #[test]
    fn a_damaged_file_is_moved_aside_or_read_and_never_breaks_anything(at in 0..600usize, byte: u8) {
        let folder = tempfile::tempdir().unwrap();
        let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
        let document = document(&[0, 1]);
        let mut session = Session::default();
        session.edited.pins = vec![NodeId(0), NodeId(2)];
        open(place.clone(), &document).file.save(&session, &document.graph).unwrap();
        let path = folder.path().join("graph.json.session.json");
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        fs::write(&path, &bytes).unwrap();
        let mut opened = open(place, &document);
        prop_assert!(opened.is_saved || !opened.notices.is_empty());
        opened.file.save(&session, &document.graph).unwrap();
        if !opened.is_saved {
            let files = fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
            prop_assert!(files.into_iter().any(|there| there == bytes), "what could not be read is still there");
        }
    }
}

fn noted(notes: &str) -> Session {
    Session { edited: Edited { notes: notes.into(), ..Edited::default() }, ..Session::default() }
}

/// Returns the notes of the session at a place.
fn notes_at(place: &SessionPlace, document: &Document) -> String {
    open(place.clone(), document).session.edited.notes
}

#[test]
fn without_a_saved_session_a_graphs_own_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    let mut opened = open(place.clone(), &document(&[]));
    assert_eq!((opened.session.edited.notes.as_str(), opened.is_saved), ("from the file", false));
    opened.file.save(&noted(""), &document(&[]).graph).unwrap();
    assert_eq!(notes_at(&place, &document(&[])), "", "what was taken away stays away");
}

#[test]
fn what_is_no_session_is_moved_aside_and_what_is_newer_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    let path = folder.path().join("graph.json.session.json");
    for (text, aside) in
        [("{", true), ("{\"version\":1,\"thresholds\":{\"node\":2,\"edge\":0}}", true), ("{\"version\":9}", false)]
    {
        fs::write(&path, text).unwrap();
        let mut opened = open(place.clone(), &document);
        assert_eq!((opened.is_saved, opened.notices.len()), (false, 1), "{:?}", opened.notices);
        opened.file.save(&noted("new"), &document.graph).unwrap();
        let old = if aside { path.with_file_name("graph.json.session.json.bad") } else { path.clone() };
        assert_eq!(fs::read_to_string(&old).unwrap(), text);
        let new = if aside { path.clone() } else { folder.path().join("graph.json.session.v1.json") };
        assert!(fs::read_to_string(new).unwrap().contains("new"));
        fs::remove_file(old).unwrap();
    }
}

#[test]
fn beside_what_is_left_alone_there_is_one_session_which_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0, 1]);
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    fs::write(folder.path().join("graph.json.session.json"), "{\"version\":9}").unwrap();
    for pin in 0..3 {
        let mut opened = open(place.clone(), &document);
        assert_eq!(opened.session.edited.pins.len(), pin as usize);
        assert!(opened.notices[0].contains("graph.json.session.v1.json"), "{:?}", opened.notices);
        opened.session.edited.pins.push(NodeId(pin));
        opened.file.save(&opened.session, &document.graph).unwrap();
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(folder.path().join("graph.json.session.json")).unwrap(), "{\"version\":9}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_sessions_place_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    let path = folder.path().join("graph.json.session.json");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut opened = open(place.clone(), &document);
    assert_eq!((opened.is_saved, opened.notices.len()), (false, 1), "{:?}", opened.notices);
    opened.file.save(&noted("kept"), &document.graph).unwrap();
    assert_eq!(notes_at(&place, &document), "kept");
    assert!(!fs::metadata(path).unwrap().is_file(), "it is left alone");
}

#[test]
fn what_two_programs_do_is_all_saved() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0, 1, 2, 3]);
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    let (mut one, mut other) = (open(place.clone(), &document), open(place.clone(), &document));
    let pin = |opened: &mut Opened, at| {
        opened.session.edited.pins.push(NodeId(at));
        opened.file.save(&opened.session, &document.graph).unwrap()
    };
    assert_eq!(pin(&mut one, 0), [] as [String; 0]);
    let notices = pin(&mut other, 1);
    assert!(notices.len() == 1 && notices[0].contains("another program"), "{notices:?}");
    pin(&mut one, 2);
    assert_eq!(pin(&mut other, 3), [] as [String; 0], "it is said once");
    let all = || open(place.clone(), &document).session.edited.pins.len();
    assert_eq!(all(), 4);
    assert_eq!(other.file.contents(&document.graph).unwrap().edited.pins.len(), 4);
    // What one takes back is gone, and no more.
    one.session.edited.pins.retain(|pin| *pin != NodeId(0));
    one.file.save(&one.session, &document.graph).unwrap();
    assert_eq!(all(), 3);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "neither locks nor other sessions are left");
}

#[cfg(unix)]
#[test]
fn a_session_stays_as_private_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    let path = folder.path().join("graph.json.session.json");
    open(place.clone(), &document).file.save(&noted("one"), &document.graph).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    open(place, &document).file.save(&noted("two"), &document.graph).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn where_the_graphs_folder_cannot_be_written_the_session_goes_to_the_programs_own() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    // Below a file there is no folder, whoever asks.
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let data = folder.path().join("data");
    let place = SessionPlace::beside(&file.join("graph.json"), Some(&data));
    let mut opened = open(place.clone(), &document);
    let notices = opened.file.save(&noted("kept"), &document.graph).unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(opened.file.save(&noted("kept too"), &document.graph).unwrap(), [] as [String; 0], "it is said once");
    assert!(opened.file.path().unwrap().starts_with(&data));
    assert_eq!(notes_at(&place, &document), "kept too");
    let nowhere = SessionPlace::beside(&file.join("graph.json"), None);
    assert!(open(nowhere, &document).file.save(&noted(""), &document.graph).is_err());
}

#[test]
fn a_trace_without_a_file_has_a_place_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (part, whole) = (document(&[0]), document(&[0, 1]));
    let place = SessionPlace::of_trace(&part, Some(folder.path()));
    assert_eq!(place, SessionPlace::of_trace(&whole, Some(folder.path())), "an extended trace is the same one");
    let other = Document { origin: Arc::new(Origin { prompt: "five".into(), ..Origin::default() }), ..part.clone() };
    assert_ne!(place, SessionPlace::of_trace(&other, Some(folder.path())));
    open(place.clone(), &part).file.save(&noted("here"), &part.graph).unwrap();
    assert_eq!(notes_at(&place, &whole), "here");
}

#[test]
fn a_saver_gathers_changes_and_leaves_none_behind() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    let place = SessionPlace::beside(&folder.path().join("graph.json"), None);
    let path = folder.path().join("graph.json.session.json");
    let holds = |notes: &str| fs::read_to_string(&path).is_ok_and(|text| text.contains(notes));
    let saver = Saver::start(open(place, &document).file, || {}).unwrap();
    let save = |notes: &str| saver.save(noted(notes), Arc::clone(&document.graph));
    let start = Instant::now();
    // A change every few milliseconds must not put the saving off.
    while !path.exists() && start.elapsed() < Duration::from_secs(20) {
        save("early");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(holds("early"));
    save("flushed");
    flushed(&saver);
    assert!(holds("flushed"));
    save("last");
    drop(saver);
    assert!(holds("last"));
}

/// Waits until saving the unsaved changes was tried.
fn flushed(saver: &Saver) {
    let _ = saver.flush().recv();
}

#[test]
fn a_saver_says_once_what_goes_wrong_and_keeps_what_it_cannot_save() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    // Below a file there is no folder, until there is.
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let place = SessionPlace::beside(&blocked.join("graph.json"), None);
    let saver = Saver::start(open(place.clone(), &document).file, || {}).unwrap();
    for notes in ["one", "two"] {
        saver.save(noted(notes), Arc::clone(&document.graph));
        flushed(&saver);
        assert!(saver.trouble().is_some_and(|trouble| trouble.contains("cannot write")));
    }
    assert!(saver.notice().is_some_and(|notice| notice.starts_with("the session is not saved: cannot write")));
    assert_eq!(saver.notice(), None);
    fs::remove_file(&blocked).unwrap();
    let start = Instant::now();
    while saver.trouble().is_some() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(saver.trouble(), None, "it is tried again without being asked");
    assert!(saver.notice().is_some_and(|notice| notice.contains("saved again")));
    assert_eq!(notes_at(&place, &document), "two");
    assert_eq!(saver.close(), Ok(None));
}

#[test]
fn a_saver_that_ends_says_what_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(&[0]);
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let start = |data: Option<&Path>| {
        let place = SessionPlace::beside(&blocked.join("graph.json"), data);
        let saver = Saver::start(open(place, &document).file, || {}).unwrap();
        saver.save(noted("last"), Arc::clone(&document.graph));
        saver
    };
    assert!(start(None).close().unwrap_err().contains("graph.json.session.json"));
    let data = folder.path().join("data");
    let elsewhere = start(Some(&data)).close().unwrap().unwrap();
    assert!(elsewhere.starts_with(&data) && fs::read_to_string(elsewhere).unwrap().contains("last"));
}

#[test]
fn graphs_that_were_open_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let graph = |name: &str| RecentGraph { path: folder.path().join(name), prompt: name.into(), model: String::new() };
    let names = |data: &Path| recent(data).into_iter().map(|graph| graph.prompt).collect::<Vec<_>>();
    for name in ["a", "b", "a"] {
        note_recent(&data, graph(name)).unwrap();
    }
    assert_eq!(names(&data), ["a", "b"]);
    fs::write(data.join("recent.json"), "no list").unwrap();
    assert_eq!(names(&data), [] as [String; 0]);
    assert_eq!(fs::read_to_string(data.join("recent.json.bad")).unwrap(), "no list");
}
