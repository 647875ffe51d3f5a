"""A hub on loopback that offers one repository, `tiny/model`, and lies about it in one way."""

import hashlib
import http.server
import json
import socketserver
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# Lies that nothing has to fall for, and what a patient client comes to terms with.
HARMLESS = ["none", "is packed", "busy at first", "busy with a date", "ends early once", "one etag", "starts over"]
LIES = [
    *HARMLESS,
    "other bytes",
    "other small bytes",
    "ends early",
    "never ends",
    "long head",
    "endless head",
    "no head",
    "lists outside",
    "lists absolute",
    "lists odd names",
    "lists huge",
    "lists negative",
    "lists no ids",
    "lists no JSON",
    "lists deep JSON",
    "lists a gigabyte",
    "lists a million files",
    "commit is a path",
    "commit is a control",
    "turns round and round",
    "turns to a stranger",
    "turns to a file",
    "busy for a day",
    "busy with nonsense",
    "broken at once",
    "refuses",
    "gated",
    "says escapes",
]


def oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server:
    """The hub, its storage at the same port, and a stranger at another."""

    def __init__(self, folder, lie, chance):
        self.files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        self.lie, self.chance = lie, chance
        self.asked, self.heard = 0, []
        self.lock = threading.Lock()

    def __enter__(self):
        # A backlog, so that nothing is refused on a busy machine.
        kind = type("Threads", (socketserver.ThreadingMixIn, http.server.HTTPServer), {"daemon_threads": True, "request_queue_size": 64})
        self.servers = [kind(("127.0.0.1", 0), type("Handler", (handler,), {"hub": self})) for handler in (Liar, Stranger)]
        for server in self.servers:
            server.handle_error = lambda *_: None
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.endpoint, self.stranger = (f"http://127.0.0.1:{server.server_address[1]}" for server in self.servers)
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def strangers_heard(self, secret):
        return any(secret in head for head in self.heard)

    def listing(self):
        files = [{"rfilename": name, "size": len(content), "blobId": oid(content)} for name, content in self.files.items()]
        for file in files:
            if file["rfilename"].endswith(".safetensors"):
                content = self.files[file["rfilename"]]
                file["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        more = lambda name, **said: files.append({"rfilename": name, "size": 4, "blobId": oid(b"evil"), **said})
        commit = {"commit is a path": "../../../owned", "commit is a control": COMMIT[:-1] + "\x1b"}.get(self.lie, COMMIT)
        match self.lie:
            case "lists outside":
                more("../../../../owned.json")
            case "lists absolute":
                more("/tmp/owned.json")
            case "lists odd names":
                for name in ["config.json/../owned.json", "a\x00owned.json", "\x1b[31mowned.json", "C:\\owned.json", "..\\owned.json"]:
                    more(name)
            case "lists huge":
                for file in files:
                    file.update(size=1 << 60, lfs=None)
            case "lists negative":
                files[0].update(size=-1, lfs=None)
            case "lists no ids":
                for file in files:
                    file.update(blobId="what?", lfs=None)
            case "lists no JSON":
                return b"<html>" + b"\x1b[31m" * 10_000
            case "lists deep JSON":
                return b'{"sha":' + b"[" * 1_000_000
            case "lists a million files":
                return json.dumps({"sha": COMMIT, "siblings": files + [{"rfilename": "a", "size": 1}] * 1_050_000}).encode()
        return json.dumps({"sha": commit, "siblings": files}).encode()


class Stranger(http.server.BaseHTTPRequestHandler):
    """Another server, which hears what it should not."""

    hub = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.hub.heard.append(str(self.headers))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"evil")


class Liar(Stranger):
    """The hub."""

    def answer(self, content, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def without_end(self, piece):
        while True:
            self.wfile.write(piece)

    def do_GET(self):
        hub, lie = self.hub, self.hub.lie
        with hub.lock:
            hub.asked += 1
            nth = hub.asked
        match lie:
            case "busy at first" if nth <= 2:
                return self.answer(b"", 429, Retry_After="1")
            case "busy with a date" if nth <= 1:
                return self.answer(b"", 503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")
            case "busy for a day":
                return self.answer(b"", 429, Retry_After="86400")
            case "busy with nonsense":
                return self.answer(b"", 503, Retry_After="9" * 500 if nth < 3 else "86401")
            case "broken at once":
                return self.connection.close()
            case "refuses":
                return self.answer(b"\x1b[31m" * 1000, 500)
            case "says escapes":
                return self.answer(b"\x1b[31mno", 404, X_Error_Code="\x1b]0;owned", X_Error_Message="\x9b2Jno" * 1000)
            case "no head":
                return self.wfile.write(b"\x1b[31mnothing like HTTP\r\n\r\n" * 100)
            case "long head":
                return self.answer(b"", ETag="a" * (1 << 20))
            case "endless head":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                return self.without_end(b"X-A: " + b"a" * 1000 + b"\r\n")
        if self.path.startswith("/api/models/"):
            if lie == "lists a gigabyte":
                self.send_response(200)
                self.end_headers()
                for _ in range(1024):
                    self.wfile.write(b" " * (1 << 20))
                return None
            if lie == "is packed":
                return self.answer(hub.listing(), Content_Encoding="gzip")
            return self.answer(hub.listing())
        self.send_file(self.path.rpartition("/")[2])
        return None

    def send_file(self, name):
        hub, lie = self.hub, self.hub.lie
        content = hub.files.get(name)
        if content is None:
            return self.answer(b"", 404, X_Error_Code="EntryNotFound")
        large = name.endswith(".safetensors")
        etag = {"ETag": f'"{oid(b"one" if lie == "one etag" else content)}"', "X_Repo_Commit": COMMIT}
        start = 0
        if (said := self.headers.get("Range", "")).startswith("bytes=") and lie != "starts over":
            start = int(said[6:].partition("-")[0])
        match lie:
            case "gated":
                return self.answer(b"", 401, X_Error_Code="GatedRepo")
            case "turns round and round":
                return self.answer(b"", 302, Location=self.path)
            case "turns to a stranger":
                return self.answer(b"", 302, Location=f"{hub.stranger}/{name}", **etag)
            case "turns to a file":
                return self.answer(b"", 302, Location="file:///etc/passwd")
            case "other bytes" if large:
                return self.answer(bytes(byte ^ 1 for byte in content), **etag)
            case "other small bytes" if not large:
                return self.answer(bytes(byte ^ 1 for byte in content), **etag)
            case "never ends":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)
                return self.without_end(b"a" * 4096)
            case "ends early" | "ends early once" | "starts over":
                if lie == "ends early" or start == 0 and large and hub.heard.count(name) == 0:
                    hub.heard.append(name)
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content[: 0 if lie == "ends early" else len(content) // 2])
                    self.wfile.flush()
                    return self.connection.close()
        if start:
            part = content[start:]
            return self.answer(part, 206, Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}", **etag)
        return self.answer(content, **etag)
