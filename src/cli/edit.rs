//! `circuitscope edit`: pins, groups, labels and notes, saved beside the graph.

use crate::cli::graph::{GraphArgs, node_named, open_session};
use crate::cli::intervention_args::read_interventions;
use crate::cli::output::{note, tell};
use crate::graph::{Document, Edit, Edited, Edits, Labelled};
use crate::ids::{FeatureId, Layer, NodeId};
use crate::text::visible;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Edits what is pinned, grouped, labelled and noted of a graph. Thresholds are kept too.
///
/// It is saved in a session file beside the graph, which the full-screen program opens with it. Edits are made in the
/// order of the options below.
#[derive(Debug, clap::Args)]
pub struct EditArgs {
    #[command(flatten)]
    graph: GraphArgs,
    /// Unpin nodes; they leave their groups
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    unpin: Vec<String>,
    /// Dissolve a group; its members stay pinned
    #[arg(long, value_name = "NAME")]
    dissolve: Vec<String>,
    /// Pin nodes
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pin: Vec<String>,
    /// Put nodes into the group of this name, which is made where there is none
    #[arg(long, value_name = "NAME=ID,...", value_parser = assignment)]
    group: Vec<(String, String)>,
    /// Call a group something else
    #[arg(long, value_name = "OLD=NEW", value_parser = assignment)]
    rename: Vec<(String, String)>,
    /// Label a feature by its layer and index, or a node by its id; without a text the label is taken away
    #[arg(long, value_name = "LAYER:FEATURE=TEXT", value_parser = assignment)]
    label: Vec<(String, String)>,
    /// Replace the notes on the graph
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<String>,
    /// Replace the interventions by those of a JSON file, as `export --format interventions` writes them
    #[arg(long, value_name = "FILE")]
    interventions: Option<PathBuf>,
    /// Print what it amounts to as JSON
    #[arg(long)]
    json: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it has the form NAME=VALUE".into()),
    }
}

/// Opens the session, edits, and saves it where something changed.
///
/// # Errors
/// Fails where the file cannot be read, an option names something that does not exist, or the session cannot be saved.
/// Then nothing is changed.
pub fn run(args: &EditArgs) -> Result<()> {
    let (document, mut opened) = open_session(&args.graph.file)?;
    let mut edits = Edits::starting_from(opened.session.edited.clone());
    let changed = apply(args, &document, &mut edits)?;
    opened.session.edited = edits.now().clone();
    let mut notices = opened.notices.clone();
    if changed {
        let told = opened.file.save(&opened.session, &document.graph).context("the edits are not saved")?;
        told.iter().for_each(|notice| note!("circuitscope: {}", visible(notice)));
        notices.extend(told);
        // What other programs edited meanwhile is among it.
        if let Some(saved) = opened.file.contents(&document.graph) {
            opened.session = saved;
        }
    }
    let path = opened.file.path();
    tell(
        args.json,
        || {
            let mut all = edited_json(&document, &opened.session.edited);
            all["session"] = json!(path);
            all["changed"] = json!(changed);
            all["notices"] = json!(notices);
            all
        },
        || {
            let Edited { pins, groups, labels, .. } = &opened.session.edited;
            let what = format!("{} pins, {} groups, {} labels", pins.len(), groups.len(), labels.len());
            let saved = path
                .filter(|_| changed)
                .map_or("nothing changed".into(), |path| format!("saved in {}", path.display()));
            vec![format!("{what}; {saved}")]
        },
    )
}

/// Makes the requested edits; returns true where they changed anything.
fn apply(args: &EditArgs, document: &Document, edits: &mut Edits) -> Result<bool> {
    let nodes = |names: &[String]| names.iter().map(|name| node_named(document, name)).collect::<Result<Vec<NodeId>>>();
    let mut changed = edits.apply(Edit::SetThresholds(args.graph.thresholds(edits.now().thresholds)));
    let mut apply = |edits: &mut Edits, edit: Edit| changed |= edits.apply(edit);
    apply(edits, Edit::Unpin(nodes(&args.unpin)?));
    for name in &args.dissolve {
        let members = edits.now().groups[group_named(edits.now(), name)?].members.clone();
        apply(edits, Edit::Ungroup(members));
    }
    apply(edits, Edit::Pin(nodes(&args.pin)?));
    for (name, members) in &args.group {
        let members = nodes(&members.split(',').map(str::to_owned).collect::<Vec<_>>())?;
        apply(
            edits,
            match group_named(edits.now(), name) {
                Ok(at) => Edit::AddToGroup(at, members),
                Err(_) => Edit::Group { name: name.clone(), members },
            },
        );
    }
    for (old, new) in &args.rename {
        apply(edits, Edit::RenameGroup(group_named(edits.now(), old)?, new.clone()));
    }
    for (what, text) in &args.label {
        apply(edits, Edit::Label(labelled(document, what)?, text.clone()));
    }
    if let Some(note) = &args.note {
        apply(edits, Edit::SetNotes(note.clone()));
    }
    if let Some(path) = &args.interventions {
        apply(edits, Edit::SetInterventions(read_interventions(path)?));
    }
    Ok(changed)
}

fn group_named(edited: &Edited, name: &str) -> Result<usize> {
    let at = edited.groups.iter().position(|group| group.name == name);
    at.ok_or_else(|| anyhow!("there is no group {name}; `circuitscope groups FILE` lists them"))
}

/// Returns the feature or node that `14:2268` or a node's id names.
fn labelled(document: &Document, what: &str) -> Result<Labelled> {
    let Some((layer, feature)) = what.split_once(':') else {
        let id = node_named(document, what)?;
        return Ok(Labelled::of(id, document.graph.node(id)));
    };
    let (Ok(layer), Ok(feature)) = (layer.parse(), feature.parse()) else {
        bail!("{what} is no feature; write its layer and its index, as in 14:2268");
    };
    let n_layers = document.graph.n_layers();
    if layer as usize >= n_layers {
        bail!("there is no layer {layer}: the model has layers 0 to {}", n_layers.saturating_sub(1));
    }
    Ok(Labelled::Feature(Layer(layer), FeatureId(feature)))
}

fn edited_json(document: &Document, edited: &Edited) -> Value {
    let names = |ids: &[NodeId]| ids.iter().map(|id| document.graph.node_name(*id)).collect::<Vec<_>>();
    let labels = edited.labels.iter().map(|(what, label)| match what {
        Labelled::Feature(layer, feature) => json!({ "layer": layer, "feature": feature, "label": label }),
        Labelled::Node(id) => json!({ "node": document.graph.node_name(*id), "label": label }),
    });
    let groups = edited.groups.iter().map(|group| json!({ "name": group.name, "members": names(&group.members) }));
    json!({
        "node_threshold": edited.thresholds.node,
        "edge_threshold": edited.thresholds.edge,
        "pins": names(&edited.pins),
        "groups": groups.collect::<Vec<_>>(),
        "labels": labels.collect::<Vec<_>>(),
        "notes": edited.notes,
        "interventions": edited.interventions,
    })
}
