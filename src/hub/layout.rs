//! Layouts of a transcoder's files: with a `config.yaml`, or one of the layouts without.
//!
//! A layout without `config.yaml` is translated to an equivalent `config.yaml`, so that one reader serves all.

use crate::hub::contents::FileListing;
use crate::hub::{CONFIG_BYTES, HubError, SetOptions};
use crate::untrusted::{excerpt, json_fault, yaml_fault};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// File that gives the hooks and the kind of most transcoders.
pub(super) const CONFIG: &str = "config.yaml";

/// Most choices that a message names.
const SHOWN: usize = 12;

/// Returns `config.yaml`, or the one that the layout implies, with the user's options in place of its values; and its
/// name for messages.
///
/// # Errors
/// Fails where it is damaged, or the folder is in none of the layouts.
pub(super) fn config<T: DeserializeOwned>(
    shelf: &mut dyn FileListing,
    said: &SetOptions,
) -> Result<(T, String), HubError> {
    let has_config = shelf.has(CONFIG);
    let (mut map, path) = if has_config {
        if said.width.is_some() || said.l0.is_some() {
            return Err(HubError::Unreadable {
                path: shelf.name(CONFIG),
                what: "--width and --l0 choose among Gemma Scope 2's folders, and this transcoder has a config.yaml; leave \
                       them out, or give the folder of the one that is meant"
                    .to_owned(),
            });
        }
        let (text, path) = shelf.text(CONFIG, CONFIG_BYTES)?;
        let unreadable = |error: serde_saphyr::Error| HubError::Unreadable {
            path: path.clone(),
            what: yaml_fault(&error.to_string()),
        };
        if !said.has_keys() {
            return Ok((serde_saphyr::from_str(&text).map_err(unreadable)?, path));
        }
        (serde_saphyr::from_str(&text).map_err(unreadable)?, path)
    } else {
        (implied(shelf, said)?, shelf.name(""))
    };
    said.apply(&mut map);
    let what = |error: serde_json::Error| HubError::Unreadable { path: path.clone(), what: json_fault(&error) };
    let config = serde_json::from_value(Value::Object(map)).map_err(what)?;
    Ok((config, path))
}

/// Returns the `config.yaml` that the layout implies.
fn implied(shelf: &mut dyn FileListing, said: &SetOptions) -> Result<Map<String, Value>, HubError> {
    let object = |value: Value| match value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some(found) = GemmaScope2::choose(shelf, said)? {
        return Ok(object(found.config(shelf)?));
    }
    let top = shelf.top()?;
    if ["model_kind", "feature_input_hook", "feature_output_hook"].iter().all(|key| said.says(key)) {
        return Ok(Map::new());
    }
    if top.iter().any(|name| name == "layer_0.safetensors") {
        return Ok(object(json!({
            "model_kind": "transcoder_set",
            "feature_input_hook": "mlp.hook_in",
            "feature_output_hook": "mlp.hook_out",
        })));
    }
    let has = |prefix: &str| top.iter().any(|name| name.starts_with(prefix));
    let nearest = if has("W_enc_") || has("W_dec_") {
        "nearest is circuit-tracer's cross-layer layout (W_enc_N.safetensors, W_dec_N.safetensors), whose config.yaml is \
         missing: put it there, or give model_kind, feature_input_hook and feature_output_hook by --transcoder-option"
    } else if has("layer_") {
        "nearest is one layer_N.safetensors a layer, of which the first, layer_0.safetensors, is missing"
    } else if top.iter().any(|name| name == "config.json") {
        "it holds a config.json, as a model does; give a model as --model"
    } else {
        "it has no config.yaml, which circuit-tracer's layout and GemmaScope's lists begin with, no layer_N.safetensors, no \
         W_enc_N.safetensors, and none of Gemma Scope 2's folders (transcoder_all/layer_N_width_W_l0_S, \
         clt/width_W_l0_S); give the folder that has"
    };
    Err(HubError::NoLayout {
        place: shelf.name(""),
        what: format!("it is in none of the layouts of transcoders; {nearest}"),
    })
}

/// Transcoder of Gemma Scope 2 in a folder, which may hold several.
#[derive(Debug, PartialEq, Eq)]
struct GemmaScope2 {
    /// Folder that its folders or its files lie in; empty where they lie on top.
    folder: String,
    is_cross_layer: bool,
    width: String,
    l0: String,
    /// File of each layer, by the layer's number.
    files: BTreeMap<u32, String>,
}

impl GemmaScope2 {
    /// Returns the transcoder that the options choose, or the only one; `None` where there are none.
    ///
    /// # Errors
    /// Fails where there are several, none is the one chosen, or layers are missing.
    fn choose(shelf: &mut dyn FileListing, said: &SetOptions) -> Result<Option<Self>, HubError> {
        let mut all = Vec::new();
        for folder in ["", "transcoder_all", "clt"] {
            all.extend(per_layer(shelf, folder));
            all.extend(cross_layer(shelf, folder));
        }
        let top = shelf.top()?;
        if let Some(files) = numbered(&top, "") {
            all.push(Self {
                folder: String::new(),
                is_cross_layer: true,
                width: String::new(),
                l0: String::new(),
                files,
            });
        }
        let wrong = |what: String| HubError::Unreadable { path: shelf.name(""), what };
        let other = |what: String| HubError::NoLayout { place: shelf.name(""), what };
        let told = |all: &[Self]| {
            let mut names: Vec<String> = all.iter().map(Self::told).collect();
            let more = names.len().saturating_sub(SHOWN);
            names.truncate(SHOWN);
            names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
        };
        if all.is_empty() {
            return match (&said.width, &said.l0) {
                (None, None) => Ok(None),
                _ => Err(other(
                    "--width and --l0 choose among Gemma Scope 2's folders (transcoder_all/layer_N_width_W_l0_S, \
                     clt/width_W_l0_S), and it has none of them"
                        .to_owned(),
                )),
            };
        }
        let names = told(&all);
        let affine = said.l0.as_ref().map(|l0| format!("{l0}_affine"));
        let is_width = |it: &Self| said.width.as_ref().is_none_or(|width| *width == it.width);
        let mut fitting: Vec<Self> = all.into_iter().filter(|it| is_width(it)).collect();
        if let Some(l0) = &said.l0 {
            // An exact sparsity goes before the same with a skip connection.
            let is_exact = fitting.iter().any(|it| it.l0 == *l0);
            fitting.retain(|it| if is_exact { it.l0 == *l0 } else { Some(&it.l0) == affine.as_ref() });
        }
        let found = match fitting.len() {
            0 => return Err(other(format!("it holds no such transcoder; there are {names}"))),
            1 => fitting.swap_remove(0),
            _ => {
                return Err(wrong(format!(
                    "it holds several transcoders ({}); choose one with --width and --l0, or by its folder",
                    told(&fitting)
                )));
            }
        };
        let lacking = (0..).zip(found.files.keys()).find(|(layer, there)| layer != *there);
        match lacking {
            Some((layer, _)) => Err(wrong(format!("{} lacks layer {layer}", found.told()))),
            None => Ok(Some(found)),
        }
    }

    fn told(&self) -> String {
        match (self.folder.as_str(), self.width.as_str()) {
            (_, "") => "params_layer_N.safetensors".to_owned(),
            ("", _) => format!("width {} l0 {}", self.width, self.l0),
            (folder, _) => format!("{folder} width {} l0 {}", self.width, self.l0),
        }
    }

    /// Returns the equivalent `config.yaml`.
    fn config(&self, shelf: &mut dyn FileListing) -> Result<Value, HubError> {
        self.check_hooks(shelf)?;
        let mut config = json!({
            "model_kind": if self.is_cross_layer { "cross_layer_transcoder" } else { "transcoder_set" },
            "feature_input_hook": "mlp.hook_in",
            "feature_output_hook": "hook_mlp_out",
            "transcoders": self.files.values().collect::<Vec<_>>(),
        });
        if !self.width.is_empty() {
            let name = below(&self.folder, &format!("width_{}_l0_{}", self.width, self.l0));
            config["scan"] = shelf.set_name(&name).into();
        }
        Ok(config)
    }

    /// Checks that its configurations on this machine, where they name hooks, name the hooks that Gemma Scope 2 uses.
    fn check_hooks(&self, shelf: &mut dyn FileListing) -> Result<(), HubError> {
        const KNOWN: [(&str, &str); 2] = [
            ("hf_hook_point_in", ".pre_feedforward_layernorm.output"),
            ("hf_hook_point_out", ".post_feedforward_layernorm.output"),
        ];
        // On the server they are left to whoever loads the set.
        let beside: BTreeSet<String> = self.files.values().map(|file| beside(file)).collect();
        for file in beside.into_iter().filter(|file| shelf.is_on_disk() && shelf.has(file)).collect::<Vec<_>>() {
            let (text, path) = shelf.text(&file, CONFIG_BYTES)?;
            let wrong = |what: String| HubError::Unreadable { path: path.clone(), what };
            let config: Map<String, Value> = serde_json::from_str(&text).map_err(|e| wrong(json_fault(&e)))?;
            for (key, end) in KNOWN {
                let hooks = match config.get(key) {
                    None | Some(Value::Null) => continue,
                    Some(Value::Array(hooks)) => hooks.as_slice(),
                    Some(hook) => std::slice::from_ref(hook),
                };
                if let Some(hook) = hooks.iter().find(|hook| !hook.as_str().is_some_and(|hook| hook.ends_with(end))) {
                    let found = hook.to_string();
                    return Err(wrong(format!("{key} is {}, expected one that ends in {end}", excerpt(&found))));
                }
            }
        }
        Ok(())
    }
}

/// Returns the sets of `layer_N_width_W_l0_S/params.safetensors` in a folder.
fn per_layer(shelf: &dyn FileListing, folder: &str) -> Vec<GemmaScope2> {
    let mut found: BTreeMap<(String, String), BTreeMap<u32, String>> = BTreeMap::new();
    for name in shelf.folders(folder) {
        let Some((layer, width, l0)) = name.strip_prefix("layer_").and_then(|rest| {
            let (layer, rest) = rest.split_once('_')?;
            let (width, l0) = choice(rest)?;
            Some((layer.parse::<u32>().ok()?, width, l0))
        }) else {
            continue;
        };
        let file = below(folder, &format!("{name}/params.safetensors"));
        found.entry((width.to_owned(), l0.to_owned())).or_default().insert(layer, file);
    }
    let set = |((width, l0), files)| GemmaScope2 { folder: folder.to_owned(), is_cross_layer: false, width, l0, files };
    found.into_iter().map(set).collect()
}

/// Returns the sets of `width_W_l0_S/params_layer_N.safetensors` in a folder.
fn cross_layer(shelf: &dyn FileListing, folder: &str) -> Vec<GemmaScope2> {
    let set = |name: String| {
        let (width, l0) = choice(&name)?;
        let within = below(folder, &name);
        Some(GemmaScope2 {
            folder: folder.to_owned(),
            is_cross_layer: true,
            width: width.to_owned(),
            l0: l0.to_owned(),
            files: numbered(&shelf.files(&within), &within)?,
        })
    };
    shelf.folders(folder).into_iter().filter_map(set).collect()
}

/// Parses width and sparsity of `width_W_l0_S`.
fn choice(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("width_")?.split_once("_l0_").filter(|(width, l0)| !width.is_empty() && !l0.is_empty())
}

/// Returns the files `params_layer_N.safetensors` among names of a folder, by layer; `None` where there are none.
fn numbered(names: &[String], folder: &str) -> Option<BTreeMap<u32, String>> {
    let layer = |name: &str| name.strip_prefix("params_layer_")?.strip_suffix(".safetensors")?.parse().ok();
    let files: BTreeMap<u32, String> =
        names.iter().filter_map(|name| Some((layer(name)?, below(folder, name)))).collect();
    (!files.is_empty()).then_some(files)
}

/// Returns the path of the configuration beside a file of Gemma Scope 2.
pub(super) fn beside(file: &str) -> String {
    below(file.rsplit_once('/').map_or("", |(folder, _)| folder), "config.json")
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
