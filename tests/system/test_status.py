"""`supervisor status`: what a person reads, and the world as JSON."""

import json
import os
import pty
import re
import subprocess
import time
import types

import pytest

import memory
import program
from bench import in_time, outlive_grace
from sizes import GIB, MIB

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def seen(shared_bench):
    bench = shared_bench
    c = {
        "ollama": bench.ollama("ollama", models="small=200M:64M", memory_limit=3 * GIB),
        "a-name-that-is-longer-than-any-column-would-like-it-to-be": bench.ollama(
            "a-name-that-is-longer-than-any-column-would-like-it-to-be", mode=None),
        "leaky": bench.ollama("leaky", mode="observe", labels={"supervisor.leak.threshold": "128M", "supervisor.leak.baseline": "64M"}),
        "stopped": bench.ollama("stopped"),
    }
    c["ollama"].load("small")
    c["leaky"].leak(300 * MIB)
    bench.engine.api.raw("POST", f"/containers/{c['stopped'].id}/stop", query={"t": 5})
    outlive_grace()
    return types.SimpleNamespace(bench=bench, containers=c, text=bench.supervisor("status"),
                                 json=bench.supervisor("status", "--json"))


def test_text_names_what_matters(seen):
    assert seen.text.code == 0 and seen.text.err == "", seen.text
    for word in ("ollama", "leaky", "stopped", "enforce", "observe", "small", "swap"):
        assert word in seen.text.out, f"{word} is missing\n{seen.text}"
    runner = seen.containers["ollama"].runners()[0]
    assert str(runner) in seen.text.out, f"the runner's pid {runner} is missing\n{seen.text}"


def test_text_fits_eighty_columns(seen):
    assert max(map(len, seen.text.out.splitlines())) <= 80, seen.text


def test_colours_only_on_a_terminal_and_not_with_no_color(seen):
    options = seen.bench.options()
    assert not ESCAPE.search(seen.text.out)
    code, text = program.run_on_terminal(*options, "status")
    assert code == 0 and ESCAPE.search(text), text
    assert max(len(ESCAPE.sub("", line)) for line in text.splitlines()) <= 80, text
    code, text = program.run_on_terminal(*options, "status", env={"NO_COLOR": "1"})
    assert code == 0 and not ESCAPE.search(text), text


def test_json_is_one_world(seen):
    assert seen.json.code == 0 and seen.json.err == "", seen.json
    assert len(seen.json.out.splitlines()) == 1
    world = json.loads(seen.json.out)
    assert world["world"] == 1 and isinstance(world["monotonic"], float) and isinstance(world["verdicts"], list)
    assert world["host"]["total"] == 1024 * int(next(
        line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal")))
    assert {c["name"] for c in world["containers"]} == set(seen.containers)


def test_json_has_the_true_numbers(seen):
    one = seen.containers["ollama"]
    world = json.loads(seen.json.out)
    said = next(c for c in world["containers"] if c["name"] == "ollama")
    assert said["id"] == one.id and said["pid"] == one.pid() and said["started_at"] == one.started_at()
    assert said["mode"] == "enforce" and said["status"] == "running"
    assert said["cgroup"]["limit"] == 3 * GIB and said["cgroup"]["version"] == (2 if memory.V2 else 1)
    assert abs(said["cgroup"]["anon"] - one.held()) < 4 * MIB
    assert [m["name"] for m in said["ollama"]["models"]] == ["small:latest"] and said["ollama"]["reachable"] is True
    kinds = {p["kind"]: p for p in said["processes"]}
    assert kinds["serve"]["pid"] == one.pid() and kinds["runner"]["pid"] == one.runners()[0]
    assert kinds["runner"]["rss_anon"] >= 200 * MIB and kinds["runner"]["ppid"] == one.pid()
    assert all(k.startswith(("OLLAMA_", "LLAMA_ARG_")) for k in said.get("env", {}))
    stopped = next(c for c in world["containers"] if c["name"] == "stopped")
    assert stopped["status"] == "exited" and "anon" not in stopped.get("cgroup", {})


def test_without_a_daemon_a_leak_is_a_suspect(seen):
    world = json.loads(seen.json.out)
    states = {v["state"] for v in world["verdicts"] if v["verdict"] == "idle-leak"}
    assert states <= {"suspect"}


def test_with_a_daemon_its_verdicts_are_shown(seen):
    daemon = seen.bench.daemon(seen.containers["leaky"])
    raised = daemon.wait("verdict raised", in_time() + 5, container="leaky", verdict="idle-leak")
    world = json.loads(seen.bench.supervisor("status", "--json").out)
    verdict = next(v for v in world["verdicts"] if v["container"] == "leaky" and v["verdict"] == "idle-leak")
    assert verdict["state"] == "raised" and verdict["remedy"] == "restart"
    assert verdict["hold_s"] == 3 and verdict["evidence"]["held"] >= 300 * MIB
    assert abs(verdict["since"] - float(raised["since"])) < 1.5
    text = seen.bench.supervisor("status")
    assert "idle-leak" in text.out, text
    daemon.end()


def test_watch_repeats(seen):
    child = subprocess.Popen([program.PROGRAM, *map(str, seen.bench.options()), "status", "--json", "--watch"],
                             env=program.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        worlds = [json.loads(child.stdout.readline()) for _ in range(3)]
    finally:
        child.terminate()
        child.wait(5)
        child.stdout.close()
    assert worlds[0]["monotonic"] < worlds[1]["monotonic"] < worlds[2]["monotonic"]


def test_watch_ends_with_its_terminal(bench):
    bench.ollama("watched")
    bench.daemon(*bench.containers)
    terminal, its_end = pty.openpty()
    child = subprocess.Popen([program.PROGRAM, *map(str, bench.options()), "status", "--watch=600s"], env=program.environment(),
                             stdin=subprocess.DEVNULL, stdout=its_end, stderr=subprocess.DEVNULL)
    try:
        os.close(its_end)
        assert os.read(terminal, 4096)
        time.sleep(0.5)
        assert child.poll() is None
        os.close(terminal)
        assert child.wait(5) == 1
    finally:
        child.kill()
        child.wait()


def test_a_daemon_that_may_not_be_seen_is_not_said_to_be_absent(bench):
    """Who is no root sees nothing in the state directory: neither that there is a daemon nor that there is none."""
    bench.ollama("hidden")
    hidden = bench.directory / "theirs"
    hidden.mkdir(mode=0o700)
    os.chown(hidden, 65534, 65534)
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", program.PROGRAM]
    done = subprocess.run([*bare, *map(str, bench.options(state=hidden)), "status"], env=program.environment(),
                          capture_output=True, text=True, timeout=60, check=False)
    assert "(whether a daemon runs is root's to see; run as root (sudo)" in done.stdout, done
    assert "(no daemon runs on this state directory" in bench.supervisor("status").out


def test_daemon_of_another_engine_is_not_believed(bench, tmp_path):
    """Who names an engine gets that one's picture, or none; the daemon's socket may have another path to the same."""
    one = bench.ollama("named")
    bench.daemon(one)
    known = json.loads(bench.supervisor("status", "--json").out)
    assert known["source"] == "daemon"
    absent = program.run("--state", bench.state, "--host", f"unix://{tmp_path}/docker.sock", "status")
    assert absent.code == 3 and f"{tmp_path}/docker.sock" in absent.err and not absent.out, absent
    elsewhere = program.run("--state", bench.state, "--host", "tcp://127.0.0.1:2375", "status")
    assert elsewhere.code == 2 and not elsewhere.out, elsewhere
    link = tmp_path / "other.sock"
    link.symlink_to(bench.engine.url.removeprefix("unix://"))
    same = program.run("-c", bench.configure(), "--state", bench.state, "--host", f"unix://{link}", "status", "--json")
    assert json.loads(same.out)["source"] == "daemon", same
