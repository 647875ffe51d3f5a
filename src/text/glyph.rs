//! Signs by their role on the screen; the character for a role is chosen once, by what the terminal can show.

use crate::graph::OtherKind;
use crate::text;

/// Character set of a terminal's font and encoding, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Charset {
    /// `TERM=linux`, `dumb`, or a locale that is not UTF-8.
    Ascii,
    /// Box drawing, but no Braille.
    Unicode,
    /// Everything; edges are drawn in eighths of a cell.
    Braille,
}

/// The signs of one character set.
#[derive(Clone, Debug)]
pub struct Glyphs {
    /// Character set of the signs.
    pub charset: Charset,
    /// A feature, and the selected one.
    pub feature: &'static str,
    /// A feature that is not among the neighbours.
    pub feature_far: &'static str,
    /// An error node.
    pub error: &'static str,
    /// A feature of a second dictionary beside the model's own, and one that is not among the neighbours.
    pub adapter: [&'static str; 2],
    /// A feature of a sparse attention layer (`lorsa`).
    pub attention: &'static str,
    /// An error node of a sparse attention layer.
    pub attention_error: &'static str,
    /// A bias node.
    pub bias: &'static str,
    /// A node of another kind that only files hold.
    pub other: &'static str,
    /// A token's embedding.
    pub token: &'static str,
    /// A logit node.
    pub logit: &'static str,
    /// A pinned node.
    pub pin: &'static str,
    /// A position in a layer without a node.
    pub lattice: &'static str,
    /// Before the number of layers without nodes that have no row.
    pub layers_left_out: &'static str,
    /// Mark of left-out text.
    pub ellipsis: &'static str,
    /// Between the prompt and its answer.
    pub answers: &'static str,
    /// Between two nodes of the walked path: step to an input, to an output, jump.
    pub to_input: &'static str,
    /// See [`Glyphs::to_input`].
    pub to_output: &'static str,
    /// See [`Glyphs::to_input`].
    pub elsewhere: &'static str,
    /// Before a branch of a tree: folded, open.
    pub folds: [&'static str; 2],
    /// After a node that the tree shows further above already.
    pub repeated: &'static str,
    /// Separator of facts on one line.
    pub dot: &'static str,
    /// Before a count of nodes that share a cell.
    pub times: &'static str,
    /// "at least", before a share that is held.
    pub at_least: &'static str,
    /// "at most", before a number that nothing exceeds.
    pub at_most: &'static str,
    /// Mark of something that differs much between two graphs.
    pub differs: &'static str,
    /// A bar from empty to full in growing parts of a cell.
    pub bar: &'static [&'static str],
    /// Unfilled part of a progress bar.
    pub bar_rest: &'static str,
    /// Bars of a sparkline, from nothing to full.
    pub sparks: &'static [&'static str],
    /// Shades of a cell, from next to nothing to the most.
    pub shades: &'static [&'static str; 5],
    /// Stability classes: core, contingent, noise.
    pub stability: [&'static str; 3],
    /// Frames of the spinner.
    pub spinner: &'static [&'static str],
    /// Corners and sides of a frame: top left, top right, bottom left, bottom right, horizontal, vertical.
    pub frame: [&'static str; 6],
    /// Cells of an edge of positive weight: vertical, rising, horizontal, falling.
    pub line: [&'static str; 4],
    /// Cells of an edge of negative weight, as in [`Glyphs::line`].
    pub line_negative: [&'static str; 4],
}

const ASCII: Glyphs = Glyphs {
    charset: Charset::Ascii,
    feature: "o",
    feature_far: "o",
    error: "x",
    adapter: ["%", "%"],
    attention: "A",
    attention_error: "v",
    bias: "b",
    other: "#",
    token: "^",
    logit: "@",
    pin: "*",
    lattice: " ",
    layers_left_out: ":",
    ellipsis: "~",
    answers: "->",
    to_input: "<",
    to_output: ">",
    elsewhere: "|",
    folds: ["> ", "v "],
    repeated: "^",
    dot: "-",
    times: "x",
    at_least: ">=",
    at_most: "<=",
    differs: "!",
    bar: &[" ", "#"],
    bar_rest: ".",
    sparks: &[" ", ".", ":", "|", "#"],
    shades: &[".", ":", "+", "*", "#"],
    stability: ["#", "=", "."],
    spinner: &["|", "/", "-", "\\"],
    frame: ["+", "+", "+", "+", "-", "|"],
    line: ["|", "/", "-", "\\"],
    line_negative: [":", ",", "~", "`"],
};

const UNICODE: Glyphs = Glyphs {
    charset: Charset::Unicode,
    feature: "●",
    feature_far: "○",
    error: "◇",
    adapter: ["■", "▫"],
    attention: "△",
    attention_error: "▽",
    bias: "⊕",
    other: "□",
    token: "▴",
    logit: "◆",
    pin: "◉",
    lattice: "·",
    layers_left_out: "┊",
    ellipsis: "…",
    answers: "→",
    to_input: "‹",
    to_output: "›",
    elsewhere: "│",
    folds: ["▸ ", "▾ "],
    repeated: "↑",
    dot: "·",
    times: "×",
    at_least: "≥",
    at_most: "≤",
    differs: "≠",
    bar: &[" ", "╸", "━"],
    bar_rest: "┄",
    sparks: &[" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    shades: &["·", "░", "▒", "▓", "█"],
    stability: ["█", "▒", "░"],
    spinner: &["◐", "◓", "◑", "◒"],
    frame: ["╭", "╮", "╰", "╯", "─", "│"],
    line: ["│", "╱", "─", "╲"],
    line_negative: ["┊", "·", "┈", "·"],
};

const BRAILLE: Glyphs =
    Glyphs {
        charset: Charset::Braille, spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"], ..UNICODE
    };

impl Glyphs {
    /// Returns the signs of a character set.
    pub fn new(charset: Charset) -> Self {
        match charset {
            Charset::Ascii => ASCII,
            Charset::Unicode => UNICODE,
            Charset::Braille => BRAILLE,
        }
    }

    /// Returns the sign of a node of a kind that only files hold.
    pub fn of_other(&self, kind: OtherKind) -> &'static str {
        match kind {
            OtherKind::Attention => self.attention,
            OtherKind::AttentionError => self.attention_error,
            OtherKind::Bias => self.bias,
            OtherKind::Unknown => self.other,
        }
    }

    /// Returns `text` with invisible characters shown, in this character set.
    pub fn visible(&self, text: &str) -> String {
        match self.charset {
            Charset::Ascii => text::visible_ascii(text),
            Charset::Unicode | Charset::Braille => text::visible(text),
        }
    }

    /// Returns the same for a part of a longer text, whose spaces at the ends are left as they are.
    pub fn visible_within(&self, text: &str) -> String {
        match self.charset {
            Charset::Ascii => text::visible_ascii_within(text),
            Charset::Unicode | Charset::Braille => text::visible_within(text),
        }
    }

    /// Returns the start of `text` that fits into `room` cells.
    pub fn fit(&self, text: &str, room: usize) -> String {
        text::truncate(text, room, self.ellipsis)
    }

    /// Returns the shade of a share of the most.
    pub fn shade(&self, share: f64) -> &'static str {
        let at = (share.clamp(0.0, 1.0) * self.shades.len() as f64) as usize;
        self.shades[at.min(self.shades.len() - 1)]
    }

    /// Returns a bar of `share` of `room` cells, without the unfilled rest.
    pub fn bar(&self, share: f64, room: usize) -> String {
        let steps = self.bar.len() - 1;
        let filled = (share.clamp(0.0, 1.0) * (room * steps) as f64).round() as usize;
        // Something is never shown as nothing.
        let filled = if share > 0.0 { filled.max(1) } else { filled };
        let mut out = self.bar[steps].repeat(filled / steps);
        if !filled.is_multiple_of(steps) {
            out.push_str(self.bar[filled % steps]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ascii_sign_is_ascii_and_every_sign_one_cell_wide() {
        let ascii = Glyphs::new(Charset::Ascii);
        let kinds =
            [ascii.attention, ascii.attention_error, ascii.bias, ascii.other, ascii.adapter[0], ascii.adapter[1]];
        let all = [ascii.feature, ascii.error, ascii.ellipsis, ascii.answers, ascii.at_least, ascii.pin];
        assert!(
            all.iter()
                .chain(&kinds)
                .chain(ascii.bar)
                .chain(&ascii.stability)
                .chain(&ascii.frame)
                .chain(&ascii.line)
                .all(|sign| sign.is_ascii())
        );
        for glyphs in [Glyphs::new(Charset::Unicode), Glyphs::new(Charset::Braille)] {
            let all = [glyphs.feature, glyphs.feature_far, glyphs.error, glyphs.token, glyphs.logit, glyphs.pin];
            let kinds = [glyphs.attention, glyphs.attention_error, glyphs.bias, glyphs.other];
            let all = all.iter().chain(&kinds).chain(&glyphs.adapter).chain(&glyphs.stability);
            for sign in all.chain(glyphs.bar).chain(&glyphs.frame).chain(&glyphs.line).chain(glyphs.spinner) {
                assert_eq!(text::width(sign), 1, "{sign}");
            }
        }
    }

    #[test]
    fn a_bar_fills_its_room_and_never_vanishes() {
        let glyphs = Glyphs::new(Charset::Unicode);
        assert_eq!(glyphs.bar(1.0, 4), "━━━━");
        assert_eq!(glyphs.bar(0.5, 4), "━━");
        assert_eq!(glyphs.bar(0.4, 4), "━╸");
        assert_eq!(glyphs.bar(0.0001, 4), "╸");
        assert_eq!(glyphs.bar(0.0, 4), "");
        assert_eq!(glyphs.bar(7.0, 4), "━━━━");
    }
}
