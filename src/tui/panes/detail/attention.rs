//! Explanation of an attention feature's pattern, as the file gives it.

use crate::graph::QkNode;
use crate::ids::Position;
use crate::text::glyph::Glyphs;
use crate::tui::ui::Look;
use crate::tui::workspace::Circuit;
use ratatui::style::Style;

/// Parts of a line, each with its style.
type Line = Vec<(String, Style)>;

/// Most contributors of a kind that are listed.
const MOST: usize = 50;

/// Returns the contributors to the described node's attention: those on the side of the query, those on that of the key,
/// and pairs.
pub(in crate::tui) fn lines(circuit: &Circuit, look: &Look, width: usize) -> Vec<Line> {
    let Some(trace) = circuit.traced.document.foreign.attention.traced.get(&circuit.described()) else {
        return Vec::new();
    };
    let name = |node: &QkNode| name_of(circuit, &look.glyphs, node);
    let mut lines = Vec::new();
    let mut list = |title: &str, all: Vec<(f32, String)>| {
        if all.is_empty() {
            return;
        }
        lines.push(vec![(title.to_owned(), look.theme.quiet)]);
        let more = all.len().saturating_sub(MOST);
        for (weight, names) in all.into_iter().take(MOST) {
            let weight_text = format!("{weight:+9.4} ");
            let names = look.glyphs.fit(&names, width.saturating_sub(weight_text.len()));
            lines.push(vec![(weight_text, look.theme.sign(weight)), (names, look.theme.text)]);
        }
        if more > 0 {
            lines.push(vec![(format!("{} {more} more", look.glyphs.ellipsis), look.theme.quiet)]);
        }
    };
    let marginal = |all: &[(QkNode, f32)]| all.iter().map(|(node, weight)| (*weight, name(node))).collect();
    list("looked from, by what stands there (queries)", marginal(&trace.queries));
    list("looked at, by what stands there (keys)", marginal(&trace.keys));
    let pair = |(query, key, weight): &(QkNode, QkNode, f32)| {
        (*weight, format!("{} {} {}", name(query), look.glyphs.answers, name(key)))
    };
    list("queries with keys", trace.pairs.iter().map(pair).collect());
    lines
}

/// Returns the name of a node in a QK attribution.
pub(in crate::tui) fn name_of(circuit: &Circuit, glyphs: &Glyphs, node: &QkNode) -> String {
    let id = match node {
        QkNode::InGraph(id) => return circuit.name(*id, glyphs),
        QkNode::Only(id) => id,
    };
    let only = circuit.traced.document.foreign.attention.only.get(id);
    let called = only.map_or("", |only| if only.label.is_empty() { &only.kind } else { &only.label });
    let position = only.and_then(|only| only.position);
    let token = position.map(|position| circuit.token_at(Position(position), glyphs)).filter(|token| !token.is_empty());
    let token = token.map_or_else(String::new, |token| format!(" @{token}"));
    let called = if called.is_empty() { String::new() } else { format!(" {}", glyphs.visible(called)) };
    format!("{}{called}{token} (not in the graph)", glyphs.visible(id))
}
