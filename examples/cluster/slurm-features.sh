#!/usr/bin/env bash
# A feature store by an array job of Slurm, and a job behind it that puts the parts together.
#
#   bash slurm-features.sh         submits both
#   circuitscope status PARTS      shows how far they are
#
# `circuitscope submit --slurm features build …` prints this script with the job filled in.
set -euo pipefail

# --- the job ---
# Tasks, each of which takes every 64th document.
shards=64
# Where they leave their parts, on a disk that all machines share.
parts=store.parts
build=(circuitscope features build --preset gemma-2-2b --device cuda --corpus corpus.jsonl.zst --max-memory 48GiB)
merge=(circuitscope features merge --preset gemma-2-2b --device cuda --out store)
# What a task takes, and what the merge does, which holds one part beside the whole.
task_needs=(--cpus-per-task=8 --mem=56G --time=04:00:00 --gres=gpu:1)
merge_needs=(--cpus-per-task=8 --mem=96G --time=04:00:00 --gres=gpu:1)
# --- the job ---

# A task that is asked to stop, by preemption or two minutes before its time is up, writes down what it has and goes on
# there in the next run. Killed without a word it loses a minute's work, and is queued again too.
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
    mkdir -p "$parts"
    # A job that is requeued goes on with its log; what waits for the array waits for that too.
    array=$(sbatch --parsable --array="1-$shards" "${task_needs[@]}" --job-name=features --requeue --signal=B:TERM@120 \
        --open-mode=append --output="$parts/task-%a.log" "$0" task)
    array=${array%%;*}
    merging=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes "${merge_needs[@]}" \
        --job-name=merge --requeue --open-mode=append --output="$parts/merge.log" "$0" merge)
    echo "array $array, merge ${merging%%;*}; circuitscope status $parts"
    ;;
task)
    run_and_requeue "${build[@]}" --threads "${SLURM_CPUS_PER_TASK:-1}" --out "$parts" \
        --shard "$SLURM_ARRAY_TASK_ID/$shards"
    ;;
merge)
    "${merge[@]}" --threads "${SLURM_CPUS_PER_TASK:-1}" "$parts"/shard-*-of-"$shards".part
    ;;
esac
