"""Peers that lie: what answers as no Ollama does, and a container that the engine's list can hardly carry. The daemon stays
small, says who it is by name, and heals the others in time."""

import io
import json
import pathlib
import subprocess
import sys
import tarfile
import time

import pytest

import program
from bench import QUICK, Bench, in_time, outlive_grace
from sizes import MIB

LEAK, MOST_KIB = 120 * MIB, 32 * 1024
SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M"}
# In the container's network: answers every request with what its name says.
SERVER = r'''
import socket, sys, threading, time
kind = sys.argv[1]
def head(length, more=b""):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + more + b"Content-Length: %d\r\n\r\n" % length
def answer(c):
    try:
        c.recv(65536)
        if kind == "many": body = b'{"models":[' + b"{}," * 2700000 + b"{}]}"
        elif kind == "small": body = b'{"models":[' + b"{}," * 80000 + b"{}]}"
        elif kind == "deep": body = b'{"models":' + b"[" * 100000
        elif kind == "long": body = b'{"models":[{"name":"' + b"x" * (8 << 20) + b'"}]}'
        elif kind == "shows": body = (b'{"models":[' + b",".join(b'{"name":"m%d","digest":"%064x"}' % (i, i) for i in range(128)) + b"]}") if True else b""
        elif kind == "garbage": body = b"\x00\xff\x1b[31m" * 1000
        elif kind == "headers":
            c.sendall(b"HTTP/1.1 200 OK\r\n")
            while True: c.sendall(b"X-Filler: " + b"y" * 8000 + b"\r\n")
        elif kind == "interim":
            while True: c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: " + b"y" * 4000 + b"\r\n\r\n")
        elif kind == "drip":
            c.sendall(head(1 << 20))
            while True: c.sendall(b" "); time.sleep(0.2)
        c.sendall(head(len(body)) + body)
    except OSError:
        pass
    finally:
        c.close()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 11434))
s.listen(64)
print("listens", flush=True)
while True:
    threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()
'''
KINDS = ["many", "small", "deep", "long", "shows", "garbage", "headers", "interim", "drip"]


@pytest.fixture
def bench(engine, built):
    one = Bench(engine, SETTINGS)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def idle_image(engine):
    """An image that only calls itself Ollama's: nothing runs in it but a sleep."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
    done = subprocess.run(["docker", "-H", engine.url, "import", "-", "ollama/ollama:imposter"], input=data.getvalue(),
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return "ollama/ollama:imposter"


class Imposter:
    def __init__(self, bench, kind, image):
        self.engine, self.name = bench.engine, f"imposter-{kind}"
        body = {"Image": image, "Cmd": ["/bin/busybox", "sleep", "100000"], "Labels": {bench.label: "true"},
                "StopSignal": "SIGKILL"}
        self.id = self.engine.api.call("POST", "/containers/create", body, query={"name": self.name})["Id"]
        self.engine.api.call("POST", f"/containers/{self.id}/start")
        pid = self.engine.api.inspect(self.id)["State"]["Pid"]
        self.server = subprocess.Popen(["nsenter", "-t", str(pid), "-n", sys.executable, "-c", SERVER, kind],
                                       stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline() == "listens\n"

    def remove(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()
        self.engine.api.remove(self.id)


def peak_kib(daemon):
    for line in pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def test_answers_that_no_ollama_gives(bench, idle_image):
    imposters = []
    for kind in KINDS:
        imposters.append(Imposter(bench, kind, idle_image))
        bench.containers.append(imposters[-1])
    neighbour = bench.ollama("neighbour")
    daemon = bench.daemon(neighbour, *imposters)
    outlive_grace()
    neighbour.leak(LEAK)
    daemon.wait("verdict raised", in_time() + 3, container="neighbour", verdict="idle-leak")
    daemon.wait("healed", 20, container="neighbour")
    assert neighbour.held() < 100 * MIB
    time.sleep(5)
    assert daemon.alive() and peak_kib(daemon) < MOST_KIB, f"{peak_kib(daemon)} KiB\n{daemon.text()}"
    for imposter in imposters:
        told = daemon.find("ollama unreachable", container=imposter.name)
        if imposter.name not in ("imposter-drip", "imposter-shows"):  # the one may still be waited for, the other is no offence
            assert len(told) == 1, f"{imposter.name}: {len(told)}\n{daemon.text(imposter.name)}"
    assert not daemon.find("acting", container="imposter-many") and not daemon.find("engine lost"), daemon.text()
    assert not [line for line in daemon.lines if any(ord(c) < 32 or c == "\x7f" for c in line)]
    status = bench.supervisor("status")
    assert status.code == 0 and "\x1b" not in status.out and "imposter-garbage" in status.out, status


def test_labels_of_nine_megabytes_on_one_container(bench):
    """It was only created. The list is read all the same, and it is told once who is not in it."""
    neighbour = bench.ollama("beside")
    filler = "x" * 90_000
    huge = {"Image": bench.engine.image(), "Labels": {f"filler{n}": filler for n in range(100)} | {bench.label: "true"}}
    huge_id = bench.engine.api.call("POST", "/containers/create", huge, query={"name": "huge"})["Id"]
    try:
        daemon = bench.daemon(neighbour)
        outlive_grace()
        neighbour.leak(LEAK)
        daemon.wait("healed", in_time() + 20, container="beside")
        bench.engine.api.call("POST", f"/containers/{huge_id}/rename", query={"name": "huger"})
        time.sleep(4)
        assert not daemon.find("engine lost") and not daemon.find("engine back"), daemon.text()
        assert len(daemon.find("engine's answer unread")) == 1, daemon.text()
        assert peak_kib(daemon) < MOST_KIB, peak_kib(daemon)
        events = bench.supervisor("events", "--json").out.splitlines()
        assert len([e for e in map(json.loads, events) if e["event"] in ("engine-lost", "engine-back")]) == 0, events
    finally:
        bench.engine.api.remove(huge_id)


def test_list_that_the_engine_refuses_is_asked_for_less_and_less_often(bench, tmp_path):
    """Every answer but the ping's is an error: one line, and seconds between the tries."""
    fake = tmp_path / "engine.sock"
    server = subprocess.Popen([sys.executable, "-c", r'''
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
print("listens", flush=True)
while True:
    c = s.accept()[0]
    try:
        request = c.recv(65536)
        print(request.split(b"\r\n")[0].decode(), flush=True)
        if b"/_ping" in request:
            c.sendall(b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
        elif b"/events" not in request:
            c.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{\"message\":\"no!\"}")
    except OSError:
        pass
    if b"/events" not in request:
        c.close()
''', str(fake)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "listens\n"
        daemon = program.Daemon(["-c", bench.configure(), "--host", f"unix://{fake}", "--state", bench.state])
        bench.daemons.append(daemon)
        daemon.wait("engine lost", 5)
        time.sleep(20)
        daemon.end()
        server.kill()
        lists = [line for line in server.stdout if "/containers/json" in line]
        assert 4 <= len(lists) <= 16, len(lists)
        assert len(daemon.find("engine lost")) == 1 and not daemon.find("engine back"), daemon.text()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


