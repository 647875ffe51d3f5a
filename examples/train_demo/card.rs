//! The model card: what the demo is, how it was made, and how good it is.

use crate::corpus::Sentence;
use crate::report::Report;
use crate::tokenizer::Vocabulary;

/// The settings that the files were made with.
pub struct Made {
    pub seed: u64,
    pub steps: usize,
    pub hidden_l1: f64,
    pub transcoder_steps: usize,
    pub features: usize,
    pub sparsity: f64,
}

pub fn text(made: &Made, sentences: &[Sentence], vocabulary: &Vocabulary, report: &Report) -> String {
    let held_out = sentences.iter().filter(|s| s.held_out).count();
    let (trained, words) = (sentences.len() - held_out, vocabulary.len());
    let Made { seed, steps, hidden_l1, transcoder_steps, features, sparsity } = made;
    let command = format!(
        "cargo run --release --example train_demo -- --seed {seed} --steps {steps} --hidden-l1 {hidden_l1} \\\n    \
         --transcoder-steps {transcoder_steps} --features {features} --sparsity {sparsity}"
    );
    let table = report.markdown();
    format!(
        "\
# The demo model

A four-layer Llama (`model/`, 128 wide, {words} words) and its cross-layer transcoder (`transcoder/`, {features} \
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
vocabulary becomes `<unk>`, of which the model knows nothing.

## Training

The model: {steps} steps of 128 sentences, AdamW, cross-entropy with weight 1 on the answer and 0.2 elsewhere, plus \
{hidden_l1} times the sum of the absolute hidden units of all MLPs, which makes the MLPs sparse enough for a \
transcoder. The embeddings of cities that are no capitals are drawn at half the length of the others and stay frozen, \
so that a city's state is worked out by the first MLP and then outweighs the city's name.

The transcoder: JumpReLU features that read an MLP's normalized input and write into the MLP outputs of their own and \
all later layers; {transcoder_steps} steps of 512 tokens, squared error weighted by 1 / mean(resid_post^2) plus \
{sparsity} times the sum of tanh(activation * decoder norm), ramped up over the first 60 %. Features start on groups of \
inputs for which the MLP writes much the same, a quarter of them on large groups; those that go silent start again \
where the error is. It learns from the model as rounded to bf16.

## Figures

Measured on the files here, rounded to bf16, computed in f32. \"Held-out questions\" are 28 of the form \
`fact : the capital of the state|country containing X is`. A feature is *selective* for a place if more than 0.3 of \
the mass of its activations above 30 % of its maximum, over the corpus, falls on sentences about that place. Features \
are set freely: the difference to their current activation goes through their decoders into the real MLPs' outputs, \
and everything downstream is recomputed. A swap sets the features of the first city to 0 and those of the second to \
their values there (x1) or to twice these (x2), at the city's position and in all layers; the state-selective swap does so only with \
features selective for the first, or for the second, city's state. It works if the answer becomes the second state's \
capital.

{table}
## Making it again

```sh
{command}
```

It takes five to eight minutes on one core. The same seed gives the same files up to the order of floating-point sums, \
which differs between processors. `--evaluate` measures the files that are here.

## What features fire on

`transcoder/features/` is a feature store over all sentences of the corpus, held-out ones included, made by the program \
itself once model and transcoder are there:

```sh
cargo run --release --example train_demo -- --corpus corpus.txt
cargo run --release -- features build --corpus corpus.txt --out assets/demo/transcoder/features
```

The second command takes half a minute, and the order of the sentences does not matter.
"
    )
}
