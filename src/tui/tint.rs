//! Tint of a feature's activation: one hue that deepens. Where there is no colour, lines under the text.

use crate::tui::theme::{Depth, Ground, Theme};
use ratatui::style::{Color, Modifier, Style};

/// Weakest tint that is told from none.
const LEAST: f32 = 0.14;

impl Theme {
    /// Returns the tint of a share of the strongest activation, `0..=1`. Nothing is tinted at 0.
    pub fn tint(&self, share: f32) -> Style {
        // NaN is not tinted either.
        if share.is_nan() || share <= 0.0 {
            return self.text;
        }
        let share = share.min(1.0);
        match self.depth {
            Depth::True => self.mixed(LEAST + (1.0 - LEAST) * share),
            Depth::Indexed => self.indexed(share),
            Depth::Ansi => self.ansi(share),
            Depth::Mono => {
                let style = self.text.add_modifier(Modifier::UNDERLINED);
                if share < 1.0 / 3.0 { style } else { style.add_modifier(Modifier::BOLD) }
            }
        }
    }

    /// Mixes a background between the terminal's and a deep green, with text that can be read on it.
    fn mixed(&self, share: f32) -> Style {
        let (from, to): ([u8; 3], [u8; 3]) = match self.ground {
            Ground::Dark => ([0x16, 0x1b, 0x1a], [0x3f, 0xd2, 0x8f]),
            Ground::Light => ([0xff, 0xff, 0xff], [0x2a, 0xa5, 0x6c]),
        };
        let mix = |at: usize| {
            let (from, to) = (f32::from(from[at]), f32::from(to[at]));
            (from + (to - from) * share).round() as u8
        };
        let ground = [mix(0), mix(1), mix(2)];
        // At this luminance black and white stand out equally.
        let text = if luminance(ground) > 0.179 { Color::Rgb(0, 0, 0) } else { Color::Rgb(0xff, 0xff, 0xff) };
        Style::new().fg(text).bg(Color::Rgb(ground[0], ground[1], ground[2]))
    }

    fn indexed(&self, share: f32) -> Style {
        let steps: [(u8, u8); 4] = match self.ground {
            Ground::Dark => [(22, 231), (29, 16), (35, 16), (42, 16)],
            Ground::Light => [(194, 16), (157, 16), (120, 16), (77, 16)],
        };
        let (ground, text) = steps[((share * 4.0).ceil() as usize).clamp(1, 4) - 1];
        Style::new().fg(Color::Indexed(text)).bg(Color::Indexed(ground))
    }

    fn ansi(&self, share: f32) -> Style {
        let (weak, strong) = (Style::new().fg(Color::Green), Style::new().fg(Color::Black).bg(Color::Green));
        match share {
            share if share < 1.0 / 3.0 => weak,
            share if share < 2.0 / 3.0 => weak.add_modifier(Modifier::UNDERLINED),
            _ => strong,
        }
    }
}

/// Returns the relative luminance of an sRGB colour (WCAG 2).
fn luminance(rgb: [u8; 3]) -> f32 {
    let linear = rgb.map(|channel| {
        let channel = f32::from(channel) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(color: Option<Color>) -> [u8; 3] {
        match color {
            Some(Color::Rgb(r, g, b)) => [r, g, b],
            other => panic!("{other:?} has no channels"),
        }
    }

    #[test]
    fn text_can_be_read_on_every_tint() {
        for ground in [Ground::Dark, Ground::Light] {
            let theme = Theme::new(Depth::True, ground);
            for step in 1..=100u8 {
                let style = theme.tint(f32::from(step) / 100.0);
                let (text, under) = (luminance(rgb(style.fg)), luminance(rgb(style.bg)));
                let contrast = (text.max(under) + 0.05) / (text.min(under) + 0.05);
                assert!(contrast >= 4.5, "{ground:?} at {step} %: {contrast}");
            }
        }
    }

    #[test]
    fn a_stronger_activation_is_tinted_deeper() {
        for ground in [Ground::Dark, Ground::Light] {
            let theme = Theme::new(Depth::True, ground);
            let tints: Vec<f32> = (1..=20u8).map(|at| luminance(rgb(theme.tint(f32::from(at) / 20.0).bg))).collect();
            let deepens = |pair: &[f32]| if ground == Ground::Dark { pair[0] < pair[1] } else { pair[0] > pair[1] };
            assert!(tints.windows(2).all(deepens), "{tints:?}");
            for depth in [Depth::Mono, Depth::Ansi, Depth::Indexed, Depth::True] {
                let theme = Theme::new(depth, ground);
                assert_eq!(theme.tint(0.0), theme.text);
                assert_eq!(theme.tint(f32::NAN), theme.text);
                let steps = [0.0, 0.1, 0.9].map(|share| theme.tint(share));
                assert!(steps[0] != steps[1] && steps[1] != steps[2], "{depth:?} tells weak from strong");
            }
        }
    }
}
