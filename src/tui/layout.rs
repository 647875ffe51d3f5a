//! Which pane is where, for every size of terminal.

use crate::tui::app::Pane;
use ratatui::layout::Rect;

/// Less than this is not drawn at all.
pub const LEAST: (u16, u16) = (40, 10);

/// What a person decided about the panes.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The panes, the one that had the focus last first. Of those that share a place it decides who has it.
    pub recent: Vec<Pane>,
    /// The focused pane has all of the room.
    pub zoomed: bool,
}

impl Default for Windows {
    fn default() -> Self {
        Self { recent: Pane::ALL.to_vec(), zoomed: false }
    }
}

impl Windows {
    /// Remembers that a pane has the focus.
    pub fn note_focus(&mut self, pane: Pane) {
        if self.recent.first() != Some(&pane) {
            self.recent.retain(|other| *other != pane);
            self.recent.insert(0, pane);
        }
    }
}

/// A place for one pane at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it is.
    pub area: Rect,
    /// The panes that share it.
    pub tabs: &'static [Pane],
    /// Which of them is there.
    pub shown: Pane,
}

/// Where everything is. A pane that has no room is in no slot's front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Panes {
    /// The prompt with its answer.
    pub header: Rect,
    /// Scores, counts and thresholds.
    pub trust: Rect,
    /// The panes.
    pub slots: Vec<Slot>,
    /// The walked path.
    pub crumbs: Option<Rect>,
    /// The keys.
    pub hints: Rect,
}

impl Panes {
    /// Where a pane is.
    pub fn of(&self, pane: Pane) -> Option<Rect> {
        self.slot_of(pane).map(|slot| slot.area)
    }

    /// The slot that shows a pane.
    pub fn slot_of(&self, pane: Pane) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.shown == pane)
    }

    /// The room for marks within the graph pane.
    pub fn graph_room(&self) -> Option<Rect> {
        self.of(Pane::Graph).map(inner)
    }
}

/// What is left of a pane within its frame, a cell of air at either side.
pub fn inner(pane: Rect) -> Rect {
    Rect {
        x: pane.x + 2.min(pane.width),
        y: pane.y + 1.min(pane.height),
        width: pane.width.saturating_sub(4),
        height: pane.height.saturating_sub(2),
    }
}

/// The panes of a terminal of `size`; `None` where it is too small for any. Where not all fit, panes share places, and
/// `focus` is always seen.
pub fn layout(size: (u16, u16), focus: Pane, windows: &Windows) -> Option<Panes> {
    let (width, height) = size;
    if width < LEAST.0 || height < LEAST.1 {
        return None;
    }
    let line = |y| Rect { x: 0, y, width, height: 1 };
    let has_crumbs = height >= 14;
    let body = Rect { x: 0, y: 2, width, height: height - 3 - u16::from(has_crumbs) };
    let places = if windows.zoomed { vec![(body, &Pane::ALL[..])] } else { places(body) };
    let slot = |(area, tabs): (Rect, &'static [Pane])| {
        let by_recency = windows.recent.iter().find(|pane| tabs.contains(pane));
        let shown = if tabs.contains(&focus) { focus } else { *by_recency.unwrap_or(&tabs[0]) };
        Slot { area, tabs, shown }
    };
    Some(Panes {
        header: line(0),
        trust: line(1),
        slots: places.into_iter().map(slot).collect(),
        crumbs: has_crumbs.then(|| line(height - 2)),
        hints: line(height - 1),
    })
}

/// From room for every pane down to room for one, and who shares which place.
fn places(body: Rect) -> Vec<(Rect, &'static [Pane])> {
    use Pane::{Connections, Detail, Graph, Subgraph, Tree};
    if body.width >= 110 && body.height >= 18 {
        let side = (body.width * 3 / 8).clamp(52, 76);
        let detail = (body.height / 2).clamp(9, 21);
        let (left, right) = split_x(body, body.width - side);
        let (above, below) = split_y(right, body.height - detail);
        if body.height < 28 {
            return vec![(left, &[Graph]), (above, &[Connections, Tree, Subgraph]), (below, &[Detail])];
        }
        let (graph, under) = split_y(left, body.height - (body.height * 3 / 10).clamp(9, 22));
        let mut places: Vec<(Rect, &'static [Pane])> =
            vec![(graph, &[Graph]), (above, &[Connections]), (below, &[Detail])];
        if under.width >= 90 {
            let (tree, subgraph) = split_x(under, under.width / 2);
            places.extend([(tree, &[Tree][..]), (subgraph, &[Subgraph][..])]);
        } else {
            places.push((under, &[Tree, Subgraph]));
        }
        places
    } else if body.height >= 14 {
        let (above, below) = split_y(body, (body.height * 11 / 20).max(9));
        if body.width < 78 {
            return vec![(above, &[Graph]), (below, &[Connections, Detail, Tree, Subgraph])];
        }
        let (left, right) = split_x(below, body.width * 23 / 40);
        vec![(above, &[Graph]), (left, &[Connections, Tree, Subgraph]), (right, &[Detail])]
    } else {
        vec![(body, &Pane::ALL)]
    }
}

fn split_x(area: Rect, at: u16) -> (Rect, Rect) {
    (Rect { width: at, ..area }, Rect { x: area.x + at, width: area.width - at, ..area })
}

fn split_y(area: Rect, at: u16) -> (Rect, Rect) {
    (Rect { height: at, ..area }, Rect { y: area.y + at, height: area.height - at, ..area })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_panes_overlap_and_none_leaves_the_screen() {
        for (width, height, zoomed) in
            (1..220).flat_map(|width| (1..70).flat_map(move |height| [(width, height, false), (width, height, true)]))
        {
            let windows = Windows { zoomed, ..Windows::default() };
            for focus in Pane::ALL {
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
                let mut tabs: Vec<Pane> = panes.slots.iter().flat_map(|slot| slot.tabs).copied().collect();
                tabs.sort_by_key(|pane| Pane::ALL.iter().position(|other| other == pane));
                assert_eq!(tabs, Pane::ALL, "{width}x{height}: every pane has one place");
            }
        }
    }

    #[test]
    fn everything_is_there_at_once_on_a_common_terminal() {
        for size in [(160, 48), (200, 60), (144, 40)] {
            let panes = layout(size, Pane::Graph, &Windows::default()).unwrap();
            assert!(Pane::ALL.into_iter().all(|pane| panes.of(pane).is_some()), "{size:?}");
        }
    }

    #[test]
    fn of_panes_that_share_a_place_the_last_visited_stays() {
        let mut windows = Windows::default();
        let shown = |windows: &Windows| layout((80, 24), Pane::Graph, windows).unwrap();
        assert!(shown(&windows).of(Pane::Connections).is_some());
        windows.note_focus(Pane::Tree);
        windows.note_focus(Pane::Graph);
        assert!(shown(&windows).of(Pane::Tree).is_some() && shown(&windows).of(Pane::Connections).is_none());
    }
}
