//! Export of the circuit: as a file for other programs, or as a figure.

use crate::format::{self, Format, Options};
use crate::job::Monitor;
use crate::text;
use crate::tui::app::State;
use crate::tui::clipboard::LONGEST;
use crate::tui::dialogs::export::Export;
use crate::tui::effect::Effect;
use crate::tui::runtime::jobs::{JobKey, Services};
use std::path::{Path, PathBuf};

/// Job that writes exports.
pub const EXPORT: JobKey = JobKey::new("export").writing();

/// Outcome of an export.
enum Exported {
    /// Path of the file that was written.
    Written(PathBuf),
    /// A file of this name existed, and was left as it is.
    IsThere,
    /// Text to be copied.
    Text(String),
}

pub(in crate::tui) fn open_export(state: &mut State) {
    let Some(circuit) = &state.circuit else { return };
    let origin = &circuit.traced.document.origin;
    // The graph's own name without its ending, in its folder; else what viewers call it. Graph JSON is not exported
    // onto itself.
    let file = state.files.get(&state.graph_id).map(|file| {
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        file.with_extension(if is_json { "exported" } else { "" })
    });
    let stem =
        file.unwrap_or_else(|| PathBuf::from(if origin.slug.is_empty() { "circuit" } else { origin.slug.as_str() }));
    // A graph from Neuronpedia is handed on by a link more often than as a file.
    let format = if origin.page.is_some() { Format::Url } else { Format::Json };
    // An export that is still being written has no say in this one.
    state.jobs.forget(EXPORT);
    state.dialogs.open(Export::new(&stem, format));
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
        state.say("Write where to export it to");
        return;
    }
    if state.files.values().any(|file| is_same(file, &path)) {
        state.warn("This is the graph itself: export it to another file");
        return;
    }
    send(state, Some(path));
}

/// Copies the export in place of writing it.
pub(in crate::tui) fn copy_export(state: &mut State) {
    send(state, None);
}

fn send(state: &mut State, path: Option<PathBuf>) {
    let (Some(export), Some(circuit)) = (state.dialogs.get::<Export>(), &state.circuit) else { return };
    let options = Options {
        format: export.format(),
        part: export.part(),
        slug: String::new(),
        scan: None,
        theme: export.theme(),
    };
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
        format::export(&document, &kept, &edited, &options, &path).map_err(|error| error.to_string())?;
        Ok(Exported::Written(path))
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
        Ok(Exported::Written(path)) => {
            state.dialogs.close_all();
            state.say(format!("Exported to {}", path.display()));
        }
        Ok(Exported::Text(text)) if text.len() > LONGEST => {
            state.warn("This is too long for the clipboard of most terminals: write it to a file");
        }
        Ok(Exported::Text(text)) => {
            let text = text.trim_end().to_owned();
            state.dialogs.close_all();
            state.say(format!("Copied {}", text::counted(text.lines().count(), "line")));
            state.effects.push(Effect::Copy(text));
        }
        Err(why) => state.warn(why),
    }
}
