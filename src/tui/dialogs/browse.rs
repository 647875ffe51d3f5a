//! Features of a transcoder on the whole screen, without a graph: a list, and the contexts that the chosen one fires
//! on.

use crate::features::browse::Order;
use crate::service::browse::{Ask, Browsed, Item};
use crate::service::library::{Feature, FeatureSet};
use crate::text;
use crate::text::names::Called;
use crate::tui::activation_context::ActivationContext;
use crate::tui::app::State;
use crate::tui::command::commands;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::Context;
use crate::tui::theme::Look;
use crate::tui::ui::line::{self, TextEdit};
use crate::tui::{act, layout, view};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::widgets::{Clear, Widget};
use tui_input::Input;

/// Purpose of the line that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputMode {
    /// A search.
    Search,
    /// A text on which features may fire.
    Text,
}

/// Dialog that looks through the features of a transcoder.
pub struct Browse {
    /// Set of the features.
    pub set: FeatureSet,
    /// True while an answer is waited for.
    pub waits: bool,
    /// Newest request.
    pub ask: Ask,
    /// Order of the list.
    pub order: Order,
    found: Option<Browsed>,
    failure: Option<String>,
    row: usize,
    token: usize,
    input_mode: Option<InputMode>,
    input: Input,
}

/// Least width at which the chosen feature stands beside the list.
const BESIDE: u16 = 100;

impl Browse {
    /// Lists the features of a set by layer.
    pub fn new(set: FeatureSet) -> Self {
        let order = Order::Layer;
        Self {
            set,
            waits: false,
            ask: Ask::List(order),
            order,
            found: None,
            failure: None,
            row: 0,
            token: 0,
            input_mode: None,
            input: Input::default(),
        }
    }

    /// Records a new request and waits for its answer.
    pub fn asked(&mut self, ask: Ask) {
        (self.ask, self.waits, self.failure) = (ask, true, None);
    }

    /// Takes the answer, or the reason why it failed.
    pub fn take(&mut self, result: Result<Browsed, String>) {
        self.waits = false;
        match result {
            Ok(found) => {
                // The features on the last token are listed first.
                self.token = found.tokens().len().saturating_sub(1);
                (self.found, self.row) = (Some(found), 0);
            }
            Err(why) => self.failure = Some(why),
        }
    }

    /// Stops waiting, with a reason.
    pub fn give_up(&mut self, why: String) {
        self.waits = false;
        self.failure = Some(why);
    }

    fn items(&self) -> Vec<Item<'_>> {
        self.found.as_ref().map_or_else(Vec::new, |found| found.items(self.token))
    }

    /// Returns the feature under the cursor.
    pub fn chosen(&self) -> Option<Feature> {
        self.items().get(self.row).map(|item| (item.entry.layer, item.entry.feature))
    }

    /// Moves the cursor by `by` rows.
    pub fn move_by(&mut self, by: isize) {
        let last = self.items().len().saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
    }

    /// Moves by `by` tokens of the text.
    pub fn turn_token(&mut self, by: isize) {
        let last = self.found.as_ref().map_or(0, |found| found.tokens().len()).saturating_sub(1);
        self.token = self.token.saturating_add_signed(by).min(last);
        self.row = 0;
    }

    /// Begins to write a line.
    pub fn write(&mut self, mode: InputMode) {
        self.input_mode = Some(mode);
        self.input.reset();
    }

    /// Leaves the line; returns its request, where the line is not empty.
    pub fn take_line(&mut self) -> Option<Ask> {
        let text = self.input.value().trim().to_owned();
        let mode = self.input_mode.take()?;
        match mode {
            _ if text.is_empty() => None,
            InputMode::Search => Some(Ask::Search(text)),
            InputMode::Text => Some(Ask::Fires(text)),
        }
    }

    /// Leaves the line without a request; returns true where a line was being written.
    pub fn leave_line(&mut self) -> bool {
        self.input_mode.take().is_some()
    }

    /// Returns the areas of the head, the list and, where there is room, the chosen feature.
    fn parts(size: (u16, u16)) -> (Rect, Rect, Option<Rect>) {
        let screen = view::dialog_room(size);
        let inner = layout::inner(screen);
        let head = Rect { height: 1.min(inner.height), ..inner };
        let below = Rect { y: inner.y + 2.min(inner.height), height: inner.height.saturating_sub(2), ..inner };
        if below.width < BESIDE {
            return (head, below, None);
        }
        let list = Rect { width: below.width * 2 / 5, ..below };
        let card = Rect { x: list.right() + 3, width: below.width - list.width - 3, ..below };
        (head, list, Some(card))
    }

    /// Returns the number of lines by which the chosen feature's description is longer than its area.
    pub fn overflow(&self, state: &State) -> usize {
        let (_, _, card) = Self::parts(state.size);
        let (Some(card), Some(feature)) = (card, self.chosen()) else { return 0 };
        view::browsed_rows(state, &self.set, feature, card).len().saturating_sub(usize::from(card.height))
    }

    /// Draws the dialog; returns the cursor's position.
    fn draw(&self, state: &State, buf: &mut Buffer) -> Option<Position> {
        let (look, screen) = (&state.look, view::dialog_room(state.size));
        Clear.render(screen, buf);
        let shown = look.glyphs.fit(&look.glyphs.visible(&self.set.transcoder), usize::from(screen.width / 2));
        view::frame(screen, &format!("features of {shown}"), true, look, buf);
        let (head, list, card) = Self::parts(state.size);
        if list.is_empty() {
            return None;
        }
        let cursor = self.head(state, head, buf);
        self.list(list, look, buf);
        if let (Some(card), Some(feature)) = (card, self.chosen()) {
            let rows = view::browsed_rows(state, &self.set, feature, card);
            view::draw_feature(state, Rect::default(), card, &rows, "", buf);
        }
        cursor
    }

    /// Draws the request, or the line being written; for a text its tokens.
    fn head(&self, state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
        let label = match (self.input_mode, &self.ask) {
            (Some(InputMode::Search), _) => "search ".to_owned(),
            (Some(InputMode::Text), _) => "text ".to_owned(),
            (None, Ask::List(order)) => format!("by {}", order_name(*order)),
            (None, Ask::Search(pattern)) => format!("that fit {}", glyphs.visible(pattern)),
            (None, Ask::Near((layer, feature))) => format!("that write nearly as L{layer} #{feature}"),
            (None, Ask::Fires(_)) => "on ".to_owned(),
        };
        let (x, _) = buf.set_stringn(area.x, area.y, &label, usize::from(area.width), theme.quiet);
        let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
        if self.input_mode.is_some() {
            return Some(line::render(&self.input, rest, theme.strong, &state.look, buf));
        }
        let tokens = self.found.as_ref().map_or(&[][..], Browsed::tokens);
        if !tokens.is_empty() {
            let activations =
                self.chosen().map(|feature| self.found.iter().flat_map(|f| f.activations(feature)).collect());
            let activations: Vec<f32> = activations.unwrap_or_else(|| vec![0.0; tokens.len()]);
            let most = activations.iter().copied().fold(0.0, f32::max);
            let spaced = tokens.iter().any(|token| token.token.starts_with(' ') || token.token.ends_with(' '));
            let pieces = tokens.iter().map(|token| token.token.clone()).zip(activations).collect();
            if let Some(strip) = ActivationContext::of_tokens(pieces, if spaced { "" } else { " " }, self.token, most) {
                strip.draw(rest, 0, "", &state.look, buf);
            }
            return None;
        }
        let waits = self.waits.then(|| {
            let spinner = glyphs.spinner[state.ticks % glyphs.spinner.len()];
            format!("  {spinner}")
        });
        let count = match &self.found {
            Some(Browsed::List(entries, all)) if entries.len() < *all => {
                format!("  {} of {}", text::thousands(entries.len()), text::thousands(*all))
            }
            Some(Browsed::Hits(hits, all)) => format!("  {} of {}", text::thousands(hits.len()), text::thousands(*all)),
            _ => String::new(),
        };
        let (x, _) = buf.set_stringn(x, area.y, waits.unwrap_or(count), usize::from(rest.width), theme.accent);
        if let Some(why) = &self.failure {
            let room = usize::from(area.right().saturating_sub(x + 2));
            buf.set_stringn(x + 2, area.y, glyphs.fit(&glyphs.visible(why), room), room, theme.alert);
        }
        None
    }

    fn list(&self, area: Rect, look: &Look, buf: &mut Buffer) {
        let (theme, glyphs) = (&look.theme, &look.glyphs);
        let items = self.items();
        if items.is_empty() && self.found.is_some() {
            buf.set_stringn(area.x, area.y, "none", usize::from(area.width), theme.quiet);
        }
        let lines = usize::from(area.height);
        let from = view::first_line(self.row, lines, items.len());
        for (line, (at, item)) in items.iter().enumerate().skip(from).take(lines).enumerate() {
            let row = Rect { y: area.y + line as u16, height: 1, ..area };
            let entry = item.entry;
            let number = |number: Option<f32>| number.map_or_else(|| " ".repeat(8), |number| format!("{number:>8.3}"));
            let density = entry.density.map_or_else(|| " ".repeat(9), |share| format!("{:>7.2} %", 100.0 * share));
            let numbers = match item.number {
                Some(_) => number(item.number),
                None => format!("{density}{}", number(entry.maximum)),
            };
            // A match in another text than the feature's label stands beside the label.
            let label = entry.label.as_ref().map(|label| label.text.as_str());
            let mut name = Called::feature(entry.layer, entry.feature, "", label, glyphs);
            if let Some(text) = item.text.filter(|text| Some(*text) != label) {
                name.number = format!("{} {}", name.number, glyphs.visible(text)).trim().to_owned();
            }
            let room = usize::from(row.width).saturating_sub(text::width(&numbers) + 1);
            let mut x = row.x;
            for (part, style) in name.fit(room, glyphs).iter().zip([theme.text, theme.quiet, theme.faint]) {
                (x, _) = buf.set_stringn(x, row.y, part, usize::from(row.right().saturating_sub(x)), style);
            }
            let x = row.right().saturating_sub(text::width(&numbers) as u16).max(row.x);
            buf.set_stringn(x, row.y, &numbers, usize::from(row.right() - x), theme.quiet);
            if at == self.row {
                buf.set_style(row, theme.selection.add_modifier(Modifier::BOLD));
            }
        }
    }
}

/// Returns the name of an order.
fn order_name(order: Order) -> &'static str {
    match order {
        Order::Layer => "layer",
        Order::Density => "density",
        Order::Maximum => "maximum",
        Order::Label => "label",
    }
}

const BROWSE: Context = Context::dialog("browse");
const BROWSE_LINE: Context = Context::line("browse line");

commands! {
    /// Commands of the dialog.
    pub const BINDINGS;
    "browse-down", Contexts, BROWSE, ["Down", "j"], Some("choose"), |s, _| act::move_in_browse(s, 1), "To the next feature";
    "browse-up", Contexts, BROWSE, ["Up", "k"], Some("choose"), |s, _| act::move_in_browse(s, -1), "To the feature before";
    "browse-search", Contexts, BROWSE, ["/"], Some("search"), |s, _| act::write_in_browse(s, InputMode::Search), "Search labels, contexts and promoted tokens";
    "browse-text", Contexts, BROWSE, ["t"], Some("text"), |s, _| act::write_in_browse(s, InputMode::Text), "Type a text and see what fires on it";
    "browse-near", Contexts, BROWSE, ["n"], Some("nearest"), |s, _| act::browse_near(s), "Those that write most nearly as this one does";
    "browse-order", Contexts, BROWSE, ["o"], Some("order"), |s, _| act::turn_order(s), "List by layer, density, maximum or label";
    "browse-token-left", Contexts, BROWSE, ["Left", "h"], Some("token"), |s, _| act::turn_token(s, -1), "To the token before, of the text";
    "browse-token-right", Contexts, BROWSE, ["Right", "l"], Some("token"), |s, _| act::turn_token(s, 1), "To the next token of the text";
    "browse-scroll-down", Contexts, BROWSE, ["J"], Some("scroll"), |s, _| act::scroll_browsed(s, 1), "What it fires on, a line further";
    "browse-scroll-up", Contexts, BROWSE, ["K"], Some("scroll"), |s, _| act::scroll_browsed(s, -1), "What it fires on, a line back";
    "browse-shift-left", Contexts, BROWSE, ["<"], None, |s, _| act::shift_contexts(s, -8), "What stands before, in every context of it";
    "browse-shift-right", Contexts, BROWSE, [">"], None, |s, _| act::shift_contexts(s, 8), "What stands after, in every context of it";
    "browse-page-down", Contexts, BROWSE, ["PageDown"], None, |s, _| act::move_in_browse(s, 10), "Ten features further";
    "browse-page-up", Contexts, BROWSE, ["PageUp"], None, |s, _| act::move_in_browse(s, -10), "Ten features back";
    "browse-first", Contexts, BROWSE, ["g", "Home"], None, |s, _| act::move_in_browse(s, isize::MIN), "To the first feature";
    "browse-last", Contexts, BROWSE, ["G", "End"], None, |s, _| act::move_in_browse(s, isize::MAX), "To the last feature that is listed";
    "browse-go", Contexts, BROWSE, ["Enter"], Some("in the graph"), |s, _| act::browse_go(s), "To the feature's node in the graph";
    "browse-close", Contexts, BROWSE, ["Esc", "q"], Some("back"), |s, _| act::close_browse(s), "Back to the list, then to the panes";
    "browse-take", Contexts, BROWSE_LINE, ["Enter"], Some("take"), |s, _| act::take_browse_line(s), "Look for what stands in the line";
    "browse-leave", Contexts, BROWSE_LINE, ["Esc"], Some("back"), |s, _| act::close_browse(s), "Leave the line";
}

impl Dialog for Browse {
    fn context(&self) -> Context {
        if self.input_mode.is_some() { BROWSE_LINE } else { BROWSE }
    }

    fn render(&self, state: &State, _: Rect, buf: &mut Buffer) -> Option<Position> {
        self.draw(state, buf)
    }

    fn edit(&mut self, edit: &TextEdit) -> bool {
        self.input_mode.is_none() || line::edit(&mut self.input, edit)
    }

    fn shows_nodes(&self) -> bool {
        false
    }
}
