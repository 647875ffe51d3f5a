//! Bad input gets one sentence that says what and where, exit code 1, and leaves nothing behind.

use crate::{circuitscope, copy_of, fixture, on};
use safetensors::tensor::TensorView;
use std::fs;
use std::path::{Path, PathBuf};

/// A copy of a case's model and transcoder, to be damaged.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        Self(copy_of("llama_plt_relu"))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
    }

    /// Overwrites a value of a tensor.
    fn poke(&self, file: &str, tensor: &str, byte: usize, bytes: &[u8]) {
        let mut content = fs::read(self.path(file)).unwrap();
        let start = {
            let tensors = safetensors::SafeTensors::deserialize(&content).unwrap();
            tensors.tensor(tensor).unwrap().data().as_ptr() as usize - content.as_ptr() as usize
        };
        content[start + byte..start + byte + bytes.len()].copy_from_slice(bytes);
        fs::write(self.path(file), content).unwrap();
    }

    /// Leaves the first half of a matrix, as one with half the columns.
    fn halve(&self, file: &str, tensor: &str) {
        let content = fs::read(self.path(file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&content).unwrap();
        let halved = tensors.tensors().into_iter().map(|(name, view)| {
            let (mut shape, mut data) = (view.shape().to_vec(), view.data());
            if name == tensor {
                shape[1] /= 2;
                data = &data[..data.len() / 2];
            }
            (name, TensorView::new(view.dtype(), shape, data).unwrap())
        });
        let halved = safetensors::serialize(halved.collect::<Vec<_>>(), None).unwrap();
        fs::write(self.path(file), halved).unwrap();
    }

    fn trace(&self, prompt: &str) -> String {
        let out = self.path("out.safetensors");
        let mut program = on("trace", &self.path("model"), &self.path("transcoder"));
        program.args(["--prompt", prompt, "--max-feature-nodes", "all", "--out"]).arg(&out);
        complaint(program, &out)
    }
}

/// Runs a program that is to fail, and gives its last line on stderr.
fn complaint(mut program: assert_cmd::Command, out: &Path) -> String {
    let assert = program.assert().code(1);
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(!out.exists(), "{} is left behind", out.display());
    assert!(!stderr.contains("panicked"), "{stderr}");
    let line = stderr.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("circuitscope: "), "{stderr}");
    line
}

#[track_caller]
fn says(complaint: &str, parts: &[&str]) {
    for part in parts {
        assert!(complaint.contains(part), "{complaint:?} does not say {part:?}");
    }
}

const PROMPT: &str = "the capital of France is";

#[test]
fn a_model_that_is_not_there_or_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.safetensors");
    let mut program = on("trace", Path::new("/no/such/model"), folder.path());
    program.args(["--prompt", PROMPT, "--out"]).arg(&out);
    says(&complaint(program, &out), &["/no/such/model", "no such directory"]);

    let copy = Copy::new();
    copy.edit("model/config.json", "LlamaForCausalLM", "MambaForCausalLM");
    says(&copy.trace(PROMPT), &["config.json", "MambaForCausalLM", "known: LlamaForCausalLM"]);

    let copy = Copy::new();
    copy.edit("model/config.json", "\"use_cache\": true", "\"logit_shift\": 0.5");
    let mut program = on("trace", &copy.path("model"), &copy.path("transcoder"));
    program.args(["--strict", "--prompt", PROMPT, "--out"]).arg(&out);
    says(&complaint(program, &out), &["logit_shift", "--strict"]);
    let mut program = on("tokens", &copy.path("model"), &copy.path("transcoder"));
    let told = program.args(["--prompt", PROMPT]).assert().success();
    says(&String::from_utf8_lossy(&told.get_output().stderr), &["warning", "logit_shift"]);

    let copy = Copy::new();
    copy.edit("model/config.json", "\"use_cache\": true", "\"logit_scale\": 0.5");
    says(&copy.trace(PROMPT), &["config.json", "logit_scale"]);

    let copy = Copy::new();
    copy.edit("model/config.json", "\"hidden_size\": 32", "\"hidden_size\": \"wide\"");
    says(&copy.trace(PROMPT), &["config.json", "hidden_size"]);
}

#[test]
fn weights_that_are_missing_misshapen_truncated_or_not_numbers() {
    let copy = Copy::new();
    copy.edit("model/config.json", "\"intermediate_size\": 64", "\"intermediate_size\": 48");
    says(&copy.trace(PROMPT), &["mlp.gate_proj.weight", "[64, 32]", "[48, 32]"]);

    let copy = Copy::new();
    copy.edit("model/config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
    says(&copy.trace(PROMPT), &["model.layers.3", "missing"]);

    let copy = Copy::new();
    let file = copy.path("model/model.safetensors");
    let content = fs::read(&file).unwrap();
    fs::write(&file, &content[..content.len() - 7]).unwrap();
    says(&copy.trace(PROMPT), &["model.safetensors", "not a complete safetensors file"]);

    let copy = Copy::new();
    fs::remove_file(copy.path("transcoder/layer_1.safetensors")).unwrap();
    says(&copy.trace(PROMPT), &["transcoder", "layer_1.safetensors", "missing"]);

    let copy = Copy::new();
    copy.poke("transcoder/layer_2.safetensors", "W_enc", 4 * (32 * 5 + 3), &f32::NAN.to_le_bytes());
    says(&copy.trace(PROMPT), &["layer_2.safetensors", "W_enc", "NaN", "row 5"]);

    let copy = Copy::new();
    copy.poke("model/model.safetensors", "model.layers.1.mlp.up_proj.weight", 2 * 32, &[0x80, 0x7f]);
    says(&copy.trace(PROMPT), &["mlp.up_proj.weight", "infinity", "row 1"]);
}

#[test]
fn a_transcoder_that_does_not_fit() {
    let copy = Copy::new();
    copy.edit("transcoder/config.yaml", "mlp.hook_in", "hook_resid_pre");
    says(&copy.trace(PROMPT), &["config.yaml", "hook_resid_pre"]);

    let other = fixture("gemma2_clt_jumprelu/transcoder");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.safetensors");
    let mut program = on("trace", &fixture("llama_plt_relu/model"), &other);
    program.args(["--prompt", PROMPT, "--out"]).arg(&out);
    says(&complaint(program, &out), &["does not fit", "4 layers", "3"]);

    // As many layers, and encoders of half the width.
    for (case, file, tensor) in
        [("llama_plt_relu", "layer_1.safetensors", "W_enc"), ("llama_clt_relu", "W_enc_1.safetensors", "W_enc_1")]
    {
        let copy = Copy(copy_of(case));
        copy.halve(&format!("transcoder/{file}"), tensor);
        says(&copy.trace(PROMPT), &["does not fit", "width 16", "32"]);
    }
}

/// A folder in none of the layouts: what the nearest of them lacks.
#[test]
fn a_transcoder_in_no_layout() {
    let without = |case: &'static str, gone: &[&str]| {
        let copy = Copy(copy_of(case));
        gone.iter().for_each(|file| fs::remove_file(copy.path(&format!("transcoder/{file}"))).unwrap());
        copy.trace(PROMPT)
    };
    says(&without("llama_plt_relu", &["config.yaml"]), &["transcoder", "config.yaml", "--transcoder-option"]);
    let first_gone = without("llama_plt_relu", &["config.yaml", "layer_0.safetensors"]);
    says(&first_gone, &["none of the layouts", "layer_0.safetensors", "missing"]);
    says(&without("llama_clt_relu", &["config.yaml"]), &["none of the layouts", "W_enc_N", "config.yaml is missing"]);

    let copy = Copy::new();
    fs::remove_dir_all(copy.path("transcoder")).unwrap();
    fs::create_dir(copy.path("transcoder")).unwrap();
    says(&copy.trace(PROMPT), &["none of the layouts", "config.yaml", "layer_N", "W_enc_N", "transcoder_all"]);
    fs::copy(copy.path("model/config.json"), copy.path("transcoder/config.json")).unwrap();
    says(&copy.trace(PROMPT), &["none of the layouts", "config.json", "--model"]);
}

#[test]
fn what_is_said_of_a_transcoder() {
    let copy = Copy(copy_of("llama_plt_topk"));
    copy.edit("transcoder/config.yaml", "k: 6", "");
    says(&copy.trace(PROMPT), &["topk", "--topk"]);
    let out = copy.path("out.safetensors");
    let with = |more: &[&str]| {
        let mut program = on("trace", &copy.path("model"), &copy.path("transcoder"));
        program.args(["--prompt", PROMPT, "--out"]).arg(&out).args(more);
        program
    };
    with(&["--topk", "6"]).assert().success();
    // What was said belongs to a graph as its files do.
    let mut again = with(&["--max-feature-nodes", "all", "--transcoder-option", "k=5"]);
    let args = ["trace", "--resume"];
    let stderr = |program: &mut assert_cmd::Command| {
        String::from_utf8(program.assert().failure().get_output().stderr.clone()).unwrap()
    };
    again.arg("--force").assert().success();
    let mut other = crate::circuitscope();
    other.args(args).arg(&out).arg("--model").arg(copy.path("model")).arg("--transcoder").arg(copy.path("transcoder"));
    says(&stderr(other.args(["--topk", "6"])), &["other files"]);
    says(&stderr(&mut with(&["--force", "--transcoder-option", "depth=3"])), &["depth=3", "model_kind"]);
    says(&stderr(&mut with(&["--force", "--width", "16k"])), &["config.yaml", "--width"]);
    let mut demo = crate::circuitscope();
    says(&stderr(demo.args(["tokens", "--prompt", "the", "--topk", "3"])), &["--topk", "--transcoder"]);
}

#[test]
fn prompts_and_targets_that_cannot_be_traced() {
    let copy = Copy::new();
    says(&copy.trace(""), &["the prompt is empty"]);
    let long = "the ".repeat(4200);
    says(&copy.trace(&long), &["the model reads at most 4096", "shorten"]);
    let out = copy.path("out.safetensors");
    for (target, parts) in
        [("hello there", ["is", "tokens"]), ("id:384", ["id:384", "383"]), ("id:x", ["id:x", "number"])]
    {
        let mut program = on("trace", &copy.path("model"), &copy.path("transcoder"));
        program.args(["--prompt", PROMPT, "--target", target, "--out"]).arg(&out);
        says(&complaint(program, &out), &parts);
    }
    let vector = copy.path("transcoder/layer_0.safetensors").display().to_string();
    let mut program = on("trace", &copy.path("model"), &copy.path("transcoder"));
    program.args(["--prompt", PROMPT, "--target-vector", &format!("{vector}:b_enc"), "--out"]).arg(&out);
    says(&complaint(program, &out), &["96 numbers", "32"]);
}

#[test]
fn an_output_that_cannot_be_written() {
    let copy = Copy::new();
    let mut program = on("trace", &copy.path("model"), &copy.path("transcoder"));
    let out = copy.path("no/such/folder/out.safetensors");
    program.args(["--prompt", PROMPT, "--out"]).arg(&out);
    says(&complaint(program, &out), &["no/such/folder", "make it first"]);
    if Path::new("/dev/full").exists() {
        let mut program = on("trace", &copy.path("model"), &copy.path("transcoder"));
        program.args(["--prompt", PROMPT, "--out", "/dev/full"]);
        says(&complaint(program, &out), &["/dev/full", "no space is left"]);
    }
}

#[test]
fn interventions_on_what_is_not_there() {
    let copy = Copy::new();
    let out = copy.path("out.safetensors");
    for (sets, parts) in [
        (&["9:0:0=1"][..], ["layer", "9"]),
        (&["0:99:0=1"], ["position", "99"]),
        (&["0:1:960=1"], ["index", "960"]),
        (&["0:1:9=nan"], ["0:1:9", "finite"]),
        (&["0:1:9=1", "0:1:9=2"], ["0:1:9", "twice"]),
    ] {
        let mut program = on("intervene", &copy.path("model"), &copy.path("transcoder"));
        program.args(["--prompt", PROMPT, "--mode", "free", "--out"]).arg(&out);
        sets.iter().for_each(|set| {
            program.args(["--set", set]);
        });
        says(&complaint(program, &out), &parts);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    circuitscope().args(["trace", "--prompt", PROMPT]).assert().code(2);
    circuitscope().args(["trace", "--prompt", PROMPT, "--max-feature-nodes", "0", "--out", "x"]).assert().code(2);
    circuitscope()
        .args(["intervene", "--prompt", PROMPT, "--set", "1:2", "--mode", "free", "--out", "x"])
        .assert()
        .code(2);
}

#[test]
fn a_graph_that_cannot_be_opened_is_said_once() {
    let copy = Copy::new();
    let missing = copy.path("none.safetensors");
    let mut program = circuitscope();
    program.arg("export").arg(&missing).args(["--format", "json", "--out"]).arg(copy.path("out.safetensors"));
    let line = complaint(program, &copy.path("out.safetensors"));
    says(&line, &["none.safetensors", "No such file"]);
    assert_eq!(line.matches("No such file").count(), 1, "{line}");
}
