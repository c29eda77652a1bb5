"""`supervisor full-optimization`: status, fix, limits, policy, test, status, as one report."""

import json
import re
import signal
import socket
import subprocess
import time

import pytest

import memory
import program
from bench import outlive_grace
from sizes import GIB, MIB

SMALL = {"leak.threshold": "128M", "leak.threshold_percent": "0", "leak.baseline": "64M"}


@pytest.fixture
def optimize(bench):
    bench.settings |= SMALL
    return lambda *arguments, **more: bench.supervisor("full-optimization", *arguments, timeout=180, **more)


def steps(report):
    return {step["step"]: step for step in report["steps"][:-1]}  # status is there twice: the last one is left out


def read(outcome, code=0):
    assert outcome.code == code, outcome
    assert len(outcome.out.splitlines()) == 1, outcome
    report = json.loads(outcome.out)
    assert [step["step"] for step in report["steps"]][0] == "status" and report["steps"][-1]["step"] == "status", outcome
    return report


def row(step, container):
    return next(r for r in step["rows"] if r["container"] == container)


@pytest.fixture
def sick(bench, optimize):
    """One leaks, one has lost its limit, one has two models loaded where one is wanted."""
    c = {"leaky": bench.ollama("leaky"),
         "drifted": bench.ollama("drifted", labels={"supervisor.memory": "1g"}, memory_limit=2 * GIB),
         "two": bench.ollama("two", models="first=100M,second=100M", labels={"supervisor.single": "on"})}
    c["two"].load("first")
    c["two"].load("second")
    outlive_grace()
    c["leaky"].leak(GIB)
    return c


def test_all_of_it_in_one_report_and_the_second_run_has_nothing_to_do(bench, optimize, sick):
    started = {name: one.started_at() for name, one in sick.items()}
    dry = optimize("--dry-run", "64m")
    assert dry.code == 0 and "nothing was done" in dry.out and "64.0 MiB would be tested" in dry.out, dry
    assert "would be healed by: restart" in " ".join(dry.out.split()), dry
    assert max(map(len, dry.out.splitlines())) <= 80, dry
    assert {name: one.started_at() for name, one in sick.items()} == started
    assert sorted(sick["two"].loaded()) == ["first", "second"] and memory.limit(sick["drifted"].id) == 2 * GIB

    outcome = optimize("--json", "64m")
    report = read(outcome)
    by = steps(report)
    assert [s["step"] for s in report["steps"]] == ["status", "fix", "limits", "policy", "test", "status"]
    assert [s["result"] for s in report["steps"]] == ["done"] * 6, outcome
    assert report["changed"] is True and report["dry_run"] is False and "stopped_at" not in report
    assert row(by["fix"], "leaky")["result"] == "healed" and row(by["fix"], "leaky")["step"] == "restart"
    assert row(by["fix"], "leaky")["before"] - row(by["fix"], "leaky")["after"] > 900 * MIB
    assert row(by["fix"], "two")["result"] == "healthy"
    assert row(by["limits"], "drifted")["result"] == "done"
    assert row(by["policy"], "two")["result"] == "done" and "first" in row(by["policy"], "two")["text"]
    assert by["test"]["report"]["sizes"][0]["had"] is True
    # How much it is depends on what else runs on this machine; what came back is told by the row above.
    assert report["available_change"] == report["available_after"] - report["available_before"], outcome

    assert sick["leaky"].stop_signals() == 1 and sick["leaky"].held() < 100 * MIB
    assert memory.limit(sick["drifted"].id) == GIB and sick["two"].loaded() == ["second"]
    assert [sick[n].started_at() for n in ("drifted", "two")] == [started[n] for n in ("drifted", "two")]

    again = optimize("64m")
    assert again.code == 0 and "there was nothing to do" in again.out, again
    assert again.err == "" and max(map(len, again.out.splitlines())) <= 80, again
    assert re.search(r"^test +64.0 MiB: had", again.out, re.M), again
    assert sick["leaky"].stop_signals() == 1


def test_the_report_for_a_person(bench, optimize, sick):
    outcome = optimize("--skip-test")
    words = " ".join(outcome.out.split())
    assert outcome.code == 0 and max(map(len, outcome.out.splitlines())) <= 80, outcome
    assert [line.split()[0] for line in outcome.out.splitlines() if not line.startswith(" ")] == [
        "status", "fix", "limits", "policy", "test", "status", "memory"], outcome
    assert re.search(r"leaky: idle-leak, healed by restart in \d+\.\d s: 1\.\d GiB -> ", words), outcome
    assert "drifted: limit-drift: the limit is 1.0 GiB now" in words, outcome
    assert "two: too-many-models: first:latest unloaded" in words, outcome
    assert "test skipped" in words and "available: " in words, outcome


def test_it_stops_where_a_person_is_needed(bench, optimize):
    leaky = bench.ollama("leaky")
    drifted = bench.ollama("drifted", labels={"supervisor.memory": "1g"}, memory_limit=2 * GIB)
    outlive_grace()
    leaky.leak(300 * MIB)
    started = leaky.started_at()
    with socket.create_connection((leaky.address, 11434)):
        text = optimize("64m")
        report = read(optimize("--json", "64m"), code=1)
    words = " ".join(text.out.split())
    assert text.code == 1 and "stopped at fix, which needs a person: leaky: not healed" in words, text
    assert re.search(r"^next +supervisor fix-ollama --force leaky$", text.out, re.M), text
    assert report["stopped_at"] == "fix" and report["command"] == "supervisor fix-ollama --force leaky"
    assert "client is connected" in report["why"]
    assert [s["step"] for s in report["steps"]] == ["status", "fix", "status"]
    assert leaky.started_at() == started and memory.limit(drifted.id) == 2 * GIB
    healed = bench.supervisor(*report["command"].split()[1:])
    assert healed.code == 0, healed
    assert read(optimize("--json", "--skip-test"))["changed"] is True and memory.limit(drifted.id) == GIB


def test_a_busy_leak_stops_it(bench, optimize):
    leaky = bench.ollama("leaky")
    outlive_grace()
    leaky.leak(300 * MIB)
    started = leaky.started_at()
    with leaky.inbound():
        time.sleep(1)
        report = read(optimize("--json", "--skip-test"), code=1)
    assert report["stopped_at"] == "fix" and "busy" in report["why"] and "leaky" in report["command"]
    assert leaky.started_at() == started


def test_a_limit_below_what_is_needed_stops_it(bench, optimize):
    tight = bench.ollama("tight", models="small=600M", labels={"supervisor.memory": "256m"})
    tight.load("small")
    report = read(optimize("--json", "--skip-test"), code=1)
    assert report["stopped_at"] == "limits" and "floor" in report["why"], report
    asked = re.fullmatch(r"supervisor enforce tight --set memory\.limit=(\d+)m", report["command"])
    assert asked and 600 < int(asked[1]) < 2000, report
    enforced = bench.supervisor(*report["command"].split()[1:])
    assert enforced.code == 0 and memory.limit(tight.id) == int(asked[1]) * MIB, enforced


def test_only_observed_ones_and_none_at_all(bench, optimize):
    nothing = read(optimize("--json", "--skip-test"))
    assert steps(nothing)["fix"]["result"] == "skipped" and nothing["changed"] is False
    first = bench.ollama("first", mode="observe")
    bench.ollama("second", mode="observe")
    stopped = read(optimize("--json", "--skip-test"), code=1)
    assert stopped["stopped_at"] == "fix" and stopped["command"] == "supervisor fix-ollama first", stopped
    assert first.stop_signals() == 0


def test_what_the_test_cannot_have_is_said(bench, optimize):
    report = read(optimize("--json", "64m", "900g"), code=1)
    assert report["stopped_at"] == "test" and report["command"] == f"supervisor test {900 * 1024}m"
    assert [r["had"] for r in steps(report)["test"]["report"]["sizes"]] == [True, False]


def test_usage(bench, optimize):
    for words in (["1x"], ["1m"], ["--reserve", "much"], ["--skp-test"]):
        outcome = optimize(*words)
        assert outcome.code == 2 and outcome.out == "" and len(outcome.err.splitlines()) == 1, outcome
    gone = program.run("--state", bench.state, "--host", "unix:///nonexistent.sock", "full-optimization")
    assert gone.code == 3 and "/nonexistent.sock" in gone.err, gone


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_ended_in_the_middle(bench, optimize, number):
    one = bench.ollama("leaky")
    outlive_grace()
    one.leak(300 * MIB)
    started = one.started_at()
    child = subprocess.Popen([program.PROGRAM, *map(str, bench.options()), "full-optimization", "--json"],
                             env=program.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    time.sleep(2)  # it watches the leak
    child.send_signal(number)
    out, err = child.communicate(timeout=10)
    report = json.loads(out)
    assert child.returncode == 128 + number and report["signal"] == number, out + err
    assert [(s["step"], s["result"]) for s in report["steps"]] == [("status", "done"), ("fix", "interrupted")], out
    assert one.started_at() == started
