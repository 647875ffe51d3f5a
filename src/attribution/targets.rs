//! Choice of the traced outputs (section "Output nodes" of Ameisen et al. 2025): tokens, or directions of the final
//! norm's output.

use crate::attribution::TraceError;
use crate::graph::{FeatureAt, Settings, Target, TargetKind, Token};
use crate::job::Cancel;
use crate::model::{ModelError, Transformer};
use crate::tokens::{TokenError, Tokenizer};
use crate::transcoder::Transcoder;
use std::borrow::Cow;

/// Target requested by the user.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Logit of the token that a text means.
    Token(Spelling),
    /// Difference of two tokens' unembedding vectors.
    Difference {
        /// Token that counts positively.
        plus: Spelling,
        /// Token that counts negatively.
        minus: Spelling,
        /// Weight among the targets.
        weight: f32,
    },
    /// Custom direction, used as given.
    Vector {
        /// Name of the direction.
        name: String,
        /// Direction at the final norm's output, `[d]`.
        vector: Vec<f32>,
        /// Weight among the targets.
        weight: f32,
    },
    /// Pre-activation of a feature, active or not, to explain its value.
    Feature(FeatureAt),
}

/// Tokens that a text may mean: itself, and itself behind a space, as words inside a text are.
#[derive(Clone, Debug, PartialEq)]
pub struct Spelling {
    /// Token of the text as given.
    pub as_given: Token,
    /// Token of the text with a space in front, where that is another one.
    pub spaced: Option<Token>,
    /// True where the likelier of the two is wanted instead of the text as given.
    pub takes_likelier: bool,
}

/// Ratio to the given token's probability, and least probability, from which the token with a space in front is taken
/// to be meant.
const FAR_LIKELIER: f64 = 10.0;
const LIKELY: f64 = 0.01;

impl Spelling {
    /// Parses a token as the user writes it: a text that is one token, `~` and a text for the likelier of that and the
    /// same behind a space, or `id:N`.
    ///
    /// # Errors
    /// Fails as [`Tokenizer::target`] does.
    pub fn written(text: &str, tokenizer: &Tokenizer, vocab_size: usize) -> Result<Self, TokenError> {
        let (text, takes_likelier) = match text.strip_prefix('~') {
            Some(rest) if !rest.is_empty() => (rest, true),
            _ => (text, false),
        };
        let given = tokenizer.target(text, vocab_size);
        let is_word = !text.starts_with("id:") && !text.starts_with(char::is_whitespace);
        let spaced = if is_word { tokenizer.target(&format!(" {text}"), vocab_size).ok() } else { None };
        Ok(match (given, spaced) {
            (Err(_), Some(as_given)) if takes_likelier => Self { as_given, spaced: None, takes_likelier },
            (given, spaced) => {
                let as_given = given?;
                let spaced = spaced.filter(|spaced| spaced.id != as_given.id);
                Self { as_given, spaced, takes_likelier }
            }
        })
    }

    /// Returns the token that is meant, by the `probabilities` of all tokens.
    ///
    /// # Errors
    /// Fails with [`TraceError::Target`] where the given token is unlikely and the other is not.
    pub fn meant(&self, probabilities: &[f64]) -> Result<&Token, TraceError> {
        let Some(other) = &self.spaced else { return Ok(&self.as_given) };
        let [given, spaced] = [&self.as_given, other].map(|token| probabilities[token.id as usize]);
        if self.takes_likelier {
            return Ok(if spaced > given { other } else { &self.as_given });
        }
        if spaced < LIKELY || spaced < FAR_LIKELIER * given {
            return Ok(&self.as_given);
        }
        let (Token { id, text }, other) = (&self.as_given, &other.text);
        let what = format!(
            "its probability is {given:.3}, and that of {other:?}, with a space in front, {spaced:.3}; give {other:?}, or \
             ~{text} for the likelier of the two, or id:{id} for this one"
        );
        Err(TraceError::Target { name: format!("{text:?}"), what })
    }

    /// Returns the tokens that may be meant.
    fn possible(&self) -> impl Iterator<Item = &Token> {
        let spaced = self.spaced.iter().filter(|_| self.takes_likelier);
        std::iter::once(&self.as_given).chain(spaced)
    }
}

impl Request {
    /// Parses a token as [`Spelling::written`] does.
    ///
    /// # Errors
    /// Fails as [`Tokenizer::target`] does.
    pub fn written(text: &str, tokenizer: &Tokenizer, vocab_size: usize) -> Result<Self, TokenError> {
        Ok(Self::Token(Spelling::written(text, tokenizer, vocab_size)?))
    }

    /// Returns true where the target may have this name in a trace.
    pub fn may_be(&self, name: &str) -> bool {
        match self {
            Self::Token(spelling) => spelling.possible().any(|token| token.text == name),
            Self::Difference { plus, minus, .. } => {
                plus.possible().any(|plus| minus.possible().any(|minus| difference_name(plus, minus) == name))
            }
            _ => self.name() == name,
        }
    }

    /// Returns the name of the target in a trace.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Token(spelling) => spelling.as_given.text.as_str().into(),
            Self::Difference { plus, minus, .. } => difference_name(&plus.as_given, &minus.as_given).into(),
            Self::Vector { name, .. } => name.as_str().into(),
            Self::Feature(at) => at.to_string().into(),
        }
    }
}

/// Returns the name of the difference of two tokens.
fn difference_name(plus: &Token, minus: &Token) -> String {
    format!("{} - {}", plus.text.trim(), minus.text.trim())
}

/// Choice of the traced outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetChoice {
    /// Likeliest tokens: the smallest set whose probability reaches `probability`, at most `most`.
    Likeliest {
        /// Most tokens.
        most: usize,
        /// Cumulative probability to reach.
        probability: f32,
    },
    /// Given targets, in this order, with their raw probabilities or given weights.
    Given(Vec<Request>),
}

impl TargetChoice {
    /// Returns the choice of the likeliest tokens, as many as `settings` say.
    pub fn likeliest(settings: &Settings) -> Self {
        Self::Likeliest { most: settings.max_logits, probability: settings.logit_probability }
    }
}

/// Checks that the transcoder has this feature.
///
/// # Errors
/// Fails with [`TraceError::Target`], naming the numbers of layers and features, where it has not.
pub(super) fn check_feature(transcoder: &Transcoder, at: FeatureAt) -> Result<(), TraceError> {
    let n_layers = transcoder.n_layers();
    let what = if at.layer().index() >= n_layers {
        format!("there is no layer {}, only {n_layers}, counted from 0", at.layer())
    } else if at.feature.index() >= transcoder.n_features(at.layer().index()) {
        format!("layer {} has {} features, counted from 0", at.layer(), transcoder.n_features(at.layer().index()))
    } else {
        return Ok(());
    };
    Err(TraceError::Target { name: Request::Feature(at).name().into_owned(), what })
}

/// Returns the softmax of `logits`, in f64.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f64> = logits.iter().map(|x| f64::from(x - top).exp()).collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|x| x / sum).collect()
}

/// Returns the likeliest tokens, the likeliest first: as many as it takes for their probabilities to add up to `reach`,
/// at most `most`.
pub fn likeliest(probabilities: &[f64], most: usize, reach: f64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..probabilities.len() as u32).collect();
    order.sort_by(|a, b| probabilities[*b as usize].total_cmp(&probabilities[*a as usize]));
    let mut reached = 0.0;
    let last = order.iter().position(|id| {
        reached += probabilities[*id as usize];
        reached >= reach
    });
    order.truncate(last.map_or(most, |last| most.min(last + 1)));
    order
}

/// Returns the targets and their directions `[d]` at the final norm's output: for tokens the unembedding vector minus
/// the mean over the vocabulary, for others as given; for a feature its encoder's row, at the feature input.
pub(super) fn resolve(
    choice: &TargetChoice,
    model: &Transformer,
    transcoder: &Transcoder,
    logits: &[f32],
    text: impl Fn(u32) -> String,
    cancel: &Cancel,
) -> Result<Vec<(Target, Vec<f32>)>, TraceError> {
    let probabilities = softmax(logits);
    let token = |id: u32, text: String| -> Result<(Target, Vec<f32>), TraceError> {
        let mean = model.mean_unembedding(cancel)?;
        let vector = model.unembedding(id)?.iter().zip(mean).map(|(w, m)| w - m).collect();
        let probability = probabilities[id as usize] as f32;
        Ok((Target { id, kind: TargetKind::Token, probability, text }, vector))
    };
    let requests = match choice {
        TargetChoice::Likeliest { most, probability } => {
            let ids = likeliest(&probabilities, (*most).max(1), f64::from(*probability));
            return ids.into_iter().map(|id| token(id, text(id))).collect();
        }
        TargetChoice::Given(requests) => requests,
    };
    let mut targets = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let direction = |name: String, vector: Vec<f32>, weight: f32| {
            let wrong = |what: String| TraceError::Target { name: name.clone(), what };
            if vector.len() != model.spec.d_model {
                let (has, wants) = (vector.len(), model.spec.d_model);
                return Err(wrong(format!("the direction has {has} numbers, the model's residual stream {wants}")));
            }
            if vector.iter().any(|x| !x.is_finite()) || vector.iter().all(|x| *x == 0.0) {
                return Err(wrong("the direction holds a NaN or an infinity, or is zero".to_owned()));
            }
            if !(weight.is_finite() && weight > 0.0) {
                return Err(wrong(format!("weight {weight} is not a positive number")));
            }
            let id = (model.spec.vocab_size + index) as u32;
            Ok((Target { id, kind: TargetKind::Direction, probability: weight, text: name }, vector))
        };
        targets.push(match request {
            Request::Token(spelling) => {
                let meant = spelling.meant(&probabilities)?;
                token(meant.id, meant.text.clone())?
            }
            Request::Difference { plus, minus, weight } => {
                let (plus, minus) = (plus.meant(&probabilities)?, minus.meant(&probabilities)?);
                let (up, down) = (model.unembedding(plus.id)?, model.unembedding(minus.id)?);
                let vector = up.iter().zip(&down).map(|(a, b)| a - b).collect();
                direction(difference_name(plus, minus), vector, *weight)?
            }
            Request::Vector { name, vector, weight } => direction(name.clone(), vector.clone(), *weight)?,
            Request::Feature(at) => {
                check_feature(transcoder, *at)?;
                let (encoder, _) = transcoder.encoder_row(at.layer().index(), at.feature.index())?;
                let (target, vector) = direction(request.name().into_owned(), encoder, 1.0)?;
                (Target { kind: TargetKind::Feature(*at), ..target }, vector)
            }
        });
    }
    if targets.is_empty() {
        let what = "no target given".to_owned();
        return Err(TraceError::Model(ModelError::Config { path: "targets".to_owned(), what }));
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::FileSource;
    use std::path::Path;

    fn tokenizer(case: &str) -> Tokenizer {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case).join("model");
        Tokenizer::open(&FileSource::directory(&folder).unwrap()).unwrap()
    }

    /// Returns the token meant by a text, for the probabilities of the text and of the text behind a space.
    fn meant(text: &str, [given, spaced]: [f64; 2]) -> Result<String, String> {
        let tokenizer = tokenizer("llama_plt_relu");
        let mut probabilities = vec![0.0; 384];
        for (text, probability) in [("Paris", given), (" Paris", spaced)] {
            probabilities[tokenizer.target(text, 384).unwrap().id as usize] = probability;
        }
        match Request::written(text, &tokenizer, 384).unwrap() {
            Request::Token(spelling) => {
                let meant = spelling.meant(&probabilities).map_err(|error| error.to_string())?;
                Ok(meant.text.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_word_that_is_far_likelier_behind_a_space_is_asked_for_again() {
        let refusal = meant("Paris", [0.002, 0.749]).unwrap_err();
        assert!(["0.002", "0.749", "\" Paris\"", "~Paris"].iter().all(|part| refusal.contains(part)), "{refusal}");
        // Where it is little likelier, or neither is likely, what was given is meant.
        for probabilities in [[0.2, 0.7], [0.7, 0.002], [1e-9, 1e-4]] {
            assert_eq!(meant("Paris", probabilities).as_deref(), Ok("Paris"));
        }
        assert_eq!(meant("~Paris", [0.2, 0.7]).as_deref(), Ok(" Paris"));
        assert_eq!(meant("~Paris", [0.7, 0.2]).as_deref(), Ok("Paris"));
        assert_eq!(meant(" Paris", [0.9, 0.0]).as_deref(), Ok(" Paris"));
    }
}
