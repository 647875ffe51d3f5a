//! Queries worked out by hand, and properties of every query.

use super::*;
use crate::graph::tests::{any_graph, info, plain};
use crate::graph::{
    AttributionGraph, Edit, Edits, GraphInfo, Kept, Labelled, Labels, Node, NodeKind, Thresholds, Token, prune,
};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use proptest::prelude::*;

/// Nodes 0 and 1: features 7 of layer 0 at 0, 8 of layer 1 at 1; 2: an error; 3 and 4: tokens; 5 and 6: logits.
fn graph() -> AttributionGraph {
    let feature = |layer: u32, position: u32, feature: u32, activation| Node {
        kind: NodeKind::Feature { layer: Layer(layer), position: Position(position), feature: FeatureId(feature) },
        activation,
    };
    let logit = |id, text: &str, probability| {
        plain(NodeKind::Logit { position: Position(1), id, probability, text: text.into() })
    };
    let nodes = vec![
        feature(0, 0, 7, Some(3.0)),
        feature(1, 1, 8, None),
        plain(NodeKind::Error { layer: Layer(0), position: Position(1) }),
        plain(NodeKind::Token { position: Position(0), id: 50 }),
        plain(NodeKind::Token { position: Position(1), id: 51 }),
        logit(90, " Austin", 0.75),
        logit(91, " Dallas", 0.25),
    ];
    let tokens = ["the", " Dallas"].iter().zip(50..).map(|(text, id)| Token { id, text: (*text).into() }).collect();
    // Into the first logit: 3/4 from feature 1, 1/4 from the error, against it.
    let edges = [(3, 0, 2.0), (0, 1, 1.0), (4, 1, 3.0), (1, 5, 6.0), (2, 5, -2.0), (2, 6, -1.0), (0, 6, 1.0)];
    let edges = edges.iter().map(|&(source, target, weight)| (NodeId(source), NodeId(target), weight));
    AttributionGraph::from_edges(GraphInfo { tokens, ..info(2) }, nodes, edges).unwrap()
}

/// Features of which feature 7 promotes Austin; the tokens that feature 8 promotes are unknown.
struct Seven;

impl Features for Seven {
    fn promotes(&self, _: Layer, feature: FeatureId, test: &dyn Fn(&str) -> bool) -> Option<bool> {
        (feature.0 == 7).then(|| test(" Austin"))
    }

    fn suppresses(&self, _: Layer, _: FeatureId, _: &dyn Fn(&str) -> bool) -> Option<bool> {
        None
    }

    fn density(&self, _: Layer, _: FeatureId) -> Option<f64> {
        None
    }
}

fn asked(query: &str, selected: Option<u32>) -> Matches {
    let graph = graph();
    let kept = prune(&graph, Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
    let mut edits = Edits::default();
    edits.apply(Edit::Group { name: "state".into(), members: vec![NodeId(0)] });
    edits.apply(Edit::Label(Labelled::Feature(Layer(0), FeatureId(7)), "Texas cities".into()));
    let labels = Labels::from([(Labelled::Feature(Layer(1), FeatureId(8)), "say a capital".into())]);
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    query.matches(&Subject {
        graph: &graph,
        kept: &kept,
        labels: &labels,
        edited: edits.now(),
        selected: selected.map(NodeId),
        features: &Seven,
    })
}

fn nodes(query: &str) -> Vec<u32> {
    let matches = asked(query, Some(5));
    (0..7).filter(|id| matches.has_node(NodeId(*id))).collect()
}

/// Returns the ends of the edges that match.
fn edges(query: &str) -> Vec<(u32, u32)> {
    let matches = asked(query, Some(5));
    graph().edges().filter(|edge| matches.has_edge(edge.id)).map(|edge| (edge.source.0, edge.target.0)).collect()
}

#[test]
fn terms_about_nodes() {
    for (query, wanted) in [
        ("type:feature", vec![0, 1]),
        ("type:E,logit", vec![3, 4, 5, 6]),
        ("type:other", vec![]),
        ("E pos:0", vec![3]),
        ("feature or \"feature\"", vec![0, 1]),
        ("layer:0", vec![0, 2]),
        ("layer:-1", vec![1]),
        ("layer:1..", vec![1]),
        ("layer:..0", vec![0, 2]),
        ("layer>=0 layer<1", vec![0, 2]),
        ("pos:-1", vec![1, 2, 4, 5, 6]),
        ("pos:0..-1 type:token", vec![3, 4]),
        ("pos:0,1 type:token", vec![3, 4]),
        ("feature:8", vec![1]),
        ("act>2.5", vec![0]),
        ("in>0.7", vec![1]),
        ("in:0.25", vec![2]),
        ("id:0_7_0", vec![0]),
        ("id:E_51_1", vec![4]),
        ("id:0_-1_1", vec![2]),
        ("id:3_90_1", vec![5]),
        ("label~CAPITAL", vec![1]),
        ("label:\"texas cities\"", vec![0]),
        ("label:\"\"", vec![2, 3, 4, 5, 6]),
        ("token:dallas", vec![1, 2, 4, 6]),
        ("token~aus", vec![5]),
        ("dallas type:token", vec![4]),
        ("90", vec![5]),
        ("group:state", vec![0]),
        ("is:pinned", vec![0]),
        ("is:selected", vec![5]),
        ("is:labelled not is:grouped", vec![1]),
        ("promotes~austin", vec![0]),
    ] {
        assert_eq!(nodes(query), wanted, "{query}");
    }
    let kept = prune(&graph(), Thresholds { node: 1.0, edge: 1.0, ..Thresholds::default() });
    for id in 0..7 {
        let score = kept.cumulative[id as usize];
        assert!(nodes(&format!("influence<={score}")).contains(&id), "{id} at {score}");
        assert!(!nodes(&format!("influence<{score}")).contains(&id), "{id} at {score}");
    }
}

#[test]
fn terms_about_edges() {
    for (query, wanted) in [
        ("w>2.5", vec![(4, 1), (1, 5)]),
        ("|w|:2", vec![(3, 0), (2, 5)]),
        ("w:-2..-1", vec![(2, 5), (2, 6)]),
        ("sign:-", vec![(2, 5), (2, 6)]),
        ("share>=0.75", vec![(3, 0), (4, 1), (1, 5)]),
        ("share:0.25", vec![(0, 1), (2, 5)]),
        ("from:E", vec![(3, 0), (4, 1)]),
        ("to:logit sign:+", vec![(1, 5), (0, 6)]),
        ("from:error,E", vec![(3, 0), (4, 1), (2, 5), (2, 6)]),
        ("from:0_7_0", vec![(0, 1), (0, 6)]),
        ("to:\"Dallas\" from:feature", vec![(0, 1), (0, 6)]),
        ("to:selected", vec![(1, 5), (2, 5)]),
        ("to:token~austin", vec![(1, 5), (2, 5)]),
        ("from:(layer:0 not type:error)", vec![(0, 1), (0, 6)]),
        ("from:not type:E", vec![(0, 1), (1, 5), (2, 5), (0, 6), (2, 6)]),
        // What comes from a node that a token flows into.
        ("from:from:E", vec![(0, 1), (1, 5), (0, 6)]),
    ] {
        assert_eq!(edges(query), wanted, "{query}");
    }
}

#[test]
fn a_term_about_nodes_holds_for_an_edge_where_it_holds_for_either_end() {
    assert_eq!(edges("type:error"), [(2, 5), (2, 6)]);
    assert_eq!(edges("not type:error"), [(3, 0), (0, 1), (4, 1), (1, 5), (0, 6)]);
    assert_eq!(edges("type:error token:dallas"), [(2, 5), (2, 6)]);
}

#[test]
fn a_term_about_edges_holds_for_a_node_with_such_an_edge() {
    assert_eq!(nodes("sign:-"), [2, 5, 6]);
    assert_eq!(nodes("not sign:-"), [0, 1, 3, 4]);
    assert_eq!(nodes("from:E"), [0, 1], "what tokens flow into");
    assert_eq!(nodes("to:logit"), [0, 1, 2], "what flows into a logit");
    assert_eq!(nodes("from:E to:logit"), [0, 1], "each by an edge of its own");
    assert_eq!(nodes("to:(logit w>2)"), [1], "inside the bracket, by one edge");
    assert_eq!(nodes("from:from:E"), [1, 5, 6]);
}

#[test]
fn and_or_not_and_brackets() {
    assert_eq!(nodes("type:feature or type:logit pos:0"), [0, 1], "`and` binds more than `or`");
    assert_eq!(nodes("(type:feature or type:logit) pos:1"), [1, 5, 6]);
    assert_eq!(nodes("not type:feature pos:0"), [3], "`not` binds most");
    assert_eq!(nodes("not (type:feature pos:0) and layer:0.."), [1, 2]);
    assert_eq!(nodes("NOT NOT type:E AND POS:0"), [3]);
}

#[test]
fn what_is_not_known_is_no_match_and_is_said() {
    // The activation of node 1 is not in the file, what feature 8 promotes is not computed.
    for (query, matching, undecided, lacking) in [
        ("act>2", vec![0], 1, vec![Lacking::Activation]),
        ("not act>2", vec![2, 3, 4, 5, 6], 1, vec![Lacking::Activation]),
        ("promotes~austin", vec![0], 1, vec![Lacking::PromotedTokens]),
        ("promotes~austin or type:feature", vec![0, 1], 0, vec![]),
        ("promotes~austin act>2", vec![0], 1, vec![Lacking::Activation, Lacking::PromotedTokens]),
        // The token that flows into feature 8 matches; whether that edge does is not known.
        ("promotes~austin type:token", vec![], 0, vec![Lacking::PromotedTokens]),
        ("density<0.1", vec![], 2, vec![Lacking::Density]),
        ("in>0.1", vec![], 7, vec![Lacking::Selection]),
        ("to:is:selected", vec![], 5, vec![Lacking::Selection]),
    ] {
        let found = asked(query, None);
        assert_eq!((0..7).filter(|id| found.has_node(NodeId(*id))).collect::<Vec<_>>(), matching, "{query}");
        assert_eq!((found.n_nodes, found.undecided_nodes), (matching.len(), undecided), "{query}");
        assert_eq!(found.lacking.into_iter().collect::<Vec<_>>(), lacking, "{query}");
    }
    let found = asked("promotes~austin", None);
    // Of the edges of feature 8 those to feature 7 match by that end; the others wait.
    assert_eq!((found.n_edges, found.undecided_edges), (3, 2));
}

#[test]
fn nothing_that_was_pruned_matches() {
    let graph = graph();
    let kept = prune(&graph, Thresholds { node: 0.3, edge: 0.5, ..Thresholds::default() });
    let query = Query::parse("pos:0..").unwrap();
    let (labels, edited) = (Labels::new(), crate::graph::Edited::default());
    let subject = Subject {
        graph: &graph,
        kept: &kept,
        labels: &labels,
        edited: &edited,
        selected: None,
        features: &NothingKnown,
    };
    let found = query.matches(&subject);
    assert!(kept.n_nodes() < graph.n_nodes() && kept.n_edges() < graph.n_edges());
    assert_eq!((found.n_nodes, found.n_edges), (kept.n_nodes(), kept.n_edges()));
    assert!(graph.edges().all(|edge| found.has_edge(edge.id) == kept.has_edge(edge.id)));
}

#[test]
fn errors_point_and_say_what_to_do() {
    for (query, span, message) in [
        ("", 0..0, "expected a term, such as `layer:10..20`"),
        ("act>", 4..4, "expected a number after `act>`"),
        ("act > x", 6..7, "expected a number after `act>`"),
        ("act>inf", 4..7, "expected a number after `act>`"),
        ("layer:20..10", 6..12, "nothing lies in 20..10; the smaller number comes first"),
        ("layer:1.5", 6..9, "1.5 lies between two; give a whole number"),
        ("layer:", 6..6, "expected a number or a range such as `10..20` after `layer:`"),
        ("layer~3", 5..6, "`layer` takes one of : < <= > >=, as in `layer:10..20`"),
        ("label>3", 5..6, "`label` takes ~ or :, as in `label~texas`"),
        ("label~", 6..6, "expected a text after `label~`; what could be read otherwise stands in quotes"),
        (
            "type:fature",
            5..11,
            "expected one of feature, error, token, E, logit, other, lorsa, lorsa-error, bias, unknown after `type:`",
        ),
        ("layr:3", 0..4, "there is no term `layr`; did you mean `layer`?"),
        ("layer", 5..5, "expected one of : < <= > >= after `layer`, as in `layer:10..20`"),
        ("(layer:3", 0..1, "this bracket is not closed"),
        ("layer:3)", 7..8, "there is no bracket that this one closes"),
        ("layer:3 or", 10..10, "expected a term, such as `layer:10..20`"),
        ("or layer:3", 0..2, "expected a term before `or`; as a text it stands in quotes"),
        ("label~\"a", 6..8, "the quote is not closed; put a \" at the text's end"),
        ("from:", 5..5, "expected a kind of node, an id, a term or a bracket after `from:`"),
        ("a , b", 2..3, "a comma stands between values, as in `layer:1,3`"),
    ] {
        let error = Query::parse(query).unwrap_err();
        assert_eq!((error.span, error.message.as_str()), (span, message), "{query}");
    }
    let deep = "(".repeat(100_000);
    assert!(Query::parse(&deep).unwrap_err().message.starts_with("there are more than 64 brackets"));
    assert!(Query::parse(&"not ".repeat(100_000)).is_err());
    assert!(Query::parse(&"from:".repeat(100_000)).is_err());
}

#[test]
fn completion_offers_what_may_stand_at_the_cursor() {
    let known = |field| if field == TextField::Label { vec!["Texas".into(), "say a capital".into()] } else { vec![] };
    let offered = |text: &str| -> Vec<String> {
        complete(text, text.len(), &known).into_iter().map(|offer| offer.insert).collect()
    };
    assert_eq!(offered("la"), ["layer:", "label~"]);
    assert!(offered("").contains(&"type:".to_owned()) && !offered("").contains(&"or ".to_owned()));
    assert!(offered("act>2 ").contains(&"or ".to_owned()));
    assert!(offered("(act>2 ").contains(&")".to_owned()) && !offered("act>2 ").contains(&")".to_owned()));
    assert_eq!(offered("sign:"), ["+", "-"]);
    assert_eq!(offered("type:feature,lo"), ["logit", "lorsa", "lorsa-error"]);
    assert_eq!(offered("from:lo"), ["logit", "lorsa", "lorsa-error"]);
    assert_eq!(offered("label~cap"), ["\"say a capital\""]);
    assert_eq!(offered("label~\"cap"), ["\"say a capital\""]);
    let offer = &complete("is:pi or act>1", 5, &known)[0];
    assert_eq!((offer.span.clone(), offer.insert.as_str()), (3..5, "pinned"));
    // What a field starts with is a term that is read once a value stands behind it.
    for field in FIELDS {
        assert!(Query::parse(field.example).is_ok(), "{}", field.example);
        assert!(field.example.starts_with(field.name), "{}", field.example);
        assert!(grammar().contains(field.example));
    }
}

fn any_number(field: NumberField) -> BoxedStrategy<f64> {
    match field {
        NumberField::Layer | NumberField::Position | NumberField::Feature => (-9..9i32).prop_map(f64::from).boxed(),
        _ => prop_oneof![-2.0..2.0f64, proptest::num::f64::NORMAL].boxed(),
    }
}

fn any_range(field: NumberField) -> BoxedStrategy<Range> {
    let number = any_number(field);
    prop_oneof![
        number.clone().prop_map(|at| Range { from: Some(at), to: Some(at) }),
        number.clone().prop_map(|at| Range { from: Some(at), to: None }),
        number.clone().prop_map(|at| Range { from: None, to: Some(at) }),
        (number.clone(), number).prop_map(|(a, b)| Range { from: Some(a.min(b)), to: Some(a.max(b)) }),
    ]
    .boxed()
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        ".{0,6}",
        Just("or".to_owned()),
        Just("layer".to_owned()),
        Just("E".to_owned()),
        Just("1_2_3".to_owned())
    ]
}

fn any_term() -> impl Strategy<Value = Term> {
    let numbers = FIELDS.iter().filter_map(|field| match field.takes {
        Takes::Number(number) => Some(number),
        _ => None,
    });
    let texts = FIELDS.iter().filter_map(|field| match field.takes {
        Takes::Text(text) => Some(text),
        _ => None,
    });
    let number = proptest::sample::select(numbers.collect::<Vec<_>>());
    let compare = proptest::sample::select(vec![Compare::Less, Compare::AtMost, Compare::More, Compare::AtLeast]);
    let kind = proptest::sample::select(vec![
        Kind::Feature,
        Kind::Error,
        Kind::Token,
        Kind::Logit,
        Kind::Other,
        Kind::Attention,
        Kind::AttentionError,
        Kind::Bias,
        Kind::Unknown,
    ]);
    let states = vec![State::Selected, State::Pinned, State::Grouped, State::Labelled];
    prop_oneof![
        any_text().prop_map(Term::Anywhere),
        (number.clone(), compare).prop_flat_map(|(field, compare)| {
            any_number(field).prop_map(move |value| Term::Compare(field, compare, value))
        }),
        number.prop_flat_map(|field| {
            proptest::collection::vec(any_range(field), 1..4).prop_map(move |ranges| Term::Within(field, ranges))
        }),
        (proptest::sample::select(texts.collect::<Vec<_>>()), any::<bool>(), any_text()).prop_map(
            |(field, is, text)| { Term::Text(field, if is { TextTest::Is } else { TextTest::Contains }, text) }
        ),
        proptest::collection::vec(kind, 1..3).prop_map(Term::Kind),
        any::<bool>().prop_map(|is| Term::Sign(if is { Sign::Positive } else { Sign::Negative })),
        proptest::sample::select(states).prop_map(Term::State),
    ]
}

fn any_expr() -> impl Strategy<Value = Expr> {
    any_term().prop_map(Expr::Term).prop_recursive(5, 24, 3, |part| {
        prop_oneof![
            proptest::collection::vec(part.clone(), 2..4).prop_map(Expr::And),
            proptest::collection::vec(part.clone(), 2..4).prop_map(Expr::Or),
            part.clone().prop_map(|part| Expr::Not(Box::new(part))),
            part.clone().prop_map(|part| Expr::Term(Term::From(Box::new(part)))),
            part.prop_map(|part| Expr::Term(Term::To(Box::new(part)))),
        ]
    })
}

/// Generates text from pieces of queries.
fn almost_a_query() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        proptest::sample::select(FIELDS.to_vec()).prop_map(|field| field.name.to_owned()),
        proptest::sample::select(FIELDS.to_vec()).prop_map(|field| format!("{} ", field.example)),
        "[()~:<>=, \"|.+-]",
        "(and|or|not|E|logit|é|\\\\|1|-1|2\\.\\.|\\.\\.3) ?",
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_is_read_as_it_was(expr in any_expr()) {
        let text = expr.to_string();
        let read = Query::parse(&text);
        prop_assert_eq!(read.as_ref().map(Query::expr), Ok(&expr), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_parser_or_completion(text in prop_oneof![almost_a_query(), ".{0,40}"], cursor in 0..60usize) {
        match Query::parse(&text) {
            Ok(query) => prop_assert_eq!(Query::parse(&query.to_string()), Ok(query)),
            Err(error) => {
                prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
                prop_assert!(text.get(error.span).is_some() && !error.message.is_empty());
            }
        }
        for offer in complete(&text, cursor, &|_| vec!["known".into()]) {
            prop_assert!(text.get(offer.span).is_some());
        }
    }
}

fn subject<'a>(
    graph: &'a AttributionGraph,
    kept: &'a Kept,
    edited: &'a crate::graph::Edited,
    labels: &'a Labels,
) -> Subject<'a> {
    Subject { graph, kept, labels, edited, selected: None, features: &NothingKnown }
}

proptest! {
    #[test]
    fn a_query_and_its_opposite_share_what_is_decided(graph in any_graph(), expr in any_expr(), share in 0.5..=1.0) {
        let kept = prune(&graph, Thresholds { node: share, edge: share, ..Thresholds::default() });
        let (edited, labels) = (crate::graph::Edited::default(), Labels::new());
        let subject = subject(&graph, &kept, &edited, &labels);
        let opposite = Query::from(Expr::Not(Box::new(expr.clone()))).matches(&subject);
        let found = Query::from(expr).matches(&subject);
        prop_assert_eq!(found.n_nodes + opposite.n_nodes + found.undecided_nodes, kept.n_nodes());
        prop_assert_eq!(found.n_edges + opposite.n_edges + found.undecided_edges, kept.n_edges());
        prop_assert!(graph.node_ids().all(|id| !(found.has_node(id) && opposite.has_node(id))));
        prop_assert!(graph.edges().all(|edge| !(found.has_edge(edge.id) && opposite.has_edge(edge.id))));
        if found.undecided_nodes + found.undecided_edges > 0 {
            prop_assert!(!found.lacking.is_empty());
        }
    }
}
