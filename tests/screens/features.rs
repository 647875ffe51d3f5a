//! What features fire on: contexts, names and densities, from the library to the screen.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake};
use circuitscope::demo;
use circuitscope::features::{
    Asking, Dashboard, Example, Fetched, Found, Kind, Label, LabelOrigin, Library, Origin, Quantile, Search,
};
use circuitscope::graph::Edit;
use circuitscope::hub::Offer;
use circuitscope::ids::{FeatureId, Layer, NodeId};
use circuitscope::job::{Cancelled, Monitor};
use circuitscope::service::library::{Feature, FeatureSet, FeatureSource};
use circuitscope::service::models::{Choice, Models};
use circuitscope::service::tracing::Tracer;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::app::Pane;
use circuitscope::tui::circuit::Circuit;
use circuitscope::tui::dialogs::fetch::Fetch;
use circuitscope::tui::features::FeatureDetails;
use circuitscope::tui::history::Reached;
use circuitscope::tui::message::Msg;
use circuitscope::tui::start_trace;
use circuitscope::tui::theme::{Depth, Ground, Theme};
use circuitscope::tui::update::{take_results, update};
use insta::assert_snapshot;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A site that knows all features, and names them one after the other when it is let.
#[derive(Default)]
struct Far {
    named: Mutex<BTreeSet<Feature>>,
    /// How many are to be named before the site falls silent.
    most: Mutex<usize>,
}

impl FeatureSource for Far {
    fn read_here(&self, feature: Feature) -> Found {
        let origin = LabelOrigin::Source("far".to_owned());
        let named = self.named.lock().unwrap().contains(&feature);
        Found { label: named.then(|| Label { text: word(feature), origin }), hub_may_know: !named, ..Found::default() }
    }

    fn read(&self, feature: Feature, _: &Monitor) -> Result<Found, Cancelled> {
        Ok(self.read_here(feature))
    }

    fn label(&self, feature: Feature) -> Option<Label> {
        self.read_here(feature).label
    }

    fn density(&self, _: Feature) -> Option<f32> {
        None
    }

    fn asks_for(&self) -> Option<String> {
        None
    }

    fn allow_hub(&self) -> Result<(), String> {
        Ok(())
    }

    fn asking(&self, features: &[Feature]) -> Asking {
        let named = self.named.lock().unwrap();
        let missing: Vec<Feature> = features.iter().copied().filter(|feature| !named.contains(feature)).collect();
        let told = vec![format!("far.example is told {} numbers", missing.len())];
        Asking { missing, told, forbidden: None }
    }

    fn fetch(
        &self,
        features: &[Feature],
        told: &(dyn Fn(&[Feature]) + Sync),
        monitor: &Monitor,
    ) -> Result<Fetched, String> {
        for (nth, feature) in features.iter().enumerate() {
            while *self.most.lock().unwrap() <= nth {
                monitor
                    .report("fetching labels", nth as u64, features.len() as u64)
                    .map_err(|stop| stop.to_string())?;
                std::thread::sleep(Duration::from_millis(1));
            }
            self.named.lock().unwrap().insert(*feature);
            told(&[*feature]);
        }
        let asked = features.len();
        Ok(Fetched { asked, known: asked, named: asked, problems: Vec::new() })
    }

    fn notices(&self) -> &[String] {
        &[]
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// A library of made-up contexts, in which each feature's own name stands.
#[derive(Default)]
struct Shelf {
    /// The hub has to be asked, and the person has not said yes.
    far: bool,
    allowed: Mutex<bool>,
    /// Reading waits until this is false.
    closed: Mutex<bool>,
    /// The features that were read with the hub at hand, in order.
    read: Mutex<Vec<Feature>>,
}

/// The word that stands in the contexts of a feature alone.
fn word(feature: Feature) -> String {
    format!("w{}x{}", feature.0, feature.1)
}

fn example(texts: &[&str], activations: &[f32], repeated: bool) -> Example {
    Example {
        tokens: texts.iter().map(|text| (*text).to_owned()).collect(),
        activations: activations.to_vec(),
        peak: None,
        repeated,
    }
}

impl Shelf {
    fn dashboard(feature: Feature) -> Dashboard {
        let own = format!(" {}", word(feature));
        let strong =
            example(&["in", " the", " city", " of", &own, ",", " which"], &[0., 0., 2., 0., 8., 0., 1.], false);
        let again = Example { repeated: true, ..strong.clone() };
        let odd =
            example(&["東京", " \\xe2", "\\x82", "\\xac", "\x1b[2J", &own, "\n"], &[0., 1., 1., 1., 0., 6., 0.], false);
        let weak = example(&["some", " weaker", &own, " text"], &[0., 0., 3., 0.], false);
        let quantile = |name: &str, examples| Quantile { name: name.to_owned(), examples };
        Dashboard {
            quantiles: vec![quantile("top", vec![strong, again, odd]), quantile("bin 2", vec![weak])],
            promoted: vec![" Austin".to_owned()],
            max: 8.0,
            histogram: vec![9.0, 4.0, 1.0, 0.5],
            // Even ones fire often.
            density: Some(if feature.1.0.is_multiple_of(2) { 0.25 } else { 0.0005 }),
            ..Dashboard::default()
        }
    }

    fn known(feature: Feature) -> Found {
        let label = Label { text: format!("{} → Austin", word(feature)), origin: LabelOrigin::Automatic };
        let origin = Origin { kind: Kind::Made, path: "shelf".to_owned() };
        Found { dashboard: Some((Self::dashboard(feature), origin)), label: Some(label), ..Found::default() }
    }

    fn set_closed(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
    }
}

impl FeatureSource for Shelf {
    fn read_here(&self, feature: Feature) -> Found {
        if self.far { Found { hub_may_know: true, ..Found::default() } } else { Self::known(feature) }
    }

    fn read(&self, feature: Feature, monitor: &Monitor) -> Result<Found, Cancelled> {
        self.read.lock().unwrap().push(feature);
        if self.far && !*self.allowed.lock().unwrap() {
            return Ok(self.read_here(feature));
        }
        while *self.closed.lock().unwrap() {
            monitor.report("asking the hub", 0, 0)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self::known(feature))
    }

    fn label(&self, _: Feature) -> Option<Label> {
        None
    }

    fn density(&self, feature: Feature) -> Option<f32> {
        if self.far { None } else { Self::dashboard(feature).density }
    }

    fn asks_for(&self) -> Option<String> {
        (self.far && !*self.allowed.lock().unwrap()).then(|| "org/set".to_owned())
    }

    fn allow_hub(&self) -> Result<(), String> {
        *self.allowed.lock().unwrap() = true;
        Ok(())
    }

    fn notices(&self) -> &[String] {
        &[]
    }

    fn is_empty(&self) -> bool {
        false
    }
}

struct Shelves<K>(Arc<K>);

impl<K: FeatureSource> Models for Shelves<K> {
    fn list(&self) -> anyhow::Result<Vec<Choice>> {
        Ok(Vec::new())
    }

    fn server(&self) -> String {
        String::new()
    }

    fn offer(&self, _: &Choice, _: &Monitor) -> anyhow::Result<Offer> {
        anyhow::bail!("nothing is offered")
    }

    fn download(&self, _: &Offer, _: &Monitor) -> anyhow::Result<()> {
        anyhow::bail!("nothing is downloaded")
    }

    fn load(&self, _: &Choice) -> anyhow::Result<Arc<dyn Tracer>> {
        anyhow::bail!("nothing is loaded")
    }

    fn library(&self, set: &FeatureSet, _: &Monitor) -> anyhow::Result<Arc<dyn FeatureSource>> {
        assert_eq!(set, &of_demo());
        Ok(Arc::clone(&self.0) as Arc<dyn FeatureSource>)
    }
}

fn of_demo() -> FeatureSet {
    FeatureSet { transcoder: "demo-clt".to_owned(), source_set: None }
}

/// A traced screen beside a library.
fn beside<K: FeatureSource>(shelf: &Arc<K>, size: (u16, u16)) -> Desk {
    let mut desk = Desk::bare(size, Some(Fake::quick()));
    let models = Arc::new(Shelves(Arc::clone(shelf)));
    desk.state.jobs.services.models = Some(models);
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk
}

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.circuit.as_ref().unwrap()
}

/// Kept nodes of different features, the most influential first.
fn features(desk: &Desk) -> Vec<(NodeId, Feature)> {
    let circuit = circuit(desk);
    let mut nodes: Vec<NodeId> = circuit.pruned.node_ids().filter(|node| circuit.feature(*node).is_some()).collect();
    nodes.sort_by(|a, b| circuit.pruned.influence[b.index()].total_cmp(&circuit.pruned.influence[a.index()]));
    let mut seen = BTreeSet::new();
    let of = nodes.into_iter().map(|node| (node, circuit.feature(node).unwrap()));
    of.filter(|(_, feature)| seen.insert(*feature)).collect()
}

/// Selects a node, without waiting for what that starts.
fn select(desk: &mut Desk, node: NodeId) {
    desk.state.circuit.as_mut().unwrap().go(node, Reached::Freely);
    let (width, height) = desk.state.size;
    update(&mut desk.state, Msg::Resize(width, height));
    desk.start();
}

/// Selects the most influential feature, and waits.
fn at_feature(shelf: &Arc<Shelf>, size: (u16, u16)) -> (Desk, Feature) {
    let mut desk = beside(shelf, size);
    let (node, feature) = features(&desk)[0];
    select(&mut desk, node);
    desk.settle();
    (desk, feature)
}

#[test]
fn contexts_of_the_selected_feature_stand_beside_the_others() {
    let (desk, feature) = at_feature(&Arc::default(), (160, 48));
    let (layer, number) = feature;
    desk.expect("╭ contexts ─").expect(&format!("L{layer} #{number}")).expect("top  3 contexts, 1 repeated folded");
    desk.expect(&format!("in the city of {}, which", word(feature)));
    // Bytes that make a character together are one; what a terminal would obey is shown.
    desk.expect("€␛[2J");
    let theme = &desk.state.look.theme;
    let tint = |text: &str| desk.cells(text)[1].bg;
    assert_eq!(tint(&format!(" {}, which", word(feature))), theme.tint(1.0).bg.unwrap(), "the strongest is deepest");
    assert_eq!(tint(" city of"), theme.tint(0.25).bg.unwrap());
    assert_eq!(tint(" the city"), ratatui::style::Color::Reset);
}

#[test]
fn the_prompt_stands_above_in_the_same_tint() {
    let (desk, _) = at_feature(&Arc::default(), (160, 48));
    let circuit = circuit(&desk);
    let node = circuit.node(circuit.selected());
    let token = circuit.token(node.position(), &desk.state.look.glyphs);
    let (_, y) = desk.place("prompt ");
    let buffer = desk.buffer();
    let share = node.activation.unwrap() / 8.0;
    let tint = desk.state.look.theme.tint(share).bg.unwrap();
    let tinted: String =
        (0..buffer.area.width).filter(|x| buffer[(*x, y)].bg == tint).map(|x| buffer[(x, y)].symbol()).collect();
    assert!(tinted.contains(&token), "{token} in {tinted:?}:\n{}", desk.screen());
}

#[test]
fn moving_on_quickly_never_shows_what_another_feature_fires_on() {
    let shelf = Arc::new(Shelf::default());
    let mut desk = beside(&shelf, (160, 48));
    let features = features(&desk);
    shelf.set_closed(true);
    for (node, feature) in &features[..6] {
        select(&mut desk, *node);
        take_results(&mut desk.state);
        assert!(!desk.shows(" which"), "nothing was read yet:\n{}", desk.screen());
        desk.expect(&format!("L{} #{}", feature.0, feature.1));
    }
    shelf.set_closed(false);
    desk.settle();
    let here = word(features[5].1);
    desk.expect(&format!("city of {here}"));
    for (_, other) in &features[..5] {
        assert!(!desk.shows(&format!("city of {}", word(*other))), "{other:?} is stale");
    }
    // There and back: that the first question was passed over is no answer to the last.
    shelf.set_closed(true);
    for at in [1, 2, 1] {
        select(&mut desk, features[at].0);
    }
    for _ in 0..50 {
        take_results(&mut desk.state);
        assert!(!desk.shows("cancelled"), "{}", desk.screen());
        std::thread::sleep(Duration::from_millis(1));
    }
    shelf.set_closed(false);
    desk.settle();
    desk.expect(&format!("city of {}", word(features[1].1)));
    // What was passed over is read when somebody comes back to it.
    select(&mut desk, features[0].0);
    desk.settle();
    desk.expect(&format!("city of {}", word(features[0].1)));
}

#[test]
fn names_made_from_contexts_are_marked_and_an_own_one_goes_first() {
    let (mut desk, feature) = at_feature(&Arc::default(), (160, 48));
    let automatic = format!("~{} → Austin", word(feature));
    assert_eq!(circuit(&desk).label(circuit(&desk).selected()).unwrap().0, automatic);
    desk.expect("  automatic");
    let shown = desk.place(&format!("{} → Austin", word(feature)));
    assert!(shown.1 > 1);
    // In the connections of what it flows into.
    let from = circuit(&desk).outputs.kept[0].other;
    let here = circuit(&desk).selected();
    select(&mut desk, from);
    desk.settle();
    desk.expect(&format!("~{}", word(feature)));
    // In the search, and for filters.
    desk.press("/").type_text(&word(feature)).expect(&automatic);
    desk.press("Esc");
    desk.press("f").type_text(&format!("label~{}", word(feature))).press("Enter");
    let circuit_now = circuit(&desk);
    assert!(circuit_now.kept().has_node(here) && circuit_now.kept().n_nodes() < circuit_now.pruned.n_nodes());
    desk.press("f Ctrl-u Enter");
    select(&mut desk, here);
    desk.press("e l");
    desk.expect(&format!("{} → Austin", word(feature)));
    desk.press("Ctrl-u").type_text("mine").press("Enter").expect("your own");
    assert_eq!(circuit(&desk).label(here), Some(("mine", true)));
}

#[test]
fn how_often_features_fire_prunes_and_filters() {
    let (mut desk, _) = at_feature(&Arc::default(), (160, 48));
    desk.expect("fires on ");
    let often = |desk: &Desk| {
        let circuit = circuit(desk);
        let kept: Vec<Feature> = circuit.kept().node_ids().filter_map(|node| circuit.feature(node)).collect();
        (kept.len(), kept.iter().filter(|(_, number)| number.0.is_multiple_of(2)).count())
    };
    let (all, frequent) = often(&desk);
    assert!(frequent > 0 && frequent < all);
    desk.press("f").type_text("density<0.01").press("Enter");
    assert_eq!(often(&desk), (all - frequent, 0));
    desk.press("f Ctrl-u Enter");
    desk.press("d d d");
    assert_eq!(often(&desk).1, 0, "{}", desk.screen());
    desk.press("u u u");
    assert_eq!(often(&desk), (all, frequent));
}

#[test]
fn the_whole_screen_has_a_search_within_the_contexts() {
    let (mut desk, feature) = at_feature(&Arc::default(), (80, 24));
    desk.press("s").expect("╭ contexts ─").expect("some weaker");
    desk.press("/").type_text("CITY OF").expect("with CITY OF").expect("top  2 contexts");
    assert!(!desk.shows("weaker"));
    let marked = desk.cells("city of")[2].clone();
    assert_eq!(marked.bg, desk.state.look.theme.selection.bg.unwrap());
    desk.press("Enter r").expect("1 repeated shown");
    desk.press("Esc").expect("some weaker");
    // The strongest token stays in view however far contexts are shifted.
    for _ in 0..12 {
        desk.press("l");
        desk.expect(&word(feature));
    }
    desk.press("Esc");
    assert!(desk.state.dialogs.is_empty());
}

#[test]
fn contexts_share_a_place_where_the_screen_is_small() {
    let (mut desk, feature) = at_feature(&Arc::default(), (80, 24));
    assert!(!desk.shows("bin 2"));
    desk.expect("detail contexts");
    desk.press_until("Tab", |state| state.focus == Pane::Feature);
    desk.expect(&word(feature)).expect("8.000 ");
    assert_snapshot!("contexts_80x24", desk.screen());
    desk.press("z").expect("bin 2");
}

#[test]
fn as_it_looks() {
    let (mut desk, _) = at_feature(&Arc::default(), (160, 48));
    assert_snapshot!("contexts_160x48", desk.screen());
    desk.press("s");
    assert_snapshot!("contexts_whole_160x48", desk.screen());
}

#[test]
fn without_colour_or_signs() {
    let (mut desk, feature) = at_feature(&Arc::default(), (160, 48));
    desk.state.look.theme = Theme::new(Depth::Mono, Ground::Dark);
    desk.state.look.glyphs = Glyphs::new(Charset::Ascii);
    desk.expect(&format!("of[ {}]", word(feature)));
    assert!(desk.screen().is_ascii(), "{}", desk.screen());
    let reset = ratatui::style::Color::Reset;
    assert!(desk.buffer().content.iter().all(|cell| cell.fg == reset && cell.bg == reset));
    desk.press("s");
    assert!(desk.screen().is_ascii(), "{}", desk.screen());
}

#[test]
fn the_hub_is_asked_after_a_yes_and_once_for_the_set() {
    let shelf = Arc::new(Shelf { far: true, ..Shelf::default() });
    let (mut desk, feature) = at_feature(&shelf, (160, 48));
    desk.expect("Nothing on this machine knows this feature");
    desk.press("A").expect("May the hub be asked for features of org/set?");
    desk.press("n");
    assert!(!*shelf.allowed.lock().unwrap() && !desk.shows("city of"));
    desk.press("A y").expect(&format!("city of {}", word(feature)));
    // The next feature needs no further yes.
    let (next, feature) = features(&desk)[1];
    select(&mut desk, next);
    desk.settle();
    desk.expect(&format!("city of {}", word(feature)));
}

#[test]
fn the_hub_is_asked_only_for_what_is_looked_at_and_can_be_stopped() {
    let shelf = Arc::new(Shelf { far: true, allowed: Mutex::new(true), ..Shelf::default() });
    let (mut desk, feature) = at_feature(&shelf, (80, 24));
    assert_eq!(*shelf.read.lock().unwrap(), [], "the pane is not seen");
    shelf.set_closed(true);
    desk.press_only("s");
    let asked = |desk: &Desk| desk.shows("asking the hub");
    for _ in 0..2_000 {
        update(&mut desk.state, Msg::Tick);
        if asked(&desk) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    desk.expect("asking the hub; Ctrl-c stops");
    desk.press("Ctrl-c").expect("The question was taken back; A asks again");
    shelf.set_closed(false);
    desk.press("Esc A").press("s").expect(&format!("city of {}", word(feature)));
}

#[test]
fn a_supernode_shows_its_members_in_turn_and_all_together() {
    let (mut desk, _) = at_feature(&Arc::default(), (160, 48));
    let some: Vec<_> = features(&desk)[..3].to_vec();
    let members = some.iter().map(|(node, _)| *node).collect();
    let group = Edit::Group { name: "cities".to_owned(), members };
    desk.state.circuit.as_mut().unwrap().edits.apply(group);
    desk.press_until("Tab", |state| state.focus == Pane::Feature);
    desk.expect("member 1 of 3 of cities").expect(&format!("city of {}", word(some[0].1)));
    desk.press(")").expect("member 2 of 3 of cities").expect(&format!("city of {}", word(some[1].1)));
    desk.press(") )").expect("all members  3 of cities");
    desk.press("z");
    for (_, feature) in &some {
        desk.expect(&format!("city of {}", word(*feature)));
    }
    desk.press("(").expect("member 3 of 3");
    desk.press(") )").expect("member 1 of 3");
}

#[test]
fn what_is_no_feature_has_no_contexts() {
    let mut desk = beside::<Shelf>(&Arc::default(), (160, 48));
    desk.expect("This is no feature: only features have contexts");
    desk.press("s");
    assert!(desk.state.dialogs.is_empty());
}

/// The demo's own library, as it is part of the program.
#[test]
fn the_demo_shows_contexts_of_the_first_feature_that_is_selected() {
    let (_, transcoder) = demo::places();
    let search = Search { transcoder: Some(&transcoder), ..Search::default() };
    let library = Library::open(&search, &Monitor::default()).unwrap();
    let sizes = library.stores().next().expect("the demo has a store").index().sizes();
    let started = Instant::now();
    let mut read = 0;
    for (layer, n) in sizes.iter().enumerate() {
        for feature in (0..*n).step_by(17) {
            let card = FeatureDetails::read(
                &library,
                (Layer::from(layer), FeatureId::from(feature)),
                true,
                &Monitor::default(),
            );
            read += usize::from(!card.unwrap().groups.is_empty());
        }
    }
    assert!(read > 50, "{read} have contexts");
    assert!(started.elapsed() < Duration::from_millis(50) * read as u32, "{read} took {:?}", started.elapsed());
}

/// The features of the fake tracer, without waiting for a graph's.
fn browsing(size: (u16, u16)) -> Desk {
    let mut desk = beside::<Shelf>(&Arc::default(), size);
    desk.press("B");
    desk
}

#[test]
fn all_kept_features_are_named_after_one_yes_as_the_names_come() {
    let far = Arc::new(Far::default());
    let mut desk = beside(&far, (160, 48));
    let features: Vec<Feature> = features(&desk).into_iter().map(|(_, feature)| feature).collect();
    let names =
        |desk: &Desk| features.iter().filter(|feature| circuit(desk).named.labels.contains_key(feature)).count();
    desk.press("A").expect(&format!("of {n} of the {n} kept features", n = features.len()));
    desk.expect(&format!("far.example is told {} numbers.", features.len())).expect("sent nowhere");
    desk.press("n");
    assert!(desk.state.dialogs.is_empty() && far.named.lock().unwrap().is_empty(), "no is no");
    // A few come while the rest is waited for, and the graph can be walked.
    *far.most.lock().unwrap() = 3;
    desk.press_only("A");
    desk.wait_for("the question", |desk| desk.state.dialogs.get::<Fetch>().is_some_and(|fetch| fetch.asking.is_some()));
    desk.press_only("y");
    desk.wait_for("three names", |desk| names(desk) == 3);
    assert!(desk.state.dialogs.is_empty());
    let here = desk.selected();
    desk.press_only("j");
    assert_ne!(desk.selected(), here);
    desk.press_only("Esc");
    desk.settle();
    desk.expect("what has come is kept");
    assert_eq!((names(&desk), desk.state.fetching.is_some()), (3, false));
    // The next time the rest.
    *far.most.lock().unwrap() = usize::MAX;
    desk.press("A").expect(&format!("of {} of the {} kept", features.len() - 3, features.len()));
    desk.press("y").expect("have a name now");
    assert_eq!(names(&desk), features.len());
    let first = circuit(&desk).inputs.kept.iter().find_map(|link| circuit(&desk).feature(link.other)).unwrap();
    desk.expect(&format!("{} L{} @", word(first), first.0));
    desk.press("A").expect("hub cannot be asked");
}

#[test]
fn features_are_listed_without_a_graph_and_the_chosen_one_is_told_of() {
    let mut desk = browsing((160, 48));
    desk.expect("features of demo-clt").expect("by layer").expect("L0").expect("city of w0x0");
    desk.press("j j").expect("city of w0x2");
    assert!(!desk.shows("city of w0x0"));
    let row = desk.cells("#2 L0 ")[0].clone();
    assert_eq!(row.bg, desk.state.look.theme.selection.bg.unwrap());
    desk.press("o").expect("by density");
    desk.press("o o").expect("by label");
    assert_snapshot!("browse_160x48", desk.screen());
    desk.press("Esc");
    assert!(desk.state.dialogs.is_empty());
}

#[test]
fn what_a_listed_feature_fires_on_is_scrolled() {
    let mut desk = browsing((160, 16));
    let start = desk.press("j").screen();
    desk.press(&["J"; 60].join(" "));
    let end = desk.screen();
    assert_ne!(end, start, "there is more than fits:\n{end}");
    desk.press("J");
    assert_eq!(desk.screen(), end, "it ends where its last line is shown");
    desk.press("> > >");
    assert_ne!(desk.screen(), end, "contexts are shifted");
    desk.press("j k").expect("city of w0x1");
    assert_eq!(desk.state.features.sight.scroll, 0, "another one is shown from its start");
}

#[test]
fn features_are_searched_and_their_neighbours_found() {
    let mut desk = browsing((80, 24));
    desk.press("/").type_text("paris").expect("search paris");
    desk.press("Enter").expect("that fit paris  1 of 1").expect("L0");
    assert!(!desk.shows("#2"));
    desk.press("n").expect("that write nearly as L0 #1").expect("0.750");
    desk.press("Esc").expect("by layer").expect("#2");
    desk.press("/ Esc").expect("by layer");
    desk.press("Esc");
    assert!(desk.state.dialogs.is_empty());
}

#[test]
fn a_text_shows_what_fires_token_by_token() {
    let mut desk = browsing((160, 48));
    desk.press("t").type_text("in paris now").press("Enter");
    // The last token comes first; each token has features of its own.
    desk.expect("on ").expect("#2 L1");
    desk.press("h").expect("#1 L1");
    assert!(!desk.shows("#2 L1"));
    let tint = desk.state.look.theme.tint(1.0).bg.unwrap();
    assert_eq!(desk.cells("paris")[0].bg, tint, "the token on which the chosen feature fires");
    assert_ne!(desk.cells("now")[0].bg, tint);
}
