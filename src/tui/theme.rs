//! Colours as roles: one accent for the selection, two for sign, greys for the rest.

use crate::text::glyph::{Charset, Glyphs};
use ratatui::style::{Color, Modifier, Style};

/// Number of colours that the terminal is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Modifiers alone: bold, dim, reversed, underlined.
    Mono,
    /// Sixteen colours that the terminal's own palette names.
    Ansi,
    /// Fixed palette of 256 colours.
    Indexed,
    /// Colours of 24 bits.
    True,
}

/// Background behind the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A dark background.
    Dark,
    /// A light background.
    Light,
}

/// Theme that the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeChoice {
    /// Detected from the environment.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// Without colour.
    Mono,
}

/// Styles by role. The background is the terminal's own throughout, except under the selection.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Number of colours that the theme is made of.
    pub depth: Depth,
    /// Background that the theme is made for.
    pub ground: Ground,
    /// Running text.
    pub text: Style,
    /// Text that is read first: names, answers.
    pub strong: Style,
    /// Labels, units and notes.
    pub quiet: Style,
    /// Text out of focus.
    pub faint: Style,
    /// Frames of panes, and rules within them.
    pub frame: Style,
    /// Frame of the pane that has the focus.
    pub frame_focus: Style,
    /// Accent as text: keys, the walked path.
    pub accent: Style,
    /// Accent as background: the selection.
    pub selection: Style,
    /// Selection of a pane without the focus.
    pub selection_idle: Style,
    /// Positive weight.
    pub positive: Style,
    /// Negative weight.
    pub negative: Style,
    /// Positive weight that is dimmed: edges of pinned nodes, weak edges.
    pub positive_faint: Style,
    /// See [`Theme::positive_faint`].
    pub negative_faint: Style,
    /// Errors and warnings.
    pub alert: Style,
}

/// Colours of one background at one depth.
struct Palette {
    text: Color,
    strong: Color,
    quiet: Color,
    faint: Color,
    frame: Color,
    accent: Color,
    on_accent: Color,
    idle: Color,
    positive: Color,
    negative: Color,
    positive_faint: Color,
    negative_faint: Color,
}

const fn rgb(hex: u32) -> Color {
    Color::Rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const DARK: Palette = Palette {
    text: rgb(0xc9ccd3),
    strong: rgb(0xf2f3f5),
    quiet: rgb(0x8b919d),
    faint: rgb(0x565c68),
    frame: rgb(0x3c424d),
    accent: rgb(0xf0c95a),
    on_accent: rgb(0x1b1d22),
    idle: rgb(0x3a3f4a),
    positive: rgb(0x5fb0f0),
    negative: rgb(0xee8a55),
    positive_faint: rgb(0x35607f),
    negative_faint: rgb(0x7f5138),
};

const LIGHT: Palette = Palette {
    text: rgb(0x33373f),
    strong: rgb(0x0c0d10),
    quiet: rgb(0x6b707b),
    faint: rgb(0xa3a8b2),
    frame: rgb(0xc6cad2),
    accent: rgb(0x7a4fb5),
    on_accent: rgb(0xffffff),
    idle: rgb(0xdcdfe6),
    positive: rgb(0x1667b0),
    negative: rgb(0xb8500f),
    positive_faint: rgb(0x8fb4d6),
    negative_faint: rgb(0xdcae8f),
};

const DARK_INDEXED: Palette = Palette {
    text: Color::Indexed(252),
    strong: Color::Indexed(255),
    quiet: Color::Indexed(246),
    faint: Color::Indexed(240),
    frame: Color::Indexed(238),
    accent: Color::Indexed(221),
    on_accent: Color::Indexed(234),
    idle: Color::Indexed(237),
    positive: Color::Indexed(75),
    negative: Color::Indexed(209),
    positive_faint: Color::Indexed(24),
    negative_faint: Color::Indexed(95),
};

const LIGHT_INDEXED: Palette = Palette {
    text: Color::Indexed(237),
    strong: Color::Indexed(232),
    quiet: Color::Indexed(243),
    faint: Color::Indexed(248),
    frame: Color::Indexed(251),
    accent: Color::Indexed(97),
    on_accent: Color::Indexed(231),
    idle: Color::Indexed(254),
    positive: Color::Indexed(25),
    negative: Color::Indexed(130),
    positive_faint: Color::Indexed(110),
    negative_faint: Color::Indexed(180),
};

const DARK_ANSI: Palette = Palette {
    text: Color::Gray,
    strong: Color::White,
    quiet: Color::Gray,
    faint: Color::DarkGray,
    frame: Color::DarkGray,
    accent: Color::LightMagenta,
    on_accent: Color::Black,
    idle: Color::DarkGray,
    positive: Color::LightCyan,
    negative: Color::LightYellow,
    positive_faint: Color::Cyan,
    negative_faint: Color::Yellow,
};

const LIGHT_ANSI: Palette = Palette {
    text: Color::Black,
    strong: Color::Black,
    quiet: Color::DarkGray,
    faint: Color::Gray,
    frame: Color::Gray,
    accent: Color::Magenta,
    on_accent: Color::White,
    idle: Color::Gray,
    positive: Color::Blue,
    negative: Color::Red,
    positive_faint: Color::LightBlue,
    negative_faint: Color::LightRed,
};

impl Theme {
    /// Creates the theme for a background at a depth.
    pub fn new(depth: Depth, ground: Ground) -> Self {
        match (depth, ground) {
            (Depth::Mono, _) => Self::mono(ground),
            (Depth::Ansi, Ground::Dark) => Self::coloured(depth, ground, &DARK_ANSI),
            (Depth::Ansi, Ground::Light) => Self::coloured(depth, ground, &LIGHT_ANSI),
            (Depth::Indexed, Ground::Dark) => Self::coloured(depth, ground, &DARK_INDEXED),
            (Depth::Indexed, Ground::Light) => Self::coloured(depth, ground, &LIGHT_INDEXED),
            (Depth::True, Ground::Dark) => Self::coloured(depth, ground, &DARK),
            (Depth::True, Ground::Light) => Self::coloured(depth, ground, &LIGHT),
        }
    }

    fn coloured(depth: Depth, ground: Ground, palette: &Palette) -> Self {
        let fg = |color| Style::new().fg(color);
        Self {
            depth,
            ground,
            text: fg(palette.text),
            strong: fg(palette.strong).add_modifier(Modifier::BOLD),
            quiet: fg(palette.quiet),
            faint: fg(palette.faint),
            frame: fg(palette.frame),
            frame_focus: fg(palette.quiet),
            accent: fg(palette.accent),
            selection: fg(palette.on_accent).bg(palette.accent).add_modifier(Modifier::BOLD),
            selection_idle: Style::new().bg(palette.idle),
            positive: fg(palette.positive),
            negative: fg(palette.negative),
            positive_faint: fg(palette.positive_faint),
            negative_faint: fg(palette.negative_faint),
            alert: fg(palette.negative).add_modifier(Modifier::BOLD),
        }
    }

    fn mono(ground: Ground) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        Self {
            depth: Depth::Mono,
            ground,
            text: plain,
            strong: bold,
            quiet: plain,
            faint: dim,
            frame: dim,
            frame_focus: bold,
            accent: bold,
            selection: plain.add_modifier(Modifier::REVERSED),
            selection_idle: plain.add_modifier(Modifier::UNDERLINED),
            positive: plain,
            negative: plain,
            positive_faint: dim,
            negative_faint: dim,
            alert: bold.add_modifier(Modifier::UNDERLINED),
        }
    }

    /// Returns the style of a weight by its sign.
    pub fn sign(&self, weight: f32) -> Style {
        if weight < 0.0 { self.negative } else { self.positive }
    }

    /// Returns the dimmed style of a weight by its sign.
    pub fn sign_faint(&self, weight: f32) -> Style {
        if weight < 0.0 { self.negative_faint } else { self.positive_faint }
    }
}

/// Look of the screen: the theme and the signs.
#[derive(Clone, Debug)]
pub struct Look {
    /// Colours by role.
    pub theme: Theme,
    /// Signs by role.
    pub glyphs: Glyphs,
}

impl Look {
    /// Detects what the terminal can show, from the environment alone.
    pub fn detect(choice: ThemeChoice, env: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = var("TERM").unwrap_or_default();
        let depth = match choice {
            ThemeChoice::Mono => Depth::Mono,
            _ if var("NO_COLOR").is_some() || term == "dumb" => Depth::Mono,
            _ if var("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit") => Depth::True,
            _ if term.contains("direct") => Depth::True,
            _ if term.contains("256") => Depth::Indexed,
            _ => Depth::Ansi,
        };
        let ground = match choice {
            ThemeChoice::Dark => Ground::Dark,
            ThemeChoice::Light => Ground::Light,
            // `COLORFGBG` is `foreground;background`, or has a third field between them.
            ThemeChoice::Auto | ThemeChoice::Mono => {
                match var("COLORFGBG").as_deref().and_then(|v| v.rsplit(';').next()) {
                    Some("7" | "15") => Ground::Light,
                    _ => Ground::Dark,
                }
            }
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default().to_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let charset = match term.as_str() {
            "linux" | "dumb" => Charset::Ascii,
            _ if !utf8 => Charset::Ascii,
            // Fonts of these terminals are known to lack Braille.
            "cygwin" | "vt220" | "xterm-mono" => Charset::Unicode,
            _ => Charset::Braille,
        };
        Self { theme: Theme::new(depth, ground), glyphs: Glyphs::new(charset) }
    }

    /// Returns true where the terminal is to be asked for its background: where that changes anything, and the question
    /// itself could not end up as text on the screen.
    pub fn may_ask(&self, choice: ThemeChoice, env: impl Fn(&str) -> Option<String>) -> bool {
        let plain = matches!(env("TERM").as_deref(), None | Some("" | "dumb" | "linux" | "cygwin"));
        choice == ThemeChoice::Auto && self.theme.depth != Depth::Mono && !plain
    }

    /// Takes the colours for another background; returns true where that changes anything.
    pub fn stand_on(&mut self, ground: Ground) -> bool {
        let changes = self.theme.ground != ground;
        if changes {
            self.theme = Theme::new(self.theme.depth, ground);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(choice: ThemeChoice, env: &[(&str, &str)]) -> Look {
        Look::detect(choice, |name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_decides() {
        let utf8 = ("LANG", "de_DE.UTF-8");
        let full = look(ThemeChoice::Auto, &[utf8, ("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]);
        assert_eq!((full.theme.depth, full.glyphs.charset), (Depth::True, Charset::Braille));
        let indexed = look(ThemeChoice::Auto, &[utf8, ("TERM", "screen-256color")]);
        assert_eq!(indexed.theme.depth, Depth::Indexed);
        let console = look(ThemeChoice::Auto, &[utf8, ("TERM", "linux")]);
        assert_eq!((console.theme.depth, console.glyphs.charset), (Depth::Ansi, Charset::Ascii));
        let posix = look(ThemeChoice::Auto, &[("LC_ALL", "C"), utf8, ("TERM", "xterm-256color")]);
        assert_eq!(posix.glyphs.charset, Charset::Ascii);
        let plain = look(ThemeChoice::Dark, &[utf8, ("NO_COLOR", "1"), ("COLORTERM", "truecolor"), ("TERM", "xterm")]);
        assert_eq!(plain.theme.depth, Depth::Mono);
        // An empty NO_COLOR counts as unset (no-color.org).
        let empty = look(ThemeChoice::Auto, &[utf8, ("NO_COLOR", ""), ("TERM", "xterm-256color")]);
        assert_eq!(empty.theme.depth, Depth::Indexed);
        let light = look(ThemeChoice::Auto, &[utf8, ("COLORFGBG", "0;15"), ("COLORTERM", "24bit")]);
        assert_eq!(light.theme.accent, Theme::new(Depth::True, Ground::Light).accent);
    }

    #[test]
    fn without_colour_nothing_is_coloured_and_selection_still_shows() {
        let theme = Theme::new(Depth::Mono, Ground::Dark);
        for style in [theme.text, theme.quiet, theme.selection, theme.positive, theme.negative, theme.alert] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        assert!(theme.selection.add_modifier.contains(Modifier::REVERSED));
    }
}
