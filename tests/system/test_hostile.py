"""Peers that lie: what answers as no Ollama does, and a container that the engine's list can hardly carry. The daemon stays
small, says who it is by name, and heals the others in time."""

import http.server
import io
import json
import pathlib
import socket
import subprocess
import sys
import tarfile
import threading
import time

import pytest

import program
import wait
from bench import QUICK, in_time, outlive_grace
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
        request = c.recv(65536)
        if kind == "hoard" and b"/api/show" in request:
            c.sendall(head(2 << 20) + b" " * (2000 << 10))
            while True: c.sendall(b" "); time.sleep(0.2)
        if kind == "many": body = b'{"models":[' + b"{}," * 2700000 + b"{}]}"
        elif kind == "small": body = b'{"models":[' + b"{}," * 80000 + b"{}]}"
        elif kind == "deep": body = b'{"models":' + b"[" * 100000
        elif kind == "long": body = b'{"models":[{"name":"' + b"x" * (8 << 20) + b'"}]}'
        elif kind in ("shows", "hoard"): body = (b'{"models":[' + b",".join(b'{"name":"m%d","digest":"%064x"}' % (i, i) for i in range(128)) + b"]}")
        elif kind == "tiny":
            c.sendall(b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 16000)
            time.sleep(60)
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
# As an engine: by the path's beginning a status and a body, or (null) a stream that stays open.
ENGINE = r'''
import json, socket, sys, threading
answers = json.loads(sys.argv[2])
def answer(c):
    try:
        request = c.recv(65536)
        path = request.split(b" ")[1].decode()
        print(path, flush=True)
        if path.startswith("/_ping"):
            c.sendall(b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
            return c.close()
        for beginning, known in answers.items():
            if beginning in path and known:
                body = json.dumps(known[1]).encode()
                c.sendall(b"HTTP/1.1 %d Told\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (known[0], len(body)) + body)
                return c.close()
        c.recv(1)
    except OSError:
        pass
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(64)
print("listens", flush=True)
while True:
    threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()
'''
KINDS = ["many", "small", "deep", "long", "shows", "garbage", "headers", "tiny", "interim", "drip"]


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
    def __init__(self, bench, kind, image, number=""):
        self.engine, self.name = bench.engine, f"imposter-{kind}{number}"
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
    if program.sanitized():
        return 0  # the sanitizer's own is beyond any bound
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


def test_many_that_hold_their_answers_back(bench, idle_image):
    """Each lists 128 models, and sends of each one's details all but the end."""
    for number in range(16):
        bench.containers.append(Imposter(bench, "hoard", idle_image, number))
    neighbour = bench.ollama("neighbour")
    daemon = bench.daemon(neighbour, *bench.containers[:16])
    outlive_grace()
    neighbour.leak(LEAK)
    daemon.wait("healed", in_time() + 23, container="neighbour")
    time.sleep(5)
    assert daemon.alive() and peak_kib(daemon) < MOST_KIB, f"{peak_kib(daemon)} KiB\n{daemon.text()}"


def test_port_of_somebody_else_on_the_host_network_is_not_asked(bench, idle_image):
    """A container on the host's network names the port of another server in its OLLAMA_HOST; one beside it, its own."""
    requests = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(f"{self.command} {self.path}")
            body = b'{"models":[{"name":"not:yours","digest":"%064x"}]}' % 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        do_POST = do_GET

        def log_message(self, *_):
            pass

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    api, made = bench.engine.api, []
    try:
        for name, image, command, port in (("liar", idle_image, ["/bin/busybox", "sleep", "100000"], other.server_port),
                                           ("honest", bench.engine.image(), None, own)):
            body = {"Image": image, "Labels": {bench.label: "true"}, "Env": [f"OLLAMA_HOST=127.0.0.1:{port}"],
                    "HostConfig": {"NetworkMode": "host"}, "StopSignal": "SIGKILL"} | ({"Cmd": command} if command else {})
            made.append(api.call("POST", "/containers/create", body, query={"name": name})["Id"])
            api.call("POST", f"/containers/{made[-1]}/start")
        daemon = bench.daemon()
        told = daemon.wait("ollama unreachable", 10, container="liar")
        assert f"port {other.server_port} " in told["why"], told
        wait.until(lambda: any(c["name"] == "honest" and c.get("ollama", {}).get("reachable")
                               for c in json.loads(bench.supervisor("status", "--json").out)["containers"]), 20, daemon.text)
        time.sleep(3)
        assert not requests, requests
        assert len(daemon.find("ollama unreachable", container="liar")) == 1, daemon.text()
        assert not daemon.find("verdict raised", verdict="unreachable"), daemon.text()
        assert f"port {other.server_port} " in " ".join(bench.supervisor("status").out.split())
    finally:
        other.shutdown()
        other.server_close()
        for one in made:
            api.remove(one)


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
        told = daemon.find("engine's answer unread")
        assert len(told) == 1 and "huge" in told[0]["why"] and huge_id[:12] in told[0]["why"], daemon.text()
        assert peak_kib(daemon) < MOST_KIB, peak_kib(daemon)
        events = bench.supervisor("events", "--json").out.splitlines()
        assert len([e for e in map(json.loads, events) if e["event"] in ("engine-lost", "engine-back")]) == 0, events
        # Its events are as large: the ring of them cannot be read, and whether somebody stops the other one is known later.
        daemon.end()
        for name in ("hugest", "huge"):
            bench.engine.api.call("POST", f"/containers/{huge_id}/rename", query={"name": name})
        started = neighbour.started_at()
        neighbour.leak(LEAK)
        fixed = bench.supervisor("fix-ollama", "beside", timeout=90)
        assert fixed.code == 0 and neighbour.started_at() != started, fixed
    finally:
        bench.engine.api.remove(huge_id)


@pytest.fixture
def odd_engine(tmp_path):
    """Starts an engine that answers pings, and the rest as it is told; gives its address and what it was asked."""
    servers = []

    def start(answers):
        path = tmp_path / "engine.sock"
        server = subprocess.Popen([sys.executable, "-c", ENGINE, str(path), json.dumps(answers)], stdout=subprocess.PIPE, text=True)
        servers.append(server)
        assert server.stdout.readline() == "listens\n"
        return f"unix://{path}", server
    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdout.close()


def test_list_that_the_engine_refuses_is_asked_for_less_and_less_often(bench, odd_engine):
    """Every answer but the ping's is an error: one line, and seconds between the tries."""
    url, server = odd_engine({"/containers/json": [500, {"message": "no!"}], "/events": None})
    daemon = program.Daemon(["-c", bench.configure(), "--host", url, "--state", bench.state])
    bench.daemons.append(daemon)
    daemon.wait("engine lost", 5)
    time.sleep(20)
    daemon.end()
    server.kill()
    lists = [line for line in server.stdout if "/containers/json" in line]
    assert 4 <= len(lists) <= 16, len(lists)
    assert len(daemon.find("engine lost")) == 1 and not daemon.find("engine back"), daemon.text()


def test_events_that_the_engine_refuses_do_not_fill_log_and_history(bench, odd_engine):
    """A good list, and then no events (a proxy forbids them): lost and back, less and less often."""
    url, _ = odd_engine({"/containers/json": [200, []], "/events": [403, {"message": "no events for you"}]})
    daemon = program.Daemon(["-c", bench.configure(), "--host", url, "--state", bench.state])
    bench.daemons.append(daemon)
    daemon.wait("engine back", 5)
    time.sleep(20)
    daemon.end()
    said = daemon.find("engine lost") + daemon.find("engine back")
    assert 2 <= len(said) <= 24, daemon.text()
    events = [json.loads(e)["event"] for e in bench.supervisor("events", "--json").out.splitlines()]
    assert 2 <= sum(e in ("engine-lost", "engine-back") for e in events) <= 24, events
