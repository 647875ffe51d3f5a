//! Names of tensors in GGUF files, and their names in the Hugging Face layout.

/// Translation of a tensor's name in a GGUF file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rename {
    /// Another name, with the order of its rows.
    To(String, HeadRowOrder),
    /// Names of three tensors whose rows lie one after another.
    Thirds([String; 3]),
    /// No weight.
    Nothing,
}

/// Order of a tensor's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadRowOrder {
    /// Order of the Hugging Face layout.
    Plain,
    /// Rows of query heads with the two halves of each rotated pair adjacent.
    PairedQueries,
    /// Rows of key heads with the two halves of each rotated pair adjacent.
    PairedKeys,
}

/// Parts of a block of Llama and families like it.
const LLAMA: [(&str, &str); 15] = [
    ("attn_k", "self_attn.k_proj"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_norm", "input_layernorm"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_qkv", "self_attn.qkv_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_up", "mlp.up_proj"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
    ("rope_freqs", ""),
];

/// Parts of a block of GPT-2.
const GPT2: [(&str, &str); 6] = [
    ("attn_norm", "ln_1"),
    ("attn_output", "attn.c_proj"),
    ("attn_qkv", "attn.c_attn"),
    ("ffn_down", "mlp.c_proj"),
    ("ffn_norm", "ln_2"),
    ("ffn_up", "mlp.c_fc"),
];

impl Rename {
    /// Translates the tensor `name` of an architecture; `None` where it is not known.
    pub fn of(architecture: &str, name: &str) -> Option<Self> {
        let (stem, part) = name.rsplit_once('.')?;
        if !matches!(part, "weight" | "bias") {
            return None;
        }
        let gpt2 = architecture == "gpt2";
        let plain = |name: String| Some(Self::To(format!("{name}.{part}"), HeadRowOrder::Plain));
        let Some(block) = stem.strip_prefix("blk.") else {
            return match (stem, gpt2) {
                ("rope_freqs" | "rope_factors_long" | "rope_factors_short", false) => Some(Self::Nothing),
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
        // Phi-3 has its gate in front of it in the same tensor.
        let name = if architecture == "phi3" && stem == "ffn_up" { "mlp.gate_up_proj" } else { name };
        let name = format!("model.layers.{layer}.{name}");
        match (architecture, stem) {
            (_, "rope_freqs") => Some(Self::Nothing),
            ("llama", "attn_q") => Some(Self::To(format!("{name}.{part}"), HeadRowOrder::PairedQueries)),
            ("llama", "attn_k") => Some(Self::To(format!("{name}.{part}"), HeadRowOrder::PairedKeys)),
            _ => plain(name),
        }
    }
}
