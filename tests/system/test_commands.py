"""unload, flush, release, config, version, help."""

import json
import time
import types

import pytest

import faults
import program
import wait
from sizes import MIB

COMMANDS = ("status", "fix-ollama", "run", "enforce", "unload", "flush", "record", "replay", "config", "release",
            "adopt", "version", "help")


def test_unload_says_before_and_after(bench):
    one = bench.ollama("one", models="first=200M,second=200M")
    one.load("first")
    one.load("second")
    started = one.started_at()
    done = bench.supervisor("unload", "first", "--container", "one")
    assert done.code == 0 and "first" in done.out and "MiB" in done.out, done
    assert one.loaded() == ["second"] and len(one.runners()) == 1
    assert one.started_at() == started
    absent = bench.supervisor("unload", "first", "--container", "one")
    assert absent.code == 0 and "first: it is not loaded" in absent.out and not absent.err, absent
    wrong = bench.supervisor("unload", "secnod", "--container", "one")
    assert wrong.code == 1 and "secnod: there is no such model" in wrong.err and not wrong.out, wrong
    both = bench.supervisor("unload", "secnod", "first", "--json")
    rows = {row["model"]: row["result"] for row in json.loads(both.out)}
    assert both.code == 1 and rows == {"secnod": "failed", "first": "done"}, both
    assert one.loaded() == ["second"]


def test_unload_is_done_when_the_runner_is_gone(bench):
    """Also where something else has taken more meanwhile than came back."""
    one = bench.ollama("beside", models="first=100M")
    one.load("first")
    command = program.Daemon(bench.options(), command=("unload", "first"))
    stopper = faults.stop_at(types.SimpleNamespace(process=command.process), "check", "beside", "unload", bench.directory)
    try:
        stopper.wait(30, command.text)
        one.sim("leak", {"bytes": 200 * MIB})
        wait.until(lambda: one.state()["leaked"] == 200 * MIB, 30, "more is taken")
        stopper.go()
        assert command.process.wait(30) == 0, command.text()
        assert one.loaded() == [] and one.held() > 200 * MIB
    finally:
        stopper.close()
        command.end(9)


def test_flush_unloads_all(bench):
    one = bench.ollama("all", models="first=200M,second=200M")
    one.load("first")
    one.load("second")
    before = one.held()
    done = bench.supervisor("flush")
    assert done.code == 0 and "MiB" in done.out, done
    assert one.loaded() == [] and one.runners() == [] and before - one.held() > 380 * MIB
    nothing = bench.supervisor("flush")
    assert nothing.code == 0, nothing


def test_unload_of_a_busy_model_is_pending(bench):
    one = bench.ollama("busy", models="big=200M")
    one.load("big")
    with one.streaming("big") as lines:
        time.sleep(1)
        done = bench.supervisor("unload", "big", "--container", "busy", timeout=30)
        assert done.code == 1 and "pending" in done.err and not done.out, done
        told = len(lines)
        time.sleep(1)
        assert len(lines) > told, "the request was interrupted"
    assert one.stop_signals() == 0


def test_unload_waits_if_asked(bench):
    one = bench.ollama("brief", models="big=200M")
    one.set(tokens_per_s=20)
    one.load("big")
    with one.streaming("big", tokens=80):
        time.sleep(0.5)
        done = bench.supervisor("unload", "big", "--container", "brief", "--wait", timeout=60)
    assert done.code == 0 and one.loaded() == [] and one.runners() == [], done


def test_unload_that_does_not_happen(bench):
    one = bench.ollama("deaf", models="big=200M")
    one.load("big")
    one.set(keep_answering=True)
    started = one.started_at()
    done = bench.supervisor("unload", "big", "--container", "deaf", timeout=40)
    assert done.code == 1 and done.took < 15, done  # 10 s a model
    assert one.started_at() == started and len(one.runners()) == 1, "unload never kills or restarts"


def test_config_shows_every_value_with_its_origin(bench, tmp_path):
    file = tmp_path / "supervisor.ini"
    file.write_text("[leak]\nhold = 45s\n")
    shown = program.run("-c", file, "--set", "leak.threshold=2G", "config", "show", env={"SUPERVISOR_LEAK_GRACE": "7s"})
    assert shown.code == 0, shown
    lines = {line.split("=")[0].strip(): line for line in shown.out.splitlines() if "=" in line}
    assert [lines[key] for key in ("hold", "threshold", "grace")] == [
        "hold = 45s  ; file", "threshold = 2g  ; command line", "grace = 7s  ; environment"], shown
    for key in ("interval", "poll", "state", "label", "image", "procfs", "cgroupfs", "limit", "backoff", "single"):
        assert key in lines, f"{key} is not shown\n{shown}"
    again = tmp_path / "again.ini"
    again.write_text(shown.out)  # what it prints is a configuration
    checked = program.run("-c", again, "config", "check")
    assert checked.code == 0, checked


def test_profiles(tmp_path):
    file = tmp_path / "supervisor.ini"
    file.write_text('[profile "33b"]\nmemory = 20g\n[profile "a-rather-long-name-31-letters-x"]\n'
                    "model = hf.co/somebody/with-a-name/that-is-long-GGUF:Q4_K_M\nexclusive = on\n")
    table = program.run("-c", file, "profiles", env={"COLUMNS": "80"})
    assert table.code == 0, table
    lines = table.out.splitlines()
    assert len(lines) == 6 and all(len(line) <= 80 for line in lines), table
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["standard", "8g"], ["33b", "20g"], ["70b", "30g"], ["localai", "12g"]], table
    own = json.loads(program.run("-c", file, "profiles", "--json").out)["profiles"]
    assert own[1]["memory"] == 20 << 30 and own[1]["model"] == "deepseek-coder:33b", own
    assert own[4]["name"].startswith("a-rather") and own[4]["exclusive"] is True, own
    shown = program.run("-c", file, "config", "show", "--json")
    assert json.loads(shown.out)['profile "33b"']["memory"] == {"value": 20 << 30, "origin": "file"}, shown


def test_config_precedence(tmp_path):
    file = tmp_path / "supervisor.ini"
    file.write_text("[leak]\nhold = 45s\n")

    def hold(*options, env=None):
        shown = program.run("-c", file, *options, "config", "show", env=env)
        return next(line for line in shown.out.splitlines() if line.startswith("hold"))
    assert "45" in hold()
    assert "50" in hold(env={"SUPERVISOR_LEAK_HOLD": "50s"})
    assert "55" in hold("--set", "leak.hold=55s", env={"SUPERVISOR_LEAK_HOLD": "50s"})


def test_version_and_help():
    version = program.run("version")
    assert version.code == 0 and version.out.strip().split()[-1][0].isdigit(), version
    general = program.run("help")
    assert general.code == 0 and general.err == "", general
    for command in COMMANDS:
        assert command in general.out
        one = program.run("help", command)
        assert one.code == 0 and command in one.out and max(map(len, one.out.splitlines())) <= 80, one
    assert program.run("--help").code == 0
    assert max(map(len, general.out.splitlines())) <= 80


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("help", "version", "replay", "config", "run", "release")])
def test_every_command_tells_an_unreachable_engine(command, tmp_path):
    arguments = {"unload": ["m"], "record": ["--seconds", "1"], "adopt": ["c"]}.get(command, [])
    done = program.run("--host", f"unix://{tmp_path}/none.sock", "--state", tmp_path / "s", command, *arguments)
    assert done.code == 3, done
    assert "none.sock" in done.err and len(done.err.splitlines()) == 1 and done.out == "", done
