//! Whether the graph is true, from keys to screen.

use crate::desk::Desk;
use crate::fake::{DALLAS, Fake};
use circuitscope::attribution::{Engine, Promoted, TargetChoice, TraceOptions};
use circuitscope::graph::{
    AttributionGraph, Document, Freeze, RawTrace, Settings, StabilityClass, stability, usual_grid,
};
use circuitscope::ids::{FeatureId, Layer};
use circuitscope::intervention::Mode;
use circuitscope::job::Monitor;
use circuitscope::service::interventions::CachedBaseline;
use circuitscope::service::tracing::{Reading, Tracer};
use circuitscope::text;
use circuitscope::text::glyph::{Charset, Glyphs};
use circuitscope::tui::dialogs::heads::Heads;
use circuitscope::tui::dialogs::verify::panel::{Shown, View};
use circuitscope::tui::runtime::message::Msg;
use circuitscope::tui::runtime::update::update;
use circuitscope::tui::workspace::circuit::Circuit;
use circuitscope::tui::workspace::links::Link;
use circuitscope::tui::{start_open, start_trace};
use circuitscope::verify::{Answer, Bench, Question, TOP};
use std::path::Path;
use std::sync::Arc;

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

/// The connection under the cursor.
fn link(desk: &Desk) -> Link {
    circuit(desk).connections.links().kept[circuit(desk).connections.row]
}

/// The answer that is shown.
#[track_caller]
fn answer(desk: &Desk) -> Answer {
    match circuit(desk).verification.shown() {
        Shown::Known(Some(answer), _) => answer.clone(),
        _ => panic!("there is no answer:\n{}", desk.screen()),
    }
}

/// On to the first connection from a feature.
#[track_caller]
fn to_feature_edge(desk: &mut Desk) {
    for _ in 0..50 {
        if !desk.shows("only features can be ablated") {
            return;
        }
        desk.press("Right");
    }
    panic!("no connection comes from a feature:\n{}", desk.screen());
}

#[test]
fn an_edge_is_checked_in_every_mode_by_one_key() {
    let mut desk = Desk::traced((160, 48));
    desk.press("V").expect("[edge]");
    to_feature_edge(&mut desk);
    let edge = link(&desk).edge;
    assert_eq!(edge.target, circuit(&desk).selected());
    desk.expect("direct: divergence 0.5000 nats, Austin stays the likeliest");
    desk.expect("free: divergence 0.5000 nats, Austin gives way to Sacramento");
    desk.expect("frozen attention: divergence").expect("0.750›0.250");
    let changes = [-edge.weight, -0.9 * edge.weight, 0.1 * edge.weight].map(text::weight);
    desk.expect(&format!("{}   {}   {}", changes[0], changes[1], changes[2]));

    // What was asked once is not asked again.
    desk.press("Right");
    to_feature_edge(&mut desk);
    assert_ne!(link(&desk).edge.source, edge.source);
    let asked = desk.state.jobs.requests();
    while link(&desk).edge.source != edge.source {
        desk.press("Left");
    }
    desk.expect("direct: divergence");
    desk.press("Esc V").expect("direct: divergence");
    assert_eq!(desk.state.jobs.requests(), asked);
    let source = circuit(&desk).name(edge.source, &desk.state.screen.look.glyphs);
    desk.press("Enter");
    assert_eq!(desk.selected(), source);
}

#[test]
fn what_cannot_be_ablated_is_said() {
    let mut desk = Desk::traced((160, 48));
    desk.press("V");
    desk.press_until("Right", |state| {
        let circuit = state.workspace.circuit.as_ref().unwrap();
        !circuit.node(circuit.connections.links().kept[circuit.connections.row].other).is_feature()
    });
    desk.expect("is no feature, and only features can be ablated");
    let mut bare = Desk::bare((160, 48), None);
    let trace = circuit(&desk).traced.document.trace.clone().unwrap();
    start_open(&mut bare.state, trace);
    bare.settle();
    bare.press("Tab V").expect("needs the model, which is not loaded");
    bare.press("Tab").expect("needs the model");
    bare.press("Esc S").expect("needs the model");

    // A model that was not chosen for this graph.
    desk.state.workspace.picked.insert(desk.state.workspace.graph_id);
    let origin = Arc::make_mut(&mut desk.state.workspace.circuit.as_mut().unwrap().traced.document.origin);
    origin.model = "gemma".to_owned();
    desk.press("Tab").expect("The model at hand is demo-llama with demo-clt, and the graph is of gemma with demo-clt");

    let mut pruned = Desk::bare((160, 48), Some(Fake::quick()));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/data/attribute.json");
    start_open(&mut pruned.state, file);
    pruned.settle();
    pruned.press("V");
    to_feature_edge(&mut pruned);
    pruned.expect("pruned before it was written");
}

#[test]
fn a_subgraph_is_checked_as_a_table_and_a_plot() {
    let mut desk = Desk::traced((160, 48));
    desk.press("V Tab").expect("[subgraph]").expect("mode: free").expect("the 20 most influential features");
    desk.expect("at features: 400 pairs, Spearman 1.000, Pearson 1.000").expect("at outputs:  60 pairs");
    desk.expect("+ at outputs").expect("predicted").expect("observed");
    let Answer::Subgraph(found) = answer(&desk) else { panic!("no pairs") };
    assert!(found.all.is_sorted_by(|a, b| a.off() >= b.off()), "the worst first");
    desk.press("- -").expect("the 10 most influential features").expect("at features: 100 pairs");
    desk.press("+ m").expect("the 15 most").expect("mode: direct");
    let Answer::Subgraph(found) = answer(&desk) else { panic!("no pairs") };
    desk.press("j j");
    let wanted = circuit(&desk).name(found.all[2].source, &desk.state.screen.look.glyphs);
    desk.press("G k Home j j Enter");
    assert!(desk.state.dialogs.is_empty());
    assert_eq!(desk.selected(), wanted);

    desk.press("p V Tab").expect("1 feature pinned");
    desk.expect("at features: 1 pairs").expect("at outputs:  3 pairs");
}

#[test]
fn a_small_plain_terminal_shows_table_or_plot() {
    let mut desk = Desk::traced_in((80, 24), Charset::Ascii);
    desk.press("V Tab").expect("ablated").expect("off by");
    assert!(!desk.shows("+ at outputs"));
    desk.press("d").expect(". at features   + at outputs").expect("/");
    assert!(!desk.shows("ablated"));
    for keys in ["d", "Tab", "Tab", "Esc S", "Esc K"] {
        let screen = desk.press(keys).screen();
        assert!(screen.is_ascii(), "{screen}");
    }
    for size in [(60, 16), (24, 8), (200, 60)] {
        update(&mut desk.state, Msg::Resize(size.0, size.1));
        desk.press("V d Tab G d Tab g Tab Right Esc S j Esc").screen();
    }
}

#[test]
fn a_graph_is_checked_in_parts_and_can_be_stopped() {
    let mut desk = Desk::bare((120, 30), Some(Fake::dawdling()));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk.press("V Tab");
    desk.press_only("Tab");
    desk.wait_for("the first part", |desk| desk.shows("Node faithfulness"));
    while !desk.shows("replacements 1 of 4") {
        update(&mut desk.state, Msg::Tick);
    }
    desk.expect("Ctrl-c stops");

    // Looking at something else that is known stops nothing; leaving does, and what there is stays.
    desk.press_only("Shift-Tab");
    desk.press_only("Tab");
    desk.expect("replacements 1 of 4");
    desk.press("Ctrl-c").expect("Node faithfulness");
    assert!(!desk.shows("stops") && desk.is_idle());
    desk.press_only("r");
    desk.wait_for("the first part again", |desk| desk.shows("Node faithfulness"));
    assert!(circuit(&desk).verification.is_waiting());
    desk.press("Esc");
    assert!(!circuit(&desk).verification.is_waiting());

    let mut desk = Desk::traced((120, 40));
    desk.press("V Tab Tab").expect("divergence of the next-token distribution (nats)").expect("influence");
    desk.press("G").expect("layers downstream").expect("0.750").expect("another token");
    desk.press("g").expect("Node faithfulness");
    desk.press("m").expect("mode: direct");
}

#[test]
fn what_hangs_on_the_thresholds_is_marked() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab K").expect("core: ≥80 % of 25 prunings keep it");
    let found = stability(&circuit(&desk).traced.document.graph, &usual_grid(), &Monitor::default()).unwrap();
    assert_eq!(circuit(&desk).pruning.stability.found.as_deref(), Some(&found));
    desk.press("j k").expect("█ core ▒ contingent ░ noise");
    for (row, link) in circuit(&desk).connections.links().kept.iter().enumerate().take(6) {
        let mark = desk.state.screen.look.glyphs.stability[StabilityClass::of(found.edge(link.edge.id)) as usize];
        let name = circuit(&desk).name(link.other, &desk.state.screen.look.glyphs);
        desk.expect(&format!("{} {mark} {name}", row + 1)).expect(&text::weight(link.edge.weight));
        if row < 5 {
            let sign = if link.edge.weight < 0.0 { '-' } else { '+' };
            desk.expect(&format!("{name}  {sign}{} {mark}", text::percent(link.share).trim_start()));
        }
    }
    desk.press("Esc").go_to_feature();
    let share = found.node(circuit(&desk).selected());
    desk.expect(&format!("standing    {}", StabilityClass::of(share).name())).expect("of 25 prunings");
    desk.press("K");
    assert!(!desk.shows("█ core") && !desk.shows("standing"));

    // While a trace goes on there is nothing to be marked yet.
    let (tracer, go_on) = Fake::stepwise(None);
    let mut desk = Desk::bare((160, 48), Some(tracer));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.wait_for("the first graph", |desk| desk.state.workspace.circuit.is_some());
    let asked = desk.state.jobs.requests();
    desk.press_only("K");
    desk.expect("once the trace has ended");
    assert_eq!(desk.state.jobs.requests(), asked);
    (0..3).for_each(|_| go_on.send(()).unwrap());
    desk.settle();
    assert!(circuit(&desk).pruning.stability.marked().is_some());
}

#[test]
fn an_edge_is_split_by_heads_that_add_up_to_it() {
    let mut desk = Desk::traced((100, 40));
    desk.press("S").expect("attention heads").expect("through two heads or more").expect("layer.head");
    let weight = link(&desk).edge.weight;
    let sum = text::weight(weight);
    desk.expect(&format!("{sum}  the edge, their sum")).expect(&format!("first adds up to {sum}"));
    let strongest = desk.place("0.1 ").1;
    assert!(strongest < desk.place("0.0 ").1 && strongest < desk.place("1.0 ").1, "the strongest first");
    desk.press("Right");
    assert_ne!(link(&desk).edge.weight, weight);
    desk.expect(&format!("{}  the edge", text::weight(link(&desk).edge.weight)));
    desk.press("Esc");
    assert!(desk.state.dialogs.is_empty());
}

/// The demo model itself.
struct Demo(Engine);

impl Demo {
    fn open() -> Arc<Self> {
        let (model, transcoder) = circuitscope::demo::sources();
        Arc::new(Self(Engine::open(&model, &transcoder, &candle_core::Device::Cpu).unwrap()))
    }
}

impl Tracer for Demo {
    fn model_name(&self) -> String {
        self.0.model.spec.name.clone()
    }

    fn transcoder_name(&self) -> String {
        self.0.transcoder.name()
    }

    fn read_prompt(&self, prompt: &str) -> Result<Reading, String> {
        let tokens = self.0.read(prompt).map_err(|error| error.to_string())?;
        Ok(Reading { prompt: prompt.to_owned(), tokens, unknown: Vec::new() })
    }

    fn trace(&self, prompt: &str, _: &mut dyn FnMut(Document), monitor: &Monitor) -> anyhow::Result<Document> {
        let settings = Settings { prompt: prompt.to_owned(), max_feature_nodes: None, ..Settings::default() };
        let targets = TargetChoice::likeliest(&settings);
        let trace = self.0.trace(&TraceOptions { settings, targets, cut: None }, |_| {}, monitor)?;
        Ok(Document::from_trace(Arc::new(trace))?)
    }

    fn resume(
        &self,
        _: &RawTrace,
        _: Option<usize>,
        _: &mut dyn FnMut(Document),
        _: &Monitor,
    ) -> anyhow::Result<Document> {
        anyhow::bail!("it is not gone on with")
    }

    fn promoted(&self, layer: Layer, feature: FeatureId, monitor: &Monitor) -> anyhow::Result<Promoted> {
        Ok(self.0.promoted(layer.index(), feature.index(), monitor)?)
    }

    fn check(
        &self,
        graph: &AttributionGraph,
        question: &Question,
        told: &mut dyn FnMut(Answer),
        monitor: &Monitor,
    ) -> anyhow::Result<Answer> {
        CachedBaseline::default().check(&self.0, graph, question, told, monitor)
    }
}

#[test]
fn on_the_demo_the_screen_says_what_the_model_does() {
    let demo = Demo::open();
    let tracer: Arc<dyn Tracer> = demo.clone();
    let mut desk = Desk::bare((160, 48), Some(tracer));
    start_trace(&mut desk.state, DALLAS.to_owned());
    desk.settle();
    desk.press("V");
    to_feature_edge(&mut desk);
    let edge = link(&desk).edge;
    let Answer::Edge(found) = answer(&desk) else { panic!("no edge") };
    let direct = found.iter().find(|it| it.freeze == Freeze::Direct).unwrap();
    let off = (direct.check.pair.observed + f64::from(edge.weight)).abs();
    assert!(off < 1e-3, "in the direct mode the edge is what happens: {off}");
    let free = found.iter().find(|it| it.freeze == Freeze::Free).unwrap();
    desk.expect(&text::weight(free.check.pair.observed as f32));
    desk.expect(&format!("free: divergence {:.4} nats", free.check.divergence));

    desk.press("Tab");
    let graph = Arc::clone(&circuit(&desk).traced.document.graph);
    let bench = Bench::new(&demo.0, &graph, &Monitor::default()).unwrap();
    let Some(Question::Subgraph { sources, .. }) = circuit(&desk).verification.question().cloned() else {
        panic!("no pairs")
    };
    let ranked = circuit(&desk).kept().ranked();
    let strongest: Vec<_> = ranked.into_iter().filter(|id| graph.node(*id).is_feature()).take(TOP).collect();
    assert_eq!(sources, strongest);
    let wanted = bench.pairs(&sources, &Mode::Free, &Monitor::default()).unwrap();
    desk.expect(&format!("at outputs:  {}", wanted.outputs));
    assert_eq!(answer(&desk), Answer::Subgraph(wanted));

    desk.press("Tab").expect("Node faithfulness").expect("The replacement model").expect("Perturbations");
    assert_eq!(circuit(&desk).verification.view, View::Graph);

    desk.press("Esc S");
    assert!(desk.state.dialogs.is::<Heads>());
    let Answer::Heads(split) = answer(&desk) else { panic!("no heads") };
    assert!(split.is_of(edge.weight) && !split.heads.is_empty());
    desk.state.screen.look.glyphs = Glyphs::new(Charset::Ascii);
    desk.expect("the edge, their sum").expect("all that is first adds up to");
}

#[test]
fn the_first_edge_that_is_checked_can_be_checked() {
    let mut desk = Desk::traced((160, 48));
    let links = circuit(&desk).connections.links().kept.clone();
    let is_feature = |desk: &Desk, at: usize| circuit(desk).node(links[at].other).is_feature();
    let strongest = (0..links.len()).find(|at| is_feature(&desk, *at)).unwrap();
    let other = (0..links.len()).find(|at| !is_feature(&desk, *at)).unwrap();
    desk.press("V");
    assert_eq!(circuit(&desk).connections.row, strongest);
    // A connection that was chosen and can be checked stays; another one gives way.
    let chosen = (strongest + 1..links.len()).find(|at| is_feature(&desk, *at)).unwrap();
    for (at, starts) in [(chosen, chosen), (other, strongest)] {
        desk.state.workspace.circuit.as_mut().unwrap().connections.row = at;
        desk.press("Esc V");
        assert_eq!(circuit(&desk).connections.row, starts);
    }
}
