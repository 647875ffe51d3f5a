"""Attacks the program with the files, servers and numbers that it reads. Standard library only; `../attack.sh` runs it.

Every section is a function of a Campaign that returns nothing and reports what fell through `campaign.fault`. What is
random comes from the seed alone. Of every run it is asked that it ends in time and with status 0, 1 or 2; that it panics
nowhere; that nothing leaves it which a terminal would obey; that a failure is one sentence of bounded length and leaves
no file; and that it held no more memory than `src/untrusted/mod.rs` allows.
"""

import argparse
import concurrent.futures
import csv
import gzip
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

import liar
from changes import PAYLOAD, archive, array, changed_bytes, changed_json, changed_tensors, odd_value, places

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests/fixtures/llama_plt_relu"
GRAPHS = sorted((ROOT / "tests/formats/data").glob("*.json"))
PROMPT = "the capital of France is"
DEMO = "fact : the capital of the state containing Dallas is"
# How long a run may take; machines are busy, and debug builds slow.
PATIENCE = 60.0
# Bytes that a run may hold: what the program and a tiny model take, what reading may take beside, and for each byte read.
MEMORY = 512 << 20
MEMORY_FACTOR = 100
# Characters of a message.
LONGEST = 5000
# Rows of a table end as RFC 4180 has it.
OBEYED = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FORMATS = ["json", "url", "dot", "svg", "mermaid", "markdown", "csv-nodes", "csv-edges", "interventions"]


class Ended:
    """A run that ended, or was ended."""

    def __init__(self, status, out, err, held, seconds):
        self.status, self.out, self.err, self.held, self.seconds = status, out, err, held, seconds


class Campaign:
    """What all sections have: the program, a folder, the seed, and the faults that were found."""

    def __init__(self, program, work, seed, count):
        self.program = str(pathlib.Path(program).resolve())
        self.work = pathlib.Path(work)
        self.seed, self.count = seed, count
        self.faults, self.done = [], 0
        self.lock = threading.Lock()

    def fault(self, what):
        with self.lock:
            self.faults.append(what)
            print(f"  FELL: {what}", flush=True)

    def random(self, nth):
        return random.Random(f"{self.seed}/{nth}")

    def folder(self, nth):
        folder = self.work / f"case-{nth}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def run(self, arguments, folder, patience=PATIENCE, stdin=None, **env):
        """Runs the program in `folder`; what it held at most comes from the system."""
        home = folder / "home"
        home.mkdir(exist_ok=True)
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HF_HUB_OFFLINE": "1", **env}
        env = {name: value for name, value in env.items() if value is not None}
        begun = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(stdin or os.devnull, "rb") as given:
            child = subprocess.Popen(
                [self.program, *map(os.fsencode, map(str, arguments))], cwd=folder, env=env, stdin=given, stdout=out, stderr=err
            )
            while True:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() - begun > patience:
                    child.kill()
                    _, status, usage = os.wait4(child.pid, 0)
                    status = None
                    break
                time.sleep(0.005)
            child.returncode = status
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read())
        status = None if status is None else os.waitstatus_to_exitcode(status)
        return Ended(status, *texts, usage.ru_maxrss << 10, time.monotonic() - begun)

    def check(self, what, arguments, folder, read=0, out=None, fails=None, **more):
        """Runs the program and asks of the run what is asked of every one; `read` are bytes of the files that it is given,
        `out` is what it writes, `fails` whether it has to."""
        before = self.left(folder)
        ended = self.run(arguments, folder, **more)
        command = " ".join(str(word)[:80] for word in arguments[:4])
        fell = lambda why: self.fault(f"{what}: {command}: {why}")
        err, printed = (stream.decode("utf-8", "replace") for stream in (ended.err, ended.out))
        if ended.status is None:
            fell(f"it goes on after {ended.seconds:.0f} s")
        elif ended.status not in (0, 1, 2):
            fell(f"status {ended.status}: {err[-300:]!r}")
        if "panicked" in err or "fault of the program" in err:
            fell(f"it panicked: {err[-400:]!r}")
        if fails and ended.status == 0:
            fell(f"status 0: {printed[:200]!r}")
        for name, text in (("stderr", err), ("stdout", printed)):
            if found := OBEYED.search(text):
                fell(f"{found.group()!r} on {name}: {text[max(0, found.start() - 60) : found.end() + 20]!r}")
        if ended.status == 1:
            last = err.rstrip("\n").rpartition("\n")[2]
            if len(last) > LONGEST:
                fell(f"a message of {len(last)} characters: {last[:200]!r}")
            if "circuitscope: " not in err:
                fell(f"no sentence: {err[-300:]!r}")
            if out is not None and out.exists():
                fell(f"{out.name} is left after {err[-200:]!r}")
        if ended.held > MEMORY + MEMORY_FACTOR * read:
            fell(f"{ended.held >> 20} MiB held for {read} bytes")
        for path in self.left(folder) - before:
            if path.name.startswith(".circuitscope-"):
                fell(f"{path.name} is left")
        with self.lock:
            self.done += 1
        return ended

    @staticmethod
    def left(folder):
        return {path for path in folder.rglob("*") if "home" not in path.parts}

    def all(self, case, count, workers=os.cpu_count()):
        """Runs numbered cases side by side; one that breaks is a fault."""

        def one(nth):
            folder = self.folder(nth)
            try:
                case(nth, self.random(nth), folder)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its number
                self.fault(f"case {nth}: {type(error).__name__}: {error}")
            shutil.rmtree(folder, ignore_errors=True)

        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, range(self.count or count)))

    def trace(self, folder, **more):
        """A raw graph of the demo."""
        path = folder / "raw.safetensors"
        ended = self.run(["trace", "--prompt", DEMO, "--max-feature-nodes", "50", "--out", path], folder, **more)
        if ended.status != 0:
            raise RuntimeError(f"the demo cannot be traced: {ended.err[-300:]!r}")
        return path


SECTIONS = {}


def section(function):
    SECTIONS[function.__name__] = function
    return function


def ids(content):
    """Ids of nodes of a graph JSON, whatever they are now."""
    try:
        nodes = json.loads(content)["nodes"]
        found = [node["node_id"] for node in nodes if isinstance(node, dict) and isinstance(node.get("node_id"), str)]
    except (ValueError, TypeError, KeyError, RecursionError):
        found = []
    return [name for name in found if name and "\x00" not in name and len(name) < 1000] or ["E_1_0", "27_5_1"]


def look(chance, path, content):
    """A command that reads a graph."""
    node = lambda: chance.choice(ids(content)).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return chance.choice(
        [
            lambda: ["show", path],
            lambda: ["show", path, "--json"],
            lambda: ["show", path, "--", node()],
            lambda: ["find", path, "--", "a"],
            lambda: ["find", "--json", path, "--", node()],
            lambda: ["paths", path, "--", node(), node()],
            lambda: ["groups", path],
            lambda: ["groups", path, "--json"],
            lambda: ["filter", path, "type:feature in>0.1 or not label~a"],
            lambda: ["filter", path, "from:E |w|>0", "--json"],
            lambda: ["edit", path, "--note", "a", "--json"],
            lambda: ["diff", path, GRAPHS[0]],
            lambda: ["union", path, path, "--json"],
            lambda: ["export", path, "--format", chance.choice(FORMATS), "--out", "-"],
            lambda: ["export", path, "--format", "dense", "--out", "dense"],
            lambda: ["verify", path, "--stability"],
        ]
    )()


def check_json(campaign, what, arguments, ended):
    if "--json" in arguments and ended.status == 0:
        try:
            json.loads(ended.out)
        except ValueError as error:
            campaign.fault(f"{what}: {' '.join(map(str, arguments[:2]))} prints no JSON: {error}")


@section
def graphs(campaign):
    """Graph JSON of every dialect with other values, other bytes and in other packings."""

    def case(nth, chance, folder):
        content = chance.choice(GRAPHS).read_bytes()
        content = changed_json(content, chance)
        wrapped = {
            0: lambda: gzip.compress(content),
            1: lambda: b"\xef\xbb\xbf" + content,
            2: lambda: b" \n" * 5000 + content,
            3: lambda: content.decode("utf-8", "replace").encode("utf-16"),
            4: lambda: changed_bytes(gzip.compress(content), chance),
        }.get(chance.randrange(20), lambda: content)()
        path = folder / chance.choice(["graph.json", "graph.json", "graph.json.gz", "-graph", "gr\x1b[31maph"])
        path.write_bytes(wrapped)
        for _ in range(2):
            arguments = look(chance, path, content)
            ended = campaign.check(f"graph {nth}", arguments, folder, len(wrapped))
            check_json(campaign, f"graph {nth}", arguments, ended)

    campaign.all(case, 200)


@section
def shapes(campaign):
    """Graphs of shapes that walks do not come out of, and that are as large as a file may make them."""

    def graph(n, links, name=lambda nth: f"0_{nth}_0", **more):
        nodes = [
            {"node_id": name(nth), "feature": nth, "layer": "0", "ctx_idx": 0, "feature_type": "cross layer transcoder", **more}
            for nth in range(n)
        ]
        nodes.append({"node_id": "L", "feature": 0, "layer": "1", "ctx_idx": 0, "feature_type": "logit", "token_prob": 1})
        nodes[-1]["is_target_logit"] = True
        links = [{"source": name(a) if a >= 0 else "L", "target": name(b) if b >= 0 else "L", "weight": 1.0} for a, b in links]
        return {"metadata": {"slug": "a", "prompt_tokens": ["a"]}, "nodes": nodes, "links": links}

    shaped = {
        "a cycle": graph(50, [(nth, (nth + 1) % 50) for nth in range(50)] + [(0, -1)]),
        "loops": graph(50, [(nth, nth) for nth in range(50)] + [(0, -1)]),
        "everything with everything": graph(150, [(a, b) for a in range(150) for b in range(150)] + [(0, -1)]),
        "a chain": graph(5000, [(nth, nth + 1) for nth in range(4999)] + [(4999, -1)]),
        "an edge ten thousand times": graph(2, [(0, 1)] * 10_000 + [(1, -1)]),
        "nodes of one id": graph(40_000, [], name=lambda nth: "0_1_0"),
        "nodes of an id of ten megabytes": graph(1, [], name=lambda nth: "a" * 10_000_000),
        "a label of ten megabytes": graph(1, [(0, -1)], clerp="b" * 10_000_000),
        "a token of marks": graph(1, [(0, -1)], clerp="e" + "\u0301" * 100_000),
        "no node": {"metadata": {}, "nodes": [], "links": []},
        "links to nothing": graph(2, []) | {"links": [{"source": "x", "target": "y", "weight": 1}] * 1000},
        "weights beyond numbers": graph(2, []) | {"links": [{"source": "0_0_0", "target": "L", "weight": 1e300}] * 9},
    }

    def case(nth, chance, folder):
        name = list(shaped)[nth]
        content = json.dumps(shaped[name]).encode()
        (folder / "graph.json").write_bytes(content)
        for arguments in (["show"], ["find", "--", "0"], ["groups"], ["paths", "--", "0_0_0", "L"], ["filter", "type:feature in>0"]):
            arguments = [arguments[0], "graph.json", *arguments[1:]]
            campaign.check(name, arguments, folder, len(content))
        for form in FORMATS:
            campaign.check(name, ["export", "graph.json", "--format", form, "--out", "-"], folder, len(content))

    count, campaign.count = len(shaped), None
    campaign.all(case, count)


@section
def exports(campaign):
    """Texts of every kind in every field of a graph, and what reads each format."""

    def texts(value, chance):
        for path in list(places(value)):
            if path and isinstance(path[-1], str) and path[-1] not in ("layer", "feature_type", "node_id", "source", "target"):
                holder = value
                for step in path[:-1]:
                    holder = holder[step]
                if isinstance(holder[path[-1]], str) and chance.random() < 0.7:
                    holder[path[-1]] = chance.choice([PAYLOAD, "``a`` | <b>", "=1+1", "]]>", '"\\', "@a", "\u202e", "a\nb", "<!--"])
        return value

    def case(nth, chance, folder):
        content = json.dumps(texts(json.loads(chance.choice(GRAPHS).read_bytes()), chance)).encode()
        (folder / "graph.json").write_bytes(content)
        for form in FORMATS:
            select = chance.choice(["all", "pruned", "pinned"])
            arguments = ["export", "graph.json", "--format", form, "--select", select, "--out", "-"]
            ended = campaign.check(f"export {nth}", arguments, folder, len(content))
            if ended.status != 0:
                continue
            if why := unsound(form, ended.out):
                campaign.fault(f"export {nth}: {form} of {select}: {why}")

    campaign.all(case, 100)


def unsound(form, content):
    """What is wrong with an export, if anything is."""
    try:
        text = content.decode()
        if form == "json":
            json.loads(text)
        elif form == "svg":
            root = xml.etree.ElementTree.fromstring(text)
            if any(element.tag.rpartition("}")[2] in ("script", "foreignObject", "image", "a") for element in root.iter()):
                return "it holds more than a figure"
        elif form.startswith("csv"):
            rows = list(csv.reader(io.StringIO(text), strict=True))
            if len({len(row) for row in rows}) > 1:
                return "rows of different lengths"
            if any(cell[:1] in ("=", "+", "@", "\t") for row in rows for cell in row):
                return "a cell that a spreadsheet computes"
        elif form == "dot" and shutil.which("dot"):
            drawn = subprocess.run(["dot", "-Tcanon"], input=content, capture_output=True, timeout=PATIENCE)
            if drawn.returncode != 0:
                return drawn.stderr.decode("utf-8", "replace")[:200]
    except (ValueError, xml.etree.ElementTree.ParseError, csv.Error, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"
    return None


@section
def torch(campaign):
    """circuit-tracer's `.pt` with other bytes."""
    seeds = sorted((ROOT / "tests/formats/data").glob("*.pt")) + sorted((ROOT / "fuzz/corpus/torch").glob("*"))

    def case(nth, chance, folder):
        content = changed_bytes(chance.choice(seeds).read_bytes(), chance)
        (folder / "graph.pt").write_bytes(content)
        campaign.check(f"torch {nth}", look(chance, folder / "graph.pt", b""), folder, len(content))

    campaign.all(case, 300)


@section
def raw(campaign):
    """Raw graphs whose header or numbers are others, looked at and gone on with."""
    sound = campaign.trace(campaign.folder("raw")).read_bytes()

    def case(nth, chance, folder):
        path = folder / "graph.safetensors"
        path.write_bytes(changed_tensors(sound, chance))
        arguments = look(chance, path, b"")
        if chance.random() < 0.3:
            arguments = ["trace", "--resume", path, "--max-feature-nodes", "60", "--out", folder / "out"]
        campaign.check(f"raw {nth}", arguments, folder, path.stat().st_size, out=folder / "out")

    campaign.all(case, 300)


def case_of(folder, model=(), transcoder=()):
    """A copy of a model and its transcoder; `model` and `transcoder` give the bytes of some files."""
    for which, changed in (("model", dict(model)), ("transcoder", dict(transcoder))):
        shutil.copytree(FIXTURE / which, folder / which)
        for name, content in changed.items():
            (folder / which / name).write_bytes(content)
    return ["--model", folder / "model", "--transcoder", folder / "transcoder"]


def trace_on(campaign, what, folder, read, *more, model=(), transcoder=(), **checks):
    arguments = ["trace", *case_of(folder, model, transcoder), "--max-feature-nodes", "20", "--out", folder / "out"]
    if not any(word in ("--prompt", "--prompts", "--tokens") for word in more):
        more = (*more, "--prompt", PROMPT)
    return campaign.check(what, [*arguments, *more], folder, read, out=folder / "out", **checks)


@section
def configurations(campaign):
    """A model's config.json and a transcoder's config.yaml."""
    options = (FIXTURE / "model/config.json").read_bytes()
    settings = (FIXTURE / "transcoder/config.yaml").read_bytes()

    def case(nth, chance, folder):
        model, transcoder = {}, {}
        if chance.random() < 0.7:
            model["config.json"] = changed_json(options, chance)
        else:
            transcoder["config.yaml"] = changed_bytes(settings, chance)
            if chance.random() < 0.5:
                line = chance.choice(["k", "transcoders", "activation", "model_kind", "scan", "x"])
                value = json.dumps(odd_value(chance)).encode("utf-8", "surrogatepass")
                transcoder["config.yaml"] = settings + f"\n{line}: ".encode() + value
        read = sum(map(len, [*model.values(), *transcoder.values()]))
        trace_on(campaign, f"configuration {nth}", folder, read, model=model, transcoder=transcoder)

    campaign.all(case, 300)


@section
def weights(campaign):
    """Weights, of a model and of a transcoder, and archives that lie."""
    model = (FIXTURE / "model/model.safetensors").read_bytes()
    layer = (FIXTURE / "transcoder/layer_0.safetensors").read_bytes()

    def case(nth, chance, folder):
        how = chance.randrange(3)
        if how == 0:
            changed = changed_tensors(model, chance)
            trace_on(campaign, f"weights {nth}", folder, len(changed), model={"model.safetensors": changed})
            return
        if how == 1:
            changed = changed_tensors(layer, chance)
            trace_on(campaign, f"weights {nth}", folder, len(changed), transcoder={"layer_0.safetensors": changed})
            return
        shape = chance.choice([(4, 4), (1 << 20,), (2, 1 << 22), ()])
        content = array(shape, bytes(4 * chance.choice([0, 16, 1 << 20])), chance.choice([None, (1 << 62, 4), (-1,), "x"]))
        names = [b"W_enc.npy", b"W_dec.npy", b"threshold.npy", b"../b_enc.npy", PAYLOAD.encode() + b".npy"]
        members = [(name, content, chance.choice([None, 0, 2**32 - 2])) for name in names]
        packed = archive(members)
        if chance.random() < 0.5:
            packed = changed_bytes(packed, chance)
        listed = (FIXTURE / "transcoder/config.yaml").read_bytes() + b"\ntranscoders:\n- a.npz\n- a.npz\n- a.npz\n"
        files = {"a.npz": packed, "config.yaml": listed}
        trace_on(campaign, f"archive {nth}", folder, len(packed), transcoder=files, fails=True)

    campaign.all(case, 300)


@section
def tokenizers(campaign):
    """Tokenizers, what is said beside them, and templates of chats."""
    files = {name: (FIXTURE / "model" / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")}
    deep = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    templates = [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ messages[0].content.replace('', messages[0].content * 9999) }}",
        "{{ raise_exception('" + PAYLOAD.replace("\n", " ") + "') }}",
        "{{ '%999999999s' | format('a') }}",
        "{{ messages | tojson(indent=99999999) }}",
        "{% include '/etc/passwd' %}",
        "{{ strftime_now('%Q') }}",
    ]
    # What they nest, and what walks it.
    made = [
        "{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}",
        "{% for i in range(99999) %}{% set ns.a = [[[[ns.a]]]] %}{% set ns.b = {'b': ns.b} %}{% endfor %}",
        "{% for i in range(9000) %}{% set ns.a = [ns.a] %}{% set ns.b = [ns.b] %}{% endfor %}",
        "{% set ns.a = [ns] %}{% set ns.b = ns %}",
        "{% set s = 'x' * 900000 %}{% set ns.a = [s] * 9000 %}{% set ns.b = [s] * 9000 %}",
    ]
    used = ["{{ ns.a == ns.b }}", "{{ ns.a < ns.b }}", "{{ ns.a in [ns.b] }}", "{{ ns.a ~ ns.b }}", "{{ ns.a }}",
            "{{ ns.a | tojson }}", "{{ [ns.a, ns.b] | sort }}", "{{ {ns.a: 1, ns.b: 2} }}", "{{ ','.join([ns.a]) }}",
            "{{ ns.a | pprint }}", "{{ [ns.a, ns.b] | unique | list }}", "{{ '%s' | format(ns.a) }}",
            "{% macro m(x, y) %}{{ x == y }}{% endmacro %}{{ m(ns.a, ns.b) }}"]
    templates += ["{% set ns = namespace(a=[1], b=[1]) %}" + first + then for first in made for then in used]
    templates += ["{{ x" + part * 50_000 + " }}" for part in ("~x", "|e", ".a", "+x")] + ["{{ " + "not " * 50_000 + "x }}"]
    templates.append("{% if x %}" + "{%elif x%}" * 26_000 + "{% endif %}")

    def case(nth, chance, folder):
        model, more = {}, []
        if nth < len(templates) or chance.random() < 0.3:
            template = templates[nth] if nth < len(templates) else chance.choice(templates)
            if nth >= len(templates) and chance.random() < 0.5:
                template = changed_bytes(template.encode(), chance).decode("utf-8", "replace")
            model["chat_template.jinja"] = template.encode()
            more = ["--chat"]
        else:
            name = chance.choice(list(files))
            value = changed_json(files[name], chance)
            if chance.random() < 0.2:
                inner = json.loads(files[name])
                inner["normalizer"] = {"type": "Sequence", "normalizers": [deep] * chance.choice([1, 9, 2000])}
                value = json.dumps(inner).encode()
            model[name] = value
        prompt = chance.choice([PROMPT, "a" * 20_000, PAYLOAD, "", "e" + "\u0301" * 5000])
        read = sum(map(len, model.values())) + len(prompt)
        trace_on(campaign, f"tokenizer {nth}", folder, read, *more, "--prompt", prompt, model=model)

    campaign.all(case, 300)


@section
def lists(campaign):
    """Lists of prompts, interventions and labels, and corpora."""
    prompts = [{"prompt": "the a of", "slug": "a", "target": "city"}, {"tokens": [1, 2], "chat": False, "target_position": 1}]
    asked = {"interventions": [{"name": "a", "sites": [{"layer": 0, "feature": 1, "positions": "All"}], "action": "Ablate"}]}
    labels = "layer,feature,label\n0,1,a\n1,2,\"b\nc\"\n"
    rows = [{"modelId": "m", "layer": "0-set", "index": "1", "description": "a"}, {"layer": 0, "feature": 1, "label": "a"}]
    jsonl = lambda lines: b"\n".join(json.dumps(line).encode() for line in lines)

    def changed_lines(lines, chance):
        changed = [changed_json(json.dumps(line).encode(), chance) for line in lines * chance.choice([1, 3])]
        return chance.choice([b"\n", b"\r\n", b"\n\n"]).join(changed)

    def case(nth, chance, folder):
        graph = GRAPHS[0]
        how = chance.randrange(5)
        path = folder / "list"
        if how == 0:
            path.write_bytes(changed_lines(prompts, chance))
            arguments = ["trace", "--prompts", path, "--max-feature-nodes", "5", "--out", folder / "many"]
        elif how == 1:
            path.write_bytes(changed_json(json.dumps(asked).encode(), chance))
            arguments = ["intervene", "--prompt", DEMO, "--interventions", path]
        elif how == 2:
            path = folder / "labels.csv"
            path.write_bytes(changed_bytes(labels.encode(), chance))
            arguments = ["show", graph, "--labels", path]
        elif how == 3:
            path = folder / "labels.jsonl"
            path.write_bytes(changed_lines(rows, chance) if chance.random() < 0.7 else changed_bytes(jsonl(rows), chance))
            arguments = chance.choice([["show", graph, "--labels", path], ["features", "import", path, "--out", "store"]])
        else:
            path = folder / chance.choice(["corpus.jsonl", "corpus.txt", "corpus.jsonl.gz"])
            path.write_bytes(changed_bytes(gzip.compress(jsonl([{"text": "the capital of Texas"}] * 9)), chance))
            arguments = ["features", "build", "--corpus", path, "--layers", "0", "--out", "store"]
        campaign.check(f"list {nth}", arguments, folder, path.stat().st_size)

    campaign.all(case, 300)


@section
def stores(campaign):
    """Feature stores whose files are others."""
    base = campaign.folder("stores")
    corpus = base / "corpus.txt"
    corpus.write_text("the capital of the state containing Dallas is\nthe capital of Texas is Austin\n" * 20)
    built = campaign.run(["features", "build", "--corpus", corpus, "--layers", "0", "--out", base / "store"], base, patience=300)
    if built.status != 0:
        campaign.fault(f"no store is built: {built.err[-300:]!r}")
        return
    files = sorted(path.relative_to(base / "store") for path in (base / "store").rglob("*") if path.is_file())

    def case(nth, chance, folder):
        shutil.copytree(base / "store", folder / "store")
        path = folder / "store" / chance.choice(files)
        content = path.read_bytes()
        path.write_bytes(changed_json(content, chance) if path.suffix == ".json" else changed_bytes(content, chance))
        arguments = chance.choice(
            [
                ["features", "show", f"0:{chance.randrange(64)}", "--features", folder / "store"],
                ["features", "show", "0:1", "--json", "--features", folder / "store"],
                ["features", "browse", "--features", folder / "store"],
                ["show", GRAPHS[0], "--features", folder / "store", "--density", "0.5"],
            ]
        )
        campaign.check(f"store {nth}", arguments, folder, path.stat().st_size)

    campaign.all(case, 300)


@section
def numbers(campaign):
    """Odd numbers and texts in every option."""
    odd = ["-1", "0", "1e308", "nan", "inf", "-0", "18446744073709551616", "9" * 400, "0x10", "", " ", "1_000", PAYLOAD, "½", "all"]
    base = campaign.folder("numbers")
    raw = campaign.trace(base)
    trace = ["trace", "--prompt", DEMO, "--out", "out"]
    show = ["show", raw]
    options = [
        *((trace, name) for name in ("--max-feature-nodes", "--batch-size", "--update-interval", "--max-logits", "--logit-prob")),
        *((trace, name) for name in ("--threads", "--device", "--max-memory", "--target", "--target-position", "--tokens", "--shard")),
        *((trace, name) for name in ("--dtype", "--target-weight")),
        *((show, name) for name in ("--node-threshold", "--edge-threshold", "--density", "--top", "--filter")),
        *((["groups", raw], name) for name in ("--alike", "--span")),
        (["paths", raw, "E_1_0", "E_1_0"], "-k"),
        *((["intervene", "--prompt", DEMO], name) for name in ("--ablate", "--set", "--scale", "--add", "--swap", "--layers")),
        *((["generate", "--prompt", DEMO], name) for name in ("--max-tokens", "--temperature", "--seed", "--top-p", "--ablate")),
        (["features", "browse"], "--top"),
    ]
    prefixes = ["", "0:", "0:1:", "0:1=", "0:0:1=", "1/", "3="]

    def case(nth, chance, folder):
        command, option = options[nth % len(options)]
        value = chance.choice(prefixes) + chance.choice(odd)
        arguments = [*command, f"{option}={value}" if option.startswith("--") else f"{option}{value}"]
        campaign.check(f"number {nth}", arguments, folder, raw.stat().st_size, out=folder / "out")

    campaign.all(case, 400)


@section
def no_files(campaign):
    """Pipes that nobody writes into, devices, sockets, folders, and files without content, where files are wanted."""

    def kinds(folder):
        os.mkfifo(folder / "pipe")
        (folder / "folder").mkdir()
        (folder / "empty").write_bytes(b"")
        with open(folder / "sparse", "wb") as file:
            file.truncate(1 << 40)
        (folder / "loop").symlink_to("loop")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(os.path.relpath(folder / "socket"))
        listening.close()
        return [folder / name for name in ("pipe", "folder", "empty", "sparse", "loop", "socket", "none")] + ["/dev/zero", "/dev/tty"]

    commands = [
        lambda it: ["show", it],
        lambda it: ["show", GRAPHS[0], "--labels", it],
        lambda it: ["show", GRAPHS[0], "--features", it],
        lambda it: ["diff", GRAPHS[0], it],
        lambda it: ["trace", "--resume", it, "--out", "out"],
        lambda it: ["trace", "--prompts", it, "--out", "many"],
        lambda it: ["intervene", "--prompt", DEMO, "--interventions", it],
        lambda it: ["intervene", "--prompt", DEMO, "--graph", it, "--group", "a"],
        lambda it: ["edit", GRAPHS[0], "--interventions", it],
        lambda it: ["features", "build", "--corpus", it, "--layers", "0", "--out", "store"],
        lambda it: ["features", "import", it, "--out", "store"],
        lambda it: ["features", "merge", it, "--out", "store"],
        lambda it: ["tokens", "--prompt", "a", "--model", it],
        lambda it: ["open", it],
    ]

    def case(nth, chance, folder):
        made = kinds(folder)
        if nth < len(commands):
            for it in made:
                # A corpus may be as long as it likes.
                if commands[nth](it)[:2] != ["features", "build"] or it != folder / "sparse":
                    campaign.check(pathlib.Path(it).name, commands[nth](it), folder, fails=it != folder / "folder")
            return
        # A file of a model or a transcoder that is none.
        name = ["model/config.json", "model/tokenizer.json", "model/model.safetensors", "model/tokenizer_config.json",
                "model/chat_template.jinja", "transcoder/config.yaml", "transcoder/layer_0.safetensors"][nth - len(commands)]
        arguments = ["trace", *case_of(folder), "--prompt", PROMPT, "--chat", "--out", folder / "out"]
        for it in made:
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(it)
            campaign.check(f"{name} is {pathlib.Path(it).name}", arguments, folder, out=folder / "out")
            (folder / "out").unlink(missing_ok=True)

    count, campaign.count = len(commands) + 7, None
    campaign.all(case, count)


@section
def hub(campaign):
    """A hub on loopback that lies in every way, drips, is busy and breaks off."""

    def case(nth, chance, folder):
        lie = liar.LIES[nth % len(liar.LIES)]
        secret = "hf_" + "s" * 30
        with liar.Server(FIXTURE / "model", lie, chance) as server:
            env = {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(folder / "hf"), "HF_TOKEN": secret, "HF_HUB_OFFLINE": None}
            ended = campaign.check(f"hub {lie}", ["pull", "tiny/model"], folder, patience=200, **env)
            if lie not in liar.HARMLESS and ended.status == 0:
                campaign.fault(f"hub {lie}: status 0")
            if secret.encode() in ended.err + ended.out:
                campaign.fault(f"hub {lie}: the token is told")
            if server.strangers_heard(secret):
                campaign.fault(f"hub {lie}: the token went to another server")
        outside = [path for path in folder.rglob("*") if not path.is_relative_to(folder / "hf") and path.name.startswith("owned")]
        if outside:
            campaign.fault(f"hub {lie}: {outside[0]} was written")
        for path in (folder / "hf").rglob("snapshots/*/*"):
            name = path.relative_to(path.parents[0])
            sound = FIXTURE / "model" / name
            if sound.is_file() and path.is_file() and path.read_bytes() != sound.read_bytes():
                campaign.fault(f"hub {lie}: {name} is not what was offered")

    count, campaign.count = campaign.count or len(liar.LIES), None
    campaign.all(case, count, workers=8)


@section
def environments(campaign):
    """Environments that say odd things of the hub and of folders."""
    odd = ["", " ", "no address", "http://", "http://user:secret@127.0.0.1:1", "file:///etc", PAYLOAD, "a" * 100_000, "/dev/null", "\udcff"]
    names = ["HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN_PATH", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"]
    names += ["XDG_STATE_HOME", "XDG_DATA_HOME", "TMPDIR", "RAYON_NUM_THREADS", "NO_COLOR", "COLUMNS", "HF_HUB_OFFLINE"]

    def case(nth, chance, folder):
        name, value = names[nth % len(names)], odd[(nth // len(names)) % len(odd)]
        env = {name: value}
        if name == "HF_ENDPOINT":
            env["HF_HUB_OFFLINE"] = None
        for arguments in (["models"], ["show", GRAPHS[0]], ["pull", "tiny/model", "--dry-run"]):
            ended = campaign.check(f"{name}={value[:30]!r}", arguments, folder, 1 << 20, **env)
            # In the name of a folder it is no password.
            if name == "HF_ENDPOINT" and b"secret" in ended.err + ended.out:
                campaign.fault(f"{name}: the password is told")
            if arguments[0] == "show" and ended.status != 0:
                campaign.fault(f"{name}={value[:30]!r}: a graph cannot be shown: {ended.err[-200:]!r}")

    campaign.all(case, len(names) * len(odd))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--count", type=int)
    given = parser.parse_args()
    campaign = Campaign(given.program, given.work, given.seed, given.count)
    SECTIONS[given.section](campaign)
    print(f"   {campaign.done} runs, {len(campaign.faults)} faults", flush=True)
    sys.exit(1 if campaign.faults else 0)


if __name__ == "__main__":
    main()
