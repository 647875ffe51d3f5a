"""Writes the hand-made files of this folder that are no plain text: circuit-tracer's .pt, as torch.save writes it.

The graph: layer 0 and 1, tokens 5 6 (bos, "x"), features (0, 1, 3) and (1, 1, 4) of three active ones, one token and
one custom direction as targets. Run: python3 make.py
"""

import io
import pickle
import struct
import sys
import types
import zipfile


def module(name, *names):
    made = sys.modules.setdefault(name, types.ModuleType(name))
    for each in names:
        kind = type(each, (), {"__module__": name})
        setattr(made, each, kind)
    return made


torch = module("torch", "FloatStorage", "LongStorage", "BFloat16Storage")
utils = module("torch._utils")
module("transformer_lens")
config = module("transformer_lens.HookedTransformerConfig", "HookedTransformerConfig")
module("circuit_tracer")
module("circuit_tracer.attribution")
targets = module("circuit_tracer.attribution.targets")


class LogitTarget(tuple):
    def __new__(cls, token_str, vocab_idx):
        return tuple.__new__(cls, (token_str, vocab_idx))

    def __getnewargs__(self):
        return tuple(self)


LogitTarget.__module__, LogitTarget.__qualname__ = targets.__name__, "LogitTarget"
targets.LogitTarget = LogitTarget


def _rebuild_tensor_v2(*_):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = utils.__name__
utils._rebuild_tensor_v2 = _rebuild_tensor_v2


class Storage:
    def __init__(self, kind, key, numbers):
        self.kind, self.key = kind, key
        code = {"FloatStorage": "f", "LongStorage": "q"}.get(kind)
        if code:
            self.bytes = struct.pack(f"<{len(numbers)}{code}", *numbers)
        else:  # bf16: the upper half of a float
            self.bytes = b"".join(struct.pack("<f", n)[2:] for n in numbers)
        self.count = len(numbers)


class Tensor:
    made = []

    def __init__(self, kind, size, numbers, offset=0, stride=None):
        self.storage = Storage(kind, str(len(Tensor.made)), numbers)
        Tensor.made.append(self.storage)
        if stride is None:
            stride = (size[1], 1) if len(size) == 2 else (1,)
        self.size, self.offset, self.stride = size, offset, stride

    def __reduce__(self):
        from collections import OrderedDict

        return utils._rebuild_tensor_v2, (self.storage, self.offset, self.size, self.stride, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, what):
        if isinstance(what, Storage):
            return "storage", getattr(torch, what.kind), what.key, "cpu", what.count
        return None


def save(path, graph):
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(graph)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:

        def write(name, content):
            archive.writestr(zipfile.ZipInfo(f"graph/{name}"), content)

        write("data.pkl", buffer.getvalue())
        write("byteorder", b"little")
        for storage in Tensor.made:
            write(f"data/{storage.key}", storage.bytes)
        write("version", b"3\n")
    Tensor.made.clear()


def graph(matrix_kind, logits):
    cfg = config.HookedTransformerConfig()
    cfg.n_layers, cfg.model_name, cfg.d_vocab, cfg.eps = 2, "tiny", 10, 1e-5
    n = 2 + 2 * 2 + 2 + 2  # features, errors, tokens, logits
    matrix = [0.0] * (n * n)
    for target, source, weight in [
        (0, 7, 2.0), (1, 0, 0.5), (1, 3, -1.5), (1, 6, 0.25), (8, 1, 3.0), (8, 5, 1.0), (9, 0, -2.0), (9, 7, 4.0),
    ]:
        matrix[target * n + source] = weight
    return {
        "input_string": "<bos>x",
        "adjacency_matrix": Tensor(matrix_kind, (n, n), matrix),
        "cfg": cfg,
        # A column-major view into a longer storage.
        "active_features": Tensor("LongStorage", (3, 3), [99, 0, 0, 1, 1, 1, 1, 3, 8, 4], 1, (1, 3)),
        **logits,
        "logit_probabilities": Tensor("FloatStorage", (2,), [0.75, 1.0]),
        "vocab_size": 10,
        "input_tokens": Tensor("LongStorage", (2,), [5, 6]),
        "selected_features": Tensor("LongStorage", (2,), [0, 2]),
        "activation_values": Tensor("FloatStorage", (3,), [1.25, 9.0, 2.5]),
        "scan": "org/set",
    }


save("targets.pt", graph("FloatStorage", {"logit_targets": [LogitTarget(" y", 7), LogitTarget("a - b", 10)]}))
save("tokens.pt", graph("BFloat16Storage", {"logit_tokens": Tensor("LongStorage", (2,), [7, 10])}))
