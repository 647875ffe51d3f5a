//! Activations and contexts of the selected feature, or of its supernode.

use super::{Pen, Side as End, note};
use crate::features::{Label, LabelOrigin};
use crate::job::Progress;
use crate::service::library::{Feature, FeatureSet};
use crate::text;
use crate::tui::act;
use crate::tui::act::READ_FEATURE;
use crate::tui::activation_context::{ActivationContext, sparkline};
use crate::tui::app::{Pane, State};
use crate::tui::circuit::{Circuit, PromotedTokens};
use crate::tui::features::{Access, FeatureDetails, Known, Reading, on_prompt};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::sync::Arc;

/// Pieces of text, one after the other.
type Line = Vec<(String, Style)>;

/// Line of the pane.
pub(in crate::tui) enum Row {
    /// Text with its styles.
    Text(Line),
    /// Context behind its activation and, where several are shown, the feature's name.
    ActivationContext(Arc<ActivationContext>),
    /// The prompt.
    Prompt(ActivationContext),
}

/// Width of the column of labels, in cells.
const LABEL: usize = 12;
/// Least lines with which all other details of the feature stand before its contexts.
const TALL: u16 = 16;
/// Cells of a context's activation.
const ACTIVATION: usize = 8;

pub(super) fn render(state: &State, area: Rect, inner: Rect, buf: &mut Buffer) {
    if state.circuit.is_none() || inner.is_empty() {
        return;
    }
    draw(state, area, inner, &rows(state, inner, ""), "", buf);
}

/// Draws rows from the one that the user has scrolled to.
pub(in crate::tui) fn draw(state: &State, area: Rect, inner: Rect, rows: &[Row], wanted: &str, buf: &mut Buffer) {
    let sight = &state.features.sight;
    let room = usize::from(inner.height);
    let scroll = sight.scroll.min(rows.len().saturating_sub(room));
    if rows.len() > room {
        let more = format!("{}-{} of {}", scroll + 1, scroll + room, rows.len());
        note(area, End::Right, &[(&more, state.look.theme.faint)], buf);
    }
    for (at, row) in rows.iter().skip(scroll).take(room).enumerate() {
        let line = Rect { y: inner.y + at as u16, height: 1, ..inner };
        match row {
            Row::Text(pieces) => {
                let mut pen = Pen::new(buf, line, 0);
                for (text, style) in pieces {
                    let text = state.look.glyphs.fit(text, pen.room());
                    pen.put(&text, *style);
                }
            }
            Row::ActivationContext(strip) => {
                let lead = lead(state, strip);
                Pen::new(buf, line, 0).put(&lead, state.look.theme.quiet);
                let wide = (text::width(&lead) as u16).min(line.width);
                let line = Rect { x: line.x + wide, width: line.width - wide, ..line };
                strip.draw(line, sight.shift, wanted, &state.look, buf);
            }
            Row::Prompt(strip) => {
                Pen::new(buf, line, 0).put("prompt", state.look.theme.quiet);
                let wide = (ACTIVATION as u16).min(line.width);
                let line = Rect { x: line.x + wide, width: line.width - wide, ..line };
                strip.draw(line, sight.shift, "", &state.look, buf);
            }
        }
    }
}

/// Returns the text before a context.
fn lead(state: &State, strip: &ActivationContext) -> String {
    let activation = format!("{:>7.3} ", strip.activation());
    let sight = &state.features.sight;
    match (strip.feature, &sight.union) {
        (Some((layer, feature)), Some(_)) => format!("{activation}{:<9} ", format!("L{layer} #{feature}")),
        _ => activation,
    }
}

/// Returns the number of lines by which the text is longer than its room, in the pane or on the whole screen.
pub(in crate::tui) fn overflow(state: &State, inner: Rect, wanted: &str) -> usize {
    rows(state, inner, wanted).len().saturating_sub(usize::from(inner.height))
}

/// Returns all rows of the shown feature or features. Where a text is `wanted`, only contexts that contain it.
pub(in crate::tui) fn rows(state: &State, inner: Rect, wanted: &str) -> Vec<Row> {
    let Some(circuit) = &state.circuit else { return Vec::new() };
    let theme = &state.look.theme;
    let text = |text: &str| vec![Row::Text(vec![(text.to_owned(), theme.quiet)])];
    let members = act::members(circuit);
    let Some(&feature) = members.get(state.features.sight.turn).or(members.last()) else {
        return text("This is no feature: only features have contexts");
    };
    let Some(known) = act::known(state) else { return Vec::new() };
    let width = usize::from(inner.width);
    let sheet = Sheet { state, circuit: Some(circuit), known, feature, members: &members, width };
    if let Some((_, read, union)) = &state.features.sight.union {
        let mut rows = vec![sheet.title()];
        if *read < members.len() {
            let spinner = state.look.glyphs.spinner[state.ticks % state.look.glyphs.spinner.len()];
            let read = format!("{read} of {} members are read", members.len());
            rows.push(Row::Text(vec![(format!("{spinner} "), theme.accent), (read, theme.quiet)]));
        }
        rows.extend(sheet.contexts(union, wanted));
        return rows;
    }
    sheet.rows(inner.height >= TALL, wanted)
}

/// Returns all rows of a feature, apart from any graph.
pub(in crate::tui) fn browsed(state: &State, set: &FeatureSet, feature: Feature, inner: Rect) -> Vec<Row> {
    let Some(known) = state.features.known.get(set) else { return Vec::new() };
    let sheet = Sheet { state, circuit: None, known, feature, members: &[], width: usize::from(inner.width) };
    sheet.rows(true, "")
}

struct Sheet<'a> {
    state: &'a State,
    /// Graph in which the feature is shown.
    circuit: Option<&'a Circuit>,
    known: &'a Known,
    feature: Feature,
    members: &'a [Feature],
    width: usize,
}

impl Sheet<'_> {
    fn rows(&self, is_tall: bool, wanted: &str) -> Vec<Row> {
        let mut rows = vec![self.title()];
        let card = match self.known.reading(self.feature) {
            Some(Reading::Known(card)) => Some(card),
            _ => None,
        };
        rows.extend(self.label(card.and_then(|card| card.found.label.as_ref())));
        let prompt = self.prompt(card);
        let mut about = card.map_or_else(Vec::new, |card| self.statistics(card));
        about.extend(self.writes(card));
        let waits = card.is_none_or(|card| card.dashboard().is_none());
        let contexts = match card {
            Some(card) if !waits => self.contexts(card, wanted),
            _ => self.why_none(card),
        };
        // Where lines are few, contexts say more than numbers.
        if is_tall {
            rows.extend(about);
            rows.extend(prompt);
            rows.push(Row::Text(Vec::new()));
            rows.extend(contexts);
        } else {
            rows.extend(prompt);
            rows.extend(contexts);
            rows.extend(about);
        }
        rows.extend(card.iter().flat_map(|card| self.said(card)));
        rows
    }

    fn fact(&self, label: &str, pieces: Line) -> Row {
        let mut line = vec![(format!("{label:<LABEL$}"), self.state.look.theme.quiet)];
        line.extend(pieces);
        Row::Text(line)
    }

    /// Returns the feature's name, and its place among the members of its supernode.
    fn title(&self) -> Row {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let (layer, number) = self.feature;
        let is_union = self.state.features.sight.union.is_some() && self.circuit.is_some();
        let name = if is_union { "all members".to_owned() } else { format!("L{layer} #{number}") };
        let mut line = vec![(name, theme.strong)];
        let group = self.circuit.and_then(|circuit| {
            let edited = circuit.edits.now();
            edited.groups.get(edited.group_of(circuit.selected())?)
        });
        if let Some(group) = group.filter(|_| self.members.len() > 1) {
            let name = glyphs.visible(&group.name);
            let which = if is_union {
                format!("  {} of {name}", self.members.len())
            } else {
                format!("  member {} of {} of {name}", self.state.features.sight.turn + 1, self.members.len())
            };
            line.push((which, theme.quiet));
        }
        Row::Text(line)
    }

    /// Returns the feature's label, with its source.
    fn label(&self, found: Option<&Label>) -> Option<Row> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let (layer, number) = self.feature;
        let what = crate::graph::Labelled::Feature(layer, number);
        let own = self.circuit.and_then(|circuit| circuit.edits.now().labels.get(&what));
        let in_file = self.circuit.and_then(|circuit| circuit.file_labels.get(&what));
        let (own, in_file) = (own.filter(|label| !label.is_empty()), in_file.filter(|label| !label.is_empty()));
        let named = || self.circuit?.named.labels.get(&self.feature);
        let found = found.or_else(named).cloned();
        let of = |text: &String, origin| Label { text: text.clone(), origin };
        let label = Label::first([
            own.map(|text| of(text, LabelOrigin::Own)),
            in_file.map(|text| of(text, LabelOrigin::Graph)),
            found,
        ])?;
        let who = glyphs.visible(&label.origin.to_string());
        let shown = glyphs.fit(&glyphs.visible(&label.text), self.width.saturating_sub(LABEL));
        let is_automatic = label.origin == LabelOrigin::Automatic;
        let style = if is_automatic { theme.text } else { theme.strong };
        Some(self.fact("label", vec![(shown, style), (format!("  {who}"), theme.quiet)]))
    }

    fn statistics(&self, card: &FeatureDetails) -> Vec<Row> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let mut rows = Vec::new();
        if let Some(density) = card.density {
            // Densities from one in a hundred thousand tokens on, by orders of magnitude.
            let share = if density > 0.0 { (f64::from(density).log10() + 5.0) / 5.0 } else { 0.0 };
            let bar = glyphs.bar(share.max(0.0), 10);
            let says = format!("fires on {} of tokens  ", percent(density));
            rows.push(self.fact("density", vec![(says, theme.text), (bar, theme.positive)]));
        }
        let Some(dashboard) = card.dashboard() else { return rows };
        if !dashboard.histogram.is_empty() {
            let ends = match card.found.bins.as_deref() {
                Some([first, ..]) => format!("  {first:.2} to {:.2}, bars grow wider", dashboard.max),
                _ => format!("  {:.2} to {:.2}", dashboard.min, dashboard.max),
            };
            let room = self.width.saturating_sub(LABEL + text::width(&ends));
            let bars = sparkline(&dashboard.histogram, room.max(8), &self.state.look);
            rows.push(self.fact("activation", vec![(bars, theme.positive), (ends, theme.quiet)]));
        }
        rows
    }

    /// Returns the tokens that the feature promotes and suppresses most: with their effects where those are computed,
    /// else as its dashboard lists them.
    fn writes(&self, card: Option<&Arc<FeatureDetails>>) -> Vec<Row> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let [promoted, suppressed] = match (
            self.circuit.and_then(|circuit| circuit.promoted.get(&self.feature)),
            card.and_then(|c| c.dashboard()),
        ) {
            (Some(PromotedTokens::Known(written)), _) => [&written.top, &written.bottom]
                .map(|tokens| tokens.iter().map(|(token, _)| token.as_str()).collect::<Vec<_>>()),
            (_, Some(dashboard)) => {
                [&dashboard.promoted, &dashboard.suppressed].map(|tokens| tokens.iter().map(String::as_str).collect())
            }
            (_, None) => return Vec::new(),
        };
        let row = |label: &str, tokens: Vec<&str>, style: Style| {
            let mut room = self.width.saturating_sub(LABEL);
            let mut line = Line::new();
            for token in tokens {
                let shown = format!("{}  ", glyphs.visible(token));
                let wide = text::width(shown.trim_end());
                if wide > room {
                    break;
                }
                room = room.saturating_sub(wide + 2);
                line.push((shown, style));
            }
            (!line.is_empty()).then(|| self.fact(label, line))
        };
        let promoted = row("promotes", promoted, theme.positive);
        promoted.into_iter().chain(row("suppresses", suppressed, theme.negative)).collect()
    }

    /// Returns the prompt, tinted by this feature's activations, around the selected node's token.
    fn prompt(&self, card: Option<&Arc<FeatureDetails>>) -> Option<Row> {
        let circuit = self.circuit?;
        let document = &circuit.traced.document;
        let activations = on_prompt(document, self.feature);
        let here = activations.iter().copied().fold(0.0, f32::max);
        let most = card.and_then(|card| card.groups.iter().flat_map(|group| &group.strips).next());
        let most = most.map_or(here, |(strip, _)| strip.most().max(here));
        let tokens = document.graph.tokens().iter().map(|token| token.text.clone());
        // Spaced as contexts are, whose tokens are the same tokenizer's.
        let has_space = |text: &String| text.starts_with([' ', '\u{2581}', '\u{120}']) || text.ends_with(' ');
        let spacer = if tokens.clone().any(|text| has_space(&text)) { "" } else { " " };
        let position = circuit.node(circuit.selected()).position().index();
        ActivationContext::of_tokens(tokens.zip(activations).collect(), spacer, position, most).map(Row::Prompt)
    }

    fn contexts(&self, card: &FeatureDetails, wanted: &str) -> Vec<Row> {
        let theme = &self.state.look.theme;
        let unfolded = self.state.features.sight.unfolded;
        let mut rows = Vec::new();
        for group in &card.groups {
            let fits = |strip: &ActivationContext| wanted.is_empty() || strip.has(wanted);
            let all = group.strips.iter().filter(|(strip, _)| fits(strip));
            let (all, again) = all.fold((0, 0), |(all, again), (_, is)| (all + 1, again + usize::from(*is)));
            if all == 0 {
                continue;
            }
            let name = self.state.look.glyphs.visible(&group.name);
            let title = if name.is_empty() { "contexts".to_owned() } else { name };
            let mut heading =
                vec![(title, theme.strong), (format!("  {}", text::counted(all, "context")), theme.quiet)];
            if again > 0 {
                let says = if unfolded { "shown" } else { "folded" };
                heading.push((format!(", {again} repeated {says}"), theme.quiet));
            }
            rows.push(Row::Text(heading));
            let shown = group.strips.iter().filter(|(strip, again)| (unfolded || !again) && fits(strip));
            rows.extend(shown.map(|(strip, _)| Row::ActivationContext(Arc::clone(strip))));
        }
        if rows.is_empty() {
            let says = if wanted.is_empty() { "It fires nowhere" } else { "No context has this text" };
            rows.push(Row::Text(vec![(says.to_owned(), theme.quiet)]));
        }
        rows
    }

    /// Returns the reason why there are no contexts, and the keys that may help.
    fn why_none(&self, card: Option<&Arc<FeatureDetails>>) -> Vec<Row> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let wrapped = |says: &str, style: Style| {
            let lines = crate::tui::ui::wrap(&glyphs.visible(says), self.width.max(1));
            lines.into_iter().map(move |line| Row::Text(vec![(line, style)])).collect::<Vec<_>>()
        };
        let waits = |phase: &str| {
            let spinner = glyphs.spinner[self.state.ticks % glyphs.spinner.len()];
            vec![Row::Text(vec![(format!("{spinner} "), theme.accent), (phase.to_owned(), theme.quiet)])]
        };
        if let Access::Failed(why) = &self.known.access {
            return wrapped(why, theme.alert);
        }
        if matches!(self.known.access, Access::Opening) {
            return waits("looking for contexts");
        }
        let key = |name: &str| super::key_of(name, self.state);
        match (self.known.reading(self.feature), card.and_then(|card| card.asks_for.as_ref())) {
            // A quick reading does not flicker.
            (Some(Reading::Pending { since, .. }), _) if *since == self.state.ticks => Vec::new(),
            (Some(Reading::Pending { .. }), _) => match self.state.jobs.progress(READ_FEATURE) {
                Some(Progress { phase, .. }) if !phase.is_empty() => waits(&format!("{phase}; Ctrl-c stops")),
                _ => waits("reading"),
            },
            (Some(Reading::Failed(why)), _) => {
                wrapped(&format!("{why}; {} asks again", key("fetch-labels")), theme.quiet)
            }
            (_, Some(set)) => {
                let says = format!(
                    "Nothing on this machine knows this feature. {} asks the hub for it as a part of {set}",
                    key("fetch-labels")
                );
                wrapped(&says, theme.quiet)
            }
            _ => wrapped(
                "No contexts are known of this feature: `circuitscope features build` makes them from a corpus, and \
                 --features names a folder of them",
                theme.quiet,
            ),
        }
    }

    /// Returns the source of the details, and its warnings.
    fn said(&self, card: &FeatureDetails) -> Vec<Row> {
        let (theme, glyphs) = (&self.state.look.theme, &self.state.look.glyphs);
        let from = card.found.dashboard.as_ref().map(|(_, origin)| glyphs.visible(&origin.to_string()));
        let mut rows: Vec<Row> = from.map(|from| self.fact("from", vec![(from, theme.quiet)])).into_iter().collect();
        let notices = card
            .found
            .notices
            .iter()
            .flat_map(|notice| crate::tui::ui::wrap(&glyphs.visible(notice), self.width.max(1)));
        rows.extend(notices.map(|line| Row::Text(vec![(line, theme.alert)])));
        rows
    }
}

/// Writes a share of tokens with as many digits as tell rare features apart.
fn percent(share: f32) -> String {
    match f64::from(share) * 100.0 {
        percent if percent >= 1.0 => format!("{percent:.1} %"),
        percent if percent >= 0.01 => format!("{percent:.2} %"),
        0.0 => "0 %".to_owned(),
        percent => format!("{percent:.0e} %"),
    }
}

/// Returns the room of the pane, where it is shown.
pub(in crate::tui) fn room(state: &State) -> Option<Rect> {
    state.panes().and_then(|panes| panes.of(Pane::Feature)).map(crate::tui::layout::inner)
}
