//! Options of interventions.

use crate::attribution::Engine;
use crate::cli::graph::open_session;
use crate::graph::{
    Action, Document, Donor, Edited, FeatureAt, Freeze, Intervention, Interventions, NodeKind, Site, Token,
};
use crate::ids::NodeId;
use crate::intervention::Baseline;
use crate::job::Monitor;
use crate::service::swap::Swap;
use crate::untrusted::{self, json_fault};
use anyhow::{Context, Result, anyhow, bail};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is done to features, and what stays as it was.
///
/// A site is `LAYER:POSITION:FEATURE`, or `LAYER:FEATURE` for all positions.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct InterventionArgs {
    /// Set a feature to 0. POS is a position, a range (3..7), all from one on (4..) or all (*), which is also meant
    /// without it; -1 is the prompt's last
    #[arg(long, value_name = "L[:POS]:F", value_parser = str::parse::<Site>, allow_hyphen_values = true, group = "change")]
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
    #[arg(long, value_name = "POS=PROMPT[@POS]", value_parser = str::parse::<Swap>, allow_hyphen_values = true, group = "change")]
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

/// Files of the options, read before the model is loaded.
#[derive(Debug)]
pub struct Asked {
    args: InterventionArgs,
    saved: Interventions,
    /// Graph and the user's edits of it.
    pub graph: Option<(Document, Edited)>,
}

/// Splits a text into a site and the number behind its `=`.
fn valued(text: &str) -> Result<(Site, &str), String> {
    let (place, value) = text.split_once('=').ok_or("it has to be LAYER:POSITION:FEATURE=VALUE")?;
    Ok((place.parse()?, value))
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

/// Reads interventions from their JSON.
///
/// # Errors
/// Fails where the file cannot be read or holds something else.
pub fn read_interventions(path: &Path) -> Result<Interventions> {
    const MOST_BYTES: u64 = 16 << 20;
    let text = untrusted::read(path, MOST_BYTES).with_context(|| format!("cannot read {}", path.display()))?;
    let wrong = |error| anyhow!("{} holds no interventions: {}", path.display(), json_fault(&error));
    serde_json::from_slice(&text).map_err(wrong)
}

impl InterventionArgs {
    /// Returns true where no option needs a transcoder.
    pub fn is_idle(&self) -> bool {
        let lists = self.ablate.is_empty() && self.set.is_empty() && self.scale.is_empty() && self.add.is_empty();
        lists && self.swap.is_empty() && self.group.is_empty() && self.graph.is_none() && self.interventions.is_none()
    }

    /// Returns the paths that the options name.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.graph.iter().chain(&self.interventions).map(PathBuf::as_path)
    }

    /// Reads the files that the options name.
    ///
    /// # Errors
    /// Fails where one cannot be read or holds something else.
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
    /// Returns the frozen intermediates, with `layers` for the direct mode.
    ///
    /// # Errors
    /// Fails where layers are given for another mode.
    pub fn freeze(&self, layers: Option<&Range<usize>>) -> Result<(Freeze, Option<Range<usize>>)> {
        let freeze = self.args.mode.map_or(self.saved.freeze, Freeze::from);
        if layers.is_some() && freeze != Freeze::Direct {
            bail!("--layers goes with --mode direct; the other modes freeze no layers");
        }
        let saved = self.saved.layers.as_ref().filter(|_| freeze == Freeze::Direct);
        Ok((freeze, layers.or(saved).cloned()))
    }

    /// Returns the interventions, on the prompt of `base`.
    ///
    /// # Errors
    /// Fails where another prompt cannot be read, a supernode does not exist, the graph is another prompt's, or the
    /// work was stopped.
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

/// Returns a group's features.
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

/// Returns the intervention of `NAME[=VALUE]`.
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
