//! Options of the full-screen program's appearance and its use of the terminal.

use crate::text::glyph::Charset;
use crate::tui::{Options, ThemeChoice};

/// Colours and signs, where the environment says too little of the terminal.
#[derive(Clone, Debug, clap::Args)]
pub struct AppearanceArgs {
    /// Colours for a dark or a light terminal, or none; by what the terminal and the environment say if not
    /// given
    #[arg(long, value_enum, default_value = "auto")]
    theme: Theme,
    /// Signs that the terminal's font has; by what the environment says if not given
    #[arg(long, value_enum, default_value = "auto")]
    glyphs: Glyphs,
    /// Take the mouse: click, wheel, drag the borders. The terminal then selects text only with Shift held
    #[arg(long)]
    mouse: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Theme {
    Auto,
    Dark,
    Light,
    Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Glyphs {
    Auto,
    Ascii,
    Unicode,
    Braille,
}

impl AppearanceArgs {
    /// Returns the options of the full-screen program.
    pub fn options(&self) -> Options {
        let theme = match self.theme {
            Theme::Auto => ThemeChoice::Auto,
            Theme::Dark => ThemeChoice::Dark,
            Theme::Light => ThemeChoice::Light,
            Theme::Mono => ThemeChoice::Mono,
        };
        let glyphs = match self.glyphs {
            Glyphs::Auto => None,
            Glyphs::Ascii => Some(Charset::Ascii),
            Glyphs::Unicode => Some(Charset::Unicode),
            Glyphs::Braille => Some(Charset::Braille),
        };
        Options { theme, glyphs, mouse: self.mouse }
    }
}
