//! The two hops: the features of a question's graph that stand for its place, how much of what leads from the city to
//! the answer goes through them, and what the model says without them or with those of another place.

use anyhow::Result;
use circuitscope::graph::{AttributionGraph, FeatureAt, Kept, paths};
use circuitscope::ids::NodeId;
use circuitscope::intervention::{Change, Value};
use circuitscope::job::Cancel;

use crate::circuit::{Lab, Run};
use crate::corpus::Question;
use crate::selectivity::Selectivity;
use crate::swaps::Answer;

/// The features of a pruned graph that stand for the place of its question.
pub struct Standing {
    pub features: Vec<FeatureAt>,
    /// The share of the absolute strength of all kept paths from the city's token to the answer that goes through them.
    pub carried: f64,
    /// The same for those at the city's own position.
    pub carried_at_city: f64,
}

fn feature_at(graph: &AttributionGraph, id: NodeId) -> Option<FeatureAt> {
    graph.node(id).feature()
}

impl Standing {
    /// Finds them by what they are active on over the corpus alone.
    pub fn find(graph: &AttributionGraph, kept: &Kept, question: Question, selectivity: &Selectivity) -> Result<Self> {
        let stands = |at: &FeatureAt| selectivity.stands_for(at.layer().index(), at.feature.index(), question.place);
        let found = kept.node_ids().filter_map(|id| feature_at(graph, id)).filter(stands);
        let mut standing = Standing { features: found.collect(), carried: 0.0, carried_at_city: 0.0 };
        let is_city = |id: &NodeId| graph.node(*id).position().index() == question.city_position();
        let is_answer = |id: &NodeId| graph.node(*id).logit().is_some_and(|logit| *logit.text == *question.answer);
        let (city, answer) = (graph.token_nodes().find(is_city), graph.logit_nodes().find(is_answer));
        let (Some(city), Some(answer)) = (city, answer) else { return Ok(standing) };
        let strength =
            |kept: &Kept| Ok::<_, anyhow::Error>(paths(graph, Some(kept), city, answer, 0, &Cancel::default())?.total);
        let all = strength(kept)?;
        let through = |counts: &dyn Fn(&FeatureAt) -> bool| {
            let counts =
                |id: NodeId| feature_at(graph, id).is_some_and(|at| standing.features.contains(&at) && counts(&at));
            let others = kept.narrowed(graph, |id| !counts(id), |_| true);
            Ok::<_, anyhow::Error>(if all > 0.0 { 1.0 - strength(&others)? / all } else { 0.0 })
        };
        let at_city = |feature: &FeatureAt| feature.position.index() == question.city_position();
        let (carried, carried_at_city) = (through(&|_| true)?, through(&at_city)?);
        (standing.carried, standing.carried_at_city) = (carried, carried_at_city);
        Ok(standing)
    }
}

impl Standing {
    /// Those at the city's own position alone.
    pub fn at_city(self, question: Question) -> Self {
        let here = |feature: &FeatureAt| feature.position.index() == question.city_position();
        let features = self.features.into_iter().filter(here).collect();
        Standing { features, carried: self.carried_at_city, ..self }
    }
}

impl Lab {
    /// The answer to a question with the features that stand for its place set to 0.
    pub fn without(&self, run: &Run, standing: &Standing) -> Result<Answer> {
        let changes: Vec<Change> = standing.features.iter().map(|feature| to(*feature, 0.0)).collect();
        self.answer(run, &changes)
    }

    /// The answer to `from` with the features that stand for its place set to 0, and those that stand for the place of `into`
    /// set to their values there.
    pub fn traded(&self, from: (&Run, &Standing), into: (&Run, &Standing)) -> Result<Answer> {
        let (old, new) = (&from.1.features, &into.1.features);
        let gone = old.iter().filter(|feature| !new.contains(feature)).map(|feature| to(*feature, 0.0));
        let come = new.iter().map(|feature| to(*feature, into.0.activation(*feature)));
        self.answer(from.0, &gone.chain(come).collect::<Vec<_>>())
    }
}

fn to(feature: FeatureAt, value: f32) -> Change {
    Change { feature, value: Value::To(value) }
}
