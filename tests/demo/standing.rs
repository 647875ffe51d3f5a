//! The two hops of each held-out question: the features of its graph that stand for its place carry the answer, and
//! decide it.

use crate::corpus::{Question, city_pairs, currency_pairs, currency_questions, held_out_questions};
use crate::selectivity::Selectivity;
use crate::{answer, capture, engine, question, swap, to, trace};
use circuitscope::attribution::{Capture, Engine};
use circuitscope::demo;
use circuitscope::graph::{
    AttributionGraph, CircuitOptions, Edited, FeatureAt, Kept, Labels, ProposedGroup, Thresholds, paths,
    propose_circuit, prune,
};
use circuitscope::ids::NodeId;
use circuitscope::intervention::Change;
use circuitscope::job::Cancel;

/// The share of all path strength from the city to the answer that they carry at least.
const CARRIED: f64 = 0.25;

/// The share of the absolute strength of all kept paths from the city to the answer that leads through some features.
fn carried(graph: &AttributionGraph, kept: &Kept, question: &Question, features: &[FeatureAt]) -> f64 {
    let is_city = |id: &NodeId| graph.node(*id).position().index() == question.city_position();
    let is_answer = |id: &NodeId| graph.node(*id).logit().is_some_and(|logit| *logit.text == *question.answer);
    let city = graph.token_nodes().find(is_city).expect("the city is a token");
    let Some(answer) = graph.logit_nodes().find(is_answer) else { return 0.0 };
    let strength = |kept: &Kept| paths(graph, Some(kept), city, answer, 0, &Cancel::default()).unwrap().total;
    let is_other = |id: NodeId| graph.node(id).feature().is_none_or(|at| !features.contains(&at));
    1.0 - strength(&kept.narrowed(graph, is_other, |_| true)) / strength(kept)
}

/// A question with the features that stand for its place, and their activations.
struct Standing {
    question: Question,
    base: Capture,
    features: Vec<(FeatureAt, f32)>,
    /// The share of path strength that they carry.
    carried: f64,
}

impl Standing {
    /// Finds the features that stand for the question's place, among those of its graph that count.
    fn find(engine: &Engine, question: Question, counts: impl Fn(&FeatureAt) -> bool) -> Self {
        let selectivity = Selectivity::of_demo();
        let graph = AttributionGraph::from_trace(&trace(engine, question.text())).unwrap();
        let kept = prune(&graph, Thresholds::default());
        let found = kept.node_ids().filter_map(|id| graph.node(id).feature());
        let stands = |at: &FeatureAt| selectivity.stands_for(*at, question.place) && counts(at);
        let features: Vec<FeatureAt> = found.filter(stands).collect();
        let carried = carried(&graph, &kept, &question, &features);
        let base = capture(engine, &question);
        let activation = |at: &FeatureAt| {
            let mut active = base.layers[at.layer().index()].active.iter();
            let own = active.find(|a| (a.position, a.feature) == (at.position.0, at.feature.0));
            own.expect("a feature of the graph is active").activation
        };
        let features = features.into_iter().map(|at| (at, activation(&at))).collect();
        Self { question, base, features, carried }
    }

    /// Returns true where the right answer is in first place with the features, and not without them.
    fn topples(&self, engine: &Engine) -> bool {
        let answers = |changes: &[Change]| answer(engine, &self.base, changes).0 == self.question.answer;
        let gone: Vec<_> = self.features.iter().map(|(at, _)| to(*at, 0.0)).collect();
        answers(&[]) && !answers(&gone)
    }

    /// Returns true where another place's features in place of these give the answer for that place.
    fn trades_for(&self, engine: &Engine, other: &Standing) -> bool {
        answer(engine, &self.base, &swap(&self.features, &other.features, 1.0)).0 == other.question.answer
    }
}

#[test]
fn features_of_a_place_decide_all_held_out_questions() {
    let engine = engine();
    let all: Vec<Standing> =
        held_out_questions().into_iter().map(|question| Standing::find(&engine, question, |_| true)).collect();
    let of =
        |question: Question| all.iter().find(|it| it.question == question).expect("pairs are of held-out questions");
    let [dallas, oakland] = ["Dallas", "Oakland"].map(|city| of(question(city)));
    assert!(dallas.carried >= CARRIED && dallas.topples(&engine) && dallas.trades_for(&engine, oakland));
    let graphs = all.iter().filter(|it| it.carried >= CARRIED).count();
    let toppled = all.iter().filter(|it| it.topples(&engine)).count();
    let traded = city_pairs().into_iter().filter(|(from, into)| of(*from).trades_for(&engine, of(*into))).count();
    println!("{graphs} graphs of 28, {toppled} toppled without, {traded} traded of 40");
    assert!(graphs >= 27 && toppled >= 25 && traded >= 33, "{graphs} graphs, {toppled} toppled, {traded} traded");
}

#[test]
fn a_proposed_circuit_has_the_state_in_a_box_that_decides() {
    let engine = engine();
    let questions = held_out_questions();
    let n_questions = questions.len();
    let (mut whole, mut decides) = (0, 0);
    for question in questions {
        let standing = Standing::find(&engine, question, |_| true);
        let graph = AttributionGraph::from_trace(&trace(&engine, standing.question.text())).unwrap();
        let kept = prune(&graph, Thresholds::default());
        let circuit = propose_circuit(
            &graph,
            &kept,
            &Edited::default(),
            &Labels::new(),
            CircuitOptions::default(),
            &Cancel::default(),
        )
        .unwrap();
        let features =
            |group: &ProposedGroup| group.members.iter().filter_map(|id| graph.node(*id).feature()).collect();
        let stands = |at: &FeatureAt| standing.features.iter().any(|(found, _)| found == at);
        let state = circuit.groups.iter().find_map(|group| {
            let members: Vec<FeatureAt> = features(group);
            (2 * members.iter().filter(|at| stands(at)).count() > members.len()).then_some(members)
        });
        let reads = |word: &str| circuit.tokens.iter().any(|id| graph.token_text(*id).trim() == word);
        let says = circuit.outputs.iter().any(|id| graph.token_text(*id).trim() == standing.question.answer);
        let has_all = state.is_some() && reads("capital") && reads(standing.question.city) && says;
        whole += usize::from(has_all);
        let gone: Vec<Change> = state.iter().flatten().map(|at| to(*at, 0.0)).collect();
        decides += usize::from(has_all && answer(&engine, &standing.base, &gone).0 != standing.question.answer);
    }
    println!("of {n_questions}: {whole} circuits have all boxes, in {decides} the state's decides");
    assert!(whole >= 26 && decides >= 26, "{whole} circuits have all boxes, in {decides} the state's decides");
}

#[test]
fn features_of_a_country_at_the_city_decide_its_currency() {
    let engine = engine();
    let find = |question: Question| {
        let at = question.city_position();
        Standing::find(&engine, question, move |feature| feature.position.index() == at)
    };
    let all: Vec<Standing> = currency_questions().into_iter().map(find).collect();
    let of = |question: Question| all.iter().find(|it| it.question == question).expect("pairs are of these questions");
    let pairs = currency_pairs();
    assert_eq!((all.len(), pairs.len()), (64, 96));
    assert!(all.iter().any(|it| it.question.text() == demo::SECOND_PROMPT && it.carried >= CARRIED));
    let graphs = all.iter().filter(|it| it.carried >= CARRIED).count();
    let mean = all.iter().map(|it| it.carried).sum::<f64>() / 64.0;
    let toppled = all.iter().filter(|it| it.topples(&engine)).count();
    let traded = pairs.into_iter().filter(|(from, into)| of(*from).trades_for(&engine, of(*into))).count();
    println!("{graphs} graphs of 64, {mean:.2} on average, {toppled} toppled without, {traded} traded of 96");
    assert!(graphs >= 64 && toppled >= 64 && traded >= 86, "{graphs} graphs, {toppled} toppled, {traded} traded");
}
