//! What GGUF files call tensors, and what the Hugging Face layout calls them.

/// What becomes of a tensor of a GGUF file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rename {
    /// It is another one's name, with rows as they are or in pairs.
    To(String, HeadRowOrder),
    /// Its rows are three tensors, one after another.
    Thirds([String; 3]),
    /// It is no weight.
    Nothing,
}

/// In which order a tensor's rows lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadRowOrder {
    /// As in the Hugging Face layout.
    Plain,
    /// Those of query heads with the two halves of each rotated pair next to each other.
    PairedQueries,
    /// The same of key heads.
    PairedKeys,
}

/// Parts of a block of Llama's and its like.
const LLAMA: [(&str, &str); 14] = [
    ("attn_k", "self_attn.k_proj"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_norm", "input_layernorm"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_v", "self_attn.v_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_up", "mlp.up_proj"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
    ("rope_freqs", ""),
];

/// Parts of a block of GPT-2's.
const GPT2: [(&str, &str); 6] = [
    ("attn_norm", "ln_1"),
    ("attn_output", "attn.c_proj"),
    ("attn_qkv", "attn.c_attn"),
    ("ffn_down", "mlp.c_proj"),
    ("ffn_norm", "ln_2"),
    ("ffn_up", "mlp.c_fc"),
];

impl Rename {
    /// What becomes of the tensor `name` of an architecture; `None` where it is not known.
    pub fn of(architecture: &str, name: &str) -> Option<Self> {
        let (stem, part) = name.rsplit_once('.')?;
        if !matches!(part, "weight" | "bias") {
            return None;
        }
        let gpt2 = architecture == "gpt2";
        let plain = |name: String| Some(Self::To(format!("{name}.{part}"), HeadRowOrder::Plain));
        let Some(block) = stem.strip_prefix("blk.") else {
            return match (stem, gpt2) {
                ("rope_freqs", false) => Some(Self::Nothing),
                ("output", _) => plain("lm_head".to_owned()),
                ("token_embd", true) => plain("wte".to_owned()),
                ("position_embd", true) => plain("wpe".to_owned()),
                ("output_norm", true) => plain("ln_f".to_owned()),
                ("token_embd", false) => plain("model.embed_tokens".to_owned()),
                ("output_norm", false) => plain("model.norm".to_owned()),
                _ => None,
            };
        };
        let (layer, stem) = block.split_once('.')?;
        let layer: u16 = layer.parse().ok()?;
        if gpt2 {
            let (_, name) = GPT2.iter().find(|(gguf, _)| *gguf == stem)?;
            let name = format!("h.{layer}.{name}");
            return match stem {
                "attn_qkv" => Some(Self::Thirds(["q", "k", "v"].map(|which| format!("{name}.{which}.{part}")))),
                _ => plain(name),
            };
        }
        let gemma = matches!(architecture, "gemma2" | "gemma3");
        let (_, name) = LLAMA.iter().find(|(gguf, _)| *gguf == stem)?;
        // Gemma calls the norm after its attention what Llama calls the one in front of its MLP.
        let name = if gemma && stem == "ffn_norm" { "pre_feedforward_layernorm" } else { name };
        let name = format!("model.layers.{layer}.{name}");
        match (architecture, stem) {
            (_, "rope_freqs") => Some(Self::Nothing),
            ("llama", "attn_q") => Some(Self::To(format!("{name}.{part}"), HeadRowOrder::PairedQueries)),
            ("llama", "attn_k") => Some(Self::To(format!("{name}.{part}"), HeadRowOrder::PairedKeys)),
            _ => plain(name),
        }
    }
}
