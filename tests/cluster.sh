#!/usr/bin/env bash
# Runs the scripts of examples/cluster on a real Slurm: one controller and two nodes, all of them on this machine.
#
#   bash tests/cluster.sh           installs slurm-wlm and munge from Debian where they are missing; needs root; minutes
#
# A feature store of the demo as an array of 8 with the merge behind it, one task killed in the middle and queued again;
# 28 traces as an array of 4, likewise; 256 parts merged. What comes out has to be byte for byte that of one
# run. PROGRAM names a program that was built before, CORPUS the demo's sentences, one a line.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "cluster: skipped, $1"
    exit 0
}
have() { command -v slurmctld && command -v slurmd && command -v munged; }

[ "$(uname)" = Linux ] || skip "Slurm is set up on Linux only"
[ "$(id -u)" = 0 ] || skip "a controller and its nodes are started by root"
if ! have >/dev/null; then
    command -v apt-get >/dev/null || skip "Slurm is not here, and apt-get is not here to install it"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge; } >/dev/null 2>&1 ||
        skip "the packages slurm-wlm and munge cannot be had"
    have >/dev/null || skip "the packages slurm-wlm and munge hold other programs than they did"
fi

program=${PROGRAM:-}
if [ -z "$program" ]; then
    cargo build --locked --quiet
    program=$PWD/target/debug/circuitscope
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/circuitscope-cluster.XXXXXX")
if [ -n "${CORPUS:-}" ]; then
    cp "$CORPUS" "$work/corpus.txt"
else
    cargo run --locked --quiet --example train_demo -- --corpus "$work/corpus.txt"
fi
export CIRCUITSCOPE=$program HOME=$work XDG_DATA_HOME=$work/data SLURM_CONF=$work/slurm/slurm.conf

# Ends what was started here, and nothing else.
tidy() {
    scontrol shutdown >/dev/null 2>&1 || true
    sleep 1
    for file in "$work"/slurm/*.pid; do
        [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
    done
    [ -z "${munge:-}" ] || kill "$munge" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT

start_slurm() {
    local dir=$work/slurm host memory
    host=$(hostname)
    memory=$(awk '/^MemTotal:/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    mkdir -p "$dir/state" "$dir/spool/n1" "$dir/spool/n2" /run/munge
    if ! munge -n </dev/null 2>/dev/null | unmunge >/dev/null 2>&1; then
        [ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
        chown -R munge:munge /etc/munge /run/munge /var/log/munge /var/lib/munge
        chmod 700 /etc/munge
        chmod 400 /etc/munge/munge.key
        su -s /bin/sh munge -c /usr/sbin/munged
        munge=$(cat /run/munge/munged.pid)
    fi
    cat >"$dir/slurm.conf" <<CONF
ClusterName=circuitscope
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17100
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
JobRequeue=1
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17101 CPUs=2 RealMemory=$memory State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17102 CPUs=2 RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    slurmctld -f "$SLURM_CONF"
    slurmd -N n1 -f "$SLURM_CONF"
    slurmd -N n2 -f "$SLURM_CONF"
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c idle)" = 2 ] && return
        sleep 0.5
    done
    echo "cluster: the two nodes did not come up" >&2
    tail -n 5 "$dir"/*.log >&2
    return 1
}

# A number or a word of `circuitscope status DIR --json`, by a line of Python over `array`.
status() { "$program" status "$1" --json 2>/dev/null | python3 -c "import json, sys; array = json.load(sys.stdin)['arrays'][0]; print($2)"; }

# Waits until a job and all of its tasks have left the queue.
wait_for() {
    for _ in $(seq 1200); do
        [ -n "$(squeue -h -j "$1" 2>/dev/null)" ] || return 0
        sleep 0.5
    done
    echo "cluster: job $1 did not end" >&2
    squeue >&2
    return 1
}

# Kills the process of a shard that is at work and has done something, without a word; its task is queued again.
kill_one() {
    python3 - "$1" "$2" <<'PYTHON'
import glob, json, os, re, signal, sys, time

array, folder = sys.argv[1:]
end = time.monotonic() + 120
while time.monotonic() < end:
    graphs = [int(os.path.basename(graph)[:5]) for graph in glob.glob(f"{folder}/*.safetensors")]
    for path in glob.glob(f"{folder}/shard-*.run"):
        shard, of = map(int, re.findall(r"\d+", os.path.basename(path)))
        try:
            record = json.load(open(path))
            has_begun = record["tokens"] > 0 or any(index % of + 1 == shard for index in graphs)
            if record["state"] == "running" and has_begun:
                os.kill(record["process"], signal.SIGKILL)
                print(f"   killed shard {shard} of job {array} in the middle (process {record['process']})")
                sys.exit()
        except (ValueError, ProcessLookupError):
            pass
    time.sleep(0.005)
sys.exit("cluster: no task was seen at work")
PYTHON
}

# That one task of an array was queued again, and one only.
requeued_once() {
    local again
    again=$(scontrol show job "$1" | grep -c 'Restarts=[1-9]') || true
    [ "$again" = 1 ] || {
        echo "cluster: $again tasks of job $1 were queued again, in place of one" >&2
        return 1
    }
}

# That two folders hold the same files with the same bytes, whatever tasks say of themselves aside.
same() {
    diff -r -x '*.run' -x '*.log' -x status.txt "$1" "$2" || {
        echo "cluster: $1 and $2 differ" >&2
        return 1
    }
    echo "   $1 is byte for byte $2: $(find "$1" -type f ! -name '*.run' ! -name '*.log' ! -name status.txt | wc -l) files"
}

start_slurm
cd "$work"
sinfo --version

echo "== a feature store as an array of 8, a task killed in the middle"
begun=$SECONDS
build=(features build --corpus corpus.txt)
"$program" "${build[@]}" --out one-run 2>one-run.log
echo "   one run: $((SECONDS - begun)) s"
begun=$SECONDS
"$program" submit --slurm --shards 8 --cpus 1 "${build[@]}" --out store >features.sh
said=$(bash features.sh)
echo "   $said"
array=${said#array } && array=${array%%,*}
merge=${said#*merge } && merge=${merge%%;*}
kill_one "$array" store.parts
"$program" status store.parts | sed 's/^/   /'
wait_for "$merge"
requeued_once "$array"
echo "   array and merge: $((SECONDS - begun)) s"
[ "$(status store.parts "len(array['done'])")" = 8 ] || { cat store.parts/*.log; exit 1; }
[ -f store/index.json.gz ] || { cat store.parts/merge.log; exit 1; }
same store one-run

echo "== what is refused"
refused() {
    local what=$1
    shift
    if "$program" "$@" >refused.txt 2>&1 || ! grep -q "$what" refused.txt; then
        echo "cluster: it should have been refused with: $what" >&2
        cat refused.txt >&2
        return 1
    fi
    tail -n 1 refused.txt | sed 's/^/   /'
}
parts=(store.parts/shard-[1-7]-of-8.part)
refused "shard 8 of 8 is not among the parts" features merge --out refused "${parts[@]}"
mkdir half
head -c 5000 store.parts/shard-8-of-8.part >half/shard-8-of-8.part
refused "half/shard-8-of-8.part: it is damaged" features merge --out refused "${parts[@]}" half/shard-8-of-8.part
"$program" "${build[@]}" --seed 9 --shard 8/8 --out other 2>/dev/null
refused "other/shard-8-of-8.part: it was made with other options" features merge --out refused "${parts[@]}" other/shard-8-of-8.part
"$program" "${build[@]}" --shard 1/2 --out twice 2>twice.log &
first=$!
until [ -s twice/shard-1-of-2.run ]; do sleep 0.1; done
refused "shard 1 of 2 is worked on already, by process $first" "${build[@]}" --shard 1/2 --out twice
kill "$first"
wait "$first" || true

echo "== 28 traces as an array of 4, a task killed in the middle"
grep -o '^fact : the capital of the [a-z]* containing [^ ]* is' corpus.txt | sort -u | awk 'NR <= 28' >prompts.txt
[ "$(wc -l <prompts.txt)" = 28 ]
trace=(trace --prompts prompts.txt)
begun=$SECONDS
"$program" "${trace[@]}" --out one-run-graphs 2>/dev/null
echo "   one run: $((SECONDS - begun)) s"
begun=$SECONDS
"$program" submit --slurm --shards 4 --cpus 1 "${trace[@]}" --out graphs >trace.sh 2>/dev/null
said=$(bash trace.sh)
array=${said#array } && array=${array%%,*}
report=${said#*report } && report=${report%%;*}
kill_one "$array" graphs
wait_for "$report"
requeued_once "$array"
echo "   array: $((SECONDS - begun)) s"
sed 's/^/   /' graphs/status.txt
same graphs one-run-graphs

echo "== 256 parts merged"
# The first documents, so that a part costs little more than a start of the program.
head -n 4096 corpus.txt >small.txt
peak() { python3 -c "
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)" "$@"; }
for of in 4 256; do
    seq "$of" | xargs -P 2 -I{} "$program" features build --corpus small.txt --threads 1 --shard "{}/$of" --out "parts-$of" 2>/dev/null
    echo "   $of parts of $(du -sm "parts-$of" | cut -f 1) MiB: at most $(peak "$program" features merge --out "of-$of" parts-$of/*.part) MiB of memory"
done
same of-256 of-4
echo "cluster: all of it held"
