//! Metadata and parameters of a file, as loosely typed as the programs that write it have made them.

use super::fields::{Listed, Lists, Text, Threshold, Whole};
use super::object::Object;
use super::source;
use crate::graph::{Extent, Fields, Origin, Page, SourceSet};
use serde_json::value::RawValue;

/// Metadata fields that are used.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub prompt_tokens: Option<Vec<String>>,
    pub prompt: Option<String>,
    /// Layers of the model, which EleutherAI's attribute gives.
    pub n_layers: Option<u32>,
    /// True where the trace was stopped early; this program's own field.
    pub partial: bool,
    /// True where the file holds graphs of two models.
    pub is_comparison: bool,
    pub description: String,
    /// True where this program wrote the file.
    pub is_own: bool,
    slug: String,
    scan: String,
    transcoders: Vec<String>,
    /// Transcoder set, which Neuronpedia has beside a `scan` that is its name of the model.
    transcoder_set: Option<String>,
    pruned_at: [Option<f64>; 2],
    /// Node threshold at which the field's viewers open it.
    opens_at: Option<f64>,
    source_set: Option<SourceSet>,
    page: Option<Page>,
    /// All fields, to be written again.
    pub fields: Fields,
}

impl Metadata {
    /// Reads the metadata; `warnings` tell of fields that cannot be read.
    ///
    /// # Errors
    /// Fails where it is no object.
    pub fn of(raw: &RawValue, warnings: &mut Vec<String>) -> Result<Self, String> {
        let object = Object::of(raw).map_err(|what| format!("its metadata: {what}"))?;
        let within = |key: &str| object.raw(key).and_then(|raw| Object::of(raw).ok()).unwrap_or_default();
        let (info, pruning) = (within("info"), within("pruning_settings"));
        let generator = info.raw("generator").and_then(|raw| Object::of(raw).ok()).unwrap_or_default();
        let mut of = Reader { warnings };
        let scan = of.list(&object, "scan").unwrap_or_default().join(", ");
        let details = within("feature_details");
        let named = [&details, &info].into_iter().find_map(|told| of.text(told, "neuronpedia_source_set"));
        let addresses = of.list(&info, "source_urls").unwrap_or_default();
        let [pruned_node, edge] = ["node_threshold", "edge_threshold"].map(|key| of.share(&pruning, key));
        let given = of.share(&object, "node_threshold");
        // Neuronpedia's older spelling, which it does not read where the other one is there.
        let older = of.share(&object, "nodeThreshold");
        Ok(Self {
            prompt_tokens: of.list(&object, "prompt_tokens"),
            prompt: of.text(&object, "prompt"),
            n_layers: object.get::<Whole>("n_layers", "a number").ok().flatten().and_then(|n| u32::try_from(n.0).ok()),
            partial: object.get::<bool>("partial", "true or false").ok().flatten() == Some(true),
            is_comparison: object.raw("comparison").is_some(),
            description: of.text(&info, "description").unwrap_or_default(),
            is_own: of.text(&generator, "name").as_deref() == Some(env!("CARGO_PKG_NAME")),
            slug: of.text(&object, "slug").unwrap_or_default(),
            source_set: source::set(&scan, named.as_deref(), &addresses),
            page: of.text(&info, "neuronpedia_link").and_then(|link| source::page(&link)),
            scan,
            transcoders: of.list(&object, "transcoder_list").unwrap_or_default(),
            transcoder_set: of.text(&info, "transcoder_set"),
            pruned_at: [pruned_node.or(given).or(older), edge],
            opens_at: given.or(older).or(pruned_node),
            fields: object.fields(),
        })
    }

    /// Returns the node threshold at which the field's viewers open the file; none for this program's files, which are
    /// shown whole.
    pub fn opens_at(&self) -> Option<f64> {
        self.opens_at.filter(|_| !self.is_own)
    }

    /// Returns the origin of the graph, whose prompt has these tokens.
    pub fn origin(&self, tokens: &[String]) -> Origin {
        // Neuronpedia calls the model what circuit-tracer calls the transcoders.
        let (model, transcoder) = match &self.transcoder_set {
            Some(transcoder) => (self.scan.clone(), transcoder.clone()),
            None if !self.transcoders.is_empty() => (String::new(), self.transcoders.join(", ")),
            None => (String::new(), self.scan.clone()),
        };
        let [node, edge] = self.pruned_at;
        Origin {
            slug: self.slug.clone(),
            prompt: self.prompt.clone().unwrap_or_else(|| tokens.concat()),
            model,
            transcoder,
            dtype: String::new(),
            device: String::new(),
            extent: match (node, edge) {
                (Some(1.0), Some(1.0)) if self.partial => Extent::Partial,
                (Some(1.0), Some(1.0)) => Extent::Whole,
                _ => Extent::PrePruned { node, edge },
            },
            source_set: self.source_set.clone(),
            page: self.page.clone(),
        }
    }
}

/// Reader of fields that are not vital.
struct Reader<'w> {
    warnings: &'w mut Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, object: &Object<'_>, key: &str) -> Option<String> {
        let text = object.get::<Text<'_>>(key, "a text");
        self.told(text).map(|text| text.0.into_owned())
    }

    /// Reads a list of texts, or one text.
    fn list(&mut self, object: &Object<'_>, key: &str) -> Option<Vec<String>> {
        if let Ok(Some(one)) = object.get::<Text<'_>>(key, "a text") {
            return Some(vec![one.0.into_owned()]);
        }
        let list = object.get::<Listed>(key, "a list of texts");
        self.told(list).map(|list| list.0)
    }

    fn share(&mut self, object: &Object<'_>, key: &str) -> Option<f64> {
        let share = object.get::<Threshold>(key, "a number from 0 to 1").map(|found| found.unwrap_or_default().0);
        share.unwrap_or_else(|what| {
            self.warnings.push(format!("{what}; it is passed over"));
            None
        })
    }

    fn told<T>(&mut self, read: Result<Option<T>, String>) -> Option<T> {
        read.unwrap_or_else(|what| {
            self.warnings.push(format!("{what}; it is passed over"));
            None
        })
    }
}

/// The user's work in `qParams`. Each field is a value or, where circuit-tracer's page saved it, the text of its URL.
#[derive(Debug, Default)]
pub(super) struct QParams {
    pub pinned: Vec<String>,
    /// Supernodes: a name, then the members.
    pub supernodes: Vec<Vec<String>>,
    /// Labels: a node or feature, then its label.
    pub labels: Vec<Vec<String>>,
    pub clicked: Option<String>,
    pub pruning_threshold: Option<f64>,
    /// Edge threshold; this program's own, as the field's viewers prune nodes only.
    pub edge_threshold: Option<f64>,
    pub density_threshold: Option<f64>,
    /// All fields, to be written again.
    pub fields: Fields,
}

impl QParams {
    /// Reads the parameters; `warnings` tell of fields that cannot be read.
    pub fn of(raw: &RawValue, warnings: &mut Vec<String>) -> Self {
        let object = Object::of(raw).unwrap_or_else(|what| {
            warnings.push(format!("its qParams: {what}; they are passed over"));
            Object::default()
        });
        let lists = |key: &str, warnings: &mut Vec<String>| {
            object.heed::<Lists>(key, "a list of lists of texts", warnings).unwrap_or_default().0
        };
        let share = |key: &str, warnings: &mut Vec<String>| {
            object.heed::<Threshold>(key, "a number from 0 to 1", warnings).and_then(|threshold| threshold.0)
        };
        Self {
            pinned: object.heed::<Listed>("pinnedIds", "a list of ids", warnings).unwrap_or_default().0,
            supernodes: lists("supernodes", warnings),
            labels: lists("clerps", warnings),
            clicked: object.get::<Text<'_>>("clickedId", "an id").ok().flatten().map(|id| id.0.into_owned()),
            pruning_threshold: share("pruningThreshold", warnings),
            edge_threshold: share("edgeThreshold", warnings),
            density_threshold: share("densityThreshold", warnings),
            fields: object.fields(),
        }
    }
}
