#!/usr/bin/env bash
# Traces of many prompts by an array job of Slurm, and a job behind it that says how the array came out.
#
#   bash slurm-trace.sh            submits both
#   circuitscope status GRAPHS     shows how far they are
#
# `circuitscope submit --slurm trace --prompts …` prints this script with the job filled in.
set -euo pipefail

# --- the job ---
# Tasks, each of which takes every 16th prompt.
shards=16
# Where the graphs go, a file a prompt, on a disk that all machines share.
graphs=graphs
trace=(circuitscope trace --preset gemma-2-2b --device cuda --prompts prompts.jsonl --max-memory 48GiB)
status=(circuitscope status graphs)
# What a task takes.
task_needs=(--cpus-per-task=8 --mem=56G --time=04:00:00 --gres=gpu:1)
# --- the job ---

# A task that is asked to stop, by preemption or two minutes before its time is up, keeps the rows that it has of the
# prompt at hand, and goes on there in the next run. Killed without a word it is queued again too.
run_and_requeue() {
    local child code=0 stopped=
    "$@" &
    child=$!
    trap 'stopped=yes; kill -TERM "$child"' TERM
    wait "$child" || code=$?
    # The signal ends the wait, and not what is waited for.
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    # Above 128 it was killed; what kills it again and again is for a person to look at.
    if [ "$code" -ne 0 ] && { [ -n "$stopped" ] || [ "$code" -gt 128 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 3 ]; }; then
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    fi
    return "$code"
}

case ${1:-submit} in
submit)
    mkdir -p "$graphs"
    array=$(sbatch --parsable --array="1-$shards" "${task_needs[@]}" --job-name=traces --requeue --signal=B:TERM@120 \
        --open-mode=append --output="$graphs/task-%a.log" "$0" task)
    array=${array%%;*}
    # Whatever became of the tasks.
    report=$(sbatch --parsable --dependency="afterany:$array" --mem=1G --time=00:10:00 --job-name=report \
        --output="$graphs/status.txt" "$0" report)
    echo "array $array, report ${report%%;*}; circuitscope status $graphs"
    ;;
task)
    run_and_requeue "${trace[@]}" --threads "${SLURM_CPUS_PER_TASK:-1}" --keep-partial --out "$graphs" \
        --shard "$SLURM_ARRAY_TASK_ID/$shards"
    ;;
report)
    "${status[@]}"
    ;;
esac
