//! Drawing of the figure's elements.

use super::super::Theme;
use super::super::escape::xml;
use super::super::sheet::{Shape, Sheet, signed};
use super::layout::{Anchor, Caption, Layout, RADIUS, SMALL, Spot, TEXT, is_clear};
use crate::format::svg::{Page, Svg};
use crate::graph::{Part, SuperEdge};
use std::fmt::Write as _;

/// Colours that remain distinct under colour blindness; shapes repeat all that they tell.
struct Palette {
    paper: &'static str,
    column: &'static str,
    text: &'static str,
    quiet: &'static str,
    feature: &'static str,
    error: &'static str,
    token: &'static str,
    logit: &'static str,
    positive: &'static str,
    negative: &'static str,
}

const LIGHT: Palette = Palette {
    paper: "#ffffff",
    column: "#f4f5f7",
    text: "#0c0d10",
    quiet: "#6b707b",
    feature: "#ffffff",
    error: "#dcdfe6",
    token: "#eaf2fb",
    logit: "#fbf1dc",
    positive: "#1667b0",
    negative: "#b8500f",
};

const DARK: Palette = Palette {
    paper: "#15171c",
    column: "#1c1f26",
    text: "#f2f3f5",
    quiet: "#8b919d",
    feature: "#15171c",
    error: "#3c424d",
    token: "#1d2c3c",
    logit: "#3a301b",
    positive: "#5fb0f0",
    negative: "#ee8a55",
};

pub(super) fn paint(sheet: &Sheet<'_>, layout: &Layout, theme: Theme) -> String {
    let palette = match theme {
        Theme::Light => &LIGHT,
        Theme::Dark => &DARK,
    };
    let (width, height) = (layout.width, layout.height);
    let page = Page { width, height, font_size: TEXT, ink: palette.text, paper: palette.paper, title: &title(sheet) };
    let mut out = Svg::new(&page);
    markers(&mut out, palette);
    heading(&mut out, sheet, layout, palette);
    let bottom = layout.spots.iter().map(|spot| spot.y).fold(0.0, f64::max) + 14.0;
    let top = layout.spots.iter().map(|spot| spot.y).fold(bottom, f64::min) - 14.0;
    for (left, right) in &layout.columns {
        let (width, height) = (right - left, bottom - top);
        out.put(format_args!(
            r#"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" fill="{}"/>"#,
            palette.column
        ));
    }
    out.put(format_args!(r#"<g fill="none">"#));
    let ports = Ports::new(layout);
    for (nth, edge) in layout.edges.iter().enumerate() {
        out.put(format_args!("{}", Curve::new(ports.ends(layout, nth), layout.is_of_boxes).path(edge, palette)));
    }
    out.put(format_args!("</g>"));
    for at in 0..layout.spots.len() {
        node(&mut out, sheet, at, &layout.spots[at], palette);
    }
    if layout.is_of_boxes {
        weights(&mut out, layout, &ports, palette);
    }
    for caption in &layout.captions {
        write(&mut out, caption, SMALL, palette.quiet);
    }
    for label in &layout.labels {
        ground(&mut out, label.area(), palette);
        write(&mut out, label, SMALL, palette.text);
    }
    legend(&mut out, sheet, layout, palette);
    out.finish()
}

fn title(sheet: &Sheet<'_>) -> String {
    format!("{}: {}", sheet.prompt(), sheet.part_name())
}

fn markers(out: &mut Svg, palette: &Palette) {
    let marker = |name: &str, shape: String| {
        format!(
            r#"<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">{shape}</marker>"#
        )
    };
    let raises = marker("raises", format!(r#"<path d="M1 1 L9 5 L1 9 z" fill="{}"/>"#, palette.positive));
    let lowers = marker("lowers", format!(r#"<path d="M8 0 V10" stroke="{}" stroke-width="2.4"/>"#, palette.negative));
    out.put(format_args!("<defs>{raises}{lowers}</defs>"));
}

fn heading(out: &mut Svg, sheet: &Sheet<'_>, layout: &Layout, palette: &Palette) {
    let room = ((layout.width - 48.0) / (TEXT * 0.62)) as usize;
    let mut prompt = sheet.prompt();
    if prompt.chars().count() > room {
        prompt = prompt.chars().take(room.saturating_sub(1)).chain(['…']).collect();
    }
    out.text((24.0, 36.0), r#" font-weight="bold" xml:space="preserve""#, &prompt);
    let scores = sheet.scores();
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let n_edges = sheet.drawn.edges.len() + sheet.edges_left_out;
    let mut line = format!("{}, {}", counted(sheet.drawn.nodes.len(), "node"), counted(n_edges, "edge"));
    if scores.replacement.is_finite() {
        let recomputed = if sheet.document.graph.is_whole() { "" } else { "recomputed " };
        let _ = write!(
            line,
            "; {recomputed}replacement {:.2}, completeness {:.2}",
            scores.replacement, scores.completeness
        );
    }
    let quiet = format!(r#" font-size="{SMALL}" fill="{}""#, palette.quiet);
    out.text((24.0, 52.0), &quiet, &format!("{}: {line}", sheet.part_name()));
}

/// Points where edges meet the boxes: side by side, in the order of their other ends, so that few edges cross.
struct Ports {
    /// Offsets of each edge, as shares of the box's width from its middle: at the source, at the target.
    at: Vec<(f64, f64)>,
}

impl Ports {
    fn new(layout: &Layout) -> Self {
        let mut at = vec![(0.0, 0.0); layout.edges.len()];
        for node in 0..layout.spots.len() {
            let mut spread = |is_source: bool| {
                let ends =
                    |edge: &SuperEdge| if is_source { (edge.source, edge.target) } else { (edge.target, edge.source) };
                let mut own: Vec<usize> =
                    (0..layout.edges.len()).filter(|nth| ends(&layout.edges[*nth]).0 == node).collect();
                own.sort_by(|a, b| {
                    let x = |nth: &usize| layout.spots[ends(&layout.edges[*nth]).1].x;
                    x(a).total_cmp(&x(b)).then(a.cmp(b))
                });
                let count = own.len() as f64;
                for (place, nth) in own.into_iter().enumerate() {
                    let share = ((place as f64 + 0.5) / count - 0.5) * 0.7;
                    if is_source { at[nth].0 = share } else { at[nth].1 = share }
                }
            };
            spread(true);
            spread(false);
        }
        Self { at }
    }

    /// Returns the two ends of an edge: on the upper side of its source, on the lower side of its target.
    fn ends(&self, layout: &Layout, nth: usize) -> [(f64, f64); 2] {
        let edge = &layout.edges[nth];
        let (source, target) = (&layout.spots[edge.source], &layout.spots[edge.target]);
        let half = |spot: &Spot| if spot.height > 0.0 { spot.height / 2.0 } else { RADIUS };
        [
            (source.x + self.at[nth].0 * source.width, source.y - half(source)),
            (target.x + self.at[nth].1 * target.width, target.y + half(target) + 1.0),
        ]
    }
}

/// Curve of an edge: straight up out of its source, and straight up into its target.
struct Curve {
    from: (f64, f64),
    to: (f64, f64),
    bend: f64,
    is_of_boxes: bool,
}

impl Curve {
    fn new([from, to]: [(f64, f64); 2], is_of_boxes: bool) -> Self {
        let least = if is_of_boxes { 28.0 } else { 6.0 };
        Self { from, to, bend: ((from.1 - to.1).abs() * 0.45).max(least), is_of_boxes }
    }

    fn path(&self, edge: &SuperEdge, palette: &Palette) -> String {
        let share = edge.weight.abs().min(1.0);
        let (width, opacity) = match self.is_of_boxes {
            true => (0.8 + 4.0 * share, 0.35 + 0.65 * share.sqrt()),
            false => (0.4 + 2.4 * share, 0.12 + 0.8 * share),
        };
        let (colour, dash, end) = match edge.weight < 0.0 {
            true => (palette.negative, r#" stroke-dasharray="5 3""#, "lowers"),
            false => (palette.positive, "", "raises"),
        };
        let marker = if self.is_of_boxes { format!(r#" marker-end="url(#{end})""#) } else { String::new() };
        let ((x1, y1), (x2, y2)) = (self.from, self.to);
        let (c1, c2) = (y1 - self.bend, y2 + self.bend);
        format!(
            r#"<path d="M{x1:.1} {y1:.1} C{x1:.1} {c1:.1} {x2:.1} {c2:.1} {x2:.1} {y2:.1}" stroke="{colour}" stroke-width="{width:.2}" stroke-opacity="{opacity:.2}"{dash}{marker}/>"#
        )
    }

    /// Returns the point at parameter `t`, from 0 at the source to 1 at the target.
    fn at(&self, t: f64) -> (f64, f64) {
        let ((x1, y1), (x2, y2)) = (self.from, self.to);
        let (c1, c2) = (y1 - self.bend, y2 + self.bend);
        let s = 1.0 - t;
        let [a, b, c, d] = [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t];
        ((a + b) * x1 + (c + d) * x2, a * y1 + b * c1 + c * c2 + d * y2)
    }
}

/// Draws the weights of edges, strongest first, each on its curve where it hides neither a box nor another weight; one
/// for which there is no such place is left out.
fn weights(out: &mut Svg, layout: &Layout, ports: &Ports, palette: &Palette) {
    const SIZE: f64 = 9.0;
    let mut taken: Vec<[f64; 4]> = layout
        .spots
        .iter()
        .map(|spot| {
            [
                spot.x - spot.width / 2.0,
                spot.y - spot.height / 2.0,
                spot.x + spot.width / 2.0,
                spot.y + spot.height / 2.0,
            ]
        })
        .collect();
    for (nth, edge) in layout.edges.iter().enumerate().rev() {
        let curve = Curve::new(ports.ends(layout, nth), true);
        let weight = signed(edge.weight);
        let half = super::layout::width(&weight, SIZE) / 2.0;
        let places = [0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.2].map(|t| curve.at(t));
        let around = |(x, y): (f64, f64)| [x - half, y - SIZE / 2.0, x + half, y + SIZE / 2.0];
        let is_free = |place: &(f64, f64)| taken.iter().all(|other| is_clear(around(*place), *other));
        let Some((x, y)) = places.into_iter().find(is_free) else { continue };
        taken.push(around((x, y)));
        let colour = if edge.weight < 0.0 { palette.negative } else { palette.positive };
        ground(out, around((x, y)), palette);
        let attributes = format!(r#" font-size="{SIZE}" text-anchor="middle" fill="{colour}""#);
        out.text((x, y + SIZE / 3.0), &attributes, &weight);
    }
}

fn node(out: &mut Svg, sheet: &Sheet<'_>, at: usize, spot: &Spot, palette: &Palette) {
    let shape = sheet.shape(at);
    let (x, y) = (spot.x, spot.y);
    let stroke = if shape == Shape::Error { palette.quiet } else { palette.text };
    out.put(format_args!("<g><title>{}</title>", xml(&format!("{} ({})", sheet.title_at(at), sheet.id(at)))));
    if spot.width > 0.0 {
        let (left, top) = (x - spot.width / 2.0, y - spot.height / 2.0);
        let (corner, line, dash, fill) = match shape {
            Shape::Group => (10.0, 2.0, "", palette.feature),
            Shape::Feature | Shape::Other => (5.0, 1.0, "", palette.feature),
            Shape::Error => (5.0, 1.0, r#" stroke-dasharray="2 2""#, palette.error),
            Shape::Token => (0.0, 1.0, "", palette.token),
            Shape::Logit => (14.0, 1.5, "", palette.logit),
        };
        out.put(format_args!(
            r#"<rect x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" rx="{corner}" fill="{fill}" stroke="{stroke}" stroke-width="{line}"{dash}/>"#,
            spot.width,
            spot.height
        ));
        for (nth, line) in spot.lines.iter().enumerate() {
            let y = top + 5.0 + 14.0 * nth as f64 + 10.5;
            let is_last = nth + 1 == spot.lines.len() && nth > 0;
            let (size, fill) = if is_last { (SMALL, palette.quiet) } else { (TEXT, palette.text) };
            let attributes = format!(r#" font-size="{size}" text-anchor="middle" fill="{fill}" xml:space="preserve""#);
            out.text((x, y), &attributes, line);
        }
    } else {
        out.put(format_args!("{}", sign(shape, x, y, stroke, palette)));
    }
    out.put(format_args!("</g>"));
}

/// Draws a node's sign: a disc for a feature, a diamond for an error, a square for a token, a bar for a logit.
fn sign(shape: Shape, x: f64, y: f64, stroke: &str, palette: &Palette) -> String {
    let r = RADIUS;
    let points = |list: &[(f64, f64)], fill: &str| {
        let list: Vec<_> = list.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx * r, y + dy * r)).collect();
        format!(r#"<polygon points="{}" fill="{fill}" stroke="{stroke}"/>"#, list.join(" "))
    };
    match shape {
        Shape::Feature | Shape::Group => {
            format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{r}" fill="{}" stroke="{stroke}"/>"#, palette.feature)
        }
        Shape::Error => points(&[(0.0, -1.1), (1.1, 0.0), (0.0, 1.1), (-1.1, 0.0)], palette.error),
        Shape::Token => points(&[(-0.95, -0.95), (0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)], palette.token),
        Shape::Logit => points(&[(-1.1, 0.9), (0.0, -1.1), (1.1, 0.9)], palette.logit),
        Shape::Other => points(
            &[(-1.1, 0.0), (-0.55, -0.95), (0.55, -0.95), (1.1, 0.0), (0.55, 0.95), (-0.55, 0.95)],
            palette.feature,
        ),
    }
}

fn legend(out: &mut Svg, sheet: &Sheet<'_>, layout: &Layout, palette: &Palette) {
    let y = layout.height - 36.0;
    let mut x = 24.0;
    let mut entry = |out: &mut Svg, sample: String, name: &str| {
        out.put(format_args!("{sample}"));
        let caption = Caption { x: x + 30.0, y: y + 3.5, text: name.into(), anchor: Anchor::Start };
        write(out, &caption, SMALL, palette.quiet);
        x += 44.0 + super::layout::width(name, SMALL);
        x
    };
    let line = |x: f64, colour: &str, dash: &str, end: &str| {
        format!(
            r#"<path d="M{x:.1} {y:.1} h24" fill="none" stroke="{colour}" stroke-width="1.6"{dash} marker-end="url(#{end})"/>"#
        )
    };
    let mut next = entry(out, line(24.0, palette.positive, "", "raises"), "raises");
    next = entry(out, line(next, palette.negative, r#" stroke-dasharray="5 3""#, "lowers"), "lowers");
    if sheet.part != Part::Pinned {
        let shapes = [Shape::Feature, Shape::Error, Shape::Token, Shape::Logit, Shape::Other];
        let there = |shape: &Shape| (0..layout.spots.len()).any(|at| sheet.shape(at) == *shape);
        for shape in shapes.into_iter().filter(there) {
            let stroke = if shape == Shape::Error { palette.quiet } else { palette.text };
            next = entry(out, sign(shape, next + 16.0, y, stroke, palette), shape.name());
        }
    }
    let left_out = sheet.drawn_edges().said().map_or_else(String::new, |said| format!("; {said}"));
    let text_of = format!("width: share of everything that flows into the target{left_out}");
    let caption = Caption { x: 24.0, y: y + 20.0, text: text_of, anchor: Anchor::Start };
    write(out, &caption, SMALL, palette.quiet);
}

/// Draws the ground of a text that lies over edges, `[left, top, right, bottom]`.
fn ground(out: &mut Svg, [left, top, right, bottom]: [f64; 4], palette: &Palette) {
    let (width, height) = (right - left, bottom - top);
    out.put(format_args!(
        r#"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="2" fill="{}" fill-opacity="0.8"/>"#,
        palette.paper
    ));
}

fn write(out: &mut Svg, caption: &Caption, size: f64, fill: &str) {
    let Caption { x, y, text, anchor } = caption;
    let placed = match anchor {
        Anchor::Start => String::new(),
        Anchor::Middle => r#" text-anchor="middle""#.into(),
        Anchor::End => r#" text-anchor="end""#.into(),
        Anchor::Slanted => format!(r#" transform="rotate(-45 {x:.1} {y:.1})""#),
    };
    let attributes = format!(r#" font-size="{size}" fill="{fill}"{placed} xml:space="preserve""#);
    out.text((*x, *y), &attributes, text);
}
