//! SVG documents: figures fit for a paper, with their texts as text.

use super::xml;
use std::fmt::{self, Write as _};

/// SVG document that is being written, one element a line.
pub(crate) struct Svg(String);

/// Looks of a whole document.
pub(crate) struct Page<'a> {
    /// Width, in pixels.
    pub width: f64,
    /// Height, in pixels.
    pub height: f64,
    /// Size of text that names none of its own.
    pub font_size: f64,
    /// Colour of text that names none of its own.
    pub ink: &'a str,
    /// Colour behind everything.
    pub paper: &'a str,
    /// Title, which readers show beside the pointer.
    pub title: &'a str,
}

impl Svg {
    /// Begins a document with its title and background.
    pub fn new(page: &Page<'_>) -> Self {
        let Page { width, height, font_size, ink, paper, title } = page;
        let mut svg = Self(String::new());
        svg.put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="{font_size}" fill="{ink}">"#
        ));
        svg.put(format_args!("<title>{}</title>", xml(title)));
        svg.put(format_args!(r#"<rect width="100%" height="100%" fill="{paper}"/>"#));
        svg
    }

    /// Writes an element that is given as it stands, its texts escaped already.
    pub fn put(&mut self, element: fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    /// Writes a text at a point; `attributes` begins with a blank where there are any.
    pub fn text(&mut self, (x, y): (f64, f64), attributes: &str, text: &str) {
        self.put(format_args!(r#"<text x="{x:.1}" y="{y:.1}"{attributes}>{}</text>"#, xml(text)));
    }

    /// Ends the document and returns it.
    pub fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}
