//! Which pane is where, for every size of terminal.

use crate::tui::app::Pane;
use ratatui::layout::Rect;

/// Less than this is not drawn at all.
pub const LEAST: (u16, u16) = (40, 10);

/// Where everything is. A pane that has no room is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Panes {
    /// The prompt with its answer.
    pub header: Rect,
    /// Scores, counts and thresholds.
    pub trust: Rect,
    /// The link graph.
    pub graph: Option<Rect>,
    /// The connections.
    pub connections: Option<Rect>,
    /// The detail.
    pub detail: Option<Rect>,
    /// The walked path.
    pub crumbs: Option<Rect>,
    /// The keys.
    pub hints: Rect,
}

impl Panes {
    /// Where a pane is.
    pub fn of(&self, pane: Pane) -> Option<Rect> {
        match pane {
            Pane::Graph => self.graph,
            Pane::Connections => self.connections,
            Pane::Detail => self.detail,
        }
    }

    /// The room for marks within the graph pane.
    pub fn graph_room(&self) -> Option<Rect> {
        self.graph.map(inner)
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

/// The panes of a terminal of `size`; `None` where it is too small for any. Where not all fit, `focus` has the room.
pub fn layout(size: (u16, u16), focus: Pane) -> Option<Panes> {
    let (width, height) = size;
    if width < LEAST.0 || height < LEAST.1 {
        return None;
    }
    let line = |y| Rect { x: 0, y, width, height: 1 };
    let has_crumbs = height >= 14;
    let body = Rect { x: 0, y: 2, width, height: height - 3 - u16::from(has_crumbs) };
    let mut panes = Panes {
        header: line(0),
        trust: line(1),
        crumbs: has_crumbs.then(|| line(height - 2)),
        hints: line(height - 1),
        ..Panes::default()
    };
    if width >= 110 && body.height >= 18 {
        let side = (width * 3 / 8).clamp(52, 76);
        let detail = (body.height * 2 / 5).clamp(10, 18);
        let (left, right) = split_x(body, width - side);
        let (above, below) = split_y(right, body.height - detail);
        panes.graph = Some(left);
        panes.connections = Some(above);
        panes.detail = Some(below);
    } else if body.height >= 14 {
        let (above, below) = split_y(body, (body.height * 11 / 20).max(9));
        panes.graph = Some(above);
        if width >= 78 {
            let (left, right) = split_x(below, width * 23 / 40);
            panes.connections = Some(left);
            panes.detail = Some(right);
        } else if focus == Pane::Detail {
            panes.detail = Some(below);
        } else {
            panes.connections = Some(below);
        }
    } else {
        match focus {
            Pane::Graph => panes.graph = Some(body),
            Pane::Connections => panes.connections = Some(body),
            Pane::Detail => panes.detail = Some(body),
        }
    }
    Some(panes)
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
        for width in 1..220 {
            for height in 1..70 {
                for focus in Pane::ALL {
                    let Some(panes) = layout((width, height), focus) else {
                        assert!(width < LEAST.0 || height < LEAST.1);
                        continue;
                    };
                    assert!(panes.of(focus).is_some(), "{width}x{height}: what has the focus is there");
                    let screen = Rect::new(0, 0, width, height);
                    let rects: Vec<Rect> = [panes.header, panes.trust, panes.hints]
                        .into_iter()
                        .chain([panes.crumbs, panes.graph, panes.connections, panes.detail].into_iter().flatten())
                        .collect();
                    let cells: u32 = rects.iter().map(|rect| rect.area()).sum();
                    assert_eq!(cells, screen.area(), "{width}x{height}: every cell is someone's");
                    for (at, rect) in rects.iter().enumerate() {
                        assert_eq!(rect.intersection(screen), *rect);
                        assert!(rects[..at].iter().all(|other| rect.intersection(*other).is_empty()));
                    }
                }
            }
        }
    }

    #[test]
    fn everything_is_there_at_once_on_a_common_terminal() {
        for size in [(160, 48), (120, 30), (80, 24)] {
            let panes = layout(size, Pane::Graph).unwrap();
            assert!(Pane::ALL.into_iter().all(|pane| panes.of(pane).is_some()), "{size:?}");
        }
    }
}
