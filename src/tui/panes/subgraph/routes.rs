//! Ways of the edges between a subgraph's boxes: through the gaps of the rows between, each in a lane of its own.

use crate::graph::SuperEdge;
use crate::tui::panes::subgraph::boxes::Boxed;

/// Way of an edge, from its source up to its target, in cells of the drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The edge.
    pub edge: SuperEdge,
    /// Stretches, each from one cell to another; those that bend lie between rows.
    pub stretches: Vec<Stretch>,
}

/// Part of a way, from a cell to a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Cell below, from whose upper edge the stretch leads.
    pub from: (i32, i32),
    /// Cell above, to whose lower edge it leads.
    pub to: (i32, i32),
    /// True where it passes a row of boxes.
    pub passes: bool,
}

/// Row of boxes with the lanes that edges take through it.
struct Row {
    /// First and last line of the boxes.
    lines: (i32, i32),
    /// First cell of each box, and the cell behind it.
    boxes: Vec<(i32, i32)>,
    lanes: Vec<i32>,
}

impl Row {
    /// Takes the free lane nearest to a cell; that cell itself where there is none.
    fn take(&mut self, wanted: i32, width: i32) -> i32 {
        let is_between = |x: i32| self.boxes.iter().all(|(from, to)| x + 1 < *from || x > *to);
        let is_free =
            |x: &i32| (0..width).contains(x) && is_between(*x) && !self.lanes.iter().any(|lane| (lane - x).abs() < 2);
        let near = (0..width).flat_map(|off| [wanted - off, wanted + off]);
        let lane =
            near.clone().find(is_free).or_else(|| near.clone().find(|x| (0..width).contains(x) && is_between(*x)));
        let lane = lane.unwrap_or(wanted);
        self.lanes.push(lane);
        lane
    }
}

/// Finds the ways of `edges`, the strongest of which come first and so go straightest, between boxes in a drawing of
/// `width` cells.
pub fn routes(boxes: &[Boxed], edges: &[SuperEdge], width: u16) -> Vec<Route> {
    let mut rows: Vec<Row> = Vec::new();
    for boxed in boxes {
        let (top, left) = (i32::from(boxed.y), i32::from(boxed.x));
        if boxed.row >= rows.len() {
            rows.resize_with(boxed.row + 1, || Row { lines: (top, top), boxes: Vec::new(), lanes: Vec::new() });
        }
        let row = &mut rows[boxed.row];
        row.lines = (top, row.lines.1.max(top + i32::from(boxed.height) - 1));
        row.boxes.push((left, left + i32::from(boxed.width)));
    }
    let find = |at: usize| boxes.iter().position(|boxed| boxed.at == at);
    let mut ways: Vec<Way> = Vec::with_capacity(edges.len());
    for edge in edges {
        let (Some(source), Some(target)) = (find(edge.source), find(edge.target)) else { continue };
        let (from, to) = (&boxes[source], &boxes[target]);
        let (x, y) = (f64::from(from.middle()), f64::from(from.y));
        let slope = (f64::from(to.middle()) - x) / (f64::from(to.y) - y);
        let mut lanes = Vec::new();
        for row in (to.row + 1..from.row).rev() {
            let wanted = x + slope * (f64::from(rows[row].lines.0) - y);
            lanes.push((row, rows[row].take(wanted.round() as i32, i32::from(width))));
        }
        ways.push(Way { edge: *edge, source, target, lanes });
    }
    // Ways leave and reach a box side by side, in the order of where they lead to or come from.
    let first = |way: &Way| way.lanes.first().map_or(i32::from(boxes[way.target].middle()), |lane| lane.1);
    let last = |way: &Way| way.lanes.last().map_or(i32::from(boxes[way.source].middle()), |lane| lane.1);
    let out = ports(boxes, &ways.iter().map(|way| (way.source, first(way))).collect::<Vec<_>>());
    let into = ports(boxes, &ways.iter().map(|way| (way.target, last(way))).collect::<Vec<_>>());
    let route = |((way, out), into): ((&Way, &i32), &i32)| {
        let mut here = (*out, i32::from(boxes[way.source].y));
        let mut stretches = Vec::with_capacity(2 * way.lanes.len() + 1);
        for (row, x) in &way.lanes {
            let (top, bottom) = rows[*row].lines;
            stretches.push(Stretch { from: here, to: (*x, bottom), passes: false });
            stretches.push(Stretch { from: (*x, bottom + 1), to: (*x, top - 1), passes: true });
            here = (*x, top);
        }
        let target = &boxes[way.target];
        let end = (*into, i32::from(target.y + target.height) - 1);
        stretches.push(Stretch { from: here, to: end, passes: false });
        Route { edge: way.edge, stretches }
    };
    ways.iter().zip(&out).zip(&into).map(route).collect()
}

/// Lanes of an edge between two boxes.
struct Way {
    edge: SuperEdge,
    /// Indices of the boxes.
    source: usize,
    target: usize,
    /// Row and cell of each lane, from below.
    lanes: Vec<(usize, i32)>,
}

/// Returns the cell at which each end, of a box and towards a cell, touches its box, `[ends]`: side by side, in the order
/// of the cells.
fn ports(boxes: &[Boxed], ends: &[(usize, i32)]) -> Vec<i32> {
    let mut ports = vec![0; ends.len()];
    for (at, boxed) in boxes.iter().enumerate() {
        let mut here: Vec<usize> = (0..ends.len()).filter(|end| ends[*end].0 == at).collect();
        here.sort_by_key(|end| ends[*end].1);
        let (inner, n) = (i32::from(boxed.width) - 2, here.len() as i32);
        for (nth, end) in (0..).zip(here) {
            ports[end] = i32::from(boxed.x) + 1 + (2 * nth + 1) * inner / (2 * n);
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(at: usize, row: usize, x: u16, y: u16) -> Boxed {
        Boxed { at, row, x, y, width: 10, height: 1, lines: vec!["0123456789".to_owned()] }
    }

    #[test]
    fn no_edge_passes_behind_a_box_or_in_the_lane_of_another() {
        // A column of boxes, each with an edge to every one above it, and a lone one at the side.
        let mut boxes: Vec<Boxed> = (0..6).map(|row| boxed(row, row, 14, 3 * row as u16)).collect();
        boxes.push(boxed(6, 3, 26, 9));
        let pairs = (0..6).flat_map(|target| (target + 1..6).map(move |source| (source, target)));
        let edges: Vec<SuperEdge> = pairs.map(|(source, target)| SuperEdge { source, target, weight: 0.25 }).collect();
        let routes = routes(&boxes, &edges, 48);
        assert_eq!(routes.len(), edges.len());
        let mut passed: Vec<(i32, i32)> = Vec::new();
        for route in &routes {
            let [source, target] = [route.edge.source, route.edge.target].map(|at| &boxes[at]);
            let (first, last) = (route.stretches[0], route.stretches[route.stretches.len() - 1]);
            assert_eq!((first.from.1, last.to.1), (i32::from(source.y), i32::from(target.y)));
            for (end, boxed) in [(first.from, source), (last.to, target)] {
                assert!((i32::from(boxed.x)..i32::from(boxed.x + boxed.width)).contains(&end.0), "it ends at its box");
            }
            for stretch in route.stretches.iter().filter(|stretch| stretch.passes) {
                let (x, y) = (stretch.from.0, stretch.from.1 - 1);
                let is_behind = |boxed: &&Boxed| {
                    i32::from(boxed.y) == y && (i32::from(boxed.x)..i32::from(boxed.x + boxed.width)).contains(&x)
                };
                assert!(!boxes.iter().any(|boxed| is_behind(&boxed)), "{x} {y}");
                assert!(!passed.contains(&(x, y)), "two edges in one lane");
                passed.push((x, y));
            }
        }
        assert_eq!(passed.len(), 20, "each of six boxes is passed by those from below it to above it");
    }
}
