//! The interventions that a command line asks for.

use crate::attribution::Engine;
use crate::cli::graph::open_session;
use crate::graph::{
    Action, Document, Donor, Edited, FeatureAt, Freeze, Intervention, Interventions, NodeKind, Positions, Site, Token,
};
use crate::ids::{FeatureId, Layer, NodeId, Position};
use crate::intervention::{Baseline, donors, sites_at};
use crate::job::Monitor;
use crate::untrusted::{self, json_fault};
use anyhow::{Context, Result, anyhow, bail};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is done to features, and what stays as it was.
///
/// A site is `LAYER:POSITION:FEATURE`, or `LAYER:FEATURE` for all positions.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct AlterArgs {
    /// Set a feature to 0. POS is a position, a range (3..7), all from one on (4..) or all (*), which is also meant
    /// without it; -1 is the prompt's last
    #[arg(long, value_name = "L[:POS]:F", value_parser = site, allow_hyphen_values = true, group = "change")]
    ablate: Vec<Site>,
    /// Set a feature to a number, or with xN to N times its activation in the base run
    #[arg(long, value_name = "L[:POS]:F=VALUE", value_parser = set, allow_hyphen_values = true, group = "change")]
    set: Vec<(Site, Action)>,
    /// Set a feature to a multiple of its activation in the base run
    #[arg(long, value_name = "L[:POS]:F=FACTOR", value_parser = scale, allow_hyphen_values = true, group = "change")]
    scale: Vec<(Site, Action)>,
    /// Add to a feature's activation in the base run
    #[arg(long, value_name = "L[:POS]:F=AMOUNT", value_parser = add, allow_hyphen_values = true, group = "change")]
    add: Vec<(Site, Action)>,
    /// Set the features at a position to 0 and those of another prompt, at its position POS or the same, to what they
    /// are there; with a list, as in 7[1:42,2:7]=…, of these features alone
    #[arg(long, value_name = "POS=PROMPT[@POS]", value_parser = swap, allow_hyphen_values = true, group = "change")]
    swap: Vec<Swap>,
    /// The graph of the prompt, for --group
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// Do it to a supernode of --graph: set its features to a number, with xN to a multiple, with +N to more than they
    /// are, with @OTHER to 0 and those of another supernode to what they are; without a value to 0
    #[arg(long, value_name = "NAME[=VALUE]", requires = "graph", group = "change")]
    group: Vec<String>,
    /// Interventions that were saved as JSON, as `export --format interventions` and the full-screen program write them
    #[arg(long, value_name = "FILE", group = "change")]
    interventions: Option<PathBuf>,
    /// What stays as it was in the base run [default: free, or as the saved interventions say]
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
}

/// What stays frozen, as the command line calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ModeName {
    /// Attention patterns, norms and feature outputs stay: what the graph's edges say
    Direct,
    /// Attention patterns stay
    FrozenAttention,
    /// Everything downstream is recomputed
    Free,
}

impl From<ModeName> for Freeze {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Direct => Self::Direct,
            ModeName::FrozenAttention => Self::FrozenAttention,
            ModeName::Free => Self::Free,
        }
    }
}

/// A swap as it was typed.
#[derive(Clone, Debug, PartialEq)]
struct Swap {
    text: String,
    position: i32,
    /// These features alone; all where there are none.
    only: Vec<(Layer, FeatureId)>,
    prompt: String,
    from: Option<i32>,
}

/// What was read of the command line before a model is.
#[derive(Debug)]
pub struct Asked {
    args: AlterArgs,
    saved: Interventions,
    /// The graph and what was done to it.
    pub graph: Option<(Document, Edited)>,
}

fn site(text: &str) -> Result<Site, String> {
    let wrong = || "it has to be LAYER:FEATURE or LAYER:POSITION:FEATURE".to_owned();
    let parts: Vec<&str> = text.split(':').collect();
    let (layer, positions, feature) = match parts[..] {
        [layer, feature] => (layer, Positions::All, feature),
        [layer, positions, feature] => (layer, positions.parse()?, feature),
        _ => return Err(wrong()),
    };
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    Ok(Site { layer: Layer(number(layer)?), feature: FeatureId(number(feature)?), positions })
}

/// A site and the number behind its `=`.
fn valued(text: &str) -> Result<(Site, &str), String> {
    let (place, value) = text.split_once('=').ok_or("it has to be LAYER:POSITION:FEATURE=VALUE")?;
    Ok((site(place)?, value))
}

fn number(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn set(text: &str) -> Result<(Site, Action), String> {
    let (site, value) = valued(text)?;
    Ok((site, value.parse()?))
}

fn scale(text: &str) -> Result<(Site, Action), String> {
    let (site, value) = valued(text)?;
    Ok((site, Action::Scale { by: number(value)? }))
}

fn add(text: &str) -> Result<(Site, Action), String> {
    let (site, value) = valued(text)?;
    Ok((site, Action::Add { amount: number(value)? }))
}

fn swap(text: &str) -> Result<Swap, String> {
    let (place, prompt) = text.split_once('=').ok_or("it has to be POSITION=PROMPT or POSITION=PROMPT@POSITION")?;
    let (position, list) = match place.strip_suffix(']').and_then(|place| place.split_once('[')) {
        Some((position, list)) => (position, list.split(',').collect()),
        None => (place, Vec::new()),
    };
    let only = list.into_iter().map(|feature| match site(feature)? {
        Site { layer, feature, positions: Positions::All } => Ok((layer, feature)),
        Site { .. } => Err("a feature of the list has to be LAYER:FEATURE".to_owned()),
    });
    let only = only.collect::<Result<_, String>>()?;
    let position = position.parse().map_err(|_| format!("{position:?} is no position"))?;
    let at = prompt.rsplit_once('@').and_then(|(prompt, at)| Some((prompt, at.parse().ok()?)));
    let (prompt, from) = at.map_or((prompt, None), |(prompt, at)| (prompt, Some(at)));
    Ok(Swap { text: text.to_owned(), position, only, prompt: prompt.to_owned(), from })
}

/// Reads interventions that were saved as JSON.
///
/// # Errors
/// The file cannot be read or holds something else.
pub fn read_interventions(path: &Path) -> Result<Interventions> {
    const MOST_BYTES: u64 = 16 << 20;
    let text = untrusted::read(path, MOST_BYTES).with_context(|| format!("cannot read {}", path.display()))?;
    let wrong = |error| anyhow!("{} holds no interventions: {}", path.display(), json_fault(&error));
    serde_json::from_slice(&text).map_err(wrong)
}

impl AlterArgs {
    /// Whether nothing is asked for that needs a transcoder.
    pub fn is_idle(&self) -> bool {
        let lists = self.ablate.is_empty() && self.set.is_empty() && self.scale.is_empty() && self.add.is_empty();
        lists && self.swap.is_empty() && self.group.is_empty() && self.graph.is_none() && self.interventions.is_none()
    }

    /// The files that are named.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.graph.iter().chain(&self.interventions).map(PathBuf::as_path)
    }

    /// Reads the files that are named.
    ///
    /// # Errors
    /// One cannot be read or holds something else.
    pub fn read(&self) -> Result<Asked> {
        let saved = match &self.interventions {
            None => Interventions::default(),
            Some(path) => read_interventions(path)?,
        };
        let graph = self.graph.as_deref().map(open_session).transpose()?;
        let graph = graph.map(|(document, opened)| (document, opened.session.edited));
        Ok(Asked { args: self.clone(), saved, graph })
    }
}

impl Asked {
    /// What stays as it was, with `layers` for the direct mode.
    ///
    /// # Errors
    /// Layers are given for another mode.
    pub fn freeze(&self, layers: Option<&Range<usize>>) -> Result<(Freeze, Option<Range<usize>>)> {
        let freeze = self.args.mode.map_or(self.saved.freeze, Freeze::from);
        if layers.is_some() && freeze != Freeze::Direct {
            bail!("--layers goes with --mode direct; the other modes freeze no layers");
        }
        let saved = self.saved.layers.as_ref().filter(|_| freeze == Freeze::Direct);
        Ok((freeze, layers.or(saved).cloned()))
    }

    /// The interventions, on the prompt of `base`.
    ///
    /// # Errors
    /// Another prompt or a supernode is not there, the graph is another prompt's, or the work was stopped.
    pub fn interventions(
        &self,
        engine: &Engine,
        tokens: &[Token],
        base: &Baseline,
        layers: Option<&Range<usize>>,
        monitor: &Monitor,
    ) -> Result<Interventions> {
        let (freeze, layers) = self.freeze(layers)?;
        let mut list = self.saved.list.clone();
        let args = &self.args;
        let ablated = args.ablate.iter().map(|site| (*site, Action::Ablate));
        for (site, action) in ablated.chain([&args.set, &args.scale, &args.add].into_iter().flatten().cloned()) {
            list.push(Intervention { name: format!("{action} at {site}"), sites: vec![site], action, muted: false });
        }
        for swap in &args.swap {
            list.push(swap.on(engine, base, monitor)?);
        }
        if let Some((document, edited)) = &self.graph {
            if document.graph.tokens() != tokens {
                bail!("--graph is of another prompt: {}", document.origin.prompt);
            }
            for text in &args.group {
                list.push(on_group(text, document, edited, base)?);
            }
        }
        Ok(Interventions { freeze, layers, list })
    }
}

/// A position of a prompt of `count` tokens.
fn place(position: i32, count: usize) -> Result<Position> {
    let counted = if position < 0 { i64::from(position) + count as i64 } else { i64::from(position) };
    let there = usize::try_from(counted).ok().filter(|at| *at < count);
    let there = there.ok_or_else(|| anyhow!("position {position} is not there: the prompt has {count} tokens"))?;
    Ok(Position::from(there))
}

/// The intervention that swaps the features at `position` for those of `prompt`, `PROMPT[@POS]`.
///
/// # Errors
/// The other prompt cannot be read, there is no such position, or the work was stopped.
pub fn swapped(
    engine: &Engine,
    base: &Baseline,
    position: Position,
    prompt: &str,
    monitor: &Monitor,
) -> Result<Intervention> {
    swap(&format!("{position}={prompt}")).map_err(|what| anyhow!(what))?.on(engine, base, monitor)
}

impl Swap {
    fn on(&self, engine: &Engine, base: &Baseline, monitor: &Monitor) -> Result<Intervention> {
        let other = engine.capture(&self.prompt, monitor)?;
        let to = place(self.position, base.capture.n_positions())?;
        let from = place(self.from.unwrap_or(self.position), other.n_positions()).context("of the other prompt")?;
        let taken = |layer, feature| self.only.is_empty() || self.only.contains(&(layer, feature));
        let mut sites = sites_at(&base.capture, to);
        sites.retain(|site| taken(site.layer, site.feature));
        let mut features = donors(&other, from, to);
        features.retain(|donor| taken(donor.at.layer, donor.at.feature));
        if sites.is_empty() && features.is_empty() {
            bail!("swap {:?}: no such feature is active there, in neither prompt", self.text);
        }
        let action = Action::Swap { features, factor: 1.0 };
        Ok(Intervention { name: format!("swap {}", self.text), sites, action, muted: false })
    }
}

/// A group's features.
fn members(document: &Document, edited: &Edited, name: &str) -> Result<Vec<FeatureAt>> {
    let group = edited.groups.iter().find(|group| group.name == name);
    let group = group.ok_or_else(|| anyhow!("the graph has no group {name}; `circuitscope groups FILE` lists them"))?;
    let feature = |id: &NodeId| match document.graph.node(*id).kind {
        NodeKind::Feature { layer, position, feature } => Some(FeatureAt { layer, position, feature }),
        _ => None,
    };
    let features: Vec<FeatureAt> = group.members.iter().filter_map(feature).collect();
    if features.is_empty() {
        bail!("the group {name} holds no feature, and nothing else can be set");
    }
    Ok(features)
}

/// What `NAME[=VALUE]` asks for.
fn on_group(text: &str, document: &Document, edited: &Edited, base: &Baseline) -> Result<Intervention> {
    let is_group = |name: &str| edited.groups.iter().any(|group| group.name == name);
    let (name, value) = text.rsplit_once('=').filter(|_| !is_group(text)).unwrap_or((text, "0"));
    let own = members(document, edited, name)?;
    let action = if let Some(other) = value.strip_prefix('@') {
        let donor = |at: FeatureAt| Donor { at, activation: base.activation(at) };
        Action::Swap { features: members(document, edited, other)?.into_iter().map(donor).collect(), factor: 1.0 }
    } else {
        value.parse().map_err(|what: String| anyhow!("--group {text}: {what}"))?
    };
    Ok(Intervention { name: name.to_owned(), sites: own.into_iter().map(Site::from).collect(), action, muted: false })
}
