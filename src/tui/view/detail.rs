//! Description of the selected node, with a feature's promoted tokens.

use super::{Pen, Side as End, attention, note};
use crate::attribution::Promoted;
use crate::graph::{InfluenceOf, NodeKind, Occurrence, PathEnd, StabilityClass, automatic};
use crate::ids::{Layer, NodeId, Position};
use crate::text;
use crate::tui::app::{Pane, State};
use crate::tui::circuit::{Circuit, PromotedTokens};
use crate::tui::membership::letter;
use crate::tui::ui::wrap;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Pieces of text, one after the other.
type Line = Vec<(String, Style)>;

/// Width of the column of labels, in cells.
const LABEL: usize = 12;

/// Least lines with which there is room for space between parts.
const TALL: u16 = 13;

pub(super) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    let Some(circuit) = &state.circuit else { return };
    if inner.is_empty() {
        return;
    }
    let sheet = Sheet { state, circuit, width: usize::from(inner.width), tall: inner.height >= TALL };
    let lines = sheet.lines();
    let room = usize::from(inner.height);
    let scroll = state.detail_scroll.min(lines.len().saturating_sub(room));
    if lines.len() > room {
        let more = format!("{}-{} of {}", scroll + 1, scroll + room, lines.len());
        note(area, End::Right, &[(&more, state.look.theme.faint)], buf);
    }
    for (at, line) in lines.iter().skip(scroll).take(room).enumerate() {
        let mut pen = Pen::new(buf, inner, at as u16);
        for (text, style) in line {
            // Padding at a line's end may be cut off.
            let text = if text::width(text.trim_end()) > pen.room() {
                state.look.glyphs.fit(text, pen.room())
            } else {
                text.clone()
            };
            pen.put(&text, *style);
        }
    }
}

/// Returns the number of lines by which the detail is longer than its pane.
pub(in crate::tui) fn overflow(state: &State) -> usize {
    let pane = state.panes().and_then(|panes| panes.of(Pane::Detail));
    let (Some(circuit), Some(inner)) = (&state.circuit, pane.map(crate::tui::layout::inner)) else { return 0 };
    let sheet = Sheet { state, circuit, width: usize::from(inner.width), tall: inner.height >= TALL };
    sheet.lines().len().saturating_sub(usize::from(inner.height))
}

struct Sheet<'a> {
    state: &'a State,
    circuit: &'a Circuit,
    width: usize,
    tall: bool,
}

impl Sheet<'_> {
    fn lines(&self) -> Vec<Line> {
        let theme = &self.state.look.theme;
        // The name stands there whole, on as many lines as it takes; the place stands behind it, or below.
        let (title, places) = self.title();
        let mut lines: Vec<Line> =
            wrap(&title, self.width.max(1)).into_iter().map(|line| vec![(line, theme.strong)]).collect();
        let used = lines.last().map_or(0, |line| text::width(&line[0].0));
        let place = self.fitting(used, &places);
        match lines.last_mut() {
            Some(line) if !place.is_empty() => line.push((place, theme.quiet)),
            _ => lines.push(vec![(places[1].clone(), theme.quiet)]),
        }
        self.space(&mut lines);
        lines.extend(self.facts());
        // Where lines are few, promoted tokens say more than the way that led to the node.
        if self.tall {
            lines.extend(self.main_path());
        }
        let attention = attention::lines(self.circuit, &self.state.look, self.width);
        if !attention.is_empty() {
            self.space(&mut lines);
            lines.extend(attention);
        }
        if self.circuit.selected_feature().is_some() {
            self.space(&mut lines);
            self.writes(&mut lines);
        }
        if !self.tall {
            lines.extend(self.main_path());
        }
        lines
    }

    /// Returns the longest of some notes that fits behind `used` cells, a gap before it; else an empty text.
    fn fitting(&self, used: usize, notes: &[String]) -> String {
        let note = notes.iter().find(|note| used + 2 + text::width(note) <= self.width);
        note.map_or_else(String::new, |note| format!("  {note}"))
    }

    fn space(&self, lines: &mut Vec<Line>) {
        if self.tall {
            lines.push(Vec::new());
        }
    }

    /// Returns the node's name, and its place in longer and shorter words.
    fn title(&self) -> (String, [String; 2]) {
        let glyphs = &self.state.look.glyphs;
        let dot = glyphs.dot;
        let token = |position: Position| self.circuit.token(position, glyphs);
        let in_layer = |layer: Layer, position: Position| {
            let token = token(position);
            [format!("layer {layer} {dot} position {position} {token}"), format!("L{layer} @{token}")]
        };
        let id = self.circuit.selected();
        let number = self.circuit.traced.document.graph.feature_text(id);
        let label = self.circuit.label(id).map(|(label, _)| glyphs.visible(label));
        let (what, places) = match &self.circuit.node(id).kind {
            NodeKind::Feature { layer, position, .. } => {
                (format!("feature {}", glyphs.visible(&number.unwrap_or_default())), in_layer(*layer, *position))
            }
            NodeKind::Error { layer, position } => ("error".to_owned(), in_layer(*layer, *position)),
            NodeKind::Token { position, id } => {
                let short = format!("id {id}");
                (format!("token {}", token(*position)), [format!("{short} {dot} position {position}"), short])
            }
            NodeKind::Logit { position, id, text, .. } => {
                let short = format!("id {id}");
                let long = format!("{short} {dot} after {}", token(*position));
                (format!("logit {}", glyphs.visible(text)), [long, short])
            }
            NodeKind::Other { layer, position, kind, name } => {
                let at = format!("position {position} {}", token(*position));
                let long = layer.map_or(at.clone(), |layer| format!("layer {layer} {dot} {at}"));
                let which = number.as_deref().unwrap_or(name);
                (format!("{} {}", glyphs.visible(kind), glyphs.visible(which)), [long, at])
            }
        };
        match label {
            Some(label) => (label, places.map(|place| format!("{place} {dot} {what}"))),
            None => (what, places),
        }
    }

    fn facts(&self) -> Vec<Line> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let circuit = self.circuit;
        let id = circuit.selected();
        let node = circuit.node(id);
        let trace = circuit.traced.document.trace.as_deref();
        let mut lines = Vec::new();
        let mut fact = |label: &str, value: String, notes: &[String]| {
            let note = self.fitting(LABEL + text::width(&value), notes);
            let label = (format!("{label:<LABEL$}"), theme.quiet);
            lines.push(vec![label, (value, theme.text), (note, theme.quiet)]);
        };
        if let Some((label, own)) = circuit.label(id) {
            let whose = match circuit.file_labels.get(&circuit.labelled(id)) {
                _ if own => "yours",
                _ if automatic::is_marked(label) => "automatic",
                Some(theirs) if theirs == label => "the file's",
                _ => "the library's",
            };
            fact("label", whose.to_owned(), &[]);
        }
        if let Some(group) = circuit.edits.now().group_of(id).and_then(|at| circuit.edits.now().groups.get(at)) {
            let members = format!("{} members", group.members.len());
            fact("supernode", glyphs.visible(&group.name), &[members]);
        }
        let graph = &circuit.traced.document.graph;
        if let Some(dictionary) = graph.dictionary_of(id).and_then(|at| graph.dictionaries().get(at)) {
            fact("dictionary", glyphs.visible(dictionary), &[]);
        }
        if let Some((occurrence, n_graphs)) = circuit.occurrence(id) {
            let says = match occurrence {
                Occurrence::Only(graph) => format!("only in {}", letter(graph)),
                Occurrence::In(some) => format!("in {some} of {n_graphs}"),
                Occurrence::Changed => "in both, changed".to_owned(),
                Occurrence::Everywhere => format!("in all {n_graphs}"),
            };
            fact("occurs", says, &[]);
        }
        if let Some(activation) = node.activation {
            fact("activation", format!("{activation:.3}"), &[]);
        }
        match &node.kind {
            NodeKind::Logit { id, probability, .. } => {
                let logit = trace.and_then(|trace| trace.final_logits.get(*id as usize));
                fact("probability", format!("{probability:.4}"), &[]);
                if let Some(logit) = logit {
                    fact("logit", format!("{logit:.3}"), &[]);
                }
            }
            NodeKind::Error { layer, position } => {
                let norm = trace
                    .and_then(|trace| trace.error_norms.get(layer.index() * trace.n_positions() + position.index()));
                if let Some(norm) = norm {
                    fact("norm", format!("{norm:.3}"), &["what the transcoder misses".to_owned()]);
                }
            }
            NodeKind::Feature { .. } | NodeKind::Token { .. } | NodeKind::Other { .. } => {}
        }
        for (name, value, notes) in self.influence(id) {
            fact(name, value, &notes);
        }
        let degree = |links: &crate::tui::circuit::Links| {
            format!("{} of {} kept", text::thousands(links.n_kept()), text::thousands(links.all))
        };
        if circuit.inputs.all > 0 {
            let share = circuit.error_share().map(|share| text::percent(share).trim_start().to_owned());
            let notes = share.map(|share| [format!("{share} errors"), format!("{share} err")]);
            fact("inputs", degree(&circuit.inputs), notes.as_ref().map_or(&[], |notes| notes));
        }
        if circuit.outputs.all > 0 {
            fact("outputs", degree(&circuit.outputs), &[]);
        }
        if let Some(found) = circuit.standings.marked().filter(|_| node.is_feature() || node.is_error()) {
            let (share, settings) = (found.node(id), found.n_settings());
            let kept = (share * settings as f32).round();
            let says = format!("kept by {kept} of {settings} prunings");
            fact("standing", StabilityClass::of(share).name().to_owned(), &[says, format!("{kept} of {settings}")]);
        }
        if circuit.is_pinned(id) {
            fact("pinned", "yes".to_owned(), &[]);
        }
        lines
    }

    /// Returns a node's influence and, labelled apart, the influence recomputed in a pruned graph; each with notes, the
    /// longer ones first.
    fn influence(&self, id: NodeId) -> Vec<(&'static str, String, Vec<String>)> {
        let (graph, kept) = (&self.circuit.traced.document.graph, self.circuit.kept());
        let rank = self.circuit.rank_of(id).map(|rank| format!("rank {}", text::thousands(rank)));
        let recomputed = |notes: Vec<String>| {
            // No influence flows through an output, and no line says so.
            kept.recomputed(id)
                .filter(|_| kept.influence[id.index()] > 0.0)
                .map(|recomputed| ("recomputed", format!("{recomputed:.4}"), notes))
                .into_iter()
                .collect()
        };
        match (graph.influence_of(), kept.influence_of(id), rank) {
            (InfluenceOf::Whole, Some(influence), Some(rank)) => {
                let adds = text::percent(kept.influence[id.index()] / kept.influence.iter().sum::<f64>());
                vec![(
                    "influence",
                    format!("{influence:.4}"),
                    vec![format!("{rank}, adds {}", adds.trim_start()), rank],
                )]
            }
            (InfluenceOf::Whole, ..) => Vec::new(),
            (InfluenceOf::File(_), influence, rank) => {
                let own = match influence.zip(rank) {
                    Some((influence, rank)) => (format!("{influence:.4}"), vec![format!("{rank}, the file's"), rank]),
                    None => ("none in the file".to_owned(), vec!["always kept".to_owned()]),
                };
                let mut facts: Vec<_> = recomputed(vec!["among what is left".to_owned()]);
                facts.insert(0, ("influence", own.0, own.1));
                facts
            }
            (InfluenceOf::Unknown, _, rank) => {
                recomputed(rank.map_or_else(Vec::new, |rank| vec![format!("{rank} among what is left"), rank]))
            }
        }
    }

    /// Returns the lines of the strongest path down to a token, which the graph draws too.
    fn main_path(&self) -> Vec<Line> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let path = &self.circuit.main_path;
        let steps = path.edges.iter().map(|edge| {
            let sign = (format!("{} ", glyphs.to_input), theme.sign(edge.weight));
            [sign, (format!("{} ", self.circuit.name(edge.source, glyphs)), theme.text)]
        });
        let end = match path.end {
            PathEnd::Source => None,
            PathEnd::Cycle => Some("its links form a cycle"),
            PathEnd::TooLong => Some("it goes on"),
        };
        let end = end.map(|end| [(format!("{} ", glyphs.ellipsis), theme.quiet), (end.to_owned(), theme.alert)]);
        let mut pieces = steps.chain(end).peekable();
        if pieces.peek().is_none() { Vec::new() } else { self.flow("main path", pieces) }
    }

    fn writes(&self, lines: &mut Vec<Line>) {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let Some(promoted) = self.circuit.selected_feature().and_then(|key| self.circuit.promoted.get(&key)) else {
            return;
        };
        match promoted {
            PromotedTokens::Pending => {
                let spinner = glyphs.spinner[self.state.ticks % glyphs.spinner.len()];
                let label = format!("{:<LABEL$}", "promotes");
                lines.push(vec![(label, theme.quiet), (format!("{spinner} "), theme.accent)]);
            }
            PromotedTokens::Failed(why) => {
                let label = format!("{:<LABEL$}", "promotes");
                lines.push(vec![(label, theme.quiet), (glyphs.visible(why), theme.quiet)]);
            }
            PromotedTokens::Known(promoted) if self.tall => self.columns(promoted, lines),
            PromotedTokens::Known(promoted) => {
                lines.extend(self.flow("promotes", self.written(&promoted.top)));
                lines.extend(self.flow("suppresses", self.written(&promoted.bottom)));
            }
        }
    }

    /// Appends promoted tokens beside suppressed ones, a pair a line.
    fn columns(&self, promoted: &Promoted, lines: &mut Vec<Line>) {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let column = self.width.saturating_sub(2) / 2;
        let head = |title: &str| (format!("{title:<column$}  "), theme.quiet);
        lines.push(vec![head("promotes"), head("suppresses")]);
        let entry = |entry: Option<&(String, f32)>| match entry {
            Some((token, effect)) => {
                let room = column.saturating_sub(9);
                let token = glyphs.fit(&glyphs.visible(token), room);
                let pad = room - text::width(&token).min(room);
                vec![
                    (format!("{:<8} ", text::weight(*effect)), theme.sign(*effect)),
                    (format!("{token}{}  ", " ".repeat(pad)), theme.text),
                ]
            }
            None => vec![(" ".repeat(column + 2), theme.text)],
        };
        for at in 0..promoted.top.len().max(promoted.bottom.len()) {
            let mut line = entry(promoted.top.get(at));
            line.extend(entry(promoted.bottom.get(at)));
            lines.push(line);
        }
    }

    fn written<'a>(&'a self, tokens: &'a [(String, f32)]) -> impl Iterator<Item = [(String, Style); 1]> + 'a {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        tokens.iter().map(|(token, effect)| {
            let shown = glyphs.fit(&glyphs.visible(token), self.width.saturating_sub(LABEL + 2).max(1));
            [(format!("{shown}  "), theme.sign(*effect))]
        })
    }

    /// Lays out pieces beside a label, one after the other, on as many lines as they take.
    fn flow<const N: usize>(&self, label: &str, pieces: impl Iterator<Item = [(String, Style); N]>) -> Vec<Line> {
        let theme = &self.state.look.theme;
        let mut lines = vec![vec![(format!("{label:<LABEL$}"), theme.quiet)]];
        let mut used = LABEL;
        for piece in pieces {
            let width: usize = piece.iter().map(|(text, _)| text::width(text)).sum();
            // A piece ends with the space before the next, which may fall off.
            if used + width > self.width + 1 && used > LABEL {
                lines.push(vec![(" ".repeat(LABEL), theme.text)]);
                used = LABEL;
            }
            used += width;
            if let Some(line) = lines.last_mut() {
                line.extend(piece);
            }
        }
        lines
    }
}
