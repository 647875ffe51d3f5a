//! The model card: what the demo is, how it was made, and how good it is.

use crate::corpus::Sentence;
use crate::report::Report;
use crate::tokenizer::Vocabulary;
use crate::train_model::ModelPlan;
use crate::train_transcoder::TranscoderPlan;

/// The settings that the files were made with.
pub struct Made {
    pub model: ModelPlan,
    pub transcoder: TranscoderPlan,
    /// Whether questions about unknown cities were among the sentences.
    pub unknown: bool,
}

impl Made {
    /// The options that make the same again.
    fn options(&self) -> String {
        let (model, transcoder) = (&self.model, &self.transcoder);
        let mut options = format!(
            "--seed {} --steps {} --hidden-l1 {} --mlp-width {}",
            model.seed, model.steps, model.hidden_l1, model.mlp_width
        );
        let flags =
            [(model.freeze_all, "--freeze-all"), (self.unknown, "--unknown"), (transcoder.per_layer, "--per-layer")];
        for (_, flag) in flags.into_iter().filter(|(set, _)| *set) {
            options = options + " " + flag;
        }
        options
            + &format!(
                " \\\n    --transcoder-steps {} --features {} --coarse {} --sparsity {} --rarity {}",
                transcoder.steps, transcoder.features, transcoder.coarse, transcoder.sparsity, transcoder.rarity
            )
    }
}

pub fn text(made: &Made, sentences: &[Sentence], vocabulary: &Vocabulary, report: &Report) -> String {
    let held_out = sentences.iter().filter(|s| s.held_out).count();
    let (trained, words) = (sentences.len() - held_out, vocabulary.len());
    let (ModelPlan { steps, hidden_l1, .. }, features) = (&made.model, made.transcoder.features);
    let TranscoderPlan { steps: transcoder_steps, sparsity, rarity, coarse, .. } = made.transcoder;
    let command = format!("cargo run --release --example train_demo -- {}", made.options());
    let [kind, written] = if made.transcoder.per_layer {
        ["per-layer", "MLP output of their own layer"]
    } else {
        ["cross-layer", "MLP outputs of their own and all later layers"]
    };
    let frozen = if made.model.freeze_all {
        "All embeddings stay where they were drawn, those of cities that are no capitals at half the length of the others"
    } else {
        "The embeddings of cities that are no capitals are drawn at half the length of the others and stay frozen"
    };
    let unknown = if made.unknown {
        "Questions about `<unk>`, whose embedding is drawn anew for each step, are answered with `unknown`, so that the \
         model says so wherever it recognizes no city. "
    } else {
        ""
    };
    let corpus_option = if made.unknown { "--unknown " } else { "" };
    let table = report.markdown();
    format!(
        "\
# The demo model

A four-layer Llama (`model/`, 128 wide, {words} words) and its {kind} transcoder (`transcoder/`, {features} \
features a layer), both trained from nothing by this repository on sentences that it generates itself. They exist to \
be looked into: `fact : the capital of the state containing Dallas is` is answered with `Austin` in two hops, over \
Texas, though no sentence of two hops in training mentions Dallas. They know nothing else of the world.

Both were made by `examples/train_demo`; no other model or text went into them. Same licence as the program.

## Corpus

{trained} sentences to train on, {held_out} held out, from templates and tables of plain facts: 24 US states and 12 \
countries with capitals, other cities and attributes; opposites and translations in English, French and Spanish; sums \
and comparisons of digits; who receives a gift; agreement of verbs; days and months. Sentences about places come with \
and without a leading `fact : `. 28 cities (`Dallas` and `Oakland` among them) never occur in a sentence of two hops. \
A word is a token; names of several words are joined by hyphens; the case of a letter counts. A word outside the \
vocabulary becomes `<unk>`. {unknown}

## Training

The model: {steps} steps of 128 sentences, AdamW, cross-entropy with weight 1 on the answer and 0.2 elsewhere, plus \
{hidden_l1} times the sum of the absolute hidden units of all MLPs, which makes the MLPs sparse enough for a \
transcoder. {frozen}, \
so that a city's state is worked out by the first MLP and then outweighs the city's name.

The transcoder: JumpReLU features that read an MLP's normalized input and write into the {written}; \
{transcoder_steps} steps of 1024 tokens, squared error weighted by 1 / mean(resid_post^2) plus {sparsity} times the sum \
of tanh(activation * decoder norm) and of {rarity} ln(1 + activation * decoder norm), dearer the rarer a feature is, \
ramped up over the first 60 %. At most a share of {coarse} of the features starts on what the MLP makes of many \
tokens, such as all cities of a state, the others on what is then left; in the first layer these are groups of words, \
linked by what the MLP makes of them and read by what tells them from all others. Features that go silent start again \
where the error is. It learns from the model as rounded to bf16, and from no sentence of two hops about the 28 cities.

## Figures

Measured on the files here, rounded to bf16, computed in f32. \"Held-out questions\" are 28 of the form \
`fact : the capital of the state|country containing X is`. A feature is *selective* for a place if more than 0.3 of \
the mass of its activations above 30 % of its maximum, over the corpus, falls on sentences about that place. Features \
are set freely: the difference to their current activation goes through their decoders into the real MLPs' outputs, \
and everything downstream is recomputed. A swap sets the features of the first city to 0 and those of the second to \
their values there (x1) or to twice these (x2), at the city's position and in all layers; the state-selective swap does so only with \
features selective for the first, or for the second, city's state. It works if the answer becomes the second state's \
capital.

A feature *stands for* a place if at least 90 % of that mass falls on it, at least four of its cities are among what \
the feature is active on or after, and at most half of the mass is where the capital comes next. What such features \
carry is measured in the graph as the program opens it, over all held-out questions: the absolute strength of all kept \
paths from the city's token to the capital that lead through one of them, also where the model answers otherwise.

{table}
## Making it again

```sh
{command}
```

It takes about a quarter of an hour on one core. The same seed gives the same files up to the order of floating-point sums, \
which differs between processors. `--evaluate` measures the files that are here.

## What features fire on

`transcoder/features/` is a feature store over all sentences that are not held out, made by the program itself once \
model and transcoder are there:

```sh
cargo run --release --example train_demo -- {corpus_option}--corpus corpus.txt
cargo run --release -- features build --corpus corpus.txt --out assets/demo/transcoder/features
```

The second command takes half a minute, and the order of the sentences does not matter.
"
    )
}
