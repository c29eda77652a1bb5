"""The stand-in for Ollama is what it plays: its answers as recorded from real servers, real memory, real processes."""

import datetime
import http.client
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

import memory
import wait
from engine import ROOT
from ollama import CONTROL, PORT, Ollama
from sizes import KIB, MIB

RECORDINGS = ROOT / "tests/recordings"
VERSIONS = ("0.24", "0.33")
OWN_BYTES = 2 * MIB  # what a process of the stand-in needs for itself

# Cases of the probe in which the stand-in may differ in shape, each with its reason. There is none today.
LEFT_OUT: dict[str, str] = {}
# Cases whose text depends on what the model says, on ids drawn at random or on the file's own numbers: these are
# compared by shape alone, all others byte by byte but for times.
BY_SHAPE = re.compile("generate$|generate-stream|generate-stop|chat$|chat-stream|chat-image|embed|v1-(?!model)|show")
TIMES = re.compile(r'"(?:created_at|modified_at|expires_at)":"[^"]*"|"created":\d+')


class Standin(Ollama):
    def rss(self, pid):
        """(RssAnon, comm, parent, CPU seconds) of a process as the host sees it."""
        status = dict(re.findall(r"^(\w+):\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
        times = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(status["RssAnon"].split()[0]) * KIB, status["Name"], int(status["PPid"]),
                (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"))

    def runner(self):
        (pid,) = wait.until(self.runners, 10, "a runner")
        return pid

    def ask(self, model, **fields):
        return self.request("POST", "/api/generate", {"model": model, "stream": False, **fields})

    def in_background(self, model, **fields):
        thread = threading.Thread(target=self.ask, args=(model,), kwargs=fields, daemon=True)
        thread.start()
        return thread

    def client(self, model, **fields):
        """A client that has asked and waits; close() makes it leave."""
        connection = http.client.HTTPConnection(self.address, PORT, timeout=60)
        connection.request("POST", "/api/generate", json.dumps({"model": model, **fields}))
        return connection


def standin(engine, version, name, **options):
    return Standin(engine, f"sim-{name}-{version}", version=version, **options)


@pytest.fixture(scope="module", params=VERSIONS)
def shared(request, engine):
    """One server of each version for the tests that leave it as they found it."""
    one = standin(engine, request.param, "shared", models="plain=64m:0", memory_limit=2048 * MIB)
    one.version = request.param
    yield one
    one.remove()


@pytest.fixture
def one(shared):
    yield shared
    shared.set(**dict.fromkeys(shared.state()["settings"]))  # null: the default again
    for model in shared.loaded():
        shared.unload(model)


@pytest.fixture(params=VERSIONS)
def fresh(request, engine):
    """Makes servers of a version that only one test uses."""
    made = []

    def make(name, **options):
        made.append(standin(engine, request.param, name, **options))
        return made[-1]
    make.version = request.param
    yield make
    for server in made:
        server.remove()


def rows(path):
    return {row["case"]: row for row in map(json.loads, path.read_text().splitlines())}


def test_answers_as_recorded(fresh, tmp_path):
    server = fresh("probe", models="")
    recording, live = RECORDINGS / f"ollama-{fresh.version}.jsonl", tmp_path / "live.jsonl"
    with open(live, "w") as out:
        subprocess.run([RECORDINGS / "probe", f"http://{server.address}:{PORT}"], stdout=out, check=True, timeout=120)
    done = subprocess.run([RECORDINGS / "probe", "--diff", recording, live], capture_output=True, text=True, timeout=60,
                          check=False)
    differences = [line for line in done.stdout.splitlines() if line.partition(":")[0] not in LEFT_OUT]
    assert differences == [] and done.stderr == ""
    real, played = rows(recording), rows(live)
    assert len(real) >= 65 and real.keys() == played.keys()
    for case in (case for case in real if not BY_SHAPE.match(case)):
        assert TIMES.sub("T", played[case]["body"]) == TIMES.sub("T", real[case]["body"]), case


def recorded_footprints(version):
    """{context: (RssAnon of the runner, size in /api/ps)} of small, from the recording of a real server."""
    found = {}
    for row in map(json.loads, (RECORDINGS / f"memory/ollama-{version}-context-change.jsonl").open()):
        for container in row.get("containers", []):
            models = container.get("ollama", {}).get("models", [])
            runners = [p for p in container.get("processes", []) if p["kind"] == "runner" and "rss_anon" in p]
            if len(models) == len(runners) == 1:
                found.setdefault(models[0]["context_length"], []).append((runners[0]["rss_anon"], models[0]["size"]))
    assert sorted(found) == [1024, 2048, 4096, 8192]
    # While a model is loaded anew, the recorded answer of /api/ps is older than the process beside it.
    return {context: max(set(seen), key=seen.count) for context, seen in found.items()}


def test_a_model_is_a_process_with_the_recorded_footprint(one):
    for context, (anon, size) in recorded_footprints(one.version).items():
        assert one.ask("small", options={"num_ctx": context})[0] == 200
        pid = one.runner()
        held, comm, parent, _ = one.rss(pid)
        assert abs(held - anon) < 4 * MIB, f"context {context}: {held} instead of {anon}"
        assert one.get("/api/ps")["models"][0]["size"] == size
        assert comm == ("ollama" if one.version == "0.24" else "llama-server")
        assert parent == one.pid() and one.rss(parent)[1] == "ollama"
    argv = one.processes()[pid]
    blob = argv[argv.index("--model") + 1]
    assert f"\nFROM {blob}\n" in json.loads(one.post("/api/show", {"model": "small"}))["modelfile"]
    assert one.page_cache() > 190 * MIB
    one.post("/api/generate", {"model": "small", "keep_alive": 0})
    wait.until(lambda: one.held() < 12 * MIB, 0.5, "the memory is back")
    assert one.loaded() == [] and one.page_cache() > 190 * MIB


def test_a_load_grows_unseen_and_cannot_be_unloaded(one):
    one.set(load_ms=1500)
    before = one.held()
    loading = one.in_background("small")
    wait.until(lambda: one.held() - before > 60 * MIB, 5, "the runner grows")
    assert one.loaded() == []
    status, data = one.ask("small", keep_alive=0)
    assert status == 200 and json.loads(data)["done_reason"] == "unload"
    loading.join()
    assert one.loaded() == ["small"]


def test_loads_go_one_at_a_time(one):
    one.set(load_ms=700)
    threads = [one.in_background(model) for model in ("small", "tiny")]
    for _ in range(8):
        assert len([r for r in one.state()["runners"] if r["state"] == "loading"]) <= 1
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert sorted(one.loaded()) == ["small", "tiny"]


def test_a_busy_model_is_unloaded_after_its_request(one):
    with one.streaming("plain", tokens=60) as lines:
        wait.until(lambda: lines, 10, "a token")
        one.post("/api/generate", {"model": "plain", "keep_alive": 0})
        assert one.loaded() == ["plain"]
        wait.until(lambda: lines and json.loads(lines[-1])["done"], 10, "the end of the answer")
    assert len(lines) == 61
    wait.until(lambda: one.loaded() == [], 1, "the unload")


def test_distinct_prompts_fill_the_cache_of_the_newer_one_alone(one):
    one.load("small")

    def grown_by(prompt, server=one):
        pid, (before, *_) = server.runner(), server.rss(server.runner())
        server.ask("small", prompt=prompt, options={"num_predict": 1})
        return server.rss(pid)[0] - before
    one.set(prompt_tokens_per_s=10_000)
    per_prompt = 47 * MIB if one.version == "0.33" else 0
    for i in range(2):
        assert abs(grown_by(f"{i}" * 1500) - per_prompt) < MIB
    assert grown_by("1" * 1500) < MIB, "a prompt seen before adds nothing"
    one.unload("small")
    one.set(cache_per_prompt=20 * MIB, cache_bound=50 * MIB)
    one.load("small")
    growth = [grown_by(f"{i}" * 9) for i in range(4)]
    assert abs(sum(growth) - 40 * MIB) < MIB, f"the bound holds: {growth}"


def test_a_killed_runner_stays_listed_until_the_next_request(one):
    one.load("plain")
    one.sim("ghost", {"model": "plain"})
    wait.until(lambda: not one.runners(), 5, "the runner's end")
    time.sleep(0.3)
    assert one.loaded() == ["plain"]
    assert one.ask("plain", prompt="x", options={"num_predict": 1})[0] == 200
    assert len(one.runners()) == 1


def test_a_small_model_loads_and_answers_within_a_second(one):
    one.set(load_ms=100)
    before = time.monotonic()
    assert one.ask("tiny", prompt="x", options={"num_predict": 1})[0] == 200
    assert time.monotonic() - before < 1


def listed(server):
    """(size, size_vram, expires_at) of the only loaded model, expires_at in seconds from now."""
    (model,) = server.get("/api/ps")["models"]
    ends = datetime.datetime.fromisoformat(re.sub(r"\.\d+Z?", "", model["expires_at"]).removesuffix("Z")).timestamp()
    return model["size"], model["size_vram"], ends - time.time()


def test_weights_are_vram_with_amx_and_a_kv_cache_is_listed_by_the_newer_alone(one):
    one.load("plain")
    size = listed(one)[0]
    one.ask("plain", options={"num_ctx": 8192})
    grown = listed(one)[0] - size
    assert listed(one)[1] == 0 and grown == (0 if one.version == "0.24" else 4096 * 16 * KIB), (size, grown)
    one.set(amx=True)
    size, vram, _ = listed(one)
    assert 0 < vram <= size and one.rss(one.runner())[0] > 60 * MIB, "it is anonymous memory all the same"


def test_the_first_request_slides_and_later_ones_show_the_past(one):
    first = one.in_background("plain", prompt="x", keep_alive=2, options={"num_predict": 150})
    wait.until(lambda: one.loaded() == ["plain"], 10, "it is listed")
    seen = []
    for _ in range(2):
        seen.append(listed(one)[2])
        time.sleep(1.1)
    assert abs(seen[0] - seen[1]) < 1 and 0.5 < seen[0] <= 2.1, seen
    first.join()
    later = one.in_background("plain", prompt="x", options={"num_predict": 200})
    time.sleep(3)
    assert listed(one)[2] < 0 and one.loaded() == ["plain"]
    later.join()


def test_a_runner_that_hangs_keeps_its_client_until_the_next_request(one):
    one.set(replace_ms=1500)
    with one.streaming("plain") as lines:
        wait.until(lambda: lines, 10, "a token")
        pid = one.runner()
        one.sim("hang", {"model": "plain"})
        time.sleep(0.5)
        tokens, cpu = len(lines), one.rss(pid)[3]
        time.sleep(2.5)
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert (len(lines), one.rss(pid)[3], state) == (tokens, cpu, "S") and one.loaded() == ["plain"]
        before = time.monotonic()
        assert one.ask("plain", prompt="x", options={"num_predict": 1})[0] == 200
        assert time.monotonic() - before >= 1.5 and one.runner() != pid
        wait.until(lambda: b"error" in lines[-1], 5, "its client is told")


def test_an_idle_runner_wakes_once_a_second(one):
    one.set(idle_us=None)
    one.load("plain")
    quiet = one.runner()
    one.set(idle_us=10_000)
    one.load("tiny")
    (busy,) = (pid for pid in one.runners() if pid != quiet)
    before = one.rss(busy)[3], one.rss(quiet)[3]
    time.sleep(4)
    assert 0.02 <= one.rss(busy)[3] - before[0] <= 0.06 and one.rss(quiet)[3] == before[1]


def test_mapped_weights_are_no_anonymous_memory(one):
    one.set(mmap=True)
    one.load("small")
    held, file = one.rss(one.runner())[0], int(re.search(
        r"RssFile:\s+(\d+)", pathlib.Path(f"/proc/{one.runner()}/status").read_text())[1]) * KIB
    assert 64 * MIB <= held < 80 * MIB and file >= 196 * MIB, (held, file)


def test_two_names_of_a_blob_are_one_runner(one):
    one.load("plain")
    one.post("/api/copy", {"source": "plain", "destination": "other"})
    try:
        assert one.ask("other", prompt="x", options={"num_predict": 1})[0] == 200
        assert one.loaded() == ["plain"] and len(one.runners()) == 1
    finally:
        one.request("DELETE", "/api/delete", {"model": "other"})


def test_a_server_that_dies_under_its_wrapper_leaves_its_runner(fresh):
    server = fresh("kept", models="plain=64m:0", memory_limit=1024 * MIB, body={"Cmd": ["sim", "keep"]})
    serve = next(pid for pid, argv in server.processes().items() if argv[-1] == "serve")
    server.load("plain")
    runner = server.runner()
    held = server.rss(runner)[0]
    os.kill(serve, 9)
    server.wait_until_it_answers()
    assert server.runners() == [runner] and server.rss(runner)[0] == held and server.rss(runner)[2] == server.pid()
    assert server.loaded() == [] and server.pid() != serve and server.state()["runners"] == []


def test_an_unload_beside_a_load(one):
    one.load("plain")
    one.set(load_ms=3000)
    loading = one.in_background("small")
    wait.until(lambda: len(one.runners()) == 2, 5, "the load")
    before = one.held()
    one.unload("plain")
    wait.until(lambda: one.held() > before, 5, "more is held than before, though 64 MiB came back")
    loading.join()


def test_a_paused_container_holds_and_does_not_answer(fresh):
    server = fresh("paused", models="plain=64m:0")
    server.load("plain")
    held = server.held()
    server.engine.api.call("POST", f"/containers/{server.id}/pause")
    try:
        with pytest.raises(TimeoutError):
            server.get("/api/version", timeout=1)
        state = server.inspect()["State"]
        assert state["Paused"] and state["Running"] and abs(server.held() - held) < MIB
    finally:
        server.engine.api.call("POST", f"/containers/{server.id}/unpause")


def test_a_client_that_leaves(one):
    one.set(load_ms=4000, abandon_ms=1500)
    client = one.client("plain")
    one.runner()
    client.close()
    wait.until(lambda: not one.runners(), 1, "the load is aborted")
    one.set(load_ms=100)
    client = one.client("plain", prompt="x", options={"num_predict": 5000})
    client.getresponse().readline()
    client.close()
    pid = one.runner()
    left = one.rss(pid)[3]
    time.sleep(1)
    still = one.rss(pid)[3]
    assert still - left > 0.05, "the runner goes on for a while"
    time.sleep(1.5)
    quiet = one.rss(pid)[3]
    time.sleep(1)
    assert one.rss(pid)[3] - quiet <= 0.01, "and then no more"


def test_a_stalled_load_keeps_its_client_and_its_memory(one):
    one.set(stall_load=True, load_ms=500)
    client = one.client("small")
    pid = one.runner()
    wait.until(lambda: one.rss(pid)[0] > 100 * MIB, 5, "half of the load")
    time.sleep(0.5)
    held, _, _, cpu = one.rss(pid)
    time.sleep(1)
    assert one.rss(pid)[0] == held < 200 * MIB and one.rss(pid)[3] == cpu and one.loaded() == []
    client.close()
    wait.until(lambda: not one.runners(), 1, "its end with its client")


def oom_kills(server):
    """What the kernel has counted of its cgroup."""
    text = (memory.directory(server.id) / ("memory.events" if memory.V2 else "memory.oom_control")).read_text()
    return int(re.search(r"oom_kill (\d+)", text)[1])


def test_a_load_that_does_not_fit_is_killed_and_told_each_time(fresh):
    server = fresh("small-limit", memory_limit=200 * MIB, models="big=512m:0")
    assert server.ask("big")[0] == 500 and oom_kills(server) == 1
    status, data = server.ask("big")
    says = {"0.24": "llama runner process has terminated with exit code -1",
            "0.33": "llama-server process has terminated: signal: killed"}
    assert (status, json.loads(data)["error"]) == (500, says[fresh.version])
    state = server.inspect()["State"]
    assert state["Running"] and not state["OOMKilled"] and server.loaded() == [] and oom_kills(server) == 2


def test_leaks_are_anonymous_memory_of_the_server(fresh):
    server = fresh("leak", models="plain=32m:0")
    pid = server.pid()
    idle = server.rss(pid)[0]
    assert MIB <= idle <= 12 * MIB
    server.sim("leak", {"bytes": 300 * MIB})
    assert abs(server.rss(pid)[0] - idle - 300 * MIB) < OWN_BYTES
    server.set(leak_per_request=10 * MIB)
    server.generate("plain")
    server.unload("plain")
    assert abs(server.rss(pid)[0] - idle - 310 * MIB) < OWN_BYTES
    assert abs(server.held() - server.rss(pid)[0]) < OWN_BYTES and server.state()["leaked"] == 310 * MIB


def test_an_orphan_is_a_child_that_nobody_knows(one):
    one.sim("orphan", {"bytes": 100 * MIB})
    pid = one.runner()
    wait.until(lambda: one.rss(pid)[0] >= 100 * MIB, 5, "the orphan's memory")
    assert one.rss(pid)[2] == one.pid() and one.loaded() == [] and len(one.state()["orphans"]) == 1
    os.kill(pid, 9)
    wait.until(lambda: one.state()["orphans"] == [], 1, "the orphan is reaped")


def test_manners(one):
    def version(timeout=1):
        return one.request("GET", "/api/version", timeout=timeout)[0]
    one.set(hang=True)
    with pytest.raises(TimeoutError):
        version()
    assert one.state()["settings"]["hang"] == 1  # the control port answers all the same
    one.set(hang=False, refuse=True)
    with pytest.raises(ConnectionRefusedError):
        version()
    one.set(refuse=False, slow_ms=400)
    before = time.monotonic()
    assert version() == 200 and time.monotonic() - before >= 0.4


def test_unloads_that_do_not_work(one):
    one.load("plain")
    one.set(keep_answering=True)
    assert one.ask("plain", keep_alive=0)[0] == 200
    time.sleep(0.3)
    assert one.loaded() == ["plain"] and one.ask("plain", prompt="x", options={"num_predict": 1})[0] == 200
    one.set(keep_answering=False, stuck_unload=True)
    assert one.ask("plain", keep_alive=0)[0] == 200
    time.sleep(0.3)
    (model,) = one.get("/api/ps")["models"]
    assert model["expires_at"] < time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime()) and one.runners()
    with pytest.raises(TimeoutError):
        one.request("POST", "/api/generate", {"model": "plain", "prompt": "x"}, timeout=1)
    one.set(stuck_unload=False)
    wait.until(lambda: one.loaded() == [] and not one.runners(), 2, "the unload goes on")


def test_keep_alive_ends(one):
    one.ask("plain", keep_alive=0.6)
    assert one.loaded() == ["plain"]
    wait.until(lambda: one.loaded() == [], 2, "its time is over")


def test_stop_signals_are_counted_and_obeyed(fresh):
    server = fresh("stop", env={"SIMOLLAMA_STOP_DELAY_MS": 600})
    server.load("tiny")
    before = time.monotonic()
    server.engine.api.call("POST", f"/containers/{server.id}/stop", query={"t": 10})
    assert 0.6 <= time.monotonic() - before < 5
    assert server.stop_signals() == 1 and server.inspect()["State"]["ExitCode"] == 0
    deaf = fresh("deaf", env={"SIMOLLAMA_IGNORE_TERM": 1})
    deaf.engine.api.call("POST", f"/containers/{deaf.id}/stop", query={"t": 1})
    assert deaf.stop_signals() == 1 and deaf.inspect()["State"]["ExitCode"] == 137


def test_an_idle_server_costs_nothing(one):
    one.load("plain")
    pids = [one.pid(), one.runner()]
    before = [one.rss(pid)[3] for pid in pids]
    time.sleep(3)
    assert [one.rss(pid)[3] - was for pid, was in zip(pids, before)] == [0, 0]


def test_foreign_work_and_traffic(fresh):
    server = fresh("foreign", models="", tmpfs={"/scratch": ""})
    server.fill("/scratch/file", 50 * MIB)
    assert memory.stat(memory.directory(server.id))["shmem" if memory.V2 else "total_shmem"] >= 50 * MIB
    server.foreign(100 * MIB, 30)
    others = [server.rss(pid) for pid in server.processes() if pid != server.pid()]
    assert [(comm, held > 100 * MIB) for held, comm, *_ in others] == [("sim-hold", True)]
    connection = http.client.HTTPConnection(server.address, CONTROL, timeout=30)
    connection.request("POST", "/sim/sink", bytes(20 * MIB))
    assert json.loads(connection.getresponse().read()) == {"swallowed": 20 * MIB}
    server.set(pull_ms=300)
    lines = server.post("/api/pull", {"model": "sim/slow"}).decode().splitlines()
    assert json.loads(lines[0])["status"] == "pulling manifest" and json.loads(lines[-1])["status"] == "success"
    assert any("completed" in line for line in lines)
    for command in ("list", "ps"):
        job = server.exec("/bin/ollama", command)
        state = wait.until(lambda job=job: (s := server.engine.api.exec_state(job))["Running"] is False and s, 10, command)
        assert state["ExitCode"] == 0
