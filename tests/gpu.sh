#!/usr/bin/env bash
# Checks and times the program on this machine's NVIDIA card. No part of the usual check; some minutes.
#
#   bash tests/gpu.sh [PART...]      parts: parity real demo interventions memory shapes screen; all of them by default
#
# Results go to target/gpu, or to $RESULTS. Needs the CUDA toolkit to build, or programs that were built elsewhere:
# CIRCUITSCOPE, PARITY (the test binary `parity`), BENCH (the benchmark `attribution`) and SYNTH (the example `synth_model`)
# name them. CIRCUITSCOPE_REAL_MODEL is the folder or the GGUF file of SmolLM2-135M, for the part `real`. MODELS is where
# synthetic models are written (16 GiB for all); SHAPES chooses them, ROWS how many rows they get.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=${RESULTS:-target/gpu}
models=${MODELS:-target/gpu/models}
mkdir -p "$results" "$models"
if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null; then
    echo "gpu: skipped, there is no NVIDIA card here"
    exit 0
fi
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | tee "$results/card.txt"

# The file that a cargo command builds, by the name of its target.
built() {
    cargo "$@" --release --locked --features cuda --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
if [ -z "${CIRCUITSCOPE:-}" ]; then
    command -v nvcc >/dev/null || { echo "gpu: neither nvcc nor a built program (CIRCUITSCOPE=...)"; exit 1; }
    cargo build --release --locked --features cuda
    CIRCUITSCOPE=$PWD/target/release/circuitscope
    PARITY=$(built test --test parity)
    BENCH=$(cargo bench --locked --features cuda --no-run --bench attribution --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    cargo build --release --locked --features cuda --example synth_model
    SYNTH=$PWD/target/release/examples/synth_model
fi
export HF_HUB_OFFLINE=1
prompt='fact : the capital of the state containing Dallas is'
failed=0

# Runs a command, keeps what it says, and goes on where it fails.
part() {
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$results/$name.txt" 2>&1; then
        echo "ok      $name ($((SECONDS - start)) s)"
    else
        echo "FAILED  $name ($((SECONDS - start)) s), see $results/$name.txt"
        tail -n 15 "$results/$name.txt"
        failed=1
    fi
}

parity() { CIRCUITSCOPE_TEST_DEVICE=cuda "$PARITY" --test-threads=4; }

real() {
    [ -n "${CIRCUITSCOPE_REAL_MODEL:-}" ] || { echo 'skipped: no CIRCUITSCOPE_REAL_MODEL'; return 0; }
    CIRCUITSCOPE_TEST_DEVICE=cuda "$PARITY" real_model --nocapture
}

demo() {
    for dtype in f32 bf16; do
        "$CIRCUITSCOPE" trace --device cuda --dtype $dtype --prompt "$prompt" --out "$results/demo-$dtype.raw" --json
    done
    "$CIRCUITSCOPE" trace --device cpu --prompt "$prompt" --out "$results/demo-cpu.raw" --json
    "$CIRCUITSCOPE" diff "$results/demo-cpu.raw" "$results/demo-f32.raw"
    "$CIRCUITSCOPE" generate --device cuda --prompt "$prompt" --max-tokens 3
}

interventions() {
    for device in cpu cuda; do
        for mode in direct frozen free; do
            "$CIRCUITSCOPE" intervene --device $device --prompt "$prompt" --set 1:9:42=2 --mode $mode --json
        done
    done
}

# Leaves too little room, first on the host and then on the card.
memory() {
    local dir=$models/small
    [ -d "$dir/model" ] || "$SYNTH" --shape small "$dir"
    local trace=("$CIRCUITSCOPE" trace --device cuda --model "$dir/model" --transcoder "$dir/transcoder"
        --prompt 'w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11' --out "$results/small.raw" --max-feature-nodes 3000)
    "${trace[@]}" --max-memory 1MiB && return 1
    "${trace[@]}" --max-memory 700MiB || "${trace[@]}" --max-memory 2GiB
    if command -v python3 >/dev/null && python3 -c 'import torch' 2>/dev/null; then
        python3 - "${trace[@]}" <<'PY'
import subprocess, sys, torch
free, _ = torch.cuda.mem_get_info()
kept = []
for left in (1400 << 20, 800 << 20, 600 << 20):
    now, _ = torch.cuda.mem_get_info()
    if now > left:
        kept.append(torch.empty(now - left, dtype=torch.uint8, device="cuda"))
    run = subprocess.run(sys.argv[1:], capture_output=True, text=True)
    print(left >> 20, "MiB left:", run.returncode, run.stderr.strip().splitlines()[-1:])
    assert run.returncode in (0, 1) and "panicked" not in run.stderr, run.stderr
PY
    fi
}

shapes() {
    for shape in ${SHAPES:-qwen3-0.6b gemma-2-2b}; do
        local dir=$models/$shape
        [ -d "$dir/model" ] || "$SYNTH" --shape "$shape" --vocab 32000 "$dir"
        for dtype in f32 bf16; do
            "$BENCH" --device cuda --dtype $dtype --rows "${ROWS:-7500}" --repeats 3 "$dir"
            "$CIRCUITSCOPE" trace --device cuda --dtype $dtype --model "$dir/model" --transcoder "$dir/transcoder" \
                --prompt 'w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11' --max-feature-nodes "${ROWS:-7500}" \
                --out "$results/$shape.raw" --json
        done
        rm -f "$results/$shape.raw"
    done
}

# The full-screen program, from start to the traced graph, in a pseudo-terminal.
screen() {
    command -v python3 >/dev/null || return 0
    python3 - "$CIRCUITSCOPE" --device cuda --prompt "$prompt" <<'PY'
import os, pty, select, struct, sys, fcntl, termios, time
begun, (pid, fd) = time.time(), pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm-256color"
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
seen, first = b"", None
while time.time() - begun < 30 and b"Austin" not in seen:
    if select.select([fd], [], [], 0.2)[0]:
        first = first or time.time() - begun
        seen += os.read(fd, 1 << 16)
print(f"first bytes after {first:.2f} s, the graph after {time.time() - begun:.2f} s")
os.write(fd, b"q")
time.sleep(1)
os.kill(pid, 0) if os.waitpid(pid, os.WNOHANG)[0] == 0 else None
assert b"Austin" in seen
PY
}

for name in ${*:-parity real demo interventions memory shapes screen}; do
    part "$name" "$name"
done
grep -hE 'rows/s|GFLOP/s|peak|the first time|^cuda' "$results/shapes.txt" 2>/dev/null || true
exit $failed
