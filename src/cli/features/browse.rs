//! `circuitscope features browse`: a transcoder's features without a graph.

use crate::attribution::Engine;
use crate::cli::engine::EngineArgs;
use crate::cli::features::library::NamedArgs;
use crate::cli::graph::padded;
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::features::browse::{Entry, Fires, Hit, Near, Order};
use crate::features::build::Selection;
use crate::ids::{FeatureId, Layer};
use crate::job::Monitor;
use crate::service::browse::{Ask, Browsed, browse, look};
use crate::service::labels::shown;
use crate::service::library::KnownTranscoder;
use crate::service::models::hub;
use crate::text::visible;
use crate::transcoder::Transcoder;
use anyhow::Result;
use clap::builder::ValueParser;
use serde_json::{Value, json};

/// List a transcoder's features, search them, find those that write alike, or see which fire on a text. Only a text takes
/// the model.
#[derive(Clone, Debug, clap::Args)]
pub struct BrowseArgs {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    named: NamedArgs,
    /// Those whose label, promoted tokens or contexts fit this, letters in between left out; every word has to
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["near", "text", "sort"])]
    search: Option<String>,
    /// Those that write most nearly as this one does, by the cosine of their decoders
    #[arg(long, value_name = "L:F", value_parser = feature, conflicts_with_all = ["text", "sort"])]
    near: Option<(Layer, FeatureId)>,
    /// Those that fire on this text, token by token
    #[arg(long, value_name = "TEXT", conflicts_with = "sort")]
    text: Option<String>,
    /// Look at these alone: layers as 3 or 3..9, features as 3:17 or 3:20..29, both ends included
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = ValueParser::new(selection))]
    only: Selection,
    /// What to list by
    #[arg(long, value_enum, default_value = "layer")]
    sort: Sort,
    /// Features at most; with --text, of each token
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// [`Order`], as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// By layer and number
    Layer,
    /// The most frequent first
    Density,
    /// The largest activation first
    Maximum,
    /// By name
    Label,
}

fn selection(text: &str) -> Result<Selection, String> {
    text.parse()
}

fn feature(text: &str) -> Result<(Layer, FeatureId), String> {
    let pair = text.split_once(':').and_then(|(layer, feature)| Some((layer.parse().ok()?, feature.parse().ok()?)));
    let (layer, feature) = pair.ok_or_else(|| "it has to be LAYER:FEATURE, two whole numbers".to_owned())?;
    Ok((Layer(layer), FeatureId(feature)))
}

/// Browses the features, and prints the result.
///
/// # Errors
/// Fails where the model or a named source cannot be used, there is no such feature, or it was stopped.
pub fn run(args: &BrowseArgs) -> Result<()> {
    let ask = args.ask();
    let (seen, transcoder) = match ask {
        Ask::Fires(_) => (Seen::Pair(Box::new(args.engine.open()?)), args.engine.places()?.1),
        Ask::List(_) | Ask::Search(_) | Ask::Near(_) => {
            let place = args.engine.transcoder_place()?;
            (Seen::Transcoder(Box::new(Transcoder::alone(&place)?)), place)
        }
    };
    let alone = seen.transcoder();
    args.only.check(&(0..alone.n_layers()).map(|layer| alone.n_features(layer)).collect::<Vec<_>>())?;
    // Lists are made of what is here; the hub is not asked for thousands of features.
    let transcoder = KnownTranscoder { reference: None, ..KnownTranscoder::of(transcoder) };
    let library = transcoder.library(&args.named.files(), false, &hub(true), &Monitor::default())?;
    for notice in library.notices() {
        note!("warning: {}", visible(notice));
    }
    let asked = args.clone();
    let found = watch(WhenStopped::Abandon, move |monitor| {
        let (only, most) = (&asked.only, asked.limit as usize);
        match &seen {
            Seen::Pair(engine) => browse(engine, &library, &ask, only, most, monitor),
            Seen::Transcoder(transcoder) => look(transcoder, &library, &ask, only, most, monitor),
        }
    })?;
    tell(args.json, || as_json(&found), || as_lines(&found))
}

/// What is looked through.
enum Seen {
    /// With the model, which reads a text.
    Pair(Box<Engine>),
    /// Alone.
    Transcoder(Box<Transcoder>),
}

impl Seen {
    fn transcoder(&self) -> &Transcoder {
        match self {
            Self::Pair(engine) => &engine.transcoder,
            Self::Transcoder(transcoder) => transcoder,
        }
    }
}

impl BrowseArgs {
    fn ask(&self) -> Ask {
        match (&self.search, self.near, &self.text) {
            (Some(pattern), ..) => Ask::Search(pattern.clone()),
            (None, Some(of), _) => Ask::Near(of),
            (None, None, Some(text)) => Ask::Fires(text.clone()),
            (None, None, None) => Ask::List(match self.sort {
                Sort::Layer => Order::Layer,
                Sort::Density => Order::Density,
                Sort::Maximum => Order::Maximum,
                Sort::Label => Order::Label,
            }),
        }
    }
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "layer": entry.layer,
        "feature": entry.feature,
        "density": entry.density,
        "maximum": entry.maximum,
        "label": entry.label.as_ref().map(|label| &label.text),
        "label_origin": entry.label.as_ref().map(|label| label.origin.to_string()),
    })
}

/// Returns an entry as JSON with further fields.
fn with(entry: &Entry, more: &[(&str, Value)]) -> Value {
    let mut json = entry_json(entry);
    more.iter().for_each(|(key, value)| json[*key] = value.clone());
    json
}

fn as_json(found: &Browsed) -> Value {
    match found {
        Browsed::List(entries, count) => {
            json!({ "count": count, "features": entries.iter().map(entry_json).collect::<Vec<_>>() })
        }
        Browsed::Hits(hits, count) => {
            let hit = |hit: &Hit| with(&hit.entry, &[("score", hit.score.into()), ("text", hit.text.clone().into())]);
            json!({ "count": count, "features": hits.iter().map(hit).collect::<Vec<_>>() })
        }
        Browsed::Near(all) => {
            let near = |near: &Near| with(&near.entry, &[("cosine", near.cosine.into())]);
            json!({ "features": all.iter().map(near).collect::<Vec<_>>() })
        }
        Browsed::Fires(tokens, entries) => {
            let token = |fires: &Fires| {
                let feature = |(layer, feature, activation): &(Layer, FeatureId, f32)| {
                    let entry = entries.get(&(*layer, *feature));
                    let brief = Entry { layer: *layer, feature: *feature, ..Entry::default() };
                    with(entry.unwrap_or(&brief), &[("activation", (*activation).into())])
                };
                json!({ "token": fires.token, "features": fires.features.iter().map(feature).collect::<Vec<_>>() })
            };
            json!({ "tokens": tokens.iter().map(token).collect::<Vec<_>>() })
        }
    }
}

fn as_lines(found: &Browsed) -> Vec<String> {
    let more = |shown: usize, count: usize| {
        let rest = count - shown;
        (rest > 0).then(|| format!("and {rest} more; --limit shows them"))
    };
    match found {
        Browsed::List(entries, count) => {
            let lines = entries.iter().map(entry_line);
            lines.chain(more(entries.len(), *count)).collect()
        }
        Browsed::Hits(hits, count) => {
            let lines = hits.iter().map(|hit| format!("{}  | {}", entry_line(&hit.entry), visible(&hit.text)));
            lines.chain(more(hits.len(), *count)).collect()
        }
        Browsed::Near(all) => {
            all.iter().map(|near| format!("{}  cosine {:>6.3}", entry_line(&near.entry), near.cosine)).collect()
        }
        Browsed::Fires(tokens, entries) => {
            let lines = |fires: &Fires| {
                let feature = |(layer, feature, activation): &(Layer, FeatureId, f32)| {
                    let label = entries.get(&(*layer, *feature)).map(label).unwrap_or_default();
                    format!("  {}  {:<10} {activation:>8.3}", padded(&label, LABEL), format!("{layer}:{feature}"))
                };
                let token = visible(&fires.token);
                std::iter::once(token).chain(fires.features.iter().map(feature)).collect::<Vec<_>>()
            };
            tokens.iter().flat_map(lines).collect()
        }
    }
}

/// Width of a label in cells.
const LABEL: usize = 32;

fn entry_line(entry: &Entry) -> String {
    let number = |x: Option<f32>, digits: usize| x.map_or("-".to_owned(), |x| format!("{x:.digits$}"));
    let name = format!("{}:{}", entry.layer, entry.feature);
    let (density, maximum) = (number(entry.density, 5), number(entry.maximum, 3));
    format!("{}  {name:<10} density {density:>7}  max {maximum:>8}", padded(&label(entry), LABEL))
}

/// Returns a feature's label, an automatic one marked; without a label, its index.
fn label(entry: &Entry) -> String {
    entry.label.as_ref().map_or_else(|| format!("#{}", entry.feature), |label| visible(&shown(label)))
}
