"""An engine that lies, or a proxy that lies about a true one: a process of its own, so that it is as fast as it can be.

    hostile_engine.py SOCKET OPTIONS        JSON: see DEFAULTS

Prints "listens" when it does. All false containers run Ollama by what they say, and have the labels that make one act.
"""

import http.server
import itertools
import json
import re
import socket
import sys
import threading
import time

DEFAULTS = {
    "real": None,  # the socket of a true engine, whose containers come last in the list
    "containers": 4096,
    "label_bytes": 24 << 10,  # of each container, in labels of `label_value` bytes
    "label_value": 400,
    "env_bytes": 24 << 10,
    "pad": 0,  # bytes more of an inspect
    "inspects": ["good"],  # how the containers' inspects are, in turn: see INSPECTS
    "entries": ["good"],  # and what the list has of them: good, deep, types, id, again, huge
    "list_end": True,  # false: it never ends
    "events": "quiet",  # or start, new, line, endless, garbage: see events()
    "ollama": None,  # where the containers' Ollama is: models (128 of them with long names), null: nowhere
}
options = DEFAULTS | json.loads(sys.argv[2])
port = 11434
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nApi-Version: 1.45\r\nConnection: close\r\n"
labels = {"supervisor.enable": "true", "supervisor.memory": "1g", "supervisor.memory.high": "1g", "supervisor.max_parameters": "1M",
          "supervisor.small_model": "1m", "supervisor.idle_unload": "10m", "supervisor.pin": "p" * 150}
labels |= {f"supervisor.{n:08}": "x" * options["label_value"] for n in range(options["label_bytes"] // (options["label_value"] + 24))}
LABELS = json.dumps(labels)
DEEP = "[" * 50000 + "]" * 50000
HUGE = json.dumps({"filler": "x" * (300 << 10)})
VALUES = "{" + ",".join(f'"{n:x}":{{}}' for n in range(40000)) + "}"


def identity(n):
    return f"{n + 1:064x}"


def name(n):
    return f"false-{n}-" + "n" * 230


def entry(n):
    kind = options["entries"][n % len(options["entries"])]
    labels_of = {"deep": DEEP, "types": '[1,{"a":null}]', "huge": HUGE}.get(kind, LABELS)
    identity_of = {"id": json.dumps("../../etc/passwd\n" + "Z" * 50), "types": "77", "again": f'"{identity(7)}"'}.get(kind, f'"{identity(n)}"')
    return f'{{"Id":{identity_of},"Names":["/{name(n)}"],"Image":"ollama/ollama:{"t" * 200}","State":"running","Labels":{labels_of}}}'.encode()


def inspected(n, kind):
    """Good; or its labels nested deeply, a million values, of wrong types, four MiB of it, another's id."""
    env = [f"OLLAMA_HOST=0.0.0.0:{port}"] + [f"OLLAMA_{k:08}={'y' * 400}" for k in range(options["env_bytes"] // 424)]
    labels_of = {"deep": DEEP, "values": VALUES, "types": "[[]]"}.get(kind, LABELS)
    state = {"Status": "running", "Pid": 4000000 + n, "StartedAt": "2026-01-01T00:00:00Z",
             "Health": {"Status": "unhealthy", "Log": [{"ExitCode": 127, "Output": "not found" + "z" * 4000}] * 5}}
    if kind == "types":
        state = {"Status": ["running"], "Pid": "1", "StartedAt": {"at": 1}, "Health": [state]}
    pad = (4 << 20) if kind == "large" else options["pad"]
    return (f'{{"Id":"{identity(7 if kind == "other" else n)}","Name":"/{name(n)}","Args":["{"a" * 20000}"],"RestartCount":1e300,'
            f'"State":{json.dumps(state)},"Config":{{"Image":"ollama/ollama:{"t" * 200}","Labels":{labels_of},"Env":{json.dumps(env)}}},'
            f'"HostConfig":{{"NetworkMode":"bridge","Memory":0,"RestartPolicy":{{"Name":"{"r" * 5000}"}}}},'
            f'"NetworkSettings":{{"Networks":{{"bridge":{{"IPAddress":"127.0.0.1"}}}}}},"Pad":"{"p" * pad}"}}').encode()


def answer(c, body):
    c.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def endless(c, piece):
    c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        c.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")


def inspect(c, n):
    kind = options["inspects"][n % len(options["inspects"])]
    if kind == "endless":
        endless(c, b'{"Id":"' + b"f" * 65536)
    elif kind == "never":
        c.recv(1)
    elif kind == "cut":
        c.sendall(HEAD + b"Content-Length: 100000\r\n\r\n{\"Id\":")
    elif kind == "garbage":
        answer(c, b"\x00\xff\x1b[31m" * 10000)
    else:
        answer(c, inspected(n, kind))


def listed(c, truth):
    c.sendall(HEAD + b"\r\n[")
    numbers = range(options["containers"])
    if not options["list_end"]:
        numbers = itertools.count()
    for first in itertools.count(0, 64):
        some = [entry(n) for n in itertools.islice(iter(numbers[first:first + 64]) if options["list_end"] else numbers, 64)]
        if not some:
            break
        c.sendall(b",".join(some) + b",")
    c.sendall(truth[1:] if truth.startswith(b"[{") else b"{}]")


def events(c):
    kind, total = options["events"], options["containers"]
    line = '{"Type":"container","Action":"%s","Actor":{"ID":"%s","Attributes":{"signal":"15"}},"timeNano":%d}\n'
    if kind in ("start", "new"):  # of those that are listed, or of ones that nobody ever lists
        c.sendall(HEAD + b"\r\n")
        for n in itertools.count(0, 64):
            c.sendall("".join(line % ("start", identity(k % total if kind == "start" else (1 << 200) + k), k + 1)
                              for k in range(n, n + 64)).encode())
    elif kind == "line":
        c.sendall(HEAD + b"\r\n")
        while True:
            c.sendall(line[:-2].encode() % (b"start", identity(1).encode(), 1) + b',"x":"' + b"x" * (8 << 20) + b'"}\n')
    elif kind == "garbage":
        endless(c, b"\x00{[\xff\n" * 8000)
    elif kind == "endless":
        endless(c, b"x" * 65536)
    c.sendall(HEAD + b"\r\n")
    c.recv(1)


def true_answer(request):
    """The true engine's whole answer."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(options["real"])
        engine.sendall(request)
        text = b""
        while piece := engine.recv(1 << 20):
            text += piece
    return text


def body_of(text):
    head, body = text.split(b"\r\n\r\n", 1)
    if b"chunked" not in head:
        return body
    whole = b""
    while body:
        size, body = body.split(b"\r\n", 1)
        size = int(size, 16)
        whole, body = whole + body[:size], body[size + 2:] if size else b""
    return whole


def pass_on(c, request):
    """As it comes, until either side ends it."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(options["real"])
        engine.sendall(request)

        def watch():
            c.recv(1)  # it asks nothing more; so it has gone
            engine.shutdown(socket.SHUT_RDWR)
        threading.Thread(target=watch, daemon=True).start()
        while piece := engine.recv(1 << 16):
            c.sendall(piece)


def whole_request(c):
    text = b""
    while b"\r\n\r\n" not in text:
        piece = c.recv(65536)
        if not piece:
            raise OSError("no request")
        text += piece
    head, body = text.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += c.recv(65536)
    return head + b"\r\nConnection: close\r\n\r\n" + body


def serve(c):
    try:
        request = whole_request(c)
        path = request.split(b" ")[1].decode()
        one = re.search(r"/containers/([0-9a-f]{64})/", path)
        false = one and int(one[1], 16) <= options["containers"]
        if "/_ping" in path and not options["real"]:
            answer(c, b"OK")
        elif "/containers/json" in path:
            listed(c, body_of(true_answer(request)) if options["real"] else b"")
        elif false and path.endswith("/json"):
            inspect(c, int(one[1], 16) - 1)
        elif "/events" in path and options["events"] != "quiet":
            events(c)
        elif options["real"] and not false:
            pass_on(c, request)
        elif "/events" in path:
            events(c)
        elif "/stats" in path:
            endless(c, b"{" * 65536)
        else:
            answer(c, json.dumps({"message": "m" * 60000}).encode())
    except (OSError, ValueError):
        pass
    finally:
        c.close()


class Ollama(http.server.BaseHTTPRequestHandler):
    """128 models with the longest names and digests of their own; each show has 30 KiB."""

    def do_GET(self):
        models = [{"name": f"model-{n}-" + "m" * 200, "digest": f"{n + 1:064x}", "size": 1 << 40, "size_vram": 0,
                   "expires_at": "2026-01-01T00:00:00Z", "details": {"parameter_size": "900B"}} for n in range(128)]
        self.say(json.dumps({"version": "0.24.0"} if "version" in self.path else {"models": models}).encode())

    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        n = int(re.search(rb"model-(\d+)-", asked + b"model-0-")[1])
        self.say(json.dumps({"modelfile": f"FROM /root/.ollama/models/blobs/sha256-{n:064x}\n", "license": "l" * 30000}).encode())

    def say(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    global port
    if options["ollama"]:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ollama)
        port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(512)
    print("listens", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
