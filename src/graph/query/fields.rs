//! The terms of the filter language, in one table.

use std::fmt::Write;

/// A number of a node or an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberField {
    /// Layer of a feature or an error.
    Layer,
    /// Position in the prompt.
    Position,
    /// Index of a feature in its layer.
    Feature,
    /// Activation of a feature.
    Activation,
    /// Cumulative influence score: the file's where it gives one.
    Influence,
    /// Cumulative influence score in the remaining graph, where that was pruned before.
    Recomputed,
    /// Density of the feature.
    Density,
    /// Share of the node in the selected node's input.
    Input,
    /// Share of the selected node in the node's input.
    Output,
    /// Share of the edge in its target's input.
    Share,
    /// Weight of the edge.
    Weight,
    /// Absolute weight of the edge.
    AbsoluteWeight,
}

impl NumberField {
    /// Returns true for a number of an edge, not of a node.
    pub fn is_of_edge(self) -> bool {
        matches!(self, Self::Share | Self::Weight | Self::AbsoluteWeight)
    }

    /// Returns true where graphs hold it in single precision.
    pub(super) fn is_single(self) -> bool {
        matches!(self, Self::Activation | Self::Influence | Self::Recomputed | Self::Weight | Self::AbsoluteWeight)
    }
}

/// A text of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    /// Id in graph JSON.
    Name,
    /// Label.
    Label,
    /// Token at its position, or of a logit its own.
    Token,
    /// Name of its supernode.
    Group,
    /// Any of the tokens that a feature promotes.
    Promotes,
    /// Any of the tokens that a feature suppresses.
    Suppresses,
}

/// Values that a term takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Numbers, ranges and comparisons.
    Number(NumberField),
    /// A text, or a part of one.
    Text(TextField),
    /// Kinds of node.
    Kinds,
    /// A sign.
    Sign,
    /// States of a node in the user's work.
    State,
    /// Condition on the edge's source: a term, or several in brackets.
    From,
    /// Condition on the edge's target: a term, or several in brackets.
    To,
}

/// A term of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Written form.
    pub name: &'static str,
    /// Values that it takes.
    pub takes: Takes,
    /// Meaning, in a few words.
    pub doc: &'static str,
    /// Example, as it may be typed.
    pub example: &'static str,
}

const fn field(name: &'static str, takes: Takes, doc: &'static str, example: &'static str) -> Field {
    Field { name, takes, doc, example }
}

/// All terms.
pub const FIELDS: [Field; 23] = {
    use NumberField as N;
    use Takes::{From, Kinds, Number, Sign, State, Text, To};
    use TextField as T;
    [
        field(
            "type",
            Kinds,
            "kind of node: feature, error, token (or E), logit, other, lorsa, lorsa-error, bias, unknown",
            "type:feature,token",
        ),
        field("layer", Number(N::Layer), "layer of a feature or error; -1 is the last", "layer:10..20"),
        field("pos", Number(N::Position), "place in the prompt from 0; -1 is the last", "pos:-1"),
        field("feature", Number(N::Feature), "a feature's index in its layer", "feature:2268"),
        field("act", Number(N::Activation), "a feature's activation", "act>2"),
        field(
            "influence",
            Number(N::Influence),
            "cumulative influence, the file's own; low is important",
            "influence<0.6",
        ),
        field("recomputed", Number(N::Recomputed), "influence among what is left, if pruned before", "recomputed<0.6"),
        field("density", Number(N::Density), "how often the feature fires at all", "density<0.01"),
        field("in", Number(N::Input), "the node's share of the selected node's input", "in>0.1"),
        field("out", Number(N::Output), "the selected node's share of the node's input", "out>0.1"),
        field("id", Text(T::Name), "the node's id in graph JSON", "id:14_2268_9"),
        field("label", Text(T::Label), "the node's label", "label~texas"),
        field("token", Text(T::Token), "the token at its place; of a logit, its own", "token~Dallas"),
        field("group", Text(T::Group), "the name of its supernode", "group:state"),
        field("promotes", Text(T::Promotes), "a token that the feature writes for", "promotes~Austin"),
        field("suppresses", Text(T::Suppresses), "a token that the feature writes against", "suppresses~Texas"),
        field("is", State, "selected, pinned, grouped or labelled", "is:pinned"),
        field("w", Number(N::Weight), "the edge's weight", "w<-0.5"),
        field("|w|", Number(N::AbsoluteWeight), "the edge's absolute weight", "|w|>0.05"),
        field("share", Number(N::Share), "the edge's share of its target's input, sign aside", "share>0.02"),
        field("sign", Sign, "the edge's sign, + or -", "sign:-"),
        field("from", From, "where it comes from: a kind, an id, a text, a term, a bracket", "from:E"),
        field("to", To, "where it leads to: a kind, an id, a text, a term, a bracket", "to:(layer:20.. label~say)"),
    ]
};

/// Returns the field of this name.
pub(super) fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(name))
}

/// Returns the grammar, as help and documentation print it.
pub fn grammar() -> String {
    let mut text = String::from(
        "A filter is terms side by side, which all have to hold; `or`, `not` and brackets combine\n\
         them (`not` binds most, then `and`, which may be left out, then `or`). Case does not matter.\n\n",
    );
    let wide = FIELDS.iter().map(|field| field.example.len()).max().unwrap_or_default();
    for field in FIELDS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:wide$}  {}", field.example, field.doc);
    }
    text.push_str(
        "\nNumbers take < <= > >= and : for a value, a range (10..20, ..5, 3.., both ends included) or\n\
         a list (1,3..5). Texts take ~ for a part and : for the whole; with spaces or signs in it a\n\
         text stands in quotes. A kind on its own is that kind (`logit`, `E`), any other text is looked\n\
         for in labels, tokens and ids.\n\n\
         On an edge, a term about nodes holds where it holds for either end; from: and to: say which.\n\
         On a node, a term about edges holds where one of its kept edges satisfies it, from: one that\n\
         comes in and to: one that goes out. Inside from:(...) and to:(...), terms are about the far\n\
         end and that one edge.\n\n\
         What is not known yet, such as promoted tokens that are still being computed, matches neither\n\
         a term nor its `not`, and is said.\n",
    );
    text
}
