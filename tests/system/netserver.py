"""The server of tests/netserver, and a client that says byte by byte what no library would."""

import os
import pathlib
import select
import socket
import subprocess
import threading
import time

import wait
from engine import ROOT

PROGRAM = pathlib.Path(os.environ.get("NETSERVER_PROGRAM", ROOT / "build/netserver"))


class Server:
    """One that runs; its lines are kept. `where`: further addresses; `limits` by name."""

    def __init__(self, *where, tls=None, options=(), **limits):
        command = [str(PROGRAM), *options]
        if tls:
            command += ["--tls", *map(str, tls)]
        for name, value in limits.items():
            command += ["--limit", f"{name}={value}"]
        self.process = subprocess.Popen([*command, "127.0.0.1:0", *where], stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait.until(lambda: len(self.said("listening")) > len(where), 20, lambda: f"listening: {self.lines}")
        self.port = int(self.said("listening")[0].split()[1])

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, what):
        return [line for line in list(self.lines) if line.startswith(what)]

    def says(self, what, timeout=10):
        return wait.until(lambda: self.said(what), timeout, lambda: f"{what}: {self.lines[-20:]}")[0]

    def signal(self, number):
        self.process.send_signal(number)

    def url(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name))

    def rss_kib(self):
        """0 for a build with the sanitizers, whose memory is theirs."""
        return 0 if b"__asan_init" in PROGRAM.read_bytes() else self.status("VmRSS:")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def count(self, name):
        with Client(self) as client:
            client.send(f"GET /counts HTTP/1.1\r\nHost: h\r\n\r\n")
            body = client.answer().body.decode()
        return next(int(line.split()[1]) for line in body.splitlines() if line.split()[0] == name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()


class Answer:
    def __init__(self, head, body, whole=True):
        first, *fields = head.decode("latin-1").split("\r\n")
        self.version, status, _ = first.split(" ", 2)
        self.status = int(status)
        self.fields = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        self.body, self.whole = body, whole


class Client:
    """A connection."""

    def __init__(self, server, timeout=20, host="127.0.0.1", path=None, small_buffer=False):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket()
        if small_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(timeout)
        self.socket.connect(path or (host, server.port))
        self.got = b""

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def get(self, path, *fields):
        self.send("\r\n".join((f"GET {path} HTTP/1.1", "Host: h", *fields)) + "\r\n\r\n")
        return self.answer()

    def more(self):
        piece = self.socket.recv(65536)
        self.got += piece
        return bool(piece)

    def until(self, mark):
        while mark not in self.got:
            assert self.more(), f"closed before {mark}: {self.got[:300]}"
        piece, self.got = self.got.split(mark, 1)
        return piece

    def exactly(self, n):
        while len(self.got) < n:
            assert self.more(), f"closed after {len(self.got)} of {n} bytes"
        piece, self.got = self.got[:n], self.got[n:]
        return piece

    def rest(self):
        """All up to the end, and whether that is a clean one."""
        try:
            while self.more():
                pass
            clean = True
        except ConnectionResetError:
            clean = False
        rest, self.got = self.got, b""
        return rest, clean

    def answer(self, bodyless=False):
        answer = Answer(self.until(b"\r\n\r\n"), b"")
        if bodyless or answer.status in (100, 204, 304):
            return answer
        if "content-length" in answer.fields:
            answer.body = self.exactly(int(answer.fields["content-length"]))
        elif answer.fields.get("transfer-encoding") == "chunked":
            answer.body = self.chunks()
        else:
            answer.body, answer.whole = self.rest()
        return answer

    def chunks(self):
        pieces = []
        while True:
            size = int(self.until(b"\r\n"), 16)
            pieces.append(self.exactly(size))
            assert self.exactly(2) == b"\r\n"
            if size == 0:
                return b"".join(pieces)

    def is_closed(self, within=5):
        """Whether the server ends it in that time, without another byte."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return True
            assert not piece, f"more came: {piece[:200]}"
            return True
        return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def echoes_without_keeping(server):
    """An echo whose client sends and does not read: it is held, and loses nothing."""
    size, pattern = 32 << 20, bytes(range(256)) * 4096
    before = server.rss_kib()
    with Client(server, timeout=60) as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)

        def send():
            for _ in range(size // len(pattern)):
                client.send(pattern)
        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(1)
        assert server.rss_kib() < before + 2048
        client.until(b"\r\n\r\n")
        for _ in range(size // len(pattern)):
            assert client.exactly(len(pattern)) == pattern
        sender.join()
        assert client.get("/hello").status == 200


def waits_for_its_reader(server):
    """A large answer is not kept for one that does not read."""
    before = server.rss_kib()
    with Client(server, small_buffer=True) as client:
        client.send("GET /stream/500/65536 HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.5)
        assert server.rss_kib() < before + 2048
        assert len(client.answer().body) == 500 * 65536
