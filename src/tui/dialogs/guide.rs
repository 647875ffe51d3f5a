//! Pages of the guide: their list, and one of them to be read.

use crate::guide::{self, TOPICS, Topic};
use crate::text;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::command::keys_page;
use crate::tui::keymap::{Context, Key, Keymap, commands};
use crate::tui::screen::close_dialog;
use crate::tui::state::State;
use crate::tui::ui::{Look, Pen, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Keys of the topics, in their order: letters that do nothing else here.
const LETTERS: &str = "abcdefhilmnoprstuvwxyz";

/// Greatest width of a page, in cells.
const WIDEST: u16 = 104;

/// Topic of the keys.
const KEYS: &str = "keys";

/// Dialog of the guide.
pub struct Guide {
    row: usize,
    /// Page that is read.
    page: Option<Page>,
    /// True where closing the page closes the guide: it was opened at that page.
    is_alone: bool,
}

struct Page {
    title: &'static str,
    /// Lines as wide as they are written.
    lines: Vec<String>,
    scroll: usize,
}

impl Guide {
    /// Lists the topics; with a topic, shows its page.
    pub fn new(topic: Option<&'static Topic>, keymap: &Keymap) -> Self {
        Self { row: 0, page: topic.map(|topic| Page::new(topic, keymap)), is_alone: topic.is_some() }
    }

    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        match &self.page {
            Some(page) => page.draw(screen, look, buf),
            None => self.draw_topics(screen, look, buf),
        }
    }

    fn draw_topics(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let theme = &look.theme;
        let height = (TOPICS.len() as u16 + 2).min(screen.height);
        let area = open_box(screen, height, "the guide", look, buf);
        let names = TOPICS.iter().map(|topic| topic.name.len()).max().unwrap_or(0);
        let from = (self.row + 1).saturating_sub(usize::from(area.height));
        let rows = TOPICS.iter().zip(LETTERS.chars()).enumerate().skip(from);
        for ((at, (topic, letter)), y) in rows.zip(0..area.height) {
            let mut pen = Pen::new(buf, area, y);
            pen.put(&letter.to_string(), theme.accent);
            pen.skip(2);
            pen.put(topic.name, theme.strong);
            pen.skip((names - topic.name.len()) as u16 + 2);
            pen.put(&look.glyphs.fit(topic.about, pen.room()), theme.text);
            if at == self.row {
                buf.set_style(Rect { y: area.y + y, height: 1, ..area }, theme.selection);
            }
        }
    }
}

fn open_box(screen: Rect, height: u16, title: &str, look: &Look, buf: &mut Buffer) -> Rect {
    crate::tui::ui::open(screen, screen.width.saturating_sub(4).min(WIDEST), height, title, look, buf)
}

impl Page {
    fn new(topic: &'static Topic, keymap: &Keymap) -> Self {
        // The page lists the keys as they are, which the user may have changed.
        let text = match topic.name {
            KEYS => guide::text_of(&keys_page(topic.markdown, keymap)),
            _ => topic.text(),
        };
        Self { title: topic.name, lines: text.lines().map(str::to_owned).collect(), scroll: 0 }
    }

    /// Returns the lines in `room` cells. Those that are indented, or have columns, are not filled up anew.
    fn wrapped(&self, room: u16, look: &Look) -> Vec<String> {
        let room = usize::from(room).max(1);
        let broken = |line: &String| {
            let line = look.glyphs.visible(line);
            if text::width(&line) <= room { vec![line] } else { wrap(&line, room) }
        };
        self.lines.iter().flat_map(broken).collect()
    }

    fn draw(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let area = open_box(screen, screen.height, self.title, look, buf);
        let lines = self.wrapped(area.width, look);
        let scroll = self.scroll.min(lines.len().saturating_sub(usize::from(area.height)));
        for (line, y) in lines.iter().skip(scroll).zip(area.top()..area.bottom()) {
            let style = if line.starts_with('#') { look.theme.strong } else { look.theme.text };
            let line = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')).unwrap_or(line);
            buf.set_stringn(area.x, y, line, usize::from(area.width), style);
        }
    }

    fn scroll_by(&mut self, by: isize, screen: Rect, look: &Look) {
        let room = screen.width.saturating_sub(4).min(WIDEST).saturating_sub(4);
        let most = self.wrapped(room, look).len().saturating_sub(usize::from(screen.height.saturating_sub(2)));
        self.scroll = self.scroll.min(most).saturating_add_signed(by).min(most);
    }
}

const GUIDE: Context = Context::dialog("guide");
const PAGE: Context = Context::dialog("guide page");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "guide-down", Program, GUIDE, ["Down", "j"], Some("choose"), |s, _| move_in_guide(s, 1), "To the next page of the guide";
    "guide-up", Program, GUIDE, ["Up", "k"], Some("choose"), |s, _| move_in_guide(s, -1), "To the page of the guide before";
    "guide-page-down", Program, GUIDE, ["PageDown", "Ctrl-d", "Ctrl-f"], None, |s, _| move_in_guide(s, 10), "Ten pages of the guide further";
    "guide-page-up", Program, GUIDE, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| move_in_guide(s, -10), "Ten pages of the guide back";
    "guide-first", Program, GUIDE, ["g", "Home"], None, |s, _| move_in_guide(s, isize::MIN), "To the guide's first page";
    "guide-last", Program, GUIDE, ["G", "End"], None, |s, _| move_in_guide(s, isize::MAX), "To the guide's last page";
    "guide-read", Program, GUIDE, ["Enter"], Some("read"), |s, _| read_chosen(s), "Read this page of the guide";
    "guide-topic", Program, GUIDE, ["a", "b", "c", "d", "e", "f", "h", "i", "l", "m", "n", "o", "p", "r", "s", "t", "u", "v", "w", "x", "y", "z"], Some("read"), read_topic, "Read the page of the guide with this letter";
    "guide-close", Program, GUIDE, ["Esc", "q"], Some("back"), |s, _| close_dialog(s), "Leave the guide";
    "reading-down", Program, PAGE, ["Down", "j"], Some("scroll"), |s, _| scroll_page(s, 1), "The guide, a line further";
    "reading-up", Program, PAGE, ["Up", "k"], Some("scroll"), |s, _| scroll_page(s, -1), "The guide, a line back";
    "reading-page-down", Program, PAGE, ["PageDown", "Ctrl-d", "Ctrl-f"], Some("further"), |s, _| scroll_page(s, 20), "The guide, twenty lines further";
    "reading-page-up", Program, PAGE, ["PageUp", "Ctrl-u", "Ctrl-b"], None, |s, _| scroll_page(s, -20), "The guide, twenty lines back";
    "reading-first", Program, PAGE, ["g", "Home"], None, |s, _| scroll_page(s, isize::MIN), "To the top of the page";
    "reading-last", Program, PAGE, ["G", "End"], None, |s, _| scroll_page(s, isize::MAX), "To the end of the page";
    "reading-close", Program, PAGE, ["Esc", "q"], Some("back"), |s, _| close_page(s), "Back to the pages of the guide";
}

impl Dialog for Guide {
    fn context(&self) -> Context {
        if self.page.is_some() { PAGE } else { GUIDE }
    }

    fn render(&self, state: &State, screen: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(screen, &state.screen.look, buf);
        None
    }

    fn shows_nodes(&self) -> bool {
        false
    }
}

fn move_in_guide(state: &mut State, by: isize) {
    if let Some(guide) = state.dialogs.get_mut::<Guide>() {
        guide.row = guide.row.saturating_add_signed(by).min(TOPICS.len() - 1);
    }
}

fn read_chosen(state: &mut State) {
    if let Some(guide) = state.dialogs.get_mut::<Guide>() {
        guide.page = TOPICS.get(guide.row).map(|topic| Page::new(topic, &state.screen.keymap));
    }
}

fn read_topic(state: &mut State, key: Key) {
    let at = key.typed().and_then(|typed| LETTERS.chars().position(|letter| letter == typed));
    if let (Some(guide), Some(at)) = (state.dialogs.get_mut::<Guide>(), at.filter(|at| *at < TOPICS.len())) {
        guide.row = at;
        read_chosen(state);
    }
}

fn scroll_page(state: &mut State, by: isize) {
    let screen = state.screen.dialog_room();
    if let Some(page) = state.dialogs.get_mut::<Guide>().and_then(|guide| guide.page.as_mut()) {
        page.scroll_by(by, screen, &state.screen.look);
    }
}

fn close_page(state: &mut State) {
    match state.dialogs.get_mut::<Guide>() {
        Some(guide) if !guide.is_alone => guide.page = None,
        _ => close_dialog(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Command;

    #[test]
    fn every_topic_has_a_letter() {
        assert!(TOPICS.len() <= LETTERS.len());
        let keys = Command::named("guide-topic").map(|command| command.keys.concat());
        assert_eq!(keys.as_deref(), Some(LETTERS));
    }
}
