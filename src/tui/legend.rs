//! Meaning of the marks on the screen, in one table, from which the help and the manual page are made.

use crate::text::glyph::Glyphs;

/// Mark, as a character set shows it, and its meaning.
pub struct Mark {
    /// Sign of the mark.
    pub sign: fn(&Glyphs) -> String,
    /// Meaning of the mark.
    pub doc: &'static str,
}

const fn mark(sign: fn(&Glyphs) -> String, doc: &'static str) -> Mark {
    Mark { sign, doc }
}

/// Every mark, by where it stands.
pub const LEGEND: [(&str, &[Mark]); 5] = [
    (
        "Marks in the graph",
        &[
            mark(
                |of| [of.feature, of.feature_far].join(" "),
                "features: the selected one and its neighbours, and others",
            ),
            mark(|of| of.error.into(), "an error node: what the transcoder misses"),
            mark(|of| of.logit.into(), "an output"),
            mark(|of| of.other.into(), "a node of another kind, from a file"),
            mark(|of| of.pin.into(), "a pinned node"),
            mark(|of| of.lattice.into(), "no kept node at this layer and position"),
            mark(|of| format!("{}5", of.times), "so many nodes in one place; in boxes, so many members"),
            mark(|_| "1 2 3".into(), "keys that jump along connections, the strongest first"),
            mark(|of| of.line.join(""), "an edge that adds"),
            mark(|of| of.line_negative.join(""), "an edge that takes away; in Braille it is dashed"),
        ],
    ),
    (
        "Marks of two graphs and of several",
        &[
            mark(|_| "[A]".into(), "before a label: only the first graph keeps the feature"),
            mark(|_| "[B]".into(), "only the second keeps it"),
            mark(|_| "[A=B]".into(), "both keep it, and it is much the same"),
            mark(|of| of.visible("[A≠B]"), "both keep it, and its activation differs by more than a fifth"),
            mark(|_| "[A~B]".into(), "it stands differently at different positions"),
            mark(|_| "[2/3]".into(), "so many of several graphs keep it"),
            mark(|_| "A B".into(), "in place of a node's sign: only this graph keeps it"),
            mark(|_| "=".into(), "both keep it, and it is much the same"),
            mark(|of| of.differs.into(), "both keep it, and it differs"),
            mark(|_| "+".into(), "some of several graphs keep it, not all"),
        ],
    ),
    (
        "Marks in lists, the tree and the walk",
        &[
            mark(|_| "~label".into(), "nobody gave this label: it was made from contexts"),
            mark(|of| of.folds.concat(), "a branch that is closed, and one that is open"),
            mark(|of| of.standings[0].into(), "core: nearly all prunings keep it"),
            mark(|of| of.standings[1].into(), "contingent: some prunings keep it"),
            mark(|of| of.standings[2].into(), "noise: hardly any pruning keeps it"),
            mark(|of| of.repeated.into(), "this node stands further above already"),
            mark(|of| of.to_input.into(), "from a node to one of its inputs"),
            mark(|of| of.to_output.into(), "from a node to one of its outputs"),
            mark(|of| of.elsewhere.into(), "from a node to one that was gone to directly"),
            mark(|of| of.ellipsis.into(), "something was left out for want of room"),
            mark(|of| of.visible(" token"), "a token that begins with a space"),
            mark(|of| of.visible("\n"), "a new line in a token; other invisible characters have signs too"),
        ],
    ),
    (
        "The line below the prompt",
        &[
            mark(|_| "partial".into(), "the trace was stopped before every feature had its row"),
            mark(
                |_| "pre-pruned".into(),
                "the file was pruned, at these node and edge thresholds, before it was written",
            ),
            mark(|_| "warned".into(), "the trace holds warnings; ! where there is no room"),
            mark(|_| "half precision".into(), "it was computed in numbers of 16 bits or fewer"),
            mark(|_| "recomputed:".into(), "what follows is computed here of what is left; re: for short"),
            mark(|_| "replacement r".into(), "share of influence that comes from tokens, not from errors"),
            mark(|_| "completeness c".into(), "share of the nodes' input that is no error"),
            mark(|_| "nodes n".into(), "kept nodes of all, and the threshold"),
            mark(|_| "edges e".into(), "kept edges of all, and the threshold"),
            mark(|_| "density d".into(), "the largest share of tokens on which a kept feature fires"),
            mark(|_| "influence i".into(), "share of all influence that the kept nodes hold"),
            mark(|_| "errors x".into(), "share of the selected node's input that comes from errors"),
            mark(|_| "pins p".into(), "pinned nodes, with replacement and completeness of them alone"),
            mark(|_| "chosen ch".into(), "nodes chosen for the next edit"),
        ],
    ),
    (
        "Words",
        &[
            mark(|_| "influence".into(), "of a node: the share of all influence in nodes at least as influential; low"),
            mark(|_| "".into(), "is important. The file's own where it gives one; thresholds compare with it"),
            mark(|_| "recomputed".into(), "the same among what is left of a graph that was pruned before"),
            mark(|_| "rank".into(), "1 is the most influential node; adds: its own part of its influence"),
            mark(|_| "share".into(), "of an edge: its part of everything that flows into its target"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use crate::text::glyph::Charset;

    #[test]
    fn every_mark_is_seen_and_told_apart_from_the_others_of_its_place() {
        for charset in [Charset::Ascii, Charset::Unicode, Charset::Braille] {
            let glyphs = Glyphs::new(charset);
            for (place, marks) in LEGEND {
                let signs: Vec<String> = marks.iter().map(|mark| (mark.sign)(&glyphs)).collect();
                let seen: Vec<&String> = signs.iter().filter(|sign| !sign.trim().is_empty()).collect();
                for (at, sign) in seen.iter().enumerate() {
                    assert!(!seen[..at].contains(sign), "{place} in {charset:?}: {sign} means two things");
                    assert!(text::width(sign) <= 18, "{sign} is wider than its column");
                }
            }
        }
    }
}
