"""Holds traces of the real model to what they say of themselves.

    check.py rows GRAPH...              needs numpy and safetensors: every row adds up to its target's value
    check.py screen PROGRAM GRAPH TEXT  opens a graph in a pseudo-terminal, waits for the text, and leaves
"""

import os
import pathlib
import sys
import tempfile

# Of the sum of a row's absolute values, in f32 over thirty layers.
CLOSE = 1e-5


def rows(graphs):
    import numpy as np
    from safetensors import safe_open

    count, worst = 0, 0.0
    for graph in graphs:
        with safe_open(graph, "np") as file:
            get = lambda name: file.get_tensor(name).astype(np.float64)
            constants, values = get("row_constants"), get("row_pre_activations")
            found, size = get("rows").sum(1) + constants, get("row_abs_sums") + abs(constants)
        off = abs(found - values) / size
        count, worst = count + len(off), max(worst, off.max())
        if not worst <= CLOSE:
            sys.exit(f"{graph}: a row differs from its target's value by {worst:.2e} of its absolute sum")
    print(f"{count} rows of {len(graphs)} graphs add up to their targets' values; the worst is off by {worst:.1e} of its sum")


def screen(program, graph, text):
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "attack"))
    from terminal import Session

    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        session = Session([program, "open", graph], env)
        try:
            if not session.shows(text, 120):
                sys.exit(f"the screen does not show {text!r}:\n{session.screen.text()}\n{session.said()}")
            session.press("q")
            if session.wait(60) != 0:
                sys.exit("it does not leave")
        finally:
            session.close()
    print(f"{graph} opens on screen, shows {text!r}, and closes")


{"rows": lambda *graphs: rows(graphs), "screen": screen}[sys.argv[1]](*sys.argv[2:])
