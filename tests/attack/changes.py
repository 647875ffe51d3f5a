"""Changes of sound files into unsound ones: of their bytes, of the values of their JSON, of what their headers say."""

import json
import struct
import sys
import zlib

# Values are nested, and what is nested is put into itself.
sys.setrecursionlimit(50_000)

# What a terminal obeys, and what orders text from right to left.
PAYLOAD = "\x1b[31m\x9b2J\x1b]0;owned\x07\u202e\r\x1b[201~rm -rf x\n"
WORDS = ["null", "-1", "1e308", "18446744073709551616", "\ufeff", "\\u0000", "E", "feature", "*a", "&a", "{{", "%}", "!!"]


def odd_value(chance):
    """A value that few expect where it stands."""
    return chance.choice(
        [
            lambda: None,
            lambda: chance.choice([True, False]),
            lambda: chance.choice([0, -1, 1, 2**15, 2**24, 2**31, 2**32 - 1, 2**53, 2**63, 2**64, 10**30]),
            lambda: chance.choice([0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf")]),
            lambda: chance.choice(["", " ", "0", "-1", "E", "NaN", PAYLOAD, "../../../etc/passwd", "a\x00b", "\U0001f469\u200d"]),
            lambda: PAYLOAD + "A" * chance.choice([10, 1000, 200_000]),
            lambda: "e" + "\u0301" * chance.choice([3, 1000, 100_000]),
            lambda: [],
            lambda: {},
            lambda: [odd_value(chance) for _ in range(chance.randrange(4))],
            lambda: {chance.choice(["a", PAYLOAD, "node_id"]): odd_value(chance)},
            lambda: [0] * chance.choice([3, 5000]),
            lambda: nested(chance.choice([100, 500])),
        ]
    )()


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def places(value, path=()):
    """Every place in a JSON."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for nth in range(min(len(value), 40)):
            yield from places(value[nth], (*path, nth))


def change_json(value, chance, times):
    """Replaces, removes, doubles and renames values."""
    for _ in range(times):
        # What is made here must not outgrow what the program is allowed: the system counts it with what is started.
        if len(json.dumps(value)) > 1 << 17:
            break
        path = chance.choice([path for path in places(value) if path] or [()])
        if not path:
            return odd_value(chance)
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        last = path[-1]
        how = chance.randrange(8)
        if how == 0:
            del holder[last]
        elif how == 1 and isinstance(holder, list):
            holder.extend([holder[last]] * chance.choice([1, 2, 300]))
        elif how == 2 and isinstance(holder, dict):
            holder[chance.choice([PAYLOAD, "a" * 5000, str(last).upper()])] = holder.pop(last)
        elif how == 3:
            other = value
            for step in chance.choice(list(places(value))):
                other = other[step]
            holder[last] = json.loads(json.dumps(other))
        else:
            holder[last] = odd_value(chance)
    return value


def changed_json(content, chance, times=None):
    """The bytes of a JSON with some of its values changed; at times of the text itself."""
    times = times or chance.choice([1, 1, 2, 3, 8])
    if chance.random() < 0.2:
        return changed_bytes(content, chance)
    return json.dumps(change_json(json.loads(content), chance, times), ensure_ascii=chance.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )


def changed_bytes(content, chance, times=None):
    """Bytes turned, cut off, left out, doubled and overwritten."""
    content = bytearray(content)
    for _ in range(times or chance.choice([1, 2, 4, 16])):
        if not content:
            return bytes(chance.randrange(256) for _ in range(chance.randrange(20)))
        at = chance.randrange(len(content))
        upto = min(len(content), at + chance.choice([1, 4, 8, 100]))
        how = chance.randrange(7)
        if how == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            content[at:upto] = chance.choice([b"", b"\xff", b"\x00"]) * (upto - at)
        elif how == 2:
            del content[at : chance.choice([upto, len(content)])]
        elif how == 3:
            content[at:at] = content[at:upto] * chance.choice([1, 2, 50])
        elif how == 4:
            content[at:upto] = chance.choice(WORDS).encode()
        elif how == 5:
            content[at : at + 8] = struct.pack("<q", chance.choice([0, -1, 2**31, 2**40, 2**62, len(content)]))
        else:
            content[at:at] = chance.choice([PAYLOAD.encode(), b"[" * 100_000, b'{"a":' * 100_000])
    return bytes(content)


def changed_tensors(content, chance):
    """A safetensors file whose header says something else, or whose bytes are others."""
    if chance.random() < 0.4:
        return changed_bytes(content, chance)
    (length,) = struct.unpack("<Q", content[:8])
    header = changed_json(content[8 : 8 + length], chance)
    said = len(header) if chance.random() < 0.9 else chance.choice([0, 1, 2**20, 2**40, 2**63])
    return struct.pack("<Q", said) + header + content[8 + length :]


def archive(members):
    """A ZIP archive, deflated, of (name, content, size that is claimed or None)."""
    out, directory = bytearray(), bytearray()
    for name, content, size in members:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush()
        size = len(content) if size is None else size
        about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, zlib.crc32(content), len(packed), size, len(name), 0)
        directory += b"PK\x01\x02\x14\x00" + about + bytes(10) + struct.pack("<I", len(out)) + name
        out += b"PK\x03\x04" + about + name + packed
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(members), len(members), len(directory), len(out), 0)
    return bytes(out + directory + end)


def array(shape, data, said=None):
    """The file of a NumPy array of f32; `said` is the shape that its header claims."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {said or tuple(shape)!r}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
