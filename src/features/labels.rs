//! Labels in files of their own: CSV, JSON lines, or the `clerp`s of a graph.

use crate::features::{FeatureError, lines, neuronpedia};
use crate::format;
use crate::graph::Labelled;
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::untrusted::{excerpt, json_fault};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// File of labels of a store that an import made.
pub const LABELS: &str = "labels.jsonl";

/// Labels by feature.
pub type LabelMap = HashMap<(Layer, FeatureId), String>;

/// Line of a file of labels.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LabelLine {
    pub layer: u32,
    #[serde(alias = "index")]
    pub feature: u32,
    #[serde(alias = "description", alias = "clerp")]
    pub label: String,
}

/// Reads a file of labels. `.jsonl` holds an object `{"layer", "feature", "label"}` a line or rows of Neuronpedia's
/// explanations, gzipped or not; `.csv` holds `layer,feature,label`, in another order if its first line says so; any
/// other is a graph, whose feature labels are taken.
///
/// # Errors
/// Fails where the file cannot be read, or a line makes no sense.
pub fn read(path: &Path, monitor: &Monitor) -> Result<LabelMap, FeatureError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match name.trim_end_matches(".gz") {
        name if name.ends_with(".jsonl") => json_lines(path, monitor),
        name if name.ends_with(".csv") => csv(path, monitor),
        _ => {
            let document = format::open(path)?;
            let own = document.labels.iter().filter_map(|(what, label)| match what {
                Labelled::Feature(layer, feature) => Some(((*layer, *feature), label.clone())),
                _ => None,
            });
            Ok(own.collect())
        }
    }
}

const READING: &str = "reading labels";
/// Bytes of the longest record that spans several lines.
const LONGEST: usize = 1 << 16;

fn json_lines(path: &Path, monitor: &Monitor) -> Result<LabelMap, FeatureError> {
    let mut labels = LabelMap::new();
    lines::each(path, (READING, 0, 0), monitor, |number, line| {
        let wrong = |what| FeatureError::Line { file: path.display().to_string(), line: number, what };
        let (key, label) = match neuronpedia::row(line) {
            Ok((named, neuronpedia::Content::Label(label))) => ((named.layer, named.feature), label),
            _ => {
                let line: LabelLine = serde_json::from_slice(line).map_err(|error| wrong(json_fault(&error)))?;
                ((Layer(line.layer), FeatureId(line.feature)), line.label)
            }
        };
        insert(&mut labels, key, &label);
        Ok(())
    })?;
    Ok(labels)
}

/// Inserts a label that is not blank, unless the feature has one.
fn insert(labels: &mut LabelMap, key: (Layer, FeatureId), label: &str) {
    let label = label.trim();
    if !label.is_empty() {
        labels.entry(key).or_insert_with(|| label.to_owned());
    }
}

fn csv(path: &Path, monitor: &Monitor) -> Result<LabelMap, FeatureError> {
    let mut labels = LabelMap::new();
    let mut columns: Option<[usize; 3]> = None;
    // Where a record began that goes on in the next line, since a quotation mark is open, and what there is of it.
    let mut open: Option<(u64, String)> = None;
    let wrong_in = |line, what: String| FeatureError::Line { file: path.display().to_string(), line, what };
    let not_closed = |line| wrong_in(line, "a quotation mark is not closed".to_owned());
    lines::each(path, (READING, 0, 0), monitor, |number, line| {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| wrong_in(number, "it is not UTF-8".to_owned()))?;
        let (number, text) = match open.take() {
            Some((number, before)) => (number, Cow::Owned(format!("{before}\n{text}"))),
            None => (number, Cow::Borrowed(text)),
        };
        let wrong = |what: String| wrong_in(number, what);
        let Some(cells) = cells(&text) else {
            if text.len() > LONGEST {
                return Err(not_closed(number));
            }
            open = Some((number, text.into_owned()));
            return Ok(());
        };
        let [layer_at, feature_at, label] = match columns {
            Some(columns) => columns,
            None => {
                let said = header(&cells);
                let order = *columns.insert(said.unwrap_or([0, 1, 2]));
                if said.is_some() {
                    return Ok(());
                }
                order
            }
        };
        let cell = |at: usize| cells.get(at).map(|cell| cell.trim()).unwrap_or_default();
        let (Ok(layer), Ok(feature)) = (cell(layer_at).parse(), cell(feature_at).parse()) else {
            let [layer, feature] = [layer_at, feature_at].map(|at| excerpt(cell(at)));
            return Err(wrong(format!("{layer:?} and {feature:?} are no layer and no feature")));
        };
        // A label with commas that nobody quoted is still one label where it stands last.
        let is_last = label > layer_at.max(feature_at) && label < cells.len();
        let text = if is_last { cells[label..].join(",") } else { cell(label).to_owned() };
        insert(&mut labels, (Layer(layer), FeatureId(feature)), &text);
        Ok(())
    })?;
    open.map_or(Ok(labels), |(number, _)| Err(not_closed(number)))
}

/// Returns the columns of layer, feature and label, if the cells are their names.
fn header(cells: &[String]) -> Option<[usize; 3]> {
    let find = |names: &[&str]| cells.iter().position(|cell| names.contains(&cell.trim().to_lowercase().as_str()));
    Some([find(&["layer"])?, find(&["feature", "index"])?, find(&["label", "description", "clerp"])?])
}

/// Splits a line into cells: a quoted one may hold commas, and doubled quotation marks. `None` where one is not closed.
fn cells(line: &str) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = cells.len() - 1;
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cells[last].push('"');
            }
            '"' if is_quoted || cells[last].is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            c => cells[last].push(c),
        }
    }
    (!is_quoted).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn labels(name: &str, content: &str) -> Result<Vec<(u32, u32, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let read = read(&path, &Monitor::default()).map_err(|error| error.to_string())?;
        let mut labels: Vec<_> = read.into_iter().map(|((l, f), label)| (l.0, f.0, label)).collect();
        labels.sort();
        Ok(labels)
    }

    #[test]
    fn csv_with_and_without_names_of_columns() {
        let both = vec![(0, 3, "cities, \"big\" ones".to_owned()), (12, 7, "verbs, past".to_owned())];
        let plain = "0,3,\"cities, \"\"big\"\" ones\"\r\n12,7, verbs, past\n";
        assert_eq!(labels("a.csv", plain), Ok(both.clone()));
        let named =
            "\u{feff}label,Index,layer\n\"cities, \"\"big\"\" ones\",3,0\n\n\"verbs, past\",7,12\n0\u{3000},1,1";
        assert_eq!(labels("a.csv", named).unwrap()[..], [both[0].clone(), (1, 1, "0".into()), both[1].clone()]);
        assert!(labels("a.csv", "0,3,a\nx,3,b").unwrap_err().contains("a.csv, line 2: \"x\" and \"3\""));
        assert!(labels("a.csv", "0,3,\"a").unwrap_err().contains("line 1: a quotation mark"));
        let two_lines = "0,3,\"cities,\nbig ones\"\r\n12,7,\"a\r\n\"\"b\"\"\"\n1,1,c";
        let wanted = [(0, 3, "cities,\nbig ones".into()), (1, 1, "c".into()), (12, 7, "a\n\"b\"".into())];
        assert_eq!(labels("a.csv", two_lines), Ok(wanted.to_vec()));
        let open = format!("0,1,a\n0,3,\"b\n{}", "c\n".repeat(1 << 20));
        assert!(labels("a.csv", &open).unwrap_err().contains("line 2: a quotation mark"));
    }

    #[test]
    fn json_lines_of_ours_and_of_neuronpedias() {
        let text = "{\"layer\": 2, \"feature\": 9, \"label\": \"a\"}\n{\"modelId\": \"m\", \"layer\": \"12-set\", \
                    \"index\": \"7\", \"description\": \" b \"}\n{\"layer\": 2, \"feature\": 9, \"label\": \"later\"}\n";
        assert_eq!(labels("a.jsonl", text), Ok(vec![(2, 9, "a".into()), (12, 7, "b".into())]));
        assert!(labels("a.jsonl", "{\"layer\": -2}").unwrap_err().contains("a.jsonl, line 1: "));
    }
}
