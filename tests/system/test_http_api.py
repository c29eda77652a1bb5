"""The daemon's HTTP API: what it answers is what it saw, and who may ask."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

import program
import wait
from api import ANYWHERE, READ_TOKEN, TOKEN, Api, Stream, follows_its_description
from bench import QUICK, Bench, in_time, outlive_grace
from sizes import MIB

LOW = {"supervisor.leak.threshold": "64M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "32M",
       "supervisor.mode": "observe"}
LEAK = 160 * MIB


class Served:
    """A daemon with two containers, of which one leaks."""

    def __init__(self, bench):
        self.bench = bench
        self.well = bench.ollama("well", labels=LOW, memory_limit=400 * MIB)
        self.ill = bench.ollama("ill", labels=LOW)
        self.well.load("tiny")
        self.daemon = bench.daemon(self.well, self.ill, **{k.replace(".", "__"): v for k, v in ANYWHERE.items()},
                                   http__hosts="box.example")
        self.api = Api(self.daemon)
        self.socket = Api(self.daemon, path=bench.state / "http.sock")
        self.stream = Stream(self.api)
        outlive_grace()
        self.ill.leak(LEAK)
        self.daemon.wait("verdict raised", in_time() + 20, container="ill", verdict="idle-leak")


@pytest.fixture(scope="module")
def served(engine, built):
    bench = Bench(engine, QUICK, label="test.http")
    try:
        yield Served(bench)
    finally:
        bench.close()


@pytest.fixture(scope="module")
def description(served):
    return served.api.get("/openapi.json")


# ---- what it answers

def test_every_route_answers_as_it_is_described(served, description):
    assert description["openapi"] == "3.1.0" and len(description["paths"]) >= 10
    for path, methods in description["paths"].items():
        if "get" not in methods or "{" in path or path in ("/optimize", "/emergency-scale-down"):  # these do something
            continue
        needed = [p["name"] for p in methods["get"].get("parameters", []) if p.get("required")]
        query = "?" + "&".join(f"{name}=ill" for name in needed) if needed else ""
        if "text/event-stream" in str(methods["get"]["responses"]):
            continue
        answer = served.api.ask("GET", path + query)
        assert answer.status == 200, (path, answer)
        follows_its_description(description, "GET", path, answer)
        head = served.api.ask("HEAD", path + query)
        assert head.status == 200 and head.body == b"" and head.fields["content-type"] == answer.fields["content-type"]


def test_world_is_that_of_status(served):
    world = served.api.get("/api/v1/world")
    said = json.loads(served.bench.supervisor("status", "--json").out)
    assert {c["name"]: c["id"] for c in world["containers"]} == {c["name"]: c["id"] for c in said["containers"]}
    assert set(world) <= set(said) and world["host"]["total"] == said["host"]["total"]
    again = wait.until(lambda: (w := served.api.get("/api/v1/world"))["monotonic"] > world["monotonic"] and w, 5, "another look")
    assert again["time"] > world["time"]


def test_leak_is_told_everywhere(served):
    raised = [v for v in served.api.get("/api/v1/verdicts?container=ill") if v["state"] == "raised" and v["verdict"] == "idle-leak"]
    assert len(raised) == 1 and raised[0]["evidence"]["held"] >= LEAK and raised[0]["remedy"] == "restart"
    assert not [v for v in served.api.get("/api/v1/verdicts?container=well") if v["verdict"] == "idle-leak"]
    assert served.api.get("/api/v1/verdicts?container=" + served.ill.id[:12]) == served.api.get("/api/v1/verdicts?container=ill")
    events = wait.until(lambda: [e for e in served.api.get("/api/v1/events?container=ill")["events"] if e["event"] == "raised"
                                 and e["verdict"] == "idle-leak"], 5, "the event")
    assert events[0]["numbers"]["held"] >= LEAK
    metrics = served.api.metrics()
    assert metrics['supervisor_verdict{container="ill",verdict="idle-leak"}'] == 1
    assert metrics['supervisor_verdict{container="well",verdict="idle-leak"}'] == 0
    assert [v for v in served.stream.of("verdict") if v["verdict"] == "idle-leak" and v["state"] == "raised" and v["container"] == "ill"]


def test_ledger_adds_up(served):
    ill, well = (served.api.get(f"/api/v1/explain?container={name}")[0] for name in ("ill", "well"))
    for one in (ill, well):
        assert sum(part["bytes"] for part in one["ledger"] if part["held"]) == one["held"]
    server = [part for part in ill["ledger"] if part["part"] == "server"]
    assert server[0]["bytes"] >= LEAK
    assert "idle-leak" in [v["verdict"] for v in ill["verdicts"]] and "idle-leak" in [v["verdict"] for v in well["ruled_out"]]
    assert {one["name"] for one in served.api.get("/api/v1/explain")} == {"ill", "well"}


def test_metrics_are_true(served):
    metrics = served.api.metrics()
    held = metrics['supervisor_container_held_bytes{container="ill"}']
    assert abs(held - served.ill.held()) < 8 * MIB
    assert metrics['supervisor_container_limit_bytes{container="well"}'] == 400 * MIB
    assert 'supervisor_container_limit_bytes{container="ill"}' not in metrics
    assert metrics['supervisor_container_models{container="well"}'] == 1 and metrics['supervisor_ollama_up{container="well"}'] == 1
    assert metrics['supervisor_model_size_bytes{container="well",model="tiny:latest"}'] > 0
    assert metrics["supervisor_host_memory_total_bytes"] == served.api.get("/api/v1/world")["host"]["total"]
    assert 1e6 < metrics["process_resident_memory_bytes"] < (1e9 if program.sanitized() else 48 * MIB)
    requests = served.api.metrics()["supervisor_http_requests_total"]
    assert served.api.metrics()["supervisor_http_requests_total"] == requests + 1


def test_promtool_has_nothing_to_say(served):
    text = served.api.ask("GET", "/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr, done


def test_openmetrics_when_asked(served):
    answer = served.api.ask("GET", "/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert answer.fields["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith(b"# EOF\n") and b"# TYPE supervisor_container_cpu_seconds counter\nsupervisor_container_cpu_seconds_total{" in answer.body
    assert served.api.ask("GET", "/metrics").fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_events_go_on_where_they_ended(served):
    whole = served.api.get("/api/v1/events?limit=1000")
    ids = [e["id"] for e in whole["events"]]
    assert ids == sorted(ids) and whole["last"] >= ids[-1] and len(ids) >= 3
    assert [e["id"] for e in served.api.get("/api/v1/events?limit=2")["events"]] == ids[-2:]
    assert [e["id"] for e in served.api.get(f"/api/v1/events?after={ids[0]}&limit=1000")["events"]][:len(ids) - 1] == ids[1:]
    assert served.api.get(f"/api/v1/events?after={10**12}")["events"] == []
    last, walked = 0, []
    while page := (answer := served.api.get(f"/api/v1/events?after={last}&limit=2"))["events"]:
        walked, last = walked + [e["id"] for e in page], answer["last"]
    assert walked[:len(ids)] == ids
    since = whole["events"][-1]["time"]
    assert all(e["time"] >= since for e in served.api.get(f"/api/v1/events?since={since}")["events"])


def test_samples_are_what_was_held(bench):
    """By the second for the last hour, by the minute before; what is in memory is written when the daemon ends."""
    one = bench.ollama("held", labels=LOW)
    daemon = bench.daemon(one)
    time.sleep(2.5)
    one.leak(LEAK)
    time.sleep(2.5)
    daemon.end()
    api = Api(bench.daemon(one, **{k.replace(".", "__"): v for k, v in ANYWHERE.items()}))
    fine = api.get("/api/v1/samples?container=held&points=2000")
    assert len(fine) >= 3 and fine[0]["held"] < 100 * MIB and fine[-1]["held"] >= LEAK and fine[0]["limit"] is None
    assert [p["time"] for p in fine] == sorted(p["time"] for p in fine)
    total = sum(p["samples"] for p in fine)
    whole, = api.get("/api/v1/samples?container=held&points=1")
    assert whole["samples"] == total and whole["held_max"] >= LEAK and fine[0]["held"] < whole["held"] < whole["held_max"]
    long_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7200))
    minutes = api.get(f"/api/v1/samples?container={one.id}&from={long_ago}")
    assert 1 <= len(minutes) <= 2 and minutes[-1]["held_max"] >= LEAK and sum(p["samples"] for p in minutes) == total
    assert api.get(f"/api/v1/samples?container=held&to={long_ago}") == []


def test_stream_has_worlds_as_they_come(served):
    worlds = wait.until(lambda: (w := served.stream.of("world"))[3:] and w, 15, "four worlds")
    times = [w["monotonic"] for w in worlds]
    assert times == sorted(times) and min(b - a for a, b in zip(times[1:], times[2:])) > 0.9
    assert {c["name"] for c in worlds[-1]["containers"]} == {"ill", "well"}
    only = Stream(served.api, "/api/v1/stream?only=verdict")
    wait.never(lambda: only.of("world"), 1.5, "a world that was not asked for")
    only.connection.close()


def test_streams_leave_room_for_others(bench):
    daemon = bench.daemon(**{k.replace(".", "__"): v for k, v in ANYWHERE.items()})
    api, root, readers = Api(daemon), Api(daemon, path=bench.state / "http.sock"), []
    try:
        for _ in range(300):
            readers.append(socket.create_connection(("127.0.0.1", api.port)))
            readers[-1].settimeout(5)
            readers[-1].sendall(b"GET /api/v1/stream?only=outcome HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert readers[-1].recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 503")
        assert api.ask("GET", "/health").status == 200
        assert api.ask("GET", "/api/v1/stream").status == 503
        assert Stream(root).answer.status == 200, "root still may"
        for _ in range(300):  # heads that are not whole are replaced by nothing for 10 s
            readers.append(socket.create_connection(("127.0.0.1", api.port)))
            readers[-1].sendall(b"GET / HTTP/1.1\r\nHost")
        assert root.ask("GET", "/health").status == 200
    finally:
        for reader in readers:
            reader.close()


@pytest.mark.parametrize("path, status, says", [
    ("/api/v1/nothing", 404, "openapi.json"), ("/api/v1/verdicts?container=nobody", 404, 'no container "nobody"'),
    ("/api/v1/verdicts?contaner=ill", 400, "contaner"), ("/api/v1/events?limit=0", 400, "limit"),
    ("/api/v1/events?since=yesterday", 400, "2026"), ("/api/v1/samples", 400, "container"),
    ("/api/v1/samples?container=ill&points=2001", 400, "points"), ("/api/v1/stream?only=cats", 400, "only"),
    ("/api/v1/samples?container=ill&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400, "before")])
def test_what_is_not_there_is_said(served, path, status, says):
    answer = served.api.ask("GET", path)
    assert answer.status == status and says in answer.json()["detail"], answer
    assert answer.fields["content-type"] == "application/problem+json" and answer.json()["status"] == status


def test_other_methods_are_refused(served, description):
    for path in description["paths"]:
        answer = served.api.ask("PATCH", path)
        allowed = {method.upper() for method in description["paths"][path]} - {"PATCH"}
        assert answer.status == 405 and set(answer.fields["allow"].split(", ")) - {"HEAD"} == allowed, answer


# ---- who may

def elsewhere():
    """An address of this machine that is not loopback: who comes from there comes from another machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))
        return one.getsockname()[0]


def test_loopback_reads_without_a_token_and_others_do_not(served):
    for fields in ({}, {"Host": "localhost:1"}, {"Host": "[::1]"}, {"Host": "BOX.example"}):
        assert served.api.ask("GET", "/api/v1/world", **fields).status == 200, fields
    assert served.api.ask("GET", "/api/v1/world", Host="evil.example").status == 421
    for name in ("X_Forwarded_For", "Forwarded", "Via", "X_Real_IP"):
        answer = served.api.ask("GET", "/api/v1/world", **{name: "1.2.3.4"})
        assert answer.status == 401 and answer.fields["www-authenticate"] == "Bearer", (name, answer)
        assert served.api.ask("GET", "/api/v1/world", token=READ_TOKEN, **{name: "1.2.3.4"}).status == 200
    assert served.socket.ask("GET", "/api/v1/world").status == 200
    assert (served.bench.state / "http.sock").stat().st_mode & 0o777 == 0o600


def test_wrong_token_is_refused_and_told(served):
    for token in ("wrong", TOKEN + "x", TOKEN[:-1], TOKEN.upper()):
        assert served.api.ask("GET", "/api/v1/world", token=token).status == 401, token
    served.daemon.wait("http refused", 5, status="401")
    for token in (TOKEN, READ_TOKEN):
        assert served.api.ask("GET", "/api/v1/world", token=token).status == 200
        assert token not in served.daemon.text()


def test_no_secret_is_shown(served):
    shown = served.api.get("/api/v1/config")["http"]
    assert shown["token"]["value"] == "(set; not shown)" and shown["listen"]["value"] == "127.0.0.1:0"
    text = served.bench.supervisor("config", "show", **{k.replace(".", "__"): v for k, v in ANYWHERE.items()})
    assert "\n;token = (set; not shown)  ; file\n" in text.out and TOKEN not in text.out
    assert TOKEN not in served.api.ask("GET", "/api/v1/config").body.decode()
    again = served.bench.directory / "again.ini"
    again.write_text(text.out)
    assert program.run("config", "check", again).code == 0


def test_from_another_machine_a_token_is_needed(bench):
    daemon = bench.daemon(http__listen="*:0", http__token=TOKEN, http__read_token=READ_TOKEN)
    api = Api(daemon, host=elsewhere())
    answer = api.ask("GET", "/health")
    assert answer.status == 401 and "http.token" in answer.json()["detail"]
    assert api.ask("GET", "/api/v1/world", token=READ_TOKEN).status == 200
    statuses = [api.ask("GET", "/health", token="wrong-wrong-wrong").status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert api.ask("GET", "/health", token=TOKEN).status == 429
    assert Api(daemon).ask("GET", "/health").status == 200, "loopback is another place"


def test_without_a_token_nobody_elsewhere_may(bench):
    daemon = bench.daemon(http__listen="*:0")
    answer = Api(daemon, host=elsewhere()).ask("GET", "/health")
    assert answer.status == 403 and "http.token" in answer.json()["detail"]


def test_tokens_of_files(bench):
    file = bench.directory / "tokens"
    file.write_text(f"# who may\nnew:{TOKEN}\n\n{READ_TOKEN}\n")
    file.chmod(0o644)
    refused = program.run(*bench.options({"http.listen": "127.0.0.1:0", "http.token_file": file}), "run", timeout=20)
    assert refused.code == 2 and "chmod 600" in refused.err, refused
    file.chmod(0o600)
    daemon = bench.daemon(http__listen="127.0.0.1:0", http__token_file=file)
    api = Api(daemon)
    for token, status in ((TOKEN, 200), (READ_TOKEN, 200), ("0123456789abcdef-next", 401)):
        assert api.ask("GET", "/health", token=token).status == status
    file.write_text("next:0123456789abcdef-next\n")
    daemon.send(signal.SIGHUP)
    daemon.wait("configuration reloaded", 10)
    for token, status in ((TOKEN, 401), ("0123456789abcdef-next", 200)):
        assert api.ask("GET", "/health", token=token).status == status
    file.write_text("short\n")
    daemon.send(signal.SIGHUP)
    daemon.wait("tokens refused", 10)
    assert api.ask("GET", "/health", token="0123456789abcdef-next").status == 200


# ---- where

@pytest.mark.parametrize("settings, says", [
    ({"http.listen": "somewhere:1"}, "localhost or *"), ({"http.token": "short"}, "at least"),
    ({"http.certificate": "/nowhere.pem"}, "http.key"), ({"http.certificate": "/nowhere.pem", "http.key": "/nowhere.key"}, "/nowhere.pem"),
    ({"http.token_file": "/nowhere"}, "/nowhere")])
def test_what_cannot_be_meant_is_refused_at_the_start(bench, settings, says):
    done = program.run(*bench.options({"http.listen": "127.0.0.1:0"} | settings), "run", timeout=20)
    assert done.code == 2 and says.replace("at least", "must have 16 to") in done.err, done


def test_place_that_is_taken_is_told_and_taken_when_it_is_free(bench):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        daemon = bench.daemon(http__listen=f"127.0.0.1:{port}, unix:{bench.directory}/second", http__families="events")
        said = daemon.wait("http not listening", 5)
        assert said["address"] == f"127.0.0.1:{port}" and "in use" in said["why"]
        second = Api(daemon, path=bench.directory / "second")
        assert second.ask("GET", "/health").status == 200
        assert second.ask("GET", "/api/v1/world").status == 404 and second.ask("GET", "/api/v1/events").status == 200
        assert "/api/v1/world" not in second.get("/openapi.json")["paths"]
    daemon.wait("http listening", 15, address=f"127.0.0.1:{port}")
    assert Api(daemon).ask("GET", "/health").status == 200 and len(daemon.find("http not listening")) == 1


def test_it_ends_at_once_whoever_reads(bench):
    daemon = bench.daemon(http__listen="127.0.0.1:0")
    stream = Stream(Api(daemon))
    wait.until(lambda: stream.of("world"), 10, "a world")
    code, took = daemon.end()
    assert code == 0 and took < 2
    wait.until(lambda: stream.ended, 5, "the end of the stream")
    assert not (bench.state / "http.sock").exists()


def test_state_directory_of_any_name(bench):
    state = bench.directory / "a state, of many"
    daemon = bench.daemon(http__listen="127.0.0.1:0", state=state)
    daemon.wait("first look", 10)
    assert Api(daemon, path=state / "http.sock").ask("GET", "/health").status == 200


def test_no_http_at_all(bench):
    daemon = bench.daemon()
    daemon.wait("first look", 10)
    assert not daemon.find("http listening") and not (bench.state / "http.sock").exists()
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, timeout=10, check=True).stdout
    assert f"pid={daemon.process.pid}," not in listening


def test_https(bench):
    key, certificate = bench.directory / "key.pem", bench.directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                    certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True, timeout=30)
    daemon = bench.daemon(http__listen="127.0.0.1:0", http__certificate=certificate, http__key=key)
    port = daemon.wait("http listening", 10, tls="1")["port"]
    daemon.wait("first look", 10)
    done = subprocess.run(["curl", "-sS", "-m", "10", "--cacert", certificate, f"https://localhost:{port}/health"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert json.loads(done.stdout)["status"] == "healthy", done
    key.write_text("none\n")
    daemon.send(signal.SIGHUP)
    daemon.wait("certificate refused", 10)
    done = subprocess.run(["curl", "-sS", "-m", "10", "--cacert", certificate, f"https://localhost:{port}/health"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert json.loads(done.stdout)["status"] == "healthy", done


def test_health_says_why_not(bench):
    """A daemon that is stopped for a while does not answer; one whose engine is away does, and says so."""
    daemon = bench.daemon(http__listen="127.0.0.1:0")
    api = Api(daemon)
    ready = wait.until(lambda: (a := api.ask("GET", "/ready")).status == 200 and a, 10, "ready")
    assert ready.json()["engine"] == "reached" and ready.json()["look_age_s"] < 5
    os.unlink(bench.state / "supervisor.db")
    ill = wait.until(lambda: (a := api.ask("GET", "/health")).status == 503 and a, 20, "its database is gone")
    assert "remembered" in ill.json()["why"]
    wait.until(lambda: api.ask("GET", "/health").status == 200, 20, "it was opened anew")
    assert time.time()
