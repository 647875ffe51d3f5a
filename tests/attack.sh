#!/usr/bin/env bash
# The campaign: what the world does to the program, done to it on purpose, in minutes.
#
#   bash tests/attack.sh                    every section, on a debug build that is made first
#   bash tests/attack.sh kills limits       these sections
#   SEED=7 bash tests/attack.sh endings     the same again, as it is printed at the start of every section
#   PROGRAM=path bash tests/attack.sh       on that program
#
# A section is a function `section_NAME`; it fails by returning something else than 0. Time and addresses of all that a
# section starts are limited here. Linux, bash and python3 (its standard library alone) are needed.
set -uo pipefail
cd "$(dirname "$0")/.."

program=${PROGRAM:-target/debug/circuitscope}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
work=$(mktemp -d "${TMPDIR:-/tmp}/circuitscope-attack.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Runs a command with at most so many seconds, and 4 GiB of addresses for each of its processes.
limited() {
    local seconds=$1
    shift
    (ulimit -v 4194304 && exec timeout --kill-after=10 "$seconds" "$@")
}

# Runs a section of the terminal's attacks within so many seconds.
terminal() {
    local seconds=$1 section=$2
    mkdir -p "$work/$section"
    limited "$seconds" python3 tests/attack/terminal.py "$section" --program "$program" --work "$work/$section" --seed "$seed"
}

# Runs an attack on what is read within so many seconds.
data() {
    local seconds=$1 section=$2
    mkdir -p "$work/$section"
    limited "$seconds" python3 tests/attack/data.py "$section" --program "$program" --work "$work/$section" --seed "$seed"
}

# Endings of every kind at random moments.
section_endings() { terminal 900 endings; }
# Signals with the first byte that is written.
section_first_byte() { terminal 600 first_byte; }
# Kills during edits on a busy machine.
section_kills() { terminal 1200 kills; }
# Edits of many programs at once on one session.
section_parallel() { terminal 300 parallel; }
# A full disk, and files that may not grow.
section_disk_full() { terminal 300 disk_full; }
# A folder that cannot be written to.
section_read_only() { terminal 120 read_only; }
# A megabyte pasted into every field.
section_pastes() { terminal 600 pastes; }
# Storms of sizes, and every size from 1x1 to 500x200.
section_resizes() { terminal 300 resizes; }
section_sizes() { terminal 600 sizes; }
# Terminals that read slowly, or not at all.
section_slow_readers() { terminal 300 slow_readers; }
# No home, no terminal type, no language.
section_environments() { terminal 300 environments; }
# Limits on memory, open files, the size of files and the stack.
section_limits() { terminal 1200 limits; }

# Graph JSON that is changed in every way, opened by every command.
section_graphs() { data 900 graphs; }
# Graphs that are cyclic, huge in one way, or of one id.
section_shapes() { data 600 shapes; }
# Hostile text in every field, exported in every form and parsed again.
section_exports() { data 900 exports; }
# circuit-tracer's .pt, changed.
section_torch() { data 600 torch; }
# Raw graphs, changed.
section_raw() { data 600 raw; }
# Configurations of models and transcoders.
section_configurations() { data 900 configurations; }
# Weight files and archives that lie about themselves.
section_weights() { data 600 weights; }
# Tokenizers and chat templates.
section_tokenizers() { data 900 tokenizers; }
# Lists of prompts, labels, sessions.
section_lists() { data 600 lists; }
# Feature stores, changed.
section_stores() { data 600 stores; }
# Odd numbers for every option.
section_numbers() { data 600 numbers; }
# Pipes, devices, folders and sparse files in place of files.
section_no_files() { data 300 no_files; }
# A hub on loopback that lies.
section_hub() { data 900 hub; }
# Environments that say odd things of the hub and of folders.
section_data_environments() { data 600 environments; }

sections=$(declare -F | sed -n 's/^declare -f section_//p')
for name in "$@"; do
    grep -qx "$name" <<<"$sections" || {
        echo "there is no section $name; there are:" $sections >&2
        exit 2
    }
done
if [ -z "${PROGRAM:-}" ]; then
    cargo build --locked --quiet || exit 1
fi
fell=()
for name in ${*:-$sections}; do
    echo "== $name (SEED=$seed)"
    begun=$SECONDS
    "section_$name" || fell+=("$name")
    echo "   $((SECONDS - begun)) s"
done
if [ ${#fell[@]} -gt 0 ]; then
    echo "fell with SEED=$seed: ${fell[*]}"
    exit 1
fi
echo "nothing fell"
