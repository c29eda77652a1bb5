"""models.pull: what is wanted and not there is pulled when supervision begins, once, and nothing else."""

import contextlib
import json
import subprocess
import sys
import time

import wait
from bench import QUICK, Bench, outlive_grace
from sizes import GIB, MIB

SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M"}


HANGS = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
if libc.setns(os.open(f"/proc/{sys.argv[1]}/ns/mnt", os.O_RDONLY), 0x20000):
    sys.exit("setns: " + os.strerror(ctypes.get_errno()))
if libc.mount(b"hangs", sys.argv[2].encode(), b"fuse", 0, options):
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
print("hangs", flush=True)
time.sleep(3600)
"""


@contextlib.contextmanager
def hanging_disk(container, directory):
    """A file system on that directory of the container of which nobody answers."""
    command = [sys.executable, "-c", HANGS, str(container.pid()), directory]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "hangs\n"
        yield
    finally:
        process.kill()
        process.wait()


def pulls(container):
    return container.state()["requests"].get("POST /api/pull", 0)


def status(bench, container):
    """{model: what status says of its pull}."""
    done = bench.supervisor("status", "--json")
    (one,) = [c for c in json.loads(done.out)["containers"] if c["name"] == container.name]
    return {p["model"]: p for p in one.get("pulls", [])}


def test_what_is_missing_is_pulled_once_and_nothing_else(bench):
    env = {"SIMOLLAMA_PULLS": "far=40M,later=30M", "SIMOLLAMA_PULL_MS": 4000}
    one = bench.ollama("one", models="near=16M", env=env, labels={"supervisor.pull": "near, far:latest"})
    seen = bench.ollama("seen", mode="observe", models="", env=env)
    daemon = bench.daemon(one, seen, models__pull="far")
    daemon.wait("acting", 10, container="one", step="pull", model="far:latest")
    progress = wait.until(lambda: (p := status(bench, one)["far:latest"]).get("current", 0) > 0 and p, 5, "progress")
    assert progress["state"] == "runs" and progress["total"] == 40 * MIB >= progress["current"]
    assert status(bench, one)["near"]["state"] == "there"
    assert "far:latest: " in bench.supervisor("status").out
    one.load("near")
    assert bench.supervisor("unload", "near", "--container", "one").code == 0  # no lock is held meanwhile
    begun = daemon.wait("pulling", 10, container="one", model="far:latest")
    assert begun["total"] == str(40 * MIB) and len(daemon.find("pulling")) == 1, daemon.text()
    done = daemon.wait("model pulled", 10, container="one", step="pull", model="far:latest")
    assert 3.5 < float(done["took_s"]) < 8, done
    assert {m["name"] for m in one.get("/api/tags")["models"]} >= {"far:latest"} and pulls(one) == 1
    assert status(bench, one)["far:latest"]["state"] == "done" and "far:latest: " not in bench.supervisor("status").out
    assert one.request("DELETE", "/api/delete", {"model": "far"})[0] == 200
    time.sleep(3)
    assert pulls(one) == 1 and pulls(seen) == 0, daemon.text()
    said = bench.supervisor("events", "one").out
    assert "pulled (startup), far:latest" in said, said


def test_what_the_settings_add_is_pulled_and_what_they_drop_is_ended(bench):
    env = {"SIMOLLAMA_PULLS": "far=40M,later=30M", "SIMOLLAMA_PULL_MS": 60000}
    one = bench.ollama("one", models="", env=env)
    daemon = bench.daemon(one, models__pull="far")
    daemon.wait("acting", 10, step="pull", model="far")
    one.set(pull_ms=500)
    bench.configure({"models.pull": "later"})
    daemon.send(1)
    daemon.wait("remedy dropped", 10, step="pull", model="far")
    daemon.wait("model pulled", 10, step="pull", model="later")
    assert pulls(one) == 2


def test_tries_are_bounded_and_their_end_is_told(bench):
    one = bench.ollama("one", models="", env={"SIMOLLAMA_PULLS": "far=40M", "SIMOLLAMA_PULL_MS": 400, "SIMOLLAMA_PULL_FAILS": 2})
    daemon = bench.daemon(one, models__pull="far, nowhere", remedy__backoff="0.5s")
    first = daemon.wait("back-off", 10, step="pull", model="far")
    assert "unexpected EOF; attempt 2 of 5 in" in first["why"], first
    daemon.wait("model pulled", 15, step="pull", model="far")
    gone = daemon.wait("model not pulled", 60, step="pull", model="nowhere")
    assert gone["level"] == "error" and gone["why"].endswith("given up after 5 tries") and "no such host" in gone["why"], gone
    begun = [r.at for r in daemon.find("acting", step="pull", model="nowhere")]
    assert len(begun) == 5 and begun[4] - begun[3] > 2 * (begun[2] - begun[1]) > 1, begun  # 0.5, 1, 2, 4 s
    time.sleep(3)
    assert pulls(one) == 3 + 5
    told = status(bench, one)["nowhere"]
    assert told["state"] == "given-up" and told["tries"] == 5 and "no such host" in told["why"], told


def test_a_disk_that_is_too_small(bench):
    """One whose size is known is not begun; another is ended when Ollama has told it."""
    env = {"SIMOLLAMA_PULLS": "gemma3:1b=815M,big=900M", "SIMOLLAMA_PULL_MS": 60000}
    small = bench.ollama("small", models="", env=env, tmpfs={"/root/.ollama": "size=1300m"})
    daemon = bench.daemon(small, models__pull="gemma3:1b, big", remedy__backoff="0.2s", remedy__backoff_cap="0.2s")
    known = daemon.wait("model not pulled", 30, step="pull", model="gemma3:1b")
    assert "MiB more are needed where its models lie: it is a download of" in known["why"], known
    assert not daemon.find("acting", step="pull", model="gemma3:1b"), daemon.text()
    told = daemon.wait("model not pulled", 40, step="pull", model="big")
    assert "it is a download of 900.0 MiB" in told["why"] and "1.0 GiB are left to others" in told["why"], told
    assert pulls(small) == 5


def test_the_disk_is_seen_without_capabilities(bench):
    """As the one in Compose: it may not look into the container, and asks the same file system at its own mount."""
    env = {"SIMOLLAMA_PULLS": "far=40M", "SIMOLLAMA_PULL_MS": 300}
    directory = bench.directory / "models"
    directory.mkdir()
    one = bench.ollama("one", models="", env=env, binds=[f"{directory}:/root/.ollama"])
    blind = bench.ollama("blind", models="", env=env, tmpfs={"/root/.ollama": ""})
    bare = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    daemon = bench.daemon(one, blind, wrapper=bare, models__pull="far")
    daemon.wait("model pulled", 15, container="one", step="pull")
    told = daemon.wait("model not pulled", 15, container="blind", step="pull")
    assert "cannot be seen from here" in told["why"] and "docker exec -it blind ollama pull far" in told["why"], told
    assert pulls(blind) == 0


def test_a_disk_that_hangs_holds_up_nobody_else(bench):
    env = {"SIMOLLAMA_PULLS": "far=40M", "SIMOLLAMA_PULL_MS": 300}
    hung = bench.ollama("hung", models="", env=env, tmpfs={"/root/.ollama": ""})
    with hanging_disk(hung, "/root/.ollama"):
        daemon = bench.daemon(hung, models__pull="far", remedy__backoff="1s")
        wait.until(lambda: status(bench, hung).get("far", {}).get("state") == "runs", 10, "it is its turn")
        other = bench.ollama("other", models="", env=env)
        told = daemon.wait("back-off", 45, container="hung", step="pull")
        assert "the disk on which its models lie does not answer; attempt 2 of 5" in told["why"], told
        daemon.wait("model pulled", 10, container="other", step="pull")
        wait.until(lambda: status(bench, hung).get("far", {}).get("state") == "runs", 10, "it is its turn again")
        code, took = daemon.end()
        assert code == 0 and took < 3, daemon.text()
    assert pulls(hung) == 0 and pulls(other) == 1


def test_the_end_of_the_daemon_ends_the_pull(bench):
    env = {"SIMOLLAMA_PULLS": "far=40M", "SIMOLLAMA_PULL_MS": 60000}
    one = bench.ollama("one", models="", env=env)
    daemon = bench.daemon(one, models__pull="far")
    daemon.wait("pulling", 10, model="far")
    code, took = daemon.end()
    assert code == 0 and took < 3, daemon.text()
    assert daemon.find("remedy dropped", step="pull", model="far") and daemon.lines[-1].endswith("msg=stopped"), daemon.text()
    one.set(pull_ms=300)
    bench.daemon(one, models__pull="far").wait("model pulled", 10, step="pull", model="far")


def test_a_pull_is_no_idle_leak(engine, built):
    """The server holds much and lists nothing while it pulls: it is busy, also where what it receives tells nothing (as in
    the host's network), and healed after that."""
    bench = Bench(engine, SETTINGS)
    try:
        env = {"SIMOLLAMA_PULLS": "far=40M", "SIMOLLAMA_PULL_MS": 12000}
        one = bench.ollama("one", models="", env=env, memory_limit=GIB)
        outlive_grace()
        before = one.started_at()
        daemon = bench.daemon(one, models__pull="far", leak__busy_received="0")
        daemon.wait("acting", 10, step="pull", model="far")
        one.leak(160 * MIB)
        wait.until(lambda: "pulling (models.pull)" in bench.supervisor("status", "--json").out, 5, "it is busy")
        daemon.wait("model pulled", 25, step="pull", model="far")
        assert one.started_at() == before and not daemon.find("verdict raised", verdict="idle-leak"), daemon.text()
        daemon.wait("healed", 30, container="one", step="restart")
    finally:
        bench.close()
