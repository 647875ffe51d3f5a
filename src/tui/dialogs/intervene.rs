//! Interventions on a graph: their list, and their effects on the model.

use crate::graph::{Freeze, Intervention, Interventions};
use crate::intervention::{Sweep, TokenEffect};
use crate::service::interventions::{LISTED, Measured, ModelReply, Texts};
use crate::text;
use crate::text::glyph::Charset;
use crate::tui::act;
use crate::tui::app::State;
use crate::tui::circuit::Circuit;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::intervention_panel::{InterventionPanel, View};
use crate::tui::keymap::Context;
use crate::tui::theme::{Depth, Look};
use crate::tui::ui::wrap;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, LegendPosition, Widget};

/// Greatest number of lines of the list.
const ROWS: usize = 8;

/// Number of lines below the list.
const BELOW: u16 = 13;

/// Dialog of the interventions, which the circuit keeps.
pub struct Intervene;

fn draw(circuit: &Circuit, screen: Rect, look: &Look, buf: &mut Buffer) {
    let set = &circuit.edits.now().interventions;
    let panel = &circuit.panel;
    let rows = set.list.len().clamp(1, ROWS) as u16;
    let (width, height) = (screen.width.saturating_sub(4).min(112), rows + BELOW + 4);
    let area = crate::tui::ui::open(screen, width, height.min(screen.height), "interventions", look, buf);
    if area.height < 3 {
        return;
    }
    let parts = [Constraint::Length(1), Constraint::Length(rows), Constraint::Length(1), Constraint::Fill(1)];
    let [head, list, _, below] = Layout::vertical(parts).areas(area);
    let mut mode = format!("mode: {}", set.freeze.name());
    if let (Freeze::Direct, Some(layers)) = (set.freeze, &set.layers) {
        mode.push_str(&format!(", layers {}..{}", layers.start, layers.end));
    }
    if panel.view == View::Continued {
        mode.push_str(&format!("   continued by {}", panel.drawing.described()));
    }
    buf.set_stringn(
        head.x,
        head.y,
        look.glyphs.fit(&mode, usize::from(head.width)),
        usize::from(head.width),
        look.theme.quiet,
    );
    render_list(set, panel.row, list, look, buf);
    if below.is_empty() {
        return;
    }
    if let Some(why) = complaint(panel) {
        lines(&wrap(&look.glyphs.visible(why), usize::from(below.width)), below, look.theme.alert, buf);
    } else if panel.request.is_some_and(|(view, _)| view == View::Effects) {
        lines(&["running the other prompt".to_owned()], below, look.theme.quiet, buf);
    } else if set.list.is_empty() {
        let says = "There is none yet: open this on a feature or a supernode, or swap the features at this position for \
                    another prompt's";
        lines(&wrap(says, usize::from(below.width)), below, look.theme.quiet, buf);
    } else if set.is_idle() {
        lines(&["all of them are muted".to_owned()], below, look.theme.quiet, buf);
    } else {
        match (panel.view, &panel.measured, &panel.reply) {
            (View::Effects, Some(measured), _) => render_effects(measured, below, look, buf),
            (View::Sweep, _, Some(Ok(ModelReply::Sweep(sweep, texts)))) => render_sweep(sweep, texts, below, look, buf),
            (View::Continued, _, Some(Ok(ModelReply::Continued(sides)))) => render_sides(sides, below, look, buf),
            _ => lines(&["running the model".to_owned()], below, look.theme.quiet, buf),
        }
    }
}

/// Returns the reason why an intervention failed, where one did.
fn complaint(panel: &InterventionPanel) -> Option<&str> {
    match &panel.reply {
        Some(Err(why)) => Some(why),
        _ => panel.failed.as_deref(),
    }
}

fn lines(all: &[String], area: Rect, style: Style, buf: &mut Buffer) {
    for (line, y) in all.iter().zip(area.top()..area.bottom()) {
        buf.set_stringn(area.x, y, line, usize::from(area.width), style);
    }
}

fn render_list(set: &Interventions, row: usize, area: Rect, look: &Look, buf: &mut Buffer) {
    let from = (row + 1).saturating_sub(usize::from(area.height));
    for (y, (at, intervention)) in (area.top()..area.bottom()).zip(set.list.iter().enumerate().skip(from)) {
        let style = if intervention.muted { look.theme.faint } else { look.theme.text };
        let room = usize::from(area.width);
        let line = look.glyphs.visible(&described(intervention));
        buf.set_stringn(area.x, y, look.glyphs.fit(&line, room), room, style);
        if at == row {
            buf.set_style(Rect { y, height: 1, ..area }, look.theme.selection);
        }
    }
}

/// Describes an intervention in a line.
fn described(intervention: &Intervention) -> String {
    let Intervention { name, sites, action, muted } = intervention;
    let sites = match &sites[..] {
        [site] => format!("{site}"),
        sites => text::counted(sites.len(), "feature"),
    };
    format!("{name} ({sites}): {action}{}", if *muted { ", muted" } else { "" })
}

/// Draws the outputs, the tokens that rise and those that fall, side by side.
fn render_effects(measured: &Measured, area: Rect, look: &Look, buf: &mut Buffer) {
    let effects = &measured.effects;
    let columns: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3]).spacing(2).areas(area);
    let lists = [("outputs", &effects.targets), ("rising", &effects.rising), ("falling", &effects.falling)];
    for (column, (title, tokens)) in columns.into_iter().zip(lists) {
        buf.set_stringn(column.x, column.y, title, usize::from(column.width), look.theme.strong);
        for (token, y) in tokens.iter().take(LISTED).zip(column.top() + 1..column.bottom()) {
            render_token(token, measured.text(token.id), Rect { y, height: 1, ..column }, look, buf);
        }
    }
}

/// Draws a token's probability before and after, and the change of its logit.
fn render_token(token: &TokenEffect, name: &str, area: Rect, look: &Look, buf: &mut Buffer) {
    let [before, after] = token.probabilities;
    let figures = format!("{before:.3}{}{after:.3} ", look.glyphs.to_output);
    let logit = format!("{:+.2} ", token.of_logit());
    let style = look.theme.sign(token.of_probability() as f32);
    let (x, _) = buf.set_stringn(area.x, area.y, figures, usize::from(area.width), look.theme.text);
    let (x, _) = buf.set_stringn(x, area.y, logit, usize::from(area.right().saturating_sub(x)), style);
    let room = usize::from(area.right().saturating_sub(x));
    buf.set_stringn(x, area.y, look.glyphs.fit(&look.glyphs.visible(name), room), room, look.theme.strong);
}

/// Draws the probabilities against the dose.
fn render_sweep(sweep: &Sweep, texts: &Texts, area: Rect, look: &Look, buf: &mut Buffer) {
    let theme = &look.theme;
    let styles = [theme.positive, theme.negative, theme.accent, theme.quiet];
    let points: Vec<Vec<(f64, f64)>> = sweep
        .probabilities
        .iter()
        .map(|row| sweep.doses.iter().map(|dose| f64::from(*dose)).zip(row.iter().copied()).collect())
        .collect();
    // Without colours or Braille the lines are told apart by letters.
    let dotted = look.glyphs.charset == Charset::Braille && theme.depth != Depth::Mono;
    let lines = points.iter().zip(&sweep.tokens).zip(styles.into_iter().cycle()).zip(('a'..='z').cycle());
    let sets = lines.map(|(((points, id), style), letter)| {
        let name = look.glyphs.visible(texts.get(id).map_or("", String::as_str));
        let name = if dotted { name } else { format!("{letter} {name}") };
        let marker = if dotted { Marker::Braille } else { Marker::Custom(letter) };
        Dataset::default().name(name).marker(marker).graph_type(GraphType::Line).style(style).data(points)
    });
    let (least, most) = (sweep.doses.first().copied().unwrap_or(0.0), sweep.doses.last().copied().unwrap_or(1.0));
    let labels = [least, (least + most) / 2.0, most].map(|dose| Line::from(format!("{dose}")));
    let x = Axis::default().title("dose").style(theme.quiet).bounds([least.into(), most.into()]).labels(labels);
    let y = Axis::default().title("probability").style(theme.quiet).bounds([0.0, 1.0]).labels(["0", "0.5", "1"]);
    let chart = Chart::new(sets.collect()).x_axis(x).y_axis(y).legend_position(Some(LegendPosition::Right));
    let always = (Constraint::Percentage(100), Constraint::Percentage(100));
    chart.hidden_legend_constraints(always).render(area, buf);
    if look.glyphs.charset == Charset::Ascii {
        in_ascii(area, buf);
    }
}

/// Replaces the chart's own lines by ASCII: the widget knows no others.
fn in_ascii(area: Rect, buf: &mut Buffer) {
    for at in area.positions() {
        let cell = &mut buf[at];
        let ascii = match cell.symbol() {
            "│" => "|",
            "─" => "-",
            symbol if symbol.is_ascii() => continue,
            _ => "+",
        };
        cell.set_symbol(ascii);
    }
}

/// Draws continuations without and with the interventions.
fn render_sides(sides: &[String; 2], area: Rect, look: &Look, buf: &mut Buffer) {
    let columns: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).spacing(2).areas(area);
    for ((column, side), title) in columns.into_iter().zip(sides).zip(["without", "with"]) {
        buf.set_stringn(column.x, column.y, title, usize::from(column.width), look.theme.strong);
        let below = Rect { y: column.y + 1, height: column.height.saturating_sub(1), ..column };
        lines(&wrap(&look.glyphs.visible(side), usize::from(column.width).max(1)), below, look.theme.text, buf);
    }
}

const INTERVENE: Context = Context::dialog("intervene");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "intervene-down", Test, INTERVENE, ["Down", "j"], Some("choose"), |s, _| act::move_in_interventions(s, 1), "To the next intervention";
    "intervene-up", Test, INTERVENE, ["Up", "k"], Some("choose"), |s, _| act::move_in_interventions(s, -1), "To the intervention before";
    "intervene-more", Test, INTERVENE, ["Right", "l"], Some("dose"), |s, _| act::nudge_dose(s, 1), "A tenth more: the factor, or the value";
    "intervene-less", Test, INTERVENE, ["Left", "h"], Some("dose"), |s, _| act::nudge_dose(s, -1), "A tenth less";
    "intervene-half-more", Test, INTERVENE, ["+", ">"], None, |s, _| act::nudge_dose(s, 5), "A half more";
    "intervene-half-less", Test, INTERVENE, ["-", "<"], None, |s, _| act::nudge_dose(s, -5), "A half less";
    "intervene-value", Test, INTERVENE, ["Enter"], Some("value"), |s, _| act::ask_intervention(s, false), "Type a value, a factor or an addition";
    "intervene-positions", Test, INTERVENE, ["p"], Some("positions"), |s, _| act::ask_intervention(s, true), "Type the positions";
    "intervene-mute", Test, INTERVENE, ["Space"], Some("mute"), |s, _| act::mute_intervention(s), "Leave it out for now, or take it in again";
    "intervene-remove", Test, INTERVENE, ["x", "Delete"], Some("remove"), |s, _| act::remove_intervention(s), "Remove this intervention";
    "intervene-mode", Test, INTERVENE, ["Tab"], Some("mode"), |s, _| act::turn_freeze(s), "What stays as it was: direct, frozen attention, free";
    "intervene-swap", Test, INTERVENE, ["s"], Some("swap"), |s, _| act::ask_swap(s), "Swap the features at this position for another prompt's";
    "intervene-swap-group", Test, INTERVENE, ["S"], None, |s, _| act::ask_swap_group(s), "Swap its features for those of another supernode";
    "intervene-layers", Test, INTERVENE, ["L"], None, |s, _| act::ask_layers(s), "Type the layers that the direct mode writes into";
    "intervene-sweep", Test, INTERVENE, ["d"], Some("sweep"), |s, _| act::turn_panel(s, View::Sweep), "Draw probabilities against the dose, or not";
    "intervene-continue", Test, INTERVENE, ["g"], Some("continue"), |s, _| act::turn_panel(s, View::Continued), "Continue the prompt without and with them, or not";
    "intervene-sampling", Test, INTERVENE, ["t"], None, |s, _| act::ask_sampling(s), "Type how continuations are drawn: temperature, seed";
    "intervene-undo", Test, INTERVENE, ["u"], None, |s, _| act::undo(s), "Undo the last change";
    "intervene-redo", Test, INTERVENE, ["Ctrl-r", "U"], None, |s, _| act::redo(s), "Redo what was undone";
    "intervene-close", Test, INTERVENE, ["Esc", "q"], Some("back"), |s, _| act::close_interventions(s), "Leave the interventions as they are";
}

impl Dialog for Intervene {
    fn context(&self) -> Context {
        INTERVENE
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(circuit) = &state.circuit {
            draw(circuit, screen, &state.look, buf);
        }
        None
    }
}
