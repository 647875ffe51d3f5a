//! Report on a head, as JSON and in lines.

use crate::attribution::{Against, QkAttribution, QkListed, QkSide, QkSource, Source};
use crate::cli::attention::token;
use crate::cli::graph::padded;
use crate::cli::heads::kinds;
use crate::ids::{NodeId, Position};
use crate::service::attention::{AttentionReply, AttentionRequest, source_id};
use crate::text::visible;
use crate::verify::{Correlation, HeadAblation, HeadState, told};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;

/// Answer about a head, with the names to print.
pub struct Told {
    pub request: AttentionRequest,
    pub reply: AttentionReply,
    /// Strongest parts of the split, where the score was split.
    pub listed: Option<QkListed>,
    /// Nodes of the graph by source, where there is a graph.
    pub nodes: Option<HashMap<Source, NodeId>>,
    /// Labels of sources, by their index.
    pub labels: HashMap<usize, String>,
    /// Path of the graph written.
    pub out: Option<PathBuf>,
}

/// Returns the rest of a sum, without its listed parts.
fn rest(all: f64, listed: impl Iterator<Item = f64>) -> f64 {
    all - listed.sum::<f64>()
}

impl Told {
    pub fn json(&self) -> Value {
        let AttentionRequest { head, query, .. } = self.request;
        let mut all = json!({
            "layer": head.layer,
            "head": head.head,
            "query": query,
            "query_token": self.token(query),
            "types": self.reply.types,
        });
        let Some((split, listed)) = self.split() else {
            let look = self.reply.looks.iter().map(|look| {
                json!({ "position": look.key, "token": self.token(look.key), "score": look.score, "pattern": look.pattern })
            });
            all["keys"] = json!(look.collect::<Vec<_>>());
            return all;
        };
        let QkListed { queries, keys, pairs } = listed;
        let own = json!({
            "key": split.question.key,
            "key_token": self.token(split.question.key),
            "against": match split.question.against {
                Against::Position(other) => json!(other),
                Against::Softmax | Against::Nothing => json!("softmax"),
            },
            "score": split.score,
            "pattern": split.pattern,
            "scale": split.scale,
            "softcap": split.softcap.map(|it| json!({ "cap": it.cap, "capped": it.capped, "slope": it.slope })),
            "difference": split.value,
            "queries": self.marginals(split, QkSide::Query, queries),
            "keys": self.marginals(split, QkSide::Key, keys),
            "pairs": pairs.iter().map(|pair| json!({
                "query": self.id(split, QkSide::Query, pair.query),
                "key": self.id(split, QkSide::Key, pair.key),
                "contribution": pair.contribution,
            })).collect::<Vec<_>>(),
            "remainder": {
                "queries": rest(split.value, queries.iter().map(|(_, x)| *x)),
                "keys": rest(split.value, keys.iter().map(|(_, x)| *x)),
                "pairs": rest(split.value, pairs.iter().map(|pair| pair.contribution)),
            },
            "identity_error": split.identity_error(),
            "verified": self.reply.ablations.as_ref().map(|(before, all)| self.verified(*before, all)),
            "out": self.out,
        });
        if let (Some(all), Value::Object(own)) = (all.as_object_mut(), own) {
            all.extend(own);
        }
        all
    }

    fn split(&self) -> Option<(&QkAttribution, &QkListed)> {
        self.reply.split.as_ref().zip(self.listed.as_ref())
    }

    fn marginals(&self, split: &QkAttribution, side: QkSide, listed: &[(usize, f64)]) -> Vec<Value> {
        let total = split.total(side);
        let entry = |(at, contribution): &(usize, f64)| {
            let in_graph = self.nodes.as_ref().map(|nodes| match split.sources()[*at] {
                QkSource::Source(source) => nodes.contains_key(&source),
                QkSource::Bias => false,
            });
            json!({
                "id": self.id(split, side, *at),
                "label": self.labels.get(at),
                "contribution": contribution,
                "share": contribution / total,
                "in_graph": in_graph,
            })
        };
        listed.iter().map(entry).collect()
    }

    fn verified(&self, before: HeadState, all: &[HeadAblation]) -> Value {
        let change = |of: HeadState| {
            json!({
                "score": of.score - before.score,
                "difference": of.value - before.value,
                "pattern": of.pattern - before.pattern,
            })
        };
        let ablation = |it: &HeadAblation| {
            json!({
                "feature": Source::Feature(it.feature).id(&self.request.tokens),
                "predicted": change(it.predicted),
                "direct": change(it.direct),
                "free": change(it.free),
            })
        };
        json!({
            "ablations": all.iter().map(ablation).collect::<Vec<_>>(),
            "spearman": free(before, all).spearman,
        })
    }

    fn id(&self, split: &QkAttribution, side: QkSide, at: usize) -> String {
        source_id(split, side, split.sources()[at], &self.request.tokens)
    }

    fn token(&self, position: Position) -> &str {
        token(&self.request.tokens, position)
    }

    /// Formats a source in a line: its label or kind, its token, its id.
    fn line(&self, split: &QkAttribution, side: QkSide, at: usize) -> String {
        let source = split.sources()[at];
        let (kind, place) = match source {
            QkSource::Source(source) => {
                let kind = match source {
                    Source::Feature(at) => format!("L{} #{}", at.layer, at.feature),
                    Source::Error(layer, _) => format!("error L{layer}"),
                    Source::Token(_) => "token".to_owned(),
                };
                (kind, visible(self.token(source.position())))
            }
            QkSource::Bias => ("bias".to_owned(), String::new()),
        };
        let label = self.labels.get(&at).map_or(kind, |label| visible(label));
        let missing = match (&self.nodes, source) {
            (Some(nodes), QkSource::Source(source)) if !nodes.contains_key(&source) => "  (not in the graph)",
            _ => "",
        };
        format!("{}  {}  {}{missing}", padded(&label, 30), padded(&place, 14), self.id(split, side, at))
    }

    pub fn lines(&self) -> Vec<String> {
        let AttentionRequest { head, query, .. } = self.request;
        let at = |position: Position| format!("{:?} ({position})", self.token(position));
        let mut lines = vec![format!("head {head} from {}", visible(&at(query)))];
        if !self.reply.types.is_empty() {
            lines.push(format!("a head for: {}", kinds(&self.reply.types)));
        }
        let Some((split, parts)) = self.split() else {
            lines.push(format!("\n{:>4}  {:<16}{:>10}  {:>8}", "key", "token", "score", "pattern"));
            lines.extend(self.reply.looks.iter().map(|look| {
                let token = padded(&visible(self.token(look.key)), 16);
                format!("{:>4}  {token}{:+10.4}  {:8.4}", look.key, look.score, look.pattern)
            }));
            return lines;
        };
        lines.push(format!(
            "to {}: score {:+.4} (scale {:.4}), {:.1} % of its attention",
            visible(&at(split.question.key)),
            split.score,
            split.scale,
            100.0 * split.pattern
        ));
        if let Some(softcap) = split.softcap {
            let (cap, capped, slope) = (softcap.cap, softcap.capped, softcap.slope);
            lines.push(format!(
                "softcap {cap}: {capped:+.4} behind it, with slope {slope:.4}; it is no part of the split"
            ));
        }
        lines.push(match split.question.against {
            Against::Nothing => format!("{:+.4} is split", split.value),
            Against::Softmax => format!("{:+.4} against all keys as the pattern weighs them is split", split.value),
            Against::Position(other) => format!("{:+.4} against {} is split", split.value, visible(&at(other))),
        });
        for (title, side) in [
            ("queries: what stands where it looks from", QkSide::Query),
            ("keys: what stands where it looks", QkSide::Key),
        ] {
            let (listed, total) = (parts.side(side), split.total(side));
            lines.push(format!("\n{title}"));
            lines.extend(listed.iter().map(|(source, x)| {
                format!("{x:+10.4}  {:+6.1} %  {}", 100.0 * x / total, self.line(split, side, *source))
            }));
            lines.push(format!("{:+10.4}  all others", rest(split.value, listed.iter().map(|(_, x)| *x))));
        }
        let pairs = &parts.pairs;
        lines.push("\nqueries with keys".to_owned());
        for pair in pairs {
            lines.push(format!("{:+10.4}  {}", pair.contribution, self.line(split, QkSide::Query, pair.query)));
            lines.push(format!("            {}", self.line(split, QkSide::Key, pair.key)));
        }
        lines.push(format!("{:+10.4}  all others", rest(split.value, pairs.iter().map(|pair| pair.contribution))));
        lines.push(format!("\nthe parts miss the whole by {:.1e} of their absolute sum", split.identity_error()));
        if let Some((before, all)) = &self.reply.ablations {
            lines.extend(self.ablations(*before, all));
        }
        lines
    }

    fn ablations(&self, before: HeadState, all: &[HeadAblation]) -> Vec<String> {
        let mut lines = vec![
            "\nablated: change of the score, and of the attention".to_owned(),
            format!("{:<18}{:>20}{:>20}{:>20}", "feature", "predicted", "direct", "free"),
        ];
        lines.extend(all.iter().map(|it| {
            let change = |of: HeadState| format!("{:+.4} {:+.4}", of.score - before.score, of.pattern - before.pattern);
            let [predicted, direct, free] = [it.predicted, it.direct, it.free].map(change);
            let feature = Source::Feature(it.feature).id(&self.request.tokens);
            format!("{feature:<18}{predicted:>20}{direct:>20}{free:>20}")
        }));
        let free = free(before, all);
        lines.push(format!("predicted against free: {} features, Spearman {}", free.n, told(free.spearman)));
        lines
    }
}

/// Returns the correlation of the predicted changes of the score with those in the model with nothing frozen.
fn free(before: HeadState, all: &[HeadAblation]) -> Correlation {
    Correlation::of(all.iter().map(|it| (it.predicted.score - before.score, it.free.score - before.score)))
}
