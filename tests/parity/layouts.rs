//! Transcoders in the layouts that others publish: the reference cases' weights, written as each of them does, give the
//! reference's numbers.

use crate::engine::{Case, is_the_reference};
use crate::fixture::folder;
use crate::variants::{Variant, noise};
use candle_core::{DType, Device, Tensor};
use circuitscope::hub::{FileSource, KeyValue, SetOptions};
use circuitscope::transcoder::Transcoder;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

type Tensors = HashMap<String, Tensor>;

fn load(path: &Path) -> Tensors {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// A case's transcoder in a folder of its own.
struct Written {
    case: &'static str,
    folder: tempfile::TempDir,
}

impl Written {
    /// An empty folder.
    fn new(case: &'static str) -> Self {
        Self { case, folder: tempfile::tempdir().unwrap() }
    }

    /// The files as they are, the tensors of each changed; those that are given no other type keep theirs.
    fn copy(case: &'static str, change: impl Fn(usize, &mut Tensors)) -> Self {
        let written = Self::new(case);
        for entry in fs::read_dir(folder(case).join("transcoder")).unwrap() {
            let (path, name) = {
                let entry = entry.unwrap();
                (entry.path(), entry.file_name())
            };
            let name = name.to_str().unwrap();
            let Some(stem) = name.strip_suffix(".safetensors") else {
                fs::copy(&path, written.folder.path().join(name)).unwrap();
                continue;
            };
            let mut tensors = load(&path);
            change(stem.rsplit_once('_').unwrap().1.parse().unwrap(), &mut tensors);
            written.save(name, &tensors);
        }
        written
    }

    fn save(&self, name: &str, tensors: &Tensors) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        candle_core::safetensors::save(tensors, path).unwrap();
    }

    /// Changes `config.yaml`, line by line; an empty line is left out.
    fn config(self, change: impl Fn(&str) -> String) -> Self {
        let path = self.folder.path().join("config.yaml");
        let lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(change).collect();
        fs::write(path, lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")).unwrap();
        self
    }

    fn place(&self, said: &SetOptions) -> FileSource {
        FileSource::directory(self.folder.path()).unwrap().with_options(said)
    }

    /// Holds every run to the reference.
    fn is_the_reference(&self, what: &str, said: &SetOptions) {
        is_the_reference(self.case, what, &Case::of(self.case, &self.place(said)));
    }

    /// Says why it is refused.
    fn refused(&self, said: &SetOptions) -> String {
        let model = Case::open(self.case).model;
        Transcoder::open(&self.place(said), &model.spec).unwrap_err().to_string()
    }
}

fn keys(texts: &[&str]) -> SetOptions {
    let keys: Vec<KeyValue> = texts.iter().map(|text| text.parse().unwrap()).collect();
    SetOptions::new(&keys, None, None, None)
}

fn chosen(width: &str, l0: &str) -> SetOptions {
    SetOptions::new(&[], None, Some(width.to_owned()), Some(l0.to_owned()))
}

/// All lines but those of a key.
fn without<'a>(key: &'a str) -> impl Fn(&str) -> String + 'a {
    move |line| if line.starts_with(&format!("{key}:")) { String::new() } else { line.to_owned() }
}

#[test]
fn what_is_kept_is_told_by_the_files_or_by_the_person() {
    let no_k = |with_tensor: bool| {
        let written = Written::copy("llama_plt_topk", |_, tensors| {
            if with_tensor {
                tensors.insert("k".to_owned(), Tensor::new(6i64, &Device::Cpu).unwrap());
            }
        });
        written.config(without("k"))
    };
    no_k(true).is_the_reference("k in the files", &SetOptions::default());
    no_k(true).config(without("activation")).is_the_reference("k in the files alone", &SetOptions::default());
    no_k(false).is_the_reference("--topk", &SetOptions::new(&[], Some(6), None, None));
    let refusal = no_k(false).refused(&SetOptions::default());
    assert!(refusal.contains("--topk"), "{refusal}");
    // Two that differ are no guess.
    let refusal = no_k(true).refused(&SetOptions::new(&[], Some(5), None, None));
    assert!(refusal.contains('5') && refusal.contains('6'), "{refusal}");
}

#[test]
fn a_configuration_without_its_models_name() {
    for case in ["llama_plt_relu", "gemma2_clt_jumprelu"] {
        let written = Written::copy(case, |_, _| {}).config(without("model_name"));
        written.is_the_reference("no model_name", &SetOptions::default());
    }
}

#[test]
fn thresholds_in_a_row_and_encoders_of_another_type_than_decoders() {
    let written = Written::copy("gemma2_clt_jumprelu", |layer, tensors| {
        if let Some(threshold) = tensors.get_mut(&format!("threshold_{layer}")) {
            *threshold = threshold.unsqueeze(0).unwrap();
        }
        if let Some(decoder) = tensors.get_mut(&format!("W_dec_{layer}")) {
            assert_eq!(decoder.dtype(), DType::BF16);
            *decoder = decoder.to_dtype(DType::F32).unwrap();
        }
    });
    written.is_the_reference("[1, F] and f32 decoders", &SetOptions::default());
    let written = Written::copy("gemma2_plt_jumprelu", |_, tensors| {
        let threshold = tensors.remove("activation_function.threshold").unwrap();
        tensors.insert("threshold".to_owned(), threshold.unsqueeze(0).unwrap());
    });
    written.is_the_reference("threshold [1, F]", &SetOptions::default());
    let written = Written::copy("gemma2_plt_jumprelu", |_, tensors| {
        let threshold = tensors.remove("activation_function.threshold").unwrap();
        tensors.insert("log_threshold".to_owned(), threshold.log().unwrap());
    });
    let refusal = written.refused(&SetOptions::default());
    assert!(refusal.contains("log_threshold"), "{refusal}");
}

#[test]
fn the_stream_in_front_of_the_norm() {
    for case in ["llama_clt_relu", "gemma2_clt_jumprelu"] {
        let written = Written::copy(case, |_, _| {}).config(|line| line.replace("hook_resid_mid", "hook_mlp_in"));
        written.is_the_reference("hook_mlp_in", &SetOptions::default());
    }
    // Where attention and MLP stand side by side it is the stream in front of both.
    let variant = Variant::of("neox_plt_relu_skip");
    variant.edit("transcoder/config.yaml", "mlp.hook_in", "hook_mlp_in");
    variant.check("hook_mlp_in", "a small dog lived in");
}

#[test]
fn any_key_is_overridden() {
    let wrong =
        |line: &str| line.replace("mlp.hook_in", "hook_resid_mid").replace("transcoder_set", "cross_layer_transcoder");
    let written = Written::copy("llama_plt_relu", |_, _| {}).config(wrong);
    let said = keys(&["feature_input_hook=mlp.hook_in", "model_kind=transcoder_set"]);
    written.is_the_reference("overridden", &said);
    let hashes = |said: &SetOptions| Case::of("llama_plt_relu", &written.place(said)).transcoder.hashes().unwrap();
    let other = keys(&["feature_input_hook=hook_resid_mid", "model_kind=transcoder_set"]);
    assert_ne!(hashes(&said), hashes(&other));
    // What the file would say can all be said.
    fs::remove_file(written.folder.path().join("config.yaml")).unwrap();
    written.is_the_reference(
        "said",
        &keys(&["model_kind=transcoder_set", "feature_input_hook=mlp.hook_in", "feature_output_hook=mlp.hook_out"]),
    );
    let refusal = written.refused(&SetOptions::default());
    assert!(refusal.contains("config.yaml") && refusal.contains("--transcoder-option"), "{refusal}");
}

#[test]
fn layers_without_a_configuration() {
    let plain = |with_threshold: bool| {
        let written = Written::copy("llama_plt_relu_skip", |_, tensors| {
            let encoder = tensors.get_mut("W_enc").unwrap();
            *encoder = encoder.t().unwrap().contiguous().unwrap();
            assert!(tensors.contains_key("W_skip"));
            if with_threshold {
                // Above zero is what ReLU lets through.
                let zeros = tensors["b_enc"].zeros_like().unwrap();
                tensors.insert("threshold".to_owned(), zeros);
            }
        });
        fs::remove_file(written.folder.path().join("config.yaml")).unwrap();
        written
    };
    plain(true).is_the_reference("W_enc [d, F], threshold", &SetOptions::default());
    plain(false).is_the_reference("W_enc [d, F]", &SetOptions::default());
}

/// The folders of Gemma Scope 2, as its repositories have them.
fn gemma_scope_2(more: &[&str]) -> Written {
    let written = Written::new("gemma3_plt_jumprelu_skip");
    let from = folder(written.case).join("transcoder_gs2/transcoder_all");
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        written.save(&format!("transcoder_all/{name}/params.safetensors"), &load(&path.join("params.safetensors")));
        for other in more {
            let other = name.replace("width_16k_l0_small_affine", other);
            written.save(&format!("transcoder_all/{other}/params.safetensors"), &Tensors::new());
        }
    }
    written
}

#[test]
fn folders_of_gemma_scope_2() {
    let alone = gemma_scope_2(&[]);
    alone.is_the_reference("the only one", &SetOptions::default());
    let several = gemma_scope_2(&["width_16k_l0_big_affine", "width_262k_l0_small_affine", "width_262k_l0_small"]);
    several.is_the_reference("chosen", &chosen("16k", "small"));
    several.is_the_reference("named whole", &chosen("16k", "small_affine"));
    let refusal = several.refused(&SetOptions::default());
    assert!(
        ["16k", "262k", "small", "big_affine", "--width", "--l0"].iter().all(|part| refusal.contains(part)),
        "{refusal}"
    );
    let refusal = several.refused(&chosen("1m", "small"));
    assert!(refusal.contains("262k"), "{refusal}");
    // The folder of the folders will do.
    let within = FileSource::directory(&several.folder.path().join("transcoder_all")).unwrap();
    let within = Case::of(several.case, &within.with_options(&chosen("16k", "small")));
    is_the_reference(several.case, "within transcoder_all", &within);
    assert!(within.transcoder.name().contains("width_16k_l0_small_affine"), "{}", within.transcoder.name());

    let config = |input: &str| {
        let text = format!(
            r#"{{"hf_hook_point_in": "{input}", "hf_hook_point_out": "model.layers.0.post_feedforward_layernorm.output"}}"#
        );
        fs::write(alone.folder.path().join("transcoder_all/layer_0_width_16k_l0_small_affine/config.json"), text)
            .unwrap();
    };
    config("model.layers.0.pre_feedforward_layernorm.output");
    alone.is_the_reference("with its configuration", &SetOptions::default());
    config("model.layers.0.output");
    let refusal = alone.refused(&SetOptions::default());
    assert!(refusal.contains("hf_hook_point_in"), "{refusal}");
    config("model.layers.0.pre_feedforward_layernorm.output");
    fs::remove_dir_all(alone.folder.path().join("transcoder_all/layer_1_width_16k_l0_small_affine")).unwrap();
    let refusal = alone.refused(&SetOptions::default());
    assert!(refusal.contains("layer 1"), "{refusal}");
}

#[test]
fn cross_layer_transcoders_of_gemma_scope_2() {
    let written = Written::new("gemma2_clt_jumprelu");
    let from = folder(written.case).join("transcoder");
    for layer in 0..4 {
        let encoder = load(&from.join(format!("W_enc_{layer}.safetensors")));
        let decoder = load(&from.join(format!("W_dec_{layer}.safetensors"))).remove(&format!("W_dec_{layer}")).unwrap();
        let get = |name: &str| encoder[&format!("{name}_{layer}")].clone();
        let below = noise(&[96, layer.max(1), 32], 9.0).narrow(1, 0, layer).unwrap().to_dtype(decoder.dtype()).unwrap();
        let tensors = Tensors::from([
            ("w_enc".to_owned(), get("W_enc").t().unwrap().contiguous().unwrap()),
            ("w_dec".to_owned(), Tensor::cat(&[&below, &decoder], 1).unwrap()),
            ("b_enc".to_owned(), get("b_enc")),
            ("b_dec".to_owned(), get("b_dec")),
            ("threshold".to_owned(), get("threshold")),
        ]);
        written.save(&format!("clt/width_262k_l0_medium/params_layer_{layer}.safetensors"), &tensors);
        written.save(&format!("clt/width_262k_l0_big/params_layer_{layer}.safetensors"), &Tensors::new());
    }
    // The case reads elsewhere than Gemma Scope 2 does.
    let hook = "feature_input_hook=hook_resid_mid";
    let said = SetOptions::new(&[hook.parse().unwrap()], None, Some("262k".to_owned()), Some("medium".to_owned()));
    written.is_the_reference("clt", &said);
    let one = FileSource::directory(&written.folder.path().join("clt/width_262k_l0_medium")).unwrap();
    is_the_reference(written.case, "its own folder", &Case::of(written.case, &one.with_options(&keys(&[hook]))));
}

#[test]
fn lists_that_name_a_file_twice_or_from_the_root() {
    let written = Written::new("gemma3_plt_jumprelu_skip");
    let from = folder(written.case).join("transcoder_gs2");
    let config = fs::read_to_string(from.join("config.yaml")).unwrap();
    let files: Vec<String> = (0..4)
        .map(|layer| from.join(format!("transcoder_all/layer_{layer}_width_16k_l0_small_affine/params.safetensors")))
        .map(|path| format!("- {}", path.display()))
        .collect();
    let (head, _) = config.split_once("- hf://").unwrap();
    fs::write(written.folder.path().join("config.yaml"), format!("{head}{}\n{}\n", files.join("\n"), files[3]))
        .unwrap();
    written.is_the_reference("absolute paths, the last twice", &SetOptions::default());
}

#[test]
fn skip_connections_of_some_layers_only() {
    let with = |layers: &[usize], zeros: &[usize]| {
        let variant = Variant::of("llama_clt_relu");
        for layer in layers.iter().chain(zeros) {
            variant.tensors(&format!("transcoder/W_enc_{layer}.safetensors"), |tensors| {
                let skip = noise(&[32, 32], if zeros.contains(layer) { 0.0 } else { 0.2 });
                tensors.insert(format!("W_skip_{layer}"), skip);
            });
        }
        variant.check("some layers skip", "the state where Dallas is was said")
    };
    let (found, wanted) = (with(&[0, 2], &[]), with(&[0, 2], &[1]));
    assert_eq!((found.active, found.row_values), (wanted.active, wanted.row_values));
    assert_eq!((found.row_abs_sums, found.error_norms), (wanted.row_abs_sums, wanted.error_norms));
}
