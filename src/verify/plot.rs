//! Small figures for reports, as SVG with selectable text.

use crate::format::svg::{Page, Svg};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 52.0;

/// Attribute that centres a text.
const MIDDLE: &str = r#" text-anchor="middle""#;

/// Approximate number of ticks of an axis.
const TICKS: f64 = 5.0;

/// Colours of the series, distinct under colour blindness; their marks differ too.
const COLOURS: [&str; 3] = ["#1667b0", "#b8500f", "#3d7a3d"];

/// Series of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name.
    pub name: String,
    /// Points; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// Scatter or line plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// Title.
    pub title: String,
    /// Label of the horizontal axis.
    pub x: String,
    /// Label of the vertical axis.
    pub y: String,
    /// Series, at most three.
    pub series: Vec<Series>,
    /// True to draw a line where both are equal.
    pub diagonal: bool,
    /// True to join each series' points, in their order.
    pub joined: bool,
}

/// Range of an axis, and its ticks.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let nothing = (f64::INFINITY, f64::NEG_INFINITY, true);
        let (low, high, whole) =
            values.fold(nothing, |(low, high, whole), x| (low.min(x), high.max(x), whole && x.fract() == 0.0));
        let (low, high) = match high - low {
            span if span > 0.0 => (low - 0.04 * span, high + 0.04 * span),
            _ if low.is_finite() => (low - low.abs().max(1.0) / 2.0, low + low.abs().max(1.0) / 2.0),
            _ => (0.0, 1.0),
        };
        let rough = (high - low) / TICKS;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= 0.7 * rough);
        // Layers are counted: there is none between two of them.
        let least = if whole && low < high { 1.0 } else { 0.0 };
        Self { low, high, step: step.unwrap_or(rough).max(least) }
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Returns the ticks with their labels.
    fn marks(&self) -> Vec<(f64, String)> {
        let first = (self.low / self.step).ceil() as i64;
        let last = (self.high / self.step).floor() as i64;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let name = |value: f64| if decimals > 4 { format!("{value:.1e}") } else { format!("{value:.decimals$}") };
        (first..=last).map(|nth| nth as f64 * self.step).map(|value| (value, name(value))).collect()
    }
}

impl Plot {
    /// Renders the figure.
    pub fn svg(&self) -> String {
        let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
        let points = || self.series.iter().flat_map(|series| series.points.iter().filter(finite));
        let (across, up) = if self.diagonal {
            // One scale for both, so that the diagonal is one.
            let both = || points().flat_map(|(x, y)| [*x, *y]);
            (Axis::over(both()), Axis::over(both()))
        } else {
            (Axis::over(points().map(|(x, _)| *x)), Axis::over(points().map(|(_, y)| *y)))
        };
        let px = |x: f64| LEFT + across.share(x) * (WIDTH - LEFT - RIGHT);
        let py = |y: f64| HEIGHT - BOTTOM - up.share(y) * (HEIGHT - TOP - BOTTOM);
        let page = Page {
            width: WIDTH,
            height: HEIGHT,
            font_size: 11.0,
            ink: "#0c0d10",
            paper: "#ffffff",
            title: &self.title,
        };
        let mut out = Svg::new(&page);
        out.text((LEFT, 18.0), r#" font-size="13""#, &self.title);
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        out.put(format_args!(r##"<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#6b707b"/>"##));
        for (value, name) in across.marks() {
            let x = px(value);
            out.put(format_args!(r##"<path d="M{x:.1} {bottom}v4" stroke="#6b707b"/>"##));
            out.text((x, bottom + 16.0), MIDDLE, &name);
        }
        for (value, name) in up.marks() {
            let y = py(value);
            out.put(format_args!(r##"<path d="M{LEFT} {y:.1}h-4" stroke="#6b707b"/>"##));
            out.text((LEFT - 7.0, y + 4.0), r#" text-anchor="end""#, &name);
        }
        let (middle, height) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
        out.text((middle, bottom + 32.0), MIDDLE, &self.x);
        let upward = format!(r#" transform="translate(14 {height:.1}) rotate(-90)"{MIDDLE}"#);
        out.text((0.0, 0.0), &upward, &self.y);
        if self.diagonal {
            let (from, to) = (across.low, across.high);
            out.put(format_args!(
                r##"<path d="M{:.1} {:.1}L{:.1} {:.1}" stroke="#6b707b" stroke-dasharray="4 3"/>"##,
                px(from),
                py(from),
                px(to),
                py(to)
            ));
        }
        for (nth, series) in self.series.iter().enumerate() {
            let colour = COLOURS[nth % COLOURS.len()];
            let places: Vec<(f64, f64)> = series.points.iter().filter(finite).map(|(x, y)| (px(*x), py(*y))).collect();
            if self.joined && places.len() > 1 {
                let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
                out.put(format_args!(r##"<path d="M{}" fill="none" stroke="{colour}"/>"##, path.join("L")));
            }
            for (x, y) in &places {
                mark(&mut out, nth, *x, *y, colour);
            }
            let x = LEFT + 4.0 + nth as f64 * 130.0;
            mark(&mut out, nth, x, HEIGHT - 8.0, colour);
            out.text((x + 7.0, HEIGHT - 4.0), "", &series.name);
        }
        out.finish()
    }
}

/// Draws a circle, a square or a triangle.
fn mark(out: &mut Svg, nth: usize, x: f64, y: f64, colour: &str) {
    match nth % 3 {
        0 => {
            out.put(format_args!(r##"<circle cx="{x:.1}" cy="{y:.1}" r="2.6" fill="{colour}" fill-opacity="0.7"/>"##));
        }
        1 => {
            let (x, y) = (x - 2.4, y - 2.4);
            out.put(format_args!(
                r##"<rect x="{x:.1}" y="{y:.1}" width="4.8" height="4.8" fill="{colour}" fill-opacity="0.7"/>"##
            ));
        }
        _ => {
            out.put(format_args!(
                r##"<path d="M{:.1} {:.1}l6 0l-3 -5.4z" fill="{colour}" fill-opacity="0.7"/>"##,
                x - 3.0,
                y + 2.7
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_at_round_numbers_within_the_range() {
        let axis = Axis::over([0.0, 0.73, -0.21].into_iter());
        let names: Vec<String> = axis.marks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["-0.2", "0.0", "0.2", "0.4", "0.6"]);
        let layers: Vec<String> = Axis::over([0.0, 3.0].into_iter()).marks().into_iter().map(|mark| mark.1).collect();
        assert_eq!(layers, ["0", "1", "2", "3"]);
        for odd in [vec![], vec![3.0], vec![0.0, 0.0], vec![1e-9, 2e-9]] {
            let axis = Axis::over(odd.into_iter());
            assert!(axis.high > axis.low && !axis.marks().is_empty());
        }
    }

    #[test]
    fn texts_stay_texts_and_points_stay_inside() {
        let series = Series { name: "a <b> & c".into(), points: vec![(0.0, 0.0), (2.0, -7.0), (f64::NAN, 1.0)] };
        let plot = Plot {
            title: "t".into(),
            x: "x".into(),
            y: "y".into(),
            series: vec![series],
            diagonal: true,
            joined: false,
        };
        let svg = plot.svg();
        assert!(svg.contains("a &lt;b&gt; &amp; c") && !svg.contains("NaN"));
        let inside = |name: &str, most: f64| {
            svg.split(name).skip(1).all(|rest| {
                let value: f64 = rest.split('"').next().unwrap().parse().unwrap();
                (0.0..=most).contains(&value)
            })
        };
        assert_eq!(svg.matches("<circle").count(), 3, "two points and the key");
        assert!(inside("cx=\"", WIDTH) && inside("cy=\"", HEIGHT));
    }
}
