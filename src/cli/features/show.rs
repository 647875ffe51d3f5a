//! `circuitscope features show`: the dashboard of one feature.

use crate::cli::features::library::{NamedArgs, SetArgs};
use crate::cli::output::{note, tell};
use crate::cli::progress::{WhenStopped, watch};
use crate::features::{Dashboard, Example, Found, Library, Origin, Piece, Quantile};
use crate::ids::{FeatureId, Layer};
use crate::service::library::KnownTranscoder;
use crate::service::models::hub;
use crate::text::{truncate, truncate_start, visible, width};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;

/// Show what a feature fires on: contexts with the strongest token marked, statistics, and where they come from.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// The feature: its layer and its index
    #[arg(value_name = "LAYER:FEATURE", value_parser = feature)]
    feature: (Layer, FeatureId),
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    named: NamedArgs,
    /// Contexts to list of each group
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Print all of it as JSON, the dashboard in circuit-tracer's names
    #[arg(long)]
    json: bool,
}

/// Reads `LAYER:FEATURE`.
///
/// # Errors
/// Fails where the text is not of that form.
pub fn feature(text: &str) -> Result<(Layer, FeatureId), String> {
    let numbers = text.split_once(':').map(|(layer, feature)| (layer.parse(), feature.parse()));
    match numbers {
        Some((Ok(layer), Ok(feature))) => Ok((Layer(layer), FeatureId(feature))),
        _ => Err("it has to be LAYER:FEATURE, such as 14:2268".to_owned()),
    }
}

/// Looks the feature up, and prints its dashboard.
///
/// # Errors
/// Fails where nothing is known of it, or a named source cannot be used.
pub fn run(args: &ShowArgs) -> Result<()> {
    let set = args.set.set(!args.named.folders.is_empty())?;
    let (layer, feature) = args.feature;
    check(&set, layer, feature)?;
    let (named, SetArgs { download, offline, .. }) = (args.named.files(), args.set.clone());
    let (library, found) = watch(WhenStopped::Abandon, move |monitor| {
        let library = set.library(&named, download, &hub(offline), monitor)?;
        let found = library.read(layer, feature, monitor)?;
        Ok((Arc::new(library), found))
    })?;
    for notice in library.notices().iter().chain(&found.notices) {
        note!("circuitscope: {}", visible(notice));
    }
    if found.dashboard.is_none() && found.label.is_none() {
        bail!(nothing(&library, layer, feature, found.hub_may_know));
    }
    let shown = Shown { library: &library, found: &found, layer, feature, top: args.top };
    tell(args.json, || shown.json(), || shown.lines())
}

/// # Errors
/// Fails where the transcoder has no such feature.
fn check(set: &KnownTranscoder, layer: Layer, feature: FeatureId) -> Result<()> {
    let Some(sizes) = &set.sizes else { return Ok(()) };
    match sizes.get(layer.index()) {
        None => bail!("{} has no layer {layer}: it has {} layers", set.name, sizes.len()),
        Some(size) if feature.index() >= *size => {
            bail!("layer {layer} of {} has no feature {feature}: it has {size}", set.name)
        }
        Some(_) => Ok(()),
    }
}

fn nothing(library: &Library, layer: Layer, feature: FeatureId, hub_may_know: bool) -> String {
    let origins: Vec<String> = library.origins().iter().map(ToString::to_string).collect();
    let looked = if origins.is_empty() { String::new() } else { format!(" in {}", origins.join(", ")) };
    let hub = match library.asks_for() {
        Some(set) if hub_may_know => {
            format!("; --download asks the hub for it as a part of {set}, whose server learns what is looked at")
        }
        _ => String::new(),
    };
    format!(
        "nothing is known of feature {layer}:{feature}{looked}{hub}; name a folder of dashboards by --features, or make \
         one with `circuitscope features build`"
    )
}

struct Shown<'a> {
    library: &'a Library,
    found: &'a Found,
    layer: Layer,
    feature: FeatureId,
    top: usize,
}

impl Shown<'_> {
    fn json(&self) -> Value {
        let label = self.found.label.as_ref();
        let label = label.map(|label| json!({ "text": label.text, "origin": label.origin.to_string() }));
        let origin = |origin: &Origin| json!({ "path": origin.path, "kind": origin.kind.to_string() });
        let (dashboard, from) = self.found.dashboard.as_ref().map_or((None, None), |(d, o)| (Some(d), Some(origin(o))));
        json!({
            "layer": self.layer,
            "feature": self.feature,
            "label": label,
            "origin": from,
            "sources": self.library.origins().iter().map(origin).collect::<Vec<_>>(),
            "density": self.density(),
            "histogram_bins": self.found.bins,
            "dashboard": dashboard,
        })
    }

    fn density(&self) -> Option<f32> {
        let said = self.found.dashboard.as_ref().and_then(|(dashboard, _)| dashboard.density);
        said.or_else(|| self.library.density(self.layer, self.feature))
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("feature     {}:{}", self.layer, self.feature)];
        if let Some(label) = &self.found.label {
            lines.push(format!("label       {} ({})", visible(&label.text), visible(&label.origin.to_string())));
        }
        let origins: Vec<String> = self.library.origins().iter().map(|origin| visible(&origin.to_string())).collect();
        let Some((dashboard, origin)) = &self.found.dashboard else {
            lines.push("contexts    none are known".to_owned());
            return lines;
        };
        let own = visible(&origin.to_string());
        lines.push(format!("from        {own}"));
        lines.extend(
            origins.iter().filter(|other| **other != own).map(|other| format!("            before or after {other}")),
        );
        if let Some(density) = self.density() {
            lines.push(format!("density     fires on {:.3} % of tokens", 100.0 * density));
        }
        lines.extend(statistics(dashboard, self.found.bins.as_deref()));
        for quantile in &dashboard.quantiles {
            lines.extend(group(quantile, self.top, dashboard.spacer()));
        }
        lines
    }
}

fn statistics(dashboard: &Dashboard, bins: Option<&[f32]>) -> Vec<String> {
    let mut lines = Vec::new();
    if !dashboard.histogram.is_empty() {
        let (min, max) = (dashboard.min, dashboard.max);
        let ends = match bins {
            Some([first, ..]) => format!("from {first:.3} to {max:.3}, each bar wider than the one before"),
            _ => format!("from {min:.3} to {max:.3}"),
        };
        lines.push(format!("histogram   {} {ends}", sparkline(&dashboard.histogram)));
    }
    if !dashboard.quantile_values.is_empty() {
        let values: Vec<String> = dashboard.quantile_values.iter().map(|value| format!("{value:.3}")).collect();
        lines.push(format!("quantiles   {}", values.join(" ")));
    }
    let mut tokens = |title: &str, tokens: &[String]| {
        if !tokens.is_empty() {
            let shown: Vec<String> = tokens.iter().take(10).map(|token| visible(token)).collect();
            lines.push(format!("{title:<11} {}", shown.join(", ")));
        }
    };
    tokens("promotes", &dashboard.promoted);
    tokens("suppresses", &dashboard.suppressed);
    lines
}

/// Returns a bar for each number, as high as its share of the largest; one that is not 0 has some height.
fn sparkline(numbers: &[f32]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = numbers.iter().copied().fold(0.0, f32::max);
    let bar = |number: &f32| {
        let height = if largest > 0.0 { (number / largest * 8.0).ceil() } else { 0.0 };
        BARS[(height as usize).min(8)]
    };
    numbers.iter().map(bar).collect()
}

/// Formats a group of contexts: a line each with the largest activation, its token between marks.
fn group(quantile: &Quantile, top: usize, spacer: &str) -> Vec<String> {
    let contexts: Vec<&Example> = quantile.examples.iter().filter(|example| !example.repeated).collect();
    let repeated = quantile.examples.len() - contexts.len();
    let name = if quantile.name.is_empty() { "contexts".to_owned() } else { visible(&quantile.name) };
    let folded = if repeated == 0 { String::new() } else { format!(", {repeated} of them repeated and left out") };
    let mut lines =
        vec![String::new(), format!("{name}: {} of {}{folded}", contexts.len().min(top), quantile.examples.len())];
    lines.extend(contexts.into_iter().take(top).map(|example| context(example, spacer)));
    lines
}

fn context(example: &Example, spacer: &str) -> String {
    const SIDE: usize = 44;
    let pieces = example.pieces();
    let peak = example.strongest().and_then(|peak| pieces.iter().position(|piece| piece.tokens.contains(&peak)));
    let Some(peak) = peak else { return "         (an empty context)".to_owned() };
    let text = |pieces: &[Piece]| {
        let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
        visible(&texts.join(spacer))
    };
    let before = truncate_start(&(text(&pieces[..peak]) + spacer), SIDE, "…");
    let after = truncate(&(spacer.to_owned() + &text(&pieces[peak + 1..])), SIDE, "…");
    let room = SIDE.saturating_sub(width(&before));
    format!("{:>9.3}  {:room$}{before}«{}»{after}", pieces[peak].activation, "", visible(&pieces[peak].text))
}
