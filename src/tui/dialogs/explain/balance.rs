//! Effects on one feature: those that drive it on one side, those that restrain it on the other.

use crate::attribution::{Inactive, Source, Why};
use crate::graph::{FeatureAt, Labelled};
use crate::ids::Position as Place;
use crate::service::library::Feature;
use crate::text;
use crate::text::names::Called as Named;
use crate::tui::circuit::Circuit;
use crate::tui::theme::Look;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use std::collections::HashMap;

/// View of the effects that drive and restrain one feature.
pub(super) struct About<'a> {
    pub why: &'a Why,
    pub called: &'a Called<'a>,
    pub look: &'a Look,
}

impl About<'_> {
    pub fn render(&self, area: Rect, buf: &mut Buffer) {
        let (theme, why) = (&self.look.theme, self.why);
        let room = usize::from(area.width);
        let Inactive { at, pre_activation, margin } = why.margin;
        let is = if why.active { "fires" } else { "does not fire" };
        let side = if margin > 0.0 { "above" } else { "below" };
        let sum = |sign: f32| text::weight(why.sum(sign) as f32);
        let head = format!("{} {is}", self.called.name(Source::Feature(at)).short());
        let size = text::weight(margin.abs());
        let has = format!(
            "pre-activation {}, {} {side} its threshold of {:.4}",
            text::weight(pre_activation),
            size.trim_start_matches('+'),
            why.margin.threshold()
        );
        let parts = format!("= {} up {} down {} constants", sum(1.0), sum(-1.0), text::weight(why.constant));
        let lines = [(head, theme.strong), (has, theme.text), (parts, theme.quiet)];
        for ((says, style), y) in lines.iter().zip(area.top()..area.bottom()) {
            buf.set_stringn(area.x, y, self.look.glyphs.fit(says, room), room, *style);
        }
        let below = Rect { y: area.y + 4, height: area.height.saturating_sub(4), ..area };
        let columns: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).spacing(2).areas(below);
        for (column, (title, sign)) in columns.into_iter().zip([("pushes it up", 1.0), ("holds it down", -1.0)]) {
            self.side(title, sign, column, buf);
        }
    }

    fn side(&self, title: &str, sign: f32, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let (theme, room) = (&self.look.theme, usize::from(area.width));
        buf.set_stringn(area.x, area.y, title, room, theme.strong);
        let effects = self.why.strongest(sign, usize::from(area.height - 1));
        for ((source, effect), y) in effects.into_iter().zip(area.top() + 1..area.bottom()) {
            let row = Rect { y, height: 1, ..area };
            row_of(&self.called.name(source), text::weight(effect), theme.sign(effect), row, self.look, buf);
        }
    }
}

/// Draws a row: a source's name, its place, its number, and a figure at the end.
pub(super) fn row_of(name: &Named, figure: String, style: Style, row: Rect, look: &Look, buf: &mut Buffer) {
    const FIGURE: usize = 8;
    let room = usize::from(row.width).saturating_sub(FIGURE + 1);
    let [what, place, number] = name.fit(room, &look.glyphs);
    let mut x = row.x;
    for (part, style) in [(what, look.theme.text), (place, look.theme.quiet), (number, look.theme.faint)] {
        (x, _) = buf.set_stringn(x, row.y, part, usize::from(row.right().saturating_sub(x)), style);
    }
    let at = row.right().saturating_sub(text::width(&figure) as u16).max(row.x);
    buf.set_stringn(at, row.y, figure, usize::from(row.right().saturating_sub(at)), style);
}

/// Names of sources, which need not be in the graph.
pub(super) struct Called<'a> {
    pub circuit: &'a Circuit,
    pub names: &'a HashMap<Feature, String>,
    pub look: &'a Look,
}

impl Called<'_> {
    /// Returns the name of a source.
    pub fn name(&self, source: Source) -> Named {
        let glyphs = &self.look.glyphs;
        let at = |place: Place| format!("@{}", self.circuit.token_at(place, glyphs));
        match source {
            Source::Feature(FeatureAt { layer, position, feature }) => {
                let label = self.label((layer, feature)).map(String::as_str);
                Named::feature(layer, feature, &at(position), label, glyphs)
            }
            Source::Error(layer, position) => {
                Named { what: "error".to_owned(), place: format!("L{layer} {}", at(position)), number: String::new() }
            }
            Source::Token(position) => {
                let what = format!("token {}", self.circuit.token_at(position, glyphs));
                Named { what, place: String::new(), number: String::new() }
            }
        }
    }

    fn label(&self, feature: Feature) -> Option<&String> {
        let what = Labelled::Feature(feature.0, feature.1);
        let own = self.circuit.edits.now().labels.get(&what);
        own.or_else(|| self.circuit.traced.document.labels.get(&what)).or_else(|| self.names.get(&feature))
    }
}
