//! Arrays of tasks: the scripts that submit them, and what a folder says of them.

use crate::{circuitscope, fixture};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `submit --slurm` prints for a job.
fn script(options: &[&str], job: &[&str]) -> Result<String, String> {
    let output = circuitscope().args(["submit", "--slurm"]).args(options).args(job).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Runs a script with commands of a scheduler that say what they are called with, in `folder`.
fn said_by(script: &str, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let stand_in = "#!/bin/sh\nprintf '[%s]' \"${0##*/}\" \"$@\" >>said\necho >>said\necho 7\n";
    for name in ["sbatch", "scontrol", "circuitscope"] {
        let path = folder.join(name);
        fs::write(&path, stand_in).unwrap();
        let made = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
        assert!(made.success());
    }
    fs::write(folder.join("job.sh"), script).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg("job.sh").args(arguments).current_dir(folder).env("PATH", path).env_remove("CIRCUITSCOPE");
    let output = bash.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(folder.join("said")).unwrap()
}

#[cfg(unix)]
#[test]
fn a_script_submits_the_array_and_what_goes_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (corpus, store) = (folder.path().join("a corpus.txt"), folder.path().join("a store"));
    fs::write(&corpus, "the capital of Texas is Austin .\n").unwrap();
    let [corpus, store] = [corpus.to_str().unwrap(), store.to_str().unwrap()];
    let job = ["features", "build", "--corpus", corpus, "--seed", "3", "--out", store, "--json"];
    let script = script(&["--shards", "8", "--gres", "gpu:h100:1", "--partition", "long"], &job).unwrap();
    let submitted = said_by(&script, folder.path(), &[], &[]);
    let lines: Vec<&str> = submitted.lines().collect();
    assert_eq!(lines.len(), 2, "{submitted}");
    for word in ["[--array=1-8]", "[--requeue]", "[--gres=gpu:h100:1]", "[--partition=long]", "[job.sh][task]"] {
        assert!(lines[0].contains(word), "{word}: {submitted}");
    }
    assert!(lines[1].contains("[--dependency=afterok:7]") && lines[1].ends_with("[job.sh][merge]"), "{submitted}");
    fs::remove_file(folder.path().join("said")).unwrap();
    let task = [("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_ARRAY_JOB_ID", "7"), ("SLURM_CPUS_PER_TASK", "8")];
    let run = said_by(&script, folder.path(), &["task"], &task);
    let wanted = format!("[circuitscope][features][build][--corpus][{corpus}][--seed][3][--max-memory]");
    assert!(run.starts_with(&wanted), "{run}");
    assert!(run.ends_with(&format!("[--threads][8][--out][{store}.parts][--shard][5/8]\n")), "{run}");
}

#[test]
fn what_cannot_be_an_array_is_refused() {
    let corpus = fixture("llama_plt_relu").join("model/config.json");
    let corpus = corpus.to_str().unwrap();
    for (job, what) in [
        (&["features", "build", "--corpus", "-", "--out", "s"][..], "cannot share stdin"),
        (&["features", "build", "--corpus", corpus, "--out", "s", "--shard", "1/2"], "leave --shard out"),
        (&["features", "build", "--corpus", "/no/such/file", "--out", "s"], "/no/such/file cannot be read"),
        (&["features", "show", "0:1"], "only `features build`"),
        (&["trace", "--prompt", "a", "--out", "s"], "--prompts FILE"),
        (&["models"], "can be an array"),
        (&["no-such"], "can be an array"),
    ] {
        let said = script(&[], job).unwrap_err();
        assert!(said.contains(what), "{job:?}: {said}");
    }
}

#[test]
fn a_folder_without_an_array_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = circuitscope().arg("status").arg(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("holds no shard of an array"), "{said}");
}
