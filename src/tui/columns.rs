//! Horizontal places of a subgraph's boxes: near their inputs, and out of the way of edges that pass.

use crate::graph::SuperEdge;

/// Half of a box's width, as a share of the width of a small pane.
const HALF: f64 = 0.15;
/// Least weight of an edge that has a say.
const LEAST: f64 = 0.03;
/// Number of places tried for a box.
const PLACES: usize = 20;
/// Number of times that every box is moved.
const SWEEPS: usize = 4;
/// Most boxes with which any is moved out of the way: with more there is no room for it.
const MOST: usize = 60;

/// Returns the middle of each box, `[boxes]`, as a share of the width. `places` are levels and positions: a row is the
/// boxes of one level.
pub fn columns(places: &[(usize, usize)], edges: &[SuperEdge]) -> Vec<f64> {
    let mut levels: Vec<usize> = places.iter().map(|(level, _)| *level).collect();
    levels.sort_unstable();
    levels.dedup();
    let row = |at: usize| levels.partition_point(|level| *level < places[at].0);
    let edges = edges.iter().filter(|edge| edge.weight.abs() >= LEAST && row(edge.source) != row(edge.target));
    let mut layout = Layout {
        rows: (0..places.len()).map(row).collect(),
        edges: edges.map(|edge| (edge.source, edge.target, edge.weight.abs())).collect(),
        middles: vec![0.5; places.len()],
    };
    layout.begin(places);
    if places.len() <= MOST {
        (0..SWEEPS).for_each(|_| layout.sweep());
    }
    layout.middles
}

struct Layout {
    /// Row of each box, from below.
    rows: Vec<usize>,
    /// Source, target, weight.
    edges: Vec<(usize, usize, f64)>,
    middles: Vec<f64>,
}

impl Layout {
    /// Places the lowest row by position, and each other box above the mean of its inputs.
    fn begin(&mut self, places: &[(usize, usize)]) {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|at| (self.rows[*at], places[*at].1, *at));
        let in_row = |row: usize| self.rows.iter().filter(|it| **it == row).count() as f64;
        for (nth, &at) in order.iter().enumerate() {
            let before = order[..nth].iter().rev().take_while(|other| self.rows[**other] == self.rows[at]).count();
            let by_position = (before as f64 + 1.0) / (in_row(self.rows[at]) + 1.0);
            let below =
                self.edges.iter().filter(|(source, target, _)| *target == at && self.rows[*source] < self.rows[at]);
            let (sum, weights) = below.fold((0.0, 0.0), |(sum, weights), (source, _, weight)| {
                (sum + weight * self.middles[*source], weights + weight)
            });
            self.middles[at] = if weights > 0.0 { sum / weights } else { by_position };
        }
    }

    /// Moves every box above the lowest row to where its cost is least.
    fn sweep(&mut self) {
        for at in (0..self.middles.len()).filter(|at| self.rows[*at] > 0) {
            let tried = (0..=PLACES).map(|place| HALF + (1.0 - 2.0 * HALF) * place as f64 / PLACES as f64);
            let best = tried.map(|middle| (self.cost(at, middle), middle)).min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, middle)) = best {
                self.middles[at] = middle;
            }
        }
    }

    /// Returns the cost of a box at `middle`: long edges, edges that run through boxes, boxes over each other.
    fn cost(&self, at: usize, middle: f64) -> f64 {
        let place = |other: usize| if other == at { middle } else { self.middles[other] };
        let mut cost = 0.001 * (middle - 0.5).abs();
        for &(source, target, weight) in &self.edges {
            let is_end = source == at || target == at;
            if is_end {
                cost += weight * (place(source) - place(target)).abs();
            }
            for other in (0..self.middles.len()).filter(|other| is_end || *other == at) {
                if self.runs_through((source, target), other, &place) {
                    cost += 2.0 * weight;
                }
            }
        }
        let beside = (0..self.middles.len()).filter(|other| *other != at && self.rows[*other] == self.rows[at]);
        cost + beside.map(|other| 10.0 * (2.0 * HALF - (middle - place(other)).abs()).max(0.0)).sum::<f64>()
    }

    /// Returns true where the edge between two boxes runs behind a third one.
    fn runs_through(&self, (source, target): (usize, usize), other: usize, place: &dyn Fn(usize) -> f64) -> bool {
        let [from, to, here] = [source, target, other].map(|at| self.rows[at] as f64);
        let passed = (here - from) / (to - from);
        passed > 0.0
            && passed < 1.0
            && (place(source) + passed * (place(target) - place(source)) - place(other)).abs() < HALF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge((source, target, weight): (usize, usize, f64)) -> SuperEdge {
        SuperEdge { source, target, weight }
    }

    #[test]
    fn every_step_from_dallas_to_austin_is_seen() {
        // capital, Dallas, state, Texas, say a capital, say Austin, Austin.
        let places = [(3, 7), (3, 10), (5, 9), (11, 11), (13, 11), (15, 11), (19, 11)];
        let edges = [
            (0, 2, 0.15),
            (0, 4, 0.32),
            (1, 3, 0.48),
            (2, 3, 0.08),
            (2, 4, 0.09),
            (3, 5, 0.21),
            (1, 5, 0.17),
            (4, 5, 0.15),
            (0, 5, 0.11),
            (5, 6, 0.16),
            (3, 6, 0.12),
            (4, 6, 0.12),
        ]
        .map(edge);
        let middles = columns(&places, &edges);
        let layout = Layout { rows: vec![0, 0, 1, 2, 3, 4, 5], edges: Vec::new(), middles: middles.clone() };
        for (source, target) in [(1, 3), (3, 5), (5, 6), (0, 4)] {
            for other in 0..places.len() {
                let hidden = layout.runs_through((source, target), other, &|at| middles[at]);
                assert!(!hidden, "{other} stands before the edge from {source} to {target}: {middles:?}");
            }
        }
        assert!(middles[0] < middles[1], "positions go from left to right");
    }

    #[test]
    fn boxes_stay_inside_however_many_there_are() {
        for n in [1, 3, 40, 200] {
            let places: Vec<_> = (0..n).map(|at| (at % 7, at)).collect();
            let edges: Vec<_> = (0..n).map(|at| edge((at, (at * 5 + 1) % n, 0.3))).collect();
            let middles = columns(&places, &edges);
            assert!(middles.len() == n && middles.iter().all(|middle| (0.0..=1.0).contains(middle)), "{middles:?}");
        }
    }
}
