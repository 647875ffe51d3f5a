//! Handing the circuit on: as a file for other programs, or as a figure.

use crate::format::{Format, Options};
use crate::text;
use crate::tui::app::{Popup, State};
use crate::tui::clipboard::LONGEST;
use crate::tui::effect::Effect;
use crate::tui::popup::export::Export;
use crate::tui::work::Exported;
use std::path::{Path, PathBuf};

pub(in crate::tui) fn open_export(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let origin = &circuit.traced.document.origin;
    // The graph's own name without its ending, in its folder; else what viewers call it. Graph JSON is not exported onto
    // itself.
    let file = state.files.get(&state.circuit_generation).map(|file| {
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        file.with_extension(if is_json { "exported" } else { "" })
    });
    let stem =
        file.unwrap_or_else(|| PathBuf::from(if origin.slug.is_empty() { "circuit" } else { origin.slug.as_str() }));
    // What came from Neuronpedia is handed on by a link more often than as a file.
    let format = if origin.page.is_some() { Format::Url } else { Format::Json };
    state.popup = Some(Popup::Export(Box::new(Export::new(&stem, format))));
}

pub(in crate::tui) fn change_export(state: &mut State, change: impl FnOnce(&mut Export)) {
    if let Some(Popup::Export(export)) = &mut state.popup {
        change(export);
    }
}

/// Writes it. A file that is there is written over only when it was asked for twice.
pub(in crate::tui) fn write_export(state: &mut State) {
    let Some(Popup::Export(export)) = &state.popup else { return };
    let path = export.path();
    if path.as_os_str().is_empty() {
        state.say("Write where to export it to");
        return;
    }
    if state.files.values().any(|file| is_same(file, &path)) {
        state.warn("This is the graph itself: export it to another file");
        return;
    }
    send(state, Some(path));
}

/// Copies it in place of writing it.
pub(in crate::tui) fn copy_export(state: &mut State) {
    send(state, None);
}

fn send(state: &mut State, path: Option<PathBuf>) {
    let generation = state.next_generation();
    let (Some(Popup::Export(export)), Some(circuit)) = (&mut state.popup, &state.circuit) else { return };
    let options = Options {
        format: export.format(),
        part: export.part(),
        slug: String::new(),
        scan: None,
        theme: export.theme(),
    };
    export.generation = Some(generation);
    let (document, edited) = (circuit.traced.document.clone(), circuit.edits.now().clone());
    let overwrites = export.is_there;
    state.effects.push(Effect::Export { generation, document, edited, options, path, overwrites });
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || std::path::absolute(one).ok() == std::path::absolute(other).ok()
}

pub(in crate::tui) fn take_exported(state: &mut State, generation: u64, result: Result<Exported, String>) {
    let Some(Popup::Export(export)) = &mut state.popup else { return };
    if export.generation != Some(generation) {
        return;
    }
    state.dirty = true;
    match result {
        Ok(Exported::IsThere) => export.is_there = true,
        Ok(Exported::Written(path)) => {
            state.popup = None;
            state.say(format!("Exported to {}", path.display()));
        }
        Ok(Exported::Text(text)) if text.len() > LONGEST => {
            state.warn("This is too long for the clipboard of most terminals: write it to a file");
        }
        Ok(Exported::Text(text)) => {
            let text = text.trim_end().to_owned();
            state.popup = None;
            state.say(format!("Copied {}", text::counted(text.lines().count(), "line")));
            state.effects.push(Effect::Copy(text));
        }
        Err(why) => state.warn(why),
    }
}
