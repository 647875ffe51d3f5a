//! Escaping of a graph's texts by the grammar of each format, whatever they hold. The texts are free of control
//! characters ([`harmless`](super::sheet::harmless)) but for [`xml`], which reports outside of this module use too.

use std::fmt::Write as _;

/// Escapes a text in Markdown, within a line or a cell of a table, so that it is plain text: no code, no HTML, no link.
pub(crate) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = '\0';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // Cells of a table are told apart before anything else is.
            '|' => out.push_str("&#124;"),
            '@' => out.push_str("&#64;"),
            '\\' | '*' | '_' | '`' | '[' | ']' | '#' | '$' | '~' | '>' | '^' | '{' | '}' | '!' => out.extend(['\\', c]),
            // Addresses become links where they stand.
            ':' if rest.peek() == Some(&'/') => out.push_str("\\:"),
            '.' if before.eq_ignore_ascii_case(&'w') => out.push_str("\\."),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Escapes the same at the start of a line, so that it is no list, no heading, no indented code.
pub(crate) fn line(text: &str) -> String {
    let escaped = inline(text);
    let Some(first) = text.chars().next() else { return escaped };
    // Whatever `inline` made of it begins with a sign that opens no block.
    if !escaped.starts_with(first) {
        return escaped;
    }
    if first.is_ascii_digit() {
        let digits = escaped.len() - escaped.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = escaped.split_at(digits);
        return if rest.starts_with(['.', ')']) { format!("{number}\\{rest}") } else { escaped };
    }
    if first.is_ascii_alphanumeric() || !first.is_ascii() {
        return escaped;
    }
    format!("&#{};{}", u32::from(first), &escaped[first.len_utf8()..])
}

/// Writes a text in Markdown as code, so that its spaces are seen; where it cannot be code in every table, between
/// quotation marks.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() || text.contains(['|', '`', '\\']) {
        return format!("“{}”", inline(text));
    }
    let is_blank = text.chars().all(|c| c == ' ');
    // A space at both ends is taken away.
    if text.starts_with(' ') && text.ends_with(' ') && !is_blank { format!("` {text} `") } else { format!("`{text}`") }
}

/// Escapes a text between the quotation marks of graphviz's language.
pub(super) fn dot(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Escapes the same for a label, in which entities stand for characters.
pub(super) fn dot_label(text: &str) -> String {
    dot(&text.replace('&', "&amp;"))
}

/// Escapes a text between quotation marks in Mermaid: everything that the language or HTML may take for its own becomes
/// an entity, and so do the characters of which Mermaid's own entities consist.
pub(super) fn mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '.' | ',' | '-' | '+' | '%' | '(' | ')' | ':' | ' ' => out.push(c),
            c if c.is_ascii_punctuation() || c == 'ﬂ' => {
                // Writing to a text cannot fail.
                let _ = write!(out, "#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Escapes a text within an element or an attribute of XML; a character that XML does not allow becomes U+FFFD.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Writes a text as a cell of a table, behind an apostrophe where a spreadsheet would take it for a formula (or where
/// it begins with an apostrophe itself).
pub(super) fn cell(text: String) -> String {
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if text.trim_start_matches('\'').starts_with(formula) { format!("'{text}") } else { text }
}
