//! Job that writes the export or copies it, and the commands that lead to it.

use crate::format::{DrawnEdges, Format, Options};
use crate::job::Monitor;
use crate::tui::dialogs::export::Export;
use crate::tui::runtime::clipboard::LONGEST;
use crate::tui::runtime::jobs::Services;
use crate::tui::runtime::{Effect, JobKey};
use crate::tui::state::State;
use crate::{format, text};
use std::path::{Path, PathBuf};

/// Job that writes exports.
pub const EXPORT: JobKey = JobKey::new("export").writing();

/// Outcome of an export.
enum Exported {
    /// Path of the file that was written, and the edges of a drawing.
    Written(PathBuf, Option<DrawnEdges>),
    /// A file of this name existed, and was left as it is.
    IsThere,
    /// Text to be copied.
    Text(String),
}

pub(in crate::tui) fn open_export(state: &mut State) {
    let Some(circuit) = &state.workspace.circuit else { return };
    let origin = &circuit.traced.document.origin;
    // The graph's own name without its ending, in its folder; else what viewers call it. Graph JSON is not exported
    // onto itself.
    let file = state.workspace.files.get(&state.workspace.graph_id).map(|file| {
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        file.with_extension(if is_json { "exported" } else { "" })
    });
    let stem =
        file.unwrap_or_else(|| PathBuf::from(if origin.slug.is_empty() { "circuit" } else { origin.slug.as_str() }));
    // A graph from Neuronpedia is handed on by a link more often than as a file.
    let format = if origin.page.is_some() { Format::url() } else { Format::json() };
    // An export that is still being written has no say in this one.
    state.jobs.forget(EXPORT);
    let has_pins = !circuit.edits.now().pins.is_empty();
    state.dialogs.open(Export::new(&stem, format, has_pins));
}

pub(in crate::tui) fn change_export(state: &mut State, change: impl FnOnce(&mut Export)) {
    if let Some(export) = state.dialogs.get_mut::<Export>() {
        change(export);
    }
}

/// Writes the export. An existing file is overwritten only when it was asked for twice.
pub(in crate::tui) fn write_export(state: &mut State) {
    let Some(export) = state.dialogs.get::<Export>() else { return };
    let path = export.path();
    if path.as_os_str().is_empty() {
        state.screen.say("Write where to export it to");
        return;
    }
    if state.workspace.files.values().any(|file| is_same(file, &path)) {
        state.screen.warn("This is the graph itself: export it to another file");
        return;
    }
    send(state, Some(path));
}

/// Copies the export in place of writing it.
pub(in crate::tui) fn copy_export(state: &mut State) {
    send(state, None);
}

fn send(state: &mut State, path: Option<PathBuf>) {
    let (Some(export), Some(circuit)) = (state.dialogs.get::<Export>(), &state.workspace.circuit) else { return };
    let (part, drawing) = (Some(export.part()), export.drawing());
    let options = Options { format: export.format(), part, drawing, ..Options::default() };
    let (document, edited) = (circuit.traced.document.clone(), circuit.edits.now().clone());
    let overwrites = export.is_there;
    let work = move |_: &Services, _: &Monitor| {
        let kept = document.prune(edited.thresholds);
        let Some(path) = path else {
            let mut out = Vec::new();
            let written = format::export_to(&document, &kept, &edited, &options, &mut out);
            written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            return Ok(Exported::Text(String::from_utf8_lossy(&out).into_owned()));
        };
        if !overwrites && path.exists() {
            return Ok(Exported::IsThere);
        }
        let edges = format::export(&document, &kept, &edited, &options, &path).map_err(|error| error.to_string())?;
        Ok(Exported::Written(path, edges))
    };
    state.jobs.submit(EXPORT, work, take_exported);
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || std::path::absolute(one).ok() == std::path::absolute(other).ok()
}

fn take_exported(state: &mut State, result: Result<Exported, String>) {
    let Some(export) = state.dialogs.get_mut::<Export>() else { return };
    match result {
        Ok(Exported::IsThere) => export.is_there = true,
        Ok(Exported::Written(path, edges)) => {
            state.dialogs.close_all();
            let some = edges.and_then(|edges| edges.said()).map_or_else(String::new, |said| format!("; {said}"));
            state.screen.say(format!("Exported to {}{some}", path.display()));
        }
        Ok(Exported::Text(text)) if text.len() > LONGEST => {
            state.screen.warn("This is too long for the clipboard of most terminals: write it to a file");
        }
        Ok(Exported::Text(text)) => {
            let text = text.trim_end().to_owned();
            state.dialogs.close_all();
            state.screen.say(format!("Copied {}", text::counted(text.lines().count(), "line")));
            state.screen.effects.push(Effect::Copy(text));
        }
        Err(why) => state.screen.warn(why),
    }
}
