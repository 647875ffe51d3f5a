//! Arrangement of the panes, for every size of terminal.

use crate::tui::panes::graph::layout::lines_of;
use crate::tui::panes::{PANES, PaneId, Region};
use ratatui::layout::{Position, Rect};

/// All regions.
const ALL: [Region; 6] =
    [Region::Main, Region::Lists, Region::Detail, Region::Contexts, Region::LowerLeft, Region::LowerRight];

/// Least size of a terminal on which anything is drawn, in cells and lines.
pub const LEAST: (u16, u16) = (40, 10);

/// The user's arrangement of the panes.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Panes, the one that had the focus last first. It decides which of those that share a place is shown.
    pub recent: Vec<PaneId>,
    /// True where the focused pane has all of the room.
    pub zoomed: bool,
    /// Rows of the graph on the screen; 0 where there is none.
    pub graph_rows: u16,
    /// Places that borders were dragged to, in thousandths of the divided area.
    shares: Vec<(Border, u16)>,
    /// Border that is being dragged.
    pub dragged: Option<Border>,
}

/// Border between panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Between the graph's side and the lists' side.
    Sides,
    /// Under the connections.
    Detail,
    /// Under the detail.
    Feature,
    /// Under the graph.
    Graph,
    /// Between two panes under the graph.
    Lower,
}

/// Border with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The border.
    pub border: Border,
    /// Area that the border divides.
    pub area: Rect,
    /// True where the border divides left from right, else above from below.
    pub upright: bool,
    /// Cells or lines of the first part.
    pub at: u16,
}

/// Least cells and lines of a pane that borders can be dragged to.
const LEAST_PART: (u16, u16) = (24, 5);

impl Cut {
    /// Returns true where a cell is on the border. The top line of the lower part has titles, and is left to them.
    fn is_at(&self, cell: Position) -> bool {
        let (x, y) = (cell.x.wrapping_sub(self.area.x), cell.y.wrapping_sub(self.area.y));
        self.area.contains(cell) && if self.upright { x + 1 == self.at || x == self.at } else { y + 1 == self.at }
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self { recent: PANES.to_vec(), zoomed: false, graph_rows: 0, shares: Vec::new(), dragged: None }
    }
}

impl Windows {
    /// Takes note that a pane has the focus.
    pub fn note_focus(&mut self, pane: PaneId) {
        if self.recent.first() != Some(&pane) {
            self.recent.retain(|other| *other != pane);
            self.recent.insert(0, pane);
        }
    }

    /// Drags the border to a cell.
    pub fn drag(&mut self, panes: &Layout, cell: Position) {
        let dragged = self.dragged;
        let Some(cut) = panes.cuts.iter().find(|cut| Some(cut.border) == dragged) else { return };
        let (at, whole) = if cut.upright {
            (cell.x.saturating_sub(cut.area.x) + 1, cut.area.width)
        } else {
            (cell.y.saturating_sub(cut.area.y) + 1, cut.area.height)
        };
        // Rounded up, as it is rounded down again when it is applied.
        let share = (u32::from(at.min(whole)) * 1000).div_ceil(u32::from(whole.max(1)));
        self.shares.retain(|(border, _)| *border != cut.border);
        self.shares.push((cut.border, share as u16));
    }

    /// Returns the lines of the graph's pane: of about `usual` ones as many as evenly spaced rows take, else as many as
    /// there are rows.
    fn graph_lines(&self, usual: u16) -> u16 {
        match self.graph_rows {
            0 => usual,
            rows => lines_of(rows, usual.saturating_sub(2)).saturating_add(2),
        }
    }

    /// Returns true where the border was dragged.
    fn is_dragged(&self, border: Border) -> bool {
        self.shares.iter().any(|(dragged, _)| *dragged == border)
    }

    /// Returns the cells of the first part of `whole`, where each part is to have `least`; `at` where the border was
    /// not dragged.
    fn cut(&self, border: Border, whole: u16, at: u16, least: u16) -> u16 {
        match self.shares.iter().find(|(dragged, _)| *dragged == border) {
            Some((_, share)) if whole >= 2 * least => {
                let at = (u32::from(whole) * u32::from(*share) / 1000) as u16;
                at.clamp(least, whole - least)
            }
            _ => at,
        }
    }
}

/// Place for one pane at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Area of the place.
    pub area: Rect,
    /// Panes that share the place.
    pub tabs: Vec<PaneId>,
    /// PaneId that is shown.
    pub shown: PaneId,
}

/// Areas of everything on the screen. A pane that has no room is shown in no slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Prompt with its answer.
    pub header: Rect,
    /// Scores, counts and thresholds.
    pub trust: Rect,
    /// Places of the panes.
    pub slots: Vec<Slot>,
    /// Borders between the panes.
    pub cuts: Vec<Cut>,
    /// Walked path.
    pub crumbs: Option<Rect>,
    /// Lines of the tour, empty where it is not taken.
    pub tour: Rect,
    /// Line of keys.
    pub hints: Rect,
}

impl Layout {
    /// Returns the area of a pane.
    pub fn of(&self, pane: PaneId) -> Option<Rect> {
        self.slot_of(pane).map(|slot| slot.area)
    }

    /// Returns the slot that shows a pane.
    pub fn slot_of(&self, pane: PaneId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.shown == pane)
    }

    /// Returns the border that a cell is on.
    pub fn border_at(&self, cell: Position) -> Option<Border> {
        self.cuts.iter().find(|cut| cut.is_at(cell)).map(|cut| cut.border)
    }
}

/// Returns the room within a pane's frame, with a free cell at either side.
pub fn inner(pane: Rect) -> Rect {
    Rect {
        x: pane.x + 2.min(pane.width),
        y: pane.y + 1.min(pane.height),
        width: pane.width.saturating_sub(4),
        height: pane.height.saturating_sub(2),
    }
}

/// Arranges the panes of a terminal of `size`; `None` where it is too small for any. Where not all fit, panes share
/// places, and `focus` is always seen.
pub fn layout(size: (u16, u16), focus: PaneId, windows: &Windows) -> Option<Layout> {
    let (width, height) = size;
    if width < LEAST.0 || height < LEAST.1 {
        return None;
    }
    let line = |y| Rect { x: 0, y, width, height: 1 };
    let has_crumbs = height >= 14;
    let body = Rect { x: 0, y: 2, width, height: height - 3 - u16::from(has_crumbs) };
    let mut cutter = Cutter { windows, cuts: Vec::new() };
    let places = if windows.zoomed { vec![(body, &ALL[..])] } else { places(body, &mut cutter) };
    let slot = |(area, regions): (Rect, &[Region])| {
        let tabs: Vec<PaneId> = PANES.iter().copied().filter(|pane| regions.contains(&pane.region())).collect();
        let by_recency = windows.recent.iter().find(|pane| tabs.contains(pane)).or(tabs.first());
        let shown = if tabs.contains(&focus) { focus } else { *by_recency? };
        Some(Slot { area, tabs, shown })
    };
    Some(Layout {
        header: line(0),
        trust: line(1),
        slots: places.into_iter().filter_map(slot).collect(),
        cuts: cutter.cuts,
        crumbs: has_crumbs.then(|| line(height - 2)),
        tour: Rect::default(),
        hints: line(height - 1),
    })
}

/// Divider of areas, which keeps the borders.
struct Cutter<'a> {
    windows: &'a Windows,
    cuts: Vec<Cut>,
}

impl Cutter<'_> {
    /// Divides an area into left and right.
    fn beside(&mut self, border: Border, area: Rect, at: u16) -> (Rect, Rect) {
        let at = self.windows.cut(border, area.width, at, LEAST_PART.0);
        self.cuts.push(Cut { border, area, upright: true, at });
        (Rect { width: at, ..area }, Rect { x: area.x + at, width: area.width - at, ..area })
    }

    /// Divides an area into above and below.
    fn over(&mut self, border: Border, area: Rect, at: u16) -> (Rect, Rect) {
        let at = self.windows.cut(border, area.height, at, LEAST_PART.1);
        self.cuts.push(Cut { border, area, upright: false, at });
        (Rect { height: at, ..area }, Rect { y: area.y + at, height: area.height - at, ..area })
    }
}

/// Least lines of the panes under a graph on a wide screen; with fewer they share the place of the lists.
const LEAST_UNDER: u16 = 7;

/// Least lines of the panes under a graph that is as wide as the screen.
const LEAST_LISTS: u16 = 8;

/// Returns the places, each with the regions that it stands for, from room for every region down to room for one.
fn places(body: Rect, cutter: &mut Cutter<'_>) -> Vec<(Rect, &'static [Region])> {
    use Region::{Contexts, Detail, Lists, LowerLeft, LowerRight, Main};
    if body.width >= 110 && body.height >= 18 {
        let side = (body.width * 3 / 8).clamp(52, 76);
        let (left, right) = cutter.beside(Border::Sides, body, body.width - side);
        let is_tall = body.height >= 36;
        let detail = if is_tall { body.height * 16 / 25 } else { (body.height / 2).clamp(9, 21) };
        let (above, below) = cutter.over(Border::Detail, right, body.height - detail);
        let lines = cutter.windows.graph_lines(body.height - (body.height * 3 / 10).clamp(9, 22));
        let is_high = lines + LEAST_UNDER > body.height && !cutter.windows.is_dragged(Border::Graph);
        if body.height < 28 || is_high {
            let side: (Rect, &'static [Region]) = (above, &[Lists, LowerLeft, LowerRight]);
            if !is_tall {
                return vec![(left, &[Main]), side, (below, &[Detail, Contexts])];
            }
            let (detail, feature) = cutter.over(Border::Feature, below, below.height / 2);
            return vec![(left, &[Main]), side, (detail, &[Detail]), (feature, &[Contexts])];
        }
        let (graph, under) = cutter.over(Border::Graph, left, lines);
        let mut places: Vec<(Rect, &'static [Region])> = vec![(graph, &[Main]), (above, &[Lists])];
        if is_tall {
            let (detail, feature) = cutter.over(Border::Feature, below, below.height / 2);
            places.extend([(detail, &[Detail][..]), (feature, &[Contexts][..])]);
        } else {
            places.push((below, &[Detail, Contexts]));
        }
        if body.width - side >= 90 {
            let (tree, subgraph) = cutter.beside(Border::Lower, under, under.width / 2);
            places.extend([(tree, &[LowerLeft][..]), (subgraph, &[LowerRight][..])]);
        } else {
            places.push((under, &[LowerLeft, LowerRight]));
        }
        places
    } else if body.height >= 14 {
        let usual = (body.height * 11 / 20).max(9);
        let lines = cutter.windows.graph_lines(usual).min(usual.max(body.height - LEAST_LISTS));
        let (above, below) = cutter.over(Border::Graph, body, lines);
        if body.width < 78 {
            return vec![(above, &[Main]), (below, &[Lists, Detail, LowerLeft, LowerRight, Contexts])];
        }
        let (left, right) = cutter.beside(Border::Lower, below, below.width * 23 / 40);
        vec![(above, &[Main]), (left, &[Lists, LowerLeft, LowerRight]), (right, &[Detail, Contexts])]
    } else {
        vec![(body, &ALL)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::panes::{connections, graph, tree};

    #[test]
    fn no_two_panes_overlap_and_none_leaves_the_screen() {
        let dragged = |share| {
            [Border::Sides, Border::Detail, Border::Feature, Border::Graph, Border::Lower].map(|border| (border, share))
        };
        let drags = [vec![], dragged(0).to_vec(), dragged(1000).to_vec(), dragged(330).to_vec()];
        for (width, height, turn) in
            (1..220).flat_map(|width| (1..70).map(move |height| (width, height, width + height)))
        {
            let shares = drags[usize::from(turn) % drags.len()].clone();
            let windows = Windows { zoomed: turn % 5 == 0, graph_rows: turn % 37, shares, ..Windows::default() };
            for focus in PANES.iter().copied() {
                let Some(panes) = layout((width, height), focus, &windows) else {
                    assert!(width < LEAST.0 || height < LEAST.1);
                    continue;
                };
                assert!(panes.of(focus).is_some(), "{width}x{height}: what has the focus is there");
                let screen = Rect::new(0, 0, width, height);
                let slots = panes.slots.iter().map(|slot| slot.area);
                let rects: Vec<Rect> =
                    [panes.header, panes.trust, panes.hints].into_iter().chain(panes.crumbs).chain(slots).collect();
                let cells: u32 = rects.iter().map(|rect| rect.area()).sum();
                assert_eq!(cells, screen.area(), "{width}x{height}: every cell is someone's");
                for (at, rect) in rects.iter().enumerate() {
                    assert_eq!(rect.intersection(screen), *rect);
                    assert!(rects[..at].iter().all(|other| rect.intersection(*other).is_empty()));
                }
                let mut tabs: Vec<PaneId> = panes.slots.iter().flat_map(|slot| slot.tabs.clone()).collect();
                tabs.sort_by_key(|pane| PANES.iter().position(|other| other == pane));
                assert_eq!(tabs, PANES, "{width}x{height}: every pane has one place");
            }
        }
    }

    #[test]
    fn everything_is_there_at_once_on_a_common_terminal() {
        for size in [(160, 48), (200, 60), (144, 40)] {
            let panes = layout(size, graph::PANE, &Windows::default()).unwrap();
            let regions: Vec<Region> = panes.slots.iter().map(|slot| slot.shown.region()).collect();
            assert!(PANES.iter().all(|pane| regions.contains(&pane.region())), "{size:?}");
        }
    }

    #[test]
    fn a_border_goes_where_it_is_dragged() {
        let mut windows = Windows::default();
        let panes = |windows: &Windows| layout((160, 48), graph::PANE, windows).unwrap();
        for (border, cell) in [
            (Border::Sides, Position { x: 70, y: 20 }),
            (Border::Detail, Position { x: 150, y: 12 }),
            (Border::Feature, Position { x: 150, y: 30 }),
            (Border::Graph, Position { x: 10, y: 37 }),
            (Border::Lower, Position { x: 30, y: 44 }),
        ] {
            let cut = *panes(&windows).cuts.iter().find(|cut| cut.border == border).unwrap();
            let on_it = if cut.upright {
                Position { x: cut.area.x + cut.at, y: cut.area.y + 3 }
            } else {
                Position { x: cut.area.x + 3, y: cut.area.y + cut.at - 1 }
            };
            assert_eq!(panes(&windows).border_at(on_it), Some(border));
            windows.dragged = Some(border);
            windows.drag(&panes(&windows), cell);
            assert_eq!(panes(&windows).border_at(cell), Some(border), "{border:?}");
        }
    }

    #[test]
    fn of_panes_that_share_a_place_the_last_visited_stays() {
        let mut windows = Windows::default();
        let shown = |windows: &Windows| layout((80, 24), graph::PANE, windows).unwrap();
        assert!(shown(&windows).of(connections::PANE).is_some());
        windows.note_focus(tree::PANE);
        windows.note_focus(graph::PANE);
        assert!(shown(&windows).of(tree::PANE).is_some() && shown(&windows).of(connections::PANE).is_none());
    }
}
