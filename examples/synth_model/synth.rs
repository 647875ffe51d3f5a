//! Models and transcoders of real shape with random weights, for measuring: what they compute means nothing, how
//! long it takes does.

use anyhow::Context;
use circuitscope::format::tensors::{self, Tensor};
use half::bf16;
use rayon::prelude::*;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Features that are to fire for each token in each layer.
const ACTIVE_PER_TOKEN: f64 = 40.0;
/// The standard deviation of embeddings and of what each sublayer adds, against the unit of a norm's output. With it
/// the logits of a tied unembedding are peaked, but not on a single token.
const RESIDUAL: f64 = 0.1;

/// The sizes of a model and its transcoder.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub name: &'static str,
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_width: usize,
    pub mlp: usize,
    pub vocab: usize,
    pub features: usize,
    /// True for encoders `[d, F]`, GemmaScope's layout, instead of `[F, d]`; with the same numbers.
    pub encoders_by_input: bool,
}

/// The sizes of published models, and of transcoders that exist for them.
pub const SHAPES: [Shape; 6] = [
    shape("smollm2-135m", 30, 576, [9, 3, 64], 1536, 49_152, 8_192),
    shape("qwen3-0.6b", 28, 1024, [16, 8, 128], 3072, 151_936, 32_768),
    shape("gemma-2-2b", 26, 2304, [8, 4, 256], 9216, 256_000, 16_384),
    shape("llama-3.2-1b", 16, 2048, [32, 8, 64], 8192, 128_256, 32_768),
    shape("gpt2-small", 12, 768, [12, 12, 64], 3072, 50_257, 24_576),
    shape("small", 8, 256, [8, 4, 32], 768, 2_000, 8_192),
];

const fn shape(
    name: &'static str,
    layers: usize,
    width: usize,
    [heads, kv_heads, head_width]: [usize; 3],
    mlp: usize,
    vocab: usize,
    features: usize,
) -> Shape {
    Shape { name, layers, width, heads, kv_heads, head_width, mlp, vocab, features, encoders_by_input: false }
}

/// What a tensor is filled with.
#[derive(Clone, Copy)]
enum Fill {
    /// Independent normals of mean 0 and this standard deviation.
    Normal(f64),
    /// The same numbers as of a tensor whose two dimensions are exchanged, each in its place.
    Exchanged(f64),
    Constant(f64),
}

/// A tensor's name, shape and filling.
struct Plan(String, Vec<usize>, Fill);

impl Shape {
    /// Bytes of all weights on disk.
    pub fn bytes(&self) -> usize {
        let numbers = |plans: &[Plan]| plans.iter().map(|Plan(_, shape, _)| shape.iter().product::<usize>()).sum();
        let (model, layer): (usize, usize) = (numbers(&self.model()), numbers(&self.transcoder_layer()));
        (model + layer * self.layers) * size_of::<bf16>()
    }

    /// Writes `directory/model` and `directory/transcoder` in the layouts that such things are published in.
    pub fn write(&self, directory: &Path, seed: u64) -> anyhow::Result<()> {
        let (model, transcoder) = (directory.join("model"), directory.join("transcoder"));
        for made in [&model, &transcoder] {
            fs::create_dir_all(made).with_context(|| format!("cannot make the directory {}", made.display()))?;
        }
        let texts = [
            (model.join("config.json"), format!("{:#}", self.config())),
            (model.join("tokenizer.json"), self.tokenizer().to_string()),
            (model.join("tokenizer_config.json"), json!({"bos_token": "<bos>", "eos_token": "<eos>"}).to_string()),
            (transcoder.join("config.yaml"), self.transcoder_config()),
        ];
        for (path, text) in texts {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let layers = (0..self.layers).map(|layer| {
            (transcoder.join(format!("layer_{layer}.safetensors")), self.transcoder_layer(), seed + 1 + layer as u64)
        });
        let mut files = vec![(model.join("model.safetensors"), self.model(), seed)];
        files.extend(layers);
        files.into_par_iter().try_for_each(|(path, plans, seed)| {
            let tensors = plans.iter().zip(1..).map(|(Plan(name, shape, fill), at)| {
                let n = shape.iter().product();
                let random = Random(mix(seed) ^ mix(at));
                match *fill {
                    Fill::Normal(deviation) => Tensor::new(name, shape.clone(), normals(random, deviation, n)),
                    Fill::Exchanged(deviation) => {
                        let (rows, columns) = (shape[0], shape[1]);
                        let plain: Vec<bf16> = normals(random, deviation, n).collect();
                        let at = move |at: usize| plain[at % columns * rows + at / columns];
                        Tensor::new(name, shape.clone(), (0..n).map(at))
                    }
                    Fill::Constant(value) => {
                        Tensor::new(name, shape.clone(), std::iter::repeat_n(bf16::from_f64(value), n))
                    }
                }
            });
            tensors::write(&path, Some(("format", "pt".into())), tensors.collect()).map_err(anyhow::Error::from)
        })
    }

    fn model(&self) -> Vec<Plan> {
        let (d, mlp) = (self.width, self.mlp);
        let (attention, kv) = (self.heads * self.head_width, self.kv_heads * self.head_width);
        // A matrix that turns unit numbers into unit numbers, and one that turns them into what a sublayer adds.
        let unit = |inputs: usize| Fill::Normal(1.0 / (inputs as f64).sqrt());
        let adds = |inputs: usize| Fill::Normal(RESIDUAL / (inputs as f64).sqrt());
        let mut plans = vec![Plan("model.embed_tokens.weight".into(), vec![self.vocab, d], Fill::Normal(RESIDUAL))];
        for layer in 0..self.layers {
            let matrices = [
                ("self_attn.q_proj", [attention, d], unit(d)),
                ("self_attn.k_proj", [kv, d], unit(d)),
                ("self_attn.v_proj", [kv, d], unit(d)),
                ("self_attn.o_proj", [d, attention], adds(attention)),
                ("mlp.gate_proj", [mlp, d], unit(d)),
                ("mlp.up_proj", [mlp, d], unit(d)),
                ("mlp.down_proj", [d, mlp], adds(mlp)),
            ];
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            plans.extend(matrices.map(|(part, shape, fill)| Plan(name(part), shape.to_vec(), fill)));
            let norms = ["input_layernorm", "post_attention_layernorm"];
            plans.extend(norms.map(|part| Plan(name(part), vec![d], Fill::Constant(1.0))));
        }
        plans.push(Plan("model.norm.weight".into(), vec![d], Fill::Constant(1.0)));
        plans
    }

    /// The encoder reads a norm's output, whose numbers have unit variance, so pre-activations are standard normal
    /// and the bias is the quantile above which as many features lie as are to fire.
    fn transcoder_layer(&self) -> Vec<Plan> {
        let (f, d) = (self.features, self.width);
        let vector = Fill::Normal(1.0 / (d as f64).sqrt());
        let bias = normal_quantile(ACTIVE_PER_TOKEN / f as f64);
        let encoder = match (self.encoders_by_input, vector) {
            (true, Fill::Normal(deviation)) => Plan("W_enc".into(), vec![d, f], Fill::Exchanged(deviation)),
            _ => Plan("W_enc".into(), vec![f, d], vector),
        };
        vec![
            encoder,
            Plan("W_dec".into(), vec![f, d], vector),
            Plan("b_enc".into(), vec![f], Fill::Constant(bias)),
            Plan("b_dec".into(), vec![d], Fill::Constant(0.0)),
        ]
    }

    fn config(&self) -> serde_json::Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "_name_or_path": format!("synthetic/{}", self.name),
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_width,
            "intermediate_size": self.mlp,
            "hidden_act": "silu",
            "vocab_size": self.vocab,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6,
            "rope_theta": 500_000.0,
            "tie_word_embeddings": true,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "torch_dtype": "bfloat16",
        })
    }

    fn transcoder_config(&self) -> String {
        format!(
            "model_name: synthetic/{name}\nmodel_kind: transcoder_set\nfeature_input_hook: mlp.hook_in\n\
             feature_output_hook: mlp.hook_out\nscan: synthetic/{name}-transcoder\n",
            name = self.name
        )
    }

    /// One word a token: `w0 w1 w2 ...`. The leading token is not id 0, which would count as none.
    fn tokenizer(&self) -> serde_json::Value {
        let special = ["<unk>", "<bos>", "<eos>"];
        let words = (0..self.vocab - special.len()).map(|word| format!("w{word}"));
        let vocab: serde_json::Map<_, _> =
            special.map(String::from).into_iter().chain(words).zip((0..self.vocab).map(Into::into)).collect();
        let added = special.iter().enumerate().map(|(id, content)| {
            json!({
                "id": id, "content": content, "special": true,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        });
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": null,
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": null,
            "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
        })
    }
}

/// A generator whose state is a counter (SplitMix64), so that any tensor is drawn on its own, in any order.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// `n` normals. Billions are wanted, so each is a quantile looked up at sixteen random bits.
fn normals(mut random: Random, deviation: f64, n: usize) -> impl Iterator<Item = bf16> {
    const STEPS: u32 = 1 << 16;
    let quantile = |step: u32| normal_quantile((f64::from(step) + 0.5) / f64::from(STEPS));
    let table: Vec<bf16> = (0..STEPS).map(|step| bf16::from_f64(deviation * quantile(step))).collect();
    let mut bits = 0;
    (0..n).map(move |at| {
        bits = if at % 4 == 0 { random.next() } else { bits >> 16 };
        table[usize::from(bits as u16)]
    })
}

/// The number below which a standard normal lies with this probability (Acklam's rational approximation, relative
/// error 1.2e-9).
fn normal_quantile(probability: f64) -> f64 {
    const A: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
        1.0,
    ];
    const C: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] =
        [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |probability: f64| {
        let q = (-2.0 * probability.ln()).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    };
    if probability < 0.02425 {
        tail(probability)
    } else if probability > 1.0 - 0.02425 {
        -tail(1.0 - probability)
    } else {
        let q = probability - 0.5;
        q * polynomial(&A, q * q) / polynomial(&B, q * q)
    }
}
