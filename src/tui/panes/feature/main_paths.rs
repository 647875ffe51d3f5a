//! Main paths of the circuit in words, in place of the contexts that only features have.

use crate::graph::Path;
use crate::ids::NodeId;
use crate::text;
use crate::tui::panes::feature::view::{ACTIVATION, Line};
use crate::tui::screen::key_of;
use crate::tui::state::State;
use crate::tui::ui::wrap;
use crate::tui::workspace::overview::Ends;
use crate::tui::workspace::{Circuit, Filter};

/// Returns the lines: what the paths are, the paths with their shares, and the keys that lead on.
pub(super) fn rows(state: &State, circuit: &Circuit, width: usize) -> Vec<Line> {
    let theme = &state.screen.look.theme;
    let wrapped = |says: &str, style| wrap(says, width.max(1)).into_iter().map(move |line| vec![(line, style)]);
    let mut rows: Vec<Line> = Vec::new();
    match circuit.main_paths() {
        None => rows.extend(wrapped("No output is kept that paths could lead to", theme.quiet)),
        Some((ends, paths)) => {
            rows.extend(wrapped(&title(state, circuit, ends), theme.strong));
            match paths {
                None => rows.extend(wrapped("looking for paths", theme.quiet)),
                Some(paths) if paths.found.is_empty() => rows.extend(wrapped(&none(state, circuit, ends), theme.quiet)),
                Some(paths) => {
                    rows.extend(paths.found.iter().flat_map(|path| path_rows(state, circuit, path, width)));
                    let output = word(state, circuit, ends.to);
                    let all = text::percent(paths.coverage());
                    let says = format!("of what flows into {output}; together {} of all such paths", all.trim_start());
                    rows.extend(wrapped(&says, theme.quiet));
                }
            }
        }
    }
    rows.push(Vec::new());
    let key = |name: &str| key_of(name, state);
    let keys = [
        (key("jump"), "along a numbered connection, to what is behind it"),
        (key("side"), "number outputs instead of inputs, or back"),
        (key("paths"), "here and at another node: all paths between both"),
        (key("pin"), "pin it: what is pinned is drawn as a circuit"),
    ];
    let wide = keys.iter().map(|(key, _)| text::width(key)).max().unwrap_or(0) + 2;
    rows.extend(keys.into_iter().map(|(key, does)| {
        let gap = " ".repeat(wide - text::width(&key));
        vec![(format!("{key}{gap}"), theme.accent), (does.to_owned(), theme.quiet)]
    }));
    rows
}

/// Names the paths, and says what the selected node is where its name does not.
fn title(state: &State, circuit: &Circuit, ends: Ends) -> String {
    let output = word(state, circuit, ends.to);
    match ends.from {
        None => format!("Main paths to {output}"),
        Some(from) if circuit.node(from).is_error() => {
            let name = circuit.name(from, &state.screen.look.glyphs);
            format!("Main paths from {name} to {output}; an error is what the transcoder misses of this layer")
        }
        Some(from) => format!("Main paths from {} to {output}", word(state, circuit, from)),
    }
}

/// Says why there is no path.
fn none(state: &State, circuit: &Circuit, ends: Ends) -> String {
    if circuit.traced.document.graph.is_cyclic() {
        return "The links form a cycle, around which no path is strongest".to_owned();
    }
    let from = if ends.from.is_some() { "here" } else { "a token" };
    let helps = match circuit.marks.filter.as_ref().is_some_and(Filter::is_hiding) {
        true => format!("{} puts the filter aside", key_of("filter-off", state)),
        false => format!("{} keeps more nodes", key_of("nodes-more", state)),
    };
    format!("No path of kept edges leads there from {from}: {helps}")
}

/// Returns a path's lines: its share, and its nodes from the first to the output.
fn path_rows(state: &State, circuit: &Circuit, path: &Path, width: usize) -> Vec<Line> {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let names: Vec<String> = path.nodes.iter().map(|node| word(state, circuit, *node)).collect();
    let way = names.join(&format!(" {} ", glyphs.to_output));
    let sign = if path.strength < 0.0 { '-' } else { '+' };
    let share = format!("{sign}{}", text::percent(path.strength.abs()).trim_start());
    let mut lead = format!("{share:>6}  ");
    let lines = wrap(&way, width.saturating_sub(ACTIVATION).max(1)).into_iter();
    lines
        .map(|line| {
            let lead = std::mem::replace(&mut lead, " ".repeat(ACTIVATION));
            vec![(lead, theme.sign(path.strength as f32)), (line, theme.text)]
        })
        .collect()
}

/// Returns a node's name in a path: of a token or an output its text, of others the label, or name and place.
fn word(state: &State, circuit: &Circuit, id: NodeId) -> String {
    let glyphs = &state.screen.look.glyphs;
    let node = circuit.node(id);
    if let Some((label, _)) = circuit.label(id) {
        glyphs.visible(label)
    } else if let Some(logit) = node.logit() {
        glyphs.visible(&logit.text)
    } else if node.token_id().is_some() {
        circuit.token_at(node.position(), glyphs)
    } else {
        circuit.name(id, glyphs)
    }
}
