//! Grammar of filters, wrapped.

use crate::graph::query::{FIELDS, grammar};
use crate::tui::ui::wrap;

/// Returns the grammar in lines of at most `room` cells. A term's explanation goes on under its own beginning.
pub(in crate::tui) fn lines(room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in grammar().lines() {
        let term = FIELDS.iter().find(|field| line.trim_start().starts_with(field.example));
        match term.and_then(|field| line.split_once(field.doc).map(|(lead, _)| (lead, field.doc))) {
            Some((lead, doc)) if lead.len() + 12 < room => {
                let rest = wrap(doc, room - lead.len());
                let leads = std::iter::once(lead.to_owned()).chain(std::iter::repeat(" ".repeat(lead.len())));
                lines.extend(leads.zip(rest).map(|(lead, rest)| format!("{lead}{rest}")));
            }
            _ => lines.extend(wrap(line.trim_start(), room.max(1))),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_grammar_is_there_at_any_width() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for room in [200, 96, 72, 40] {
            let lines = lines(room);
            assert!(lines.iter().all(|line| line.chars().count() <= room), "{lines:#?}");
            assert_eq!(words(&lines.join("\n")), words(&grammar()));
        }
    }
}
