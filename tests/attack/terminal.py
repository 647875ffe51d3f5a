"""Attacks the program from its terminal, its files and its limits. Standard library only; `../attack.sh` runs it.

Every section is a function of a Campaign that returns nothing and reports what fell through `campaign.fault`. What is
random comes from the seed alone.
"""

import argparse
import codecs
import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import random
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import unicodedata

PROMPT = "fact : the capital of the state containing Dallas is"
ENDING = ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "XCPU", "XFSZ"]
# How long a program may take to leave once it was asked to; machines are busy, and debug builds slow.
PATIENCE = 20.0
PIECES = re.compile(r"\x1b\[([0-9;?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[^\x1b]", re.S)


class Screen:
    """As much of a terminal as the program writes for: what stands where."""

    def __init__(self, rows, columns):
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.rest = ""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.row = self.column = 0
        self.cells = {}

    def feed(self, data):
        text = self.rest + self.decoder.decode(data)
        end = 0
        for piece in PIECES.finditer(text):
            if piece.start() != end:
                break
            end = piece.end()
            if piece.group(2):
                self.obey(piece.group(1), piece.group(2))
            elif len(piece.group()) == 1:
                self.put(piece.group())
        # The start of a sequence that is not whole yet.
        self.rest = text[end:]

    def obey(self, numbers, what):
        values = [int(value or 0) for value in numbers.split(";")] if re.fullmatch(r"[0-9;]+", numbers) else []
        first = max(values[0], 1) if values else 1
        if what == "H":
            self.row, self.column = first - 1, (max(values[1], 1) if len(values) > 1 else 1) - 1
        elif what in "ABCD":
            self.row += {"A": -first, "B": first}.get(what, 0)
            self.column += {"C": first, "D": -first}.get(what, 0)
        elif what == "X":
            self.erase(self.row, self.column, self.column + first)
        elif what == "K":
            self.erase(self.row, self.column, self.columns)
        elif what == "J":
            for row in range(0 if values and values[0] == 2 else self.row, self.rows):
                self.erase(row, 0, self.columns)

    def erase(self, row, start, end):
        for column in range(start, end):
            self.cells.pop((row, column), None)

    def put(self, char):
        if char == "\n":
            self.row += 1
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(self.column - 1, 0)
        elif char >= " " and not unicodedata.combining(char):
            self.cells[self.row, self.column] = char
            self.column += 2 if unicodedata.east_asian_width(char) in "WF" else 1

    def text(self):
        cells = dict(self.cells)
        lines = ("".join(cells.get((row, column), " ") for column in range(self.columns)) for row in range(self.rows))
        return "\n".join(line.rstrip() for line in lines)


class Session:
    """A program in a pseudo-terminal whose output is read, unless it is left unread."""

    def __init__(self, arguments, env, size=(40, 130), limits=(), reads=True, cwd=None):
        self.master, slave = pty.openpty()
        self.screen = Screen(*size)
        self.resize(*size)
        self.before = self.modes()

        def prepare():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for what, most in limits:
                resource.setrlimit(what, (most, most))

        self.child = subprocess.Popen(
            arguments, stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=prepare, close_fds=True, cwd=cwd
        )
        os.close(slave)
        self.written = bytearray()
        self.reading = threading.Event()
        if reads:
            self.reading.set()
        self.closed = False
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            self.reading.wait()
            if self.closed:
                return
            try:
                ready, _, _ = select.select([self.master], [], [], 0.2)
                data = os.read(self.master, 65536) if ready else None
            except OSError:
                return
            if data == b"":
                return
            if data:
                self.written += data
                self.screen.feed(data)

    def modes(self):
        return termios.tcgetattr(self.master)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        """Types; gives up where nobody reads."""
        data = keys.encode() if isinstance(keys, str) else keys
        end = time.monotonic() + PATIENCE
        os.set_blocking(self.master, False)
        while data and time.monotonic() < end:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                select.select([], [self.master], [], 0.1)
            except OSError:
                break
        return not data

    def said(self):
        """The end of what was written, without what commands a terminal."""
        return re.sub(r"\x1b(\[[0-9;?]*[@-~])?", "", bytes(self.written[-3000:]).decode("utf-8", "replace"))

    def until(self, holds, patience=PATIENCE * 2):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if holds(self):
                return True
            if self.child.poll() is not None and not self.reader.is_alive():
                return bool(holds(self))
            time.sleep(0.004)
        return False

    def shows(self, text, patience=PATIENCE * 2):
        return self.until(lambda session: text in session.screen.text(), patience)

    def signal(self, name):
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(getattr(signal, "SIG" + name))

    def wait(self, patience=PATIENCE):
        """The exit status; None where it does not leave."""
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def is_restored(self):
        """Whether the terminal is as it was: its modes, its screen, its cursor."""
        last = {}
        for name, state in re.findall(rb"\x1b\[\?(1049|25|2004|1002|1006)([hl])", bytes(self.written)):
            last[name] = state
        wanted = {b"1049": b"l", b"25": b"h", b"2004": b"l", b"1002": b"l", b"1006": b"l"}
        return self.modes() == self.before and all(state == wanted[name] for name, state in last.items())

    def hang_up(self):
        """Takes the terminal away."""
        self.closed = True
        self.reading.set()
        self.reader.join()
        master, self.master = self.master, None
        if master is not None:
            os.close(master)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.hang_up()


class Campaign:
    """What all sections have: the program, a folder, the seed, and the faults that were found."""

    def __init__(self, program, work, seed, count):
        self.program = str(pathlib.Path(program).resolve())
        self.work = pathlib.Path(work)
        self.seed = seed
        self.count = count
        self.faults = []
        self.done = 0
        self.lock = threading.Lock()
        self.graph = self.work / "graph.safetensors"
        traced = self.run(["trace", "--prompt", PROMPT, "--out", str(self.graph)], self.env(self.work / "home"))
        if traced.returncode != 0:
            sys.exit(f"the demo cannot be traced: {traced.stderr}")

    def fault(self, what):
        with self.lock:
            self.faults.append(what)
            print(f"  FELL: {what}", flush=True)

    def random(self, nth):
        return random.Random(f"{self.seed}/{nth}")

    def env(self, home, **changes):
        home = pathlib.Path(home)
        home.mkdir(parents=True, exist_ok=True)
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        env.update({name: value for name, value in changes.items() if value is not None})
        return {name: value for name, value in env.items() if changes.get(name, value) is not None}

    def run(self, arguments, env, limits=(), cwd=None, patience=120):
        def prepare():
            for what, most in limits:
                resource.setrlimit(what, (most, most))

        return subprocess.run(
            [self.program, *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            preexec_fn=prepare if limits else None,
            timeout=patience,
            cwd=cwd,
        )

    def fresh(self, nth):
        """A folder of its own with a copy of the graph."""
        folder = self.work / f"case-{nth}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(self.graph, folder / "graph.safetensors")
        return folder

    def open(self, folder, env=None, **more):
        env = env or self.env(folder / "home")
        return Session([self.program, "open", str(folder / "graph.safetensors")], env, **more)

    def all(self, case, count, workers=4):
        """Runs numbered cases side by side; one that breaks is a fault."""

        def one(nth):
            try:
                case(nth)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its number
                self.fault(f"case {nth}: {type(error).__name__}: {error}")
            with self.lock:
                self.done += 1

        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, range(count)))

    def check_log(self, folder, what):
        """Panics of any thread are written to the log."""
        for log in pathlib.Path(folder).glob("home/**/circuitscope*.log"):
            text = log.read_text(errors="replace")
            if "panicked" in text or "fault of the program" in text:
                self.fault(f"{what}: {text.strip().splitlines()[-1][:300]}")

    def check_left(self, session, what, restored=True):
        if session.child.poll() is None:
            self.fault(f"{what}: it does not leave")
        elif restored and not session.until(lambda it: it.is_restored(), 3):
            modes = "as they were" if session.modes() == session.before else "changed"
            self.fault(
                f"{what}: the terminal is not as it was: modes {modes}, status {session.child.returncode}, last written "
                f"{bytes(session.written[-80:])!r}"
            )
        if b"panicked" in session.written:
            self.fault(f"{what}: it panicked: {session.said()[-400:]!r}")

    def check_folder(self, folder, what):
        """No half-written file is left, and the session can be read."""
        for path in folder.rglob("*"):
            if path.name.startswith(".circuitscope-") or path.name.endswith((".lock", ".bad")):
                self.fault(f"{what}: {path.name} is left")
        return self.saved(folder, what)

    def saved(self, folder, what):
        path = folder / "graph.safetensors.session.json"
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            self.fault(f"{what}: the session is torn: {error}")
            return None


SECTIONS = {}


def section(function):
    SECTIONS[function.__name__] = function
    return function


@section
def endings(campaign):
    """Endings of every kind at random moments, while something is done."""

    def case(nth):
        chance = campaign.random(nth)
        folder = campaign.fresh(nth)
        mouse = chance.random() < 0.3
        session = Session(
            [campaign.program, "open", str(folder / "graph.safetensors"), *(["--mouse"] if mouse else [])],
            campaign.env(folder / "home"),
        )
        time.sleep(chance.random() * 1.2)
        session.press("".join(chance.choice(["1", "j", "p", "[", "v", "?", "\x1b"]) for _ in range(chance.randrange(6))))
        how = chance.choice([*ENDING, "q", "q", "hang up", "KILL", "ABRT", "stop and go on"])
        what = f"{nth} ({how})"
        if how == "q":
            session.shows("Austin")
            # Out of whatever was opened, and of what was typed there.
            for _ in range(3):
                session.press("\x1b")
                time.sleep(0.2)
            session.press("q")
        elif how == "hang up":
            session.hang_up()
        elif how == "stop and go on":
            session.shows("Austin")
            session.signal("TSTP")
            time.sleep(0.5)
            session.signal("CONT")
            session.signal("TERM")
        else:
            session.signal(how)
        session.wait()
        campaign.check_left(session, what, restored=how not in ("hang up", "KILL"))
        if how == "q" and session.child.returncode != 0:
            campaign.fault(f"{what}: status {session.child.returncode}")
        if how not in ("KILL", "ABRT"):
            campaign.check_folder(folder, what)
        campaign.check_log(folder, what)
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, campaign.count or 200)


@section
def first_byte(campaign):
    """Signals that come with the first byte that is written."""

    def case(nth):
        folder = campaign.fresh(nth)
        name = ENDING[nth % len(ENDING)]
        session = campaign.open(folder)
        while not session.written and session.child.poll() is None:
            time.sleep(0)
        session.signal(name)
        session.wait()
        campaign.check_left(session, f"{nth} ({name})")
        if session.child.returncode == 0:
            campaign.fault(f"{nth} ({name}): status 0 after a signal")
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, campaign.count or 200)


@section
def kills(campaign):
    """Kills during edits on a busy machine: nothing that is older than a second is lost."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)]
    worst = [0.0]

    def case(nth):
        chance = campaign.random(nth)
        folder = campaign.fresh(nth)
        session = campaign.open(folder)
        if not session.shows("Austin"):
            raise RuntimeError("the graph is not shown")
        seen = {}
        end = time.monotonic() + 1.5 + 2 * chance.random()
        nth_edit = 0
        while time.monotonic() < end:
            nth_edit += 1
            session.press(f"el\x15n{nth_edit}n\r")
            if session.shows(f"Labelled n{nth_edit}n", 5):
                seen[nth_edit] = time.monotonic()
            time.sleep(chance.random() * 0.15)
        session.child.kill()
        killed = time.monotonic()
        session.wait()
        saved = campaign.saved(folder, f"{nth}")
        labels = [it["label"] for it in (saved or {}).get("node_labels", []) + (saved or {}).get("feature_labels", [])]
        kept = max((int(label.strip("n")) for label in labels if re.fullmatch(r"n\d+n", label)), default=0)
        lost = [killed - when for edit, when in seen.items() if edit > kept]
        worst[0] = max([worst[0], *lost])
        if any(age > 1.0 for age in lost):
            campaign.fault(f"{nth}: an edit {max(lost):.2f} s old is lost ({kept} of {nth_edit} kept)")
        # The next run cleans up what this one left.
        campaign.run(["edit", str(folder / "graph.safetensors"), "--note", "next"], campaign.env(folder / "home"))
        after = campaign.check_folder(folder, f"{nth}, at the next run")
        if not after or after["notes"] != "next":
            campaign.fault(f"{nth}: the next run does not save")
        session.close()
        shutil.rmtree(folder)

    try:
        campaign.all(case, campaign.count or 200)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(f"  the oldest edit that was lost was {worst[0]:.2f} s old")


@section
def parallel(campaign):
    """Edits of many programs at once, two screens among them, on one session: none is lost."""
    folder = campaign.fresh(0)
    graph = str(folder / "graph.safetensors")
    env = campaign.env(folder / "home")
    screens = [campaign.open(folder) for _ in range(2)]
    for screen in screens:
        screen.shows("Austin")
    count = campaign.count or 120
    edits = [
        subprocess.Popen(
            [campaign.program, "edit", graph, "--label", f"0:{nth}=label {nth}"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for nth in range(count)
    ]
    for nth, screen in enumerate(screens):
        screen.press(f"el\x15screen {nth}\r" if nth == 0 else "1p")
    for nth, edit in enumerate(edits):
        _, said = edit.communicate(timeout=120)
        if edit.returncode != 0:
            campaign.fault(f"edit {nth}: status {edit.returncode}: {said.strip()[:200]}")
    time.sleep(1.5)
    for screen in screens:
        screen.press("q")
        screen.wait()
        campaign.check_left(screen, "a screen")
        screen.close()
    saved = campaign.check_folder(folder, "after all") or {}
    labels = {it["label"] for it in saved.get("feature_labels", []) + saved.get("node_labels", [])}
    lost = [nth for nth in range(count) if f"label {nth}" not in labels]
    if lost:
        campaign.fault(f"{len(lost)} of {count} edits are lost: {lost[:10]}")
    if "screen 0" not in labels or len(saved.get("pins", [])) != 1:
        campaign.fault("what was done on a screen is lost")
    campaign.done = count


def on_small_disk(campaign, size, case):
    """Runs a case in a folder on a disk of so many KiB; `None` where no disk can be made."""
    folder = campaign.work / "disk"
    folder.mkdir(exist_ok=True)
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(folder)], capture_output=True
    )
    if not mounted or mounted.returncode != 0:
        return False
    try:
        shutil.copy(campaign.graph, folder / "graph.safetensors")
        case(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
    return True


def fill(path):
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with contextlib.suppress(OSError), open(path, "ab", buffering=0) as file:
        while True:
            file.write(b"x")


def cannot_save(campaign, folder, limits, fills, frees):
    """Edits where nothing can be written: said, kept, saved once it can be."""
    graph, env = str(folder / "graph.safetensors"), campaign.env(folder / "home")
    first = campaign.run(["edit", graph, "--note", "before"], env)
    if first.returncode != 0:
        campaign.fault(f"an edit before the disk is full fails: {first.stderr}")
    fills()
    edit = campaign.run(["edit", graph, "--note", "after " + "x" * 20000], env, limits=limits)
    if edit.returncode != 1 or "not saved" not in edit.stderr:
        campaign.fault(f"an edit that cannot be saved: status {edit.returncode}, {edit.stderr[:200]!r}")
    if (campaign.saved(folder, "full") or {}).get("notes") != "before":
        campaign.fault("what was saved before is gone")
    session = campaign.open(folder, env, limits=limits)
    session.shows("Austin")
    session.press("et\x1b[200~" + "y" * 30000 + "\x1b[201~")
    # Escape with a key behind it would be another key.
    session.shows("yyyyyyyyyy")
    session.press("\x1b")
    if not session.shows("not saved "):
        campaign.fault(f"the screen does not say that it cannot save: {session.said()[-300:]!r}")
    session.press("q")
    if not session.shows("lost if you leave now"):
        campaign.fault("it does not ask before work is lost")
    session.press("n")
    if session.wait(1) is not None:
        campaign.fault("it leaves after a no")
    if frees:
        frees()
        if not session.until(lambda _: len((campaign.saved(folder, "freed") or {}).get("notes", "")) == len("before") + 30000):
            campaign.fault("what was kept is not saved once there is room")
        session.press("q")
        wanted = 0
    else:
        session.press("q")
        session.shows("lost if you leave now")
        session.press("y")
        wanted = 1
    if session.wait() != wanted:
        campaign.fault(f"status {session.child.returncode} instead of {wanted}")
    campaign.check_left(session, "a full disk")
    campaign.check_folder(folder, "a full disk")
    session.close()


@section
def disk_full(campaign):
    """A full disk, and files that may not grow: what is unsaved stays unsaved until it is saved, and is asked about."""

    def on_disk(folder):
        stuffing = folder / "stuffing"
        cannot_save(campaign, folder, (), lambda: fill(stuffing), stuffing.unlink)

    if not on_small_disk(campaign, 512, on_disk):
        print("  no disk can be mounted here: only files that may not grow are tried")
    limits = [(resource.RLIMIT_FSIZE, 4096)]
    cannot_save(campaign, campaign.fresh("limit"), limits, lambda: None, None)
    campaign.done = 2


@section
def read_only(campaign):
    """A folder that cannot be written to: the session goes to the program's own, is found again, and is told of."""

    def case(folder, home):
        graph, env = str(folder / "graph.safetensors"), campaign.env(home)
        edit = campaign.run(["edit", graph, "--note", "elsewhere"], env)
        if edit.returncode != 0 or str(home) not in edit.stdout + edit.stderr:
            campaign.fault(f"a read-only folder: status {edit.returncode}, {edit.stderr[:300]!r}")
        again = campaign.run(["edit", graph, "--json"], env)
        if json.loads(again.stdout)["notes"] != "elsewhere":
            campaign.fault("what was saved elsewhere is not found again")
        session = campaign.open(folder, env)
        session.shows("Austin")
        session.press("pq")
        if session.wait() != 0:
            campaign.fault(f"status {session.child.returncode} on a read-only folder")
        campaign.check_left(session, "a read-only folder")
        if str(home) not in session.said():
            campaign.fault("the screen does not say at its end where the work is")
        session.close()

    def on_disk(folder):
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        case(folder, campaign.work / "home-of-read-only")

    if not on_small_disk(campaign, 512, on_disk):
        folder = campaign.fresh("read-only")
        folder.chmod(0o555)
        if os.geteuid() != 0:
            case(folder, campaign.work / "home-of-read-only")
        folder.chmod(0o755)
    campaign.done = 1


@section
def pastes(campaign):
    """A megabyte pasted into every field, and typed without being marked as pasted: signals and keys get their turn."""
    fields = {"prompt": "i", "help": "?", "command": ":", "go to": "\x10", "search": "/", "filter": "f", "export": "x",
              "label": "el", "notes": "et", "thresholds": "t", "features": "B/", "none": ""}

    def case(nth):
        name, keys = list(fields.items())[nth // 2]
        marked = nth % 2 == 0
        chance = campaign.random(nth)
        folder = campaign.fresh(nth)
        # The demo's own prompt can be edited, a file's cannot.
        session = Session([campaign.program], campaign.env(folder / "home"), cwd=folder)
        session.shows("Austin")
        time.sleep(0.5)
        session.press(keys)
        time.sleep(0.2)
        # Whole characters, so that no key behind them is taken for a part of the last.
        text = "".join(chance.choice("abc (é東\t") for _ in range(700_000)).encode()[: 1 << 20].decode(errors="ignore").encode()
        if name == "none" and not marked:
            text = b"j" * (1 << 20)
        what = f"1 MB into {name}{'' if marked else ', unmarked'}"
        began = time.monotonic()
        if not session.press(b"\x1b[200~" + text + b"\x1b[201~" if marked else text):
            campaign.fault(f"{what}: it is not read within {PATIENCE} s")
        if name != "none":
            session.press("\x15zqxw")
            if not session.shows("zqxw", PATIENCE):
                campaign.fault(f"{what}: the keys behind it are not obeyed within {PATIENCE} s")
        asked = time.monotonic()
        session.signal("TERM")
        session.wait()
        took = time.monotonic() - asked
        campaign.check_left(session, what)
        if took > 5:
            campaign.fault(f"{what}: a signal waits {took:.1f} s")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        if peak > 1 << 20:
            campaign.fault(f"{what}: a program held {peak} KiB")
        campaign.check_log(folder, what)
        session.close()
        shutil.rmtree(folder)
        return asked - began

    campaign.all(case, campaign.count or 2 * len(fields), workers=2)


@section
def resizes(campaign):
    """Storms of sizes from 1x1 to 500x200 among keys."""

    def case(nth):
        chance = campaign.random(nth)
        folder = campaign.fresh(nth)
        session = campaign.open(folder, size=(chance.randrange(1, 201), chance.randrange(1, 501)))
        keys = ["1", "j", "k", "h", "l", "p", "\t", "z", "?", "\x1b", "f", "\x1b", ":", "\x1b", "R", "[", "v", "et", "\x1b"]
        for _ in range(300):
            session.resize(chance.choice([1, 2, 3, chance.randrange(1, 201)]), chance.choice([1, 2, chance.randrange(1, 501)]))
            if chance.random() < 0.5:
                session.press(chance.choice(keys))
            time.sleep(chance.random() * 0.01)
        session.resize(40, 130)
        session.signal("TERM")
        session.wait()
        campaign.check_left(session, f"{nth}")
        campaign.check_folder(folder, f"{nth}")
        campaign.check_log(folder, f"{nth}")
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, campaign.count or 20)


@section
def sizes(campaign):
    """Terminals of every size from 1x1 to 500x200."""
    rows, columns = [1, 2, 3, 5, 8, 10, 24, 50, 200], [1, 2, 5, 10, 20, 40, 80, 200, 500]
    shapes = [(height, width) for height in rows for width in columns]

    def case(nth):
        folder = campaign.fresh(nth)
        session = campaign.open(folder, size=shapes[nth])
        session.until(lambda it: b"\x1b[?1049h" in it.written)
        time.sleep(0.3)
        session.press("1jkhlp\tz?")
        time.sleep(0.2)
        session.press("\x1b")
        time.sleep(0.2)
        session.press("\x1b")
        time.sleep(0.2)
        session.press("q")
        if session.wait(5) is None:
            session.press("q")
        session.wait()
        campaign.check_left(session, f"{shapes[nth]}")
        campaign.check_log(folder, f"{shapes[nth]}")
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, campaign.count or len(shapes))


@section
def slow_readers(campaign):
    """Terminals that read slowly, or not at all."""

    def case(nth):
        folder = campaign.fresh(nth)
        session = campaign.open(folder, reads=nth % 3 == 0)
        if nth % 3 == 0:
            session.shows("Austin")
            session.reading.clear()
            time.sleep(0.3)
        if nth % 3 == 2:
            # A few bytes at a time.
            for _ in range(60):
                with contextlib.suppress(OSError):
                    if select.select([session.master], [], [], 0.05)[0]:
                        session.written += os.read(session.master, 50)
                session.press("1") if _ % 5 == 0 else None
        for _ in range(40):
            session.press("?" if _ % 2 else "\x1b")
            time.sleep(0.02)
        name = ["TERM", "HUP", "QUIT"][nth % 3]
        session.signal(name)
        left = session.wait(12)
        if left is None:
            campaign.fault(f"{nth}: nobody reads, and {name} does not end it")
        session.reading.set()
        session.until(lambda it: not it.reader.is_alive(), 3)
        campaign.check_left(session, f"{nth} ({name})", restored=False)
        if session.modes() != session.before:
            campaign.fault(f"{nth} ({name}): the terminal's modes are not as they were")
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, campaign.count or 24)


@section
def environments(campaign):
    """Homes, terminals and languages that are missing or plain."""
    changes = [
        {"HOME": None},
        {"HOME": "/nonexistent"},
        {"HOME": "/dev/null"},
        {"HOME": ""},
        {"TERM": None},
        {"TERM": "dumb"},
        {"TERM": "linux"},
        {"TERM": ""},
        {"TERM": "x" * 5000},
        {"LANG": "C"},
        {"LANG": None},
        {"LC_ALL": "POSIX"},
        {"LANG": "\udcff\udcfe"},
        {"NO_COLOR": "1"},
        {"COLORTERM": "truecolor", "SSH_TTY": "/dev/pts/9", "TMUX": "x", "STY": "y"},
        {"COLUMNS": "0", "LINES": "-1"},
        {"XDG_DATA_HOME": "relative", "XDG_STATE_HOME": "/dev/null/x"},
        {"HOME": None, "TERM": None, "LANG": None},
    ]

    def case(nth):
        folder = campaign.fresh(nth)
        session = campaign.open(folder, campaign.env(folder / "home", **changes[nth]))
        if not session.shows("Austin"):
            campaign.fault(f"{changes[nth]}: the graph is not shown: {session.said()[-300:]!r}")
        session.press("p")
        time.sleep(0.3)
        session.press("q")
        if session.wait() != 0:
            campaign.fault(f"{changes[nth]}: status {session.child.returncode}: {session.said()[-300:]!r}")
        campaign.check_left(session, f"{changes[nth]}")
        saved = campaign.check_folder(folder, f"{changes[nth]}")
        if not saved or len(saved["pins"]) != 1:
            campaign.fault(f"{changes[nth]}: what was done is not saved")
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, len(changes))


@section
def limits(campaign):
    """Limits on addresses, data, open files, the size of files, processes and the stack: told of, with the terminal given back."""
    size = os.path.getsize(campaign.program)
    cases = [(resource.RLIMIT_AS, size + (more << 20)) for more in (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 120, 200, 400)]
    cases += [(resource.RLIMIT_DATA, more << 20) for more in (1, 4, 8, 16, 32, 64)]
    cases += [(resource.RLIMIT_NOFILE, files) for files in range(3, 24)]
    cases += [(resource.RLIMIT_FSIZE, most) for most in (0, 1, 512, 4096, 65536)]
    cases += [(resource.RLIMIT_STACK, most << 10) for most in (64, 256, 1024)]
    names = {resource.RLIMIT_AS: "addresses", resource.RLIMIT_DATA: "data", resource.RLIMIT_NOFILE: "files",
             resource.RLIMIT_FSIZE: "file size", resource.RLIMIT_STACK: "stack"}

    def case(nth):
        which, most = cases[nth]
        what = f"{names[which]} limited to {most}"
        folder = campaign.fresh(nth)
        env = campaign.env(folder / "home")
        commands = [
            ["trace", "--prompt", PROMPT, "--out", str(folder / "new.safetensors")],
            ["edit", str(folder / "graph.safetensors"), "--note", "limited"],
            ["show", str(folder / "graph.safetensors"), "--json"],
            ["trace", "--threads", "1000", "--prompt", PROMPT, "--out", str(folder / "threads.safetensors")],
        ]
        for arguments in commands:
            done = campaign.run(arguments, env, limits=[(which, most)])
            told = "circuitscope: " in done.stderr or "loading shared libraries" in done.stderr
            # The system may refuse to start it at all.
            started = done.returncode not in (-signal.SIGKILL, -signal.SIGSEGV) or "circuitscope" in done.stderr
            # A thread that gets no stack for its signals is ended by the standard library; the program says why it was.
            panicked = "panicked" in done.stderr and not (told and done.returncode == -signal.SIGABRT)
            if panicked or (done.returncode != 0 and started and not told):
                campaign.fault(f"{what}: {arguments[0]}: status {done.returncode}: {done.stderr[-300:]!r}")
            if arguments[0] == "show" and done.returncode == 0:
                json.loads(done.stdout)
        session = campaign.open(folder, env, limits=[(which, most)])
        # A graph that cannot be opened ends nothing: the screen says why, others can be opened, and `q` leaves with 0.
        session.until(lambda it: "Austin" in it.screen.text() or "os error" in it.screen.text() or it.child.poll() is not None)
        shown = session.screen.text()
        session.press("pq")
        if session.wait(2) is None:
            session.press("y")
        status = session.wait()
        campaign.check_left(session, what)
        session.until(lambda it: status == 0 or "circuitscope: " in it.said(), 1)
        said = session.said()
        if status not in (0, -signal.SIGKILL, -signal.SIGSEGV) and "circuitscope: " not in said and "shared libraries" not in said:
            campaign.fault(f"{what}: the screen leaves with status {status} and says {said[-300:]!r}")
        if status == 0 and not ("Austin" in shown or "There is no graph yet" in shown and "os error" in shown):
            campaign.fault(f"{what}: the screen leaves in silence")
        session.close()
        shutil.rmtree(folder)

    campaign.all(case, len(cases), workers=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    campaign = Campaign(arguments.program, arguments.work, arguments.seed, arguments.count)
    SECTIONS[arguments.section](campaign)
    print(f"  {campaign.done} cases, {len(campaign.faults)} fell")
    sys.exit(1 if campaign.faults else 0)


if __name__ == "__main__":
    main()
