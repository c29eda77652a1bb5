"""The single-model policy: one model stays, the one used last."""

import time

import pytest

import wait
from bench import BUSY, HOLD
from sizes import MIB

pytestmark = pytest.mark.usefixtures("bystander")
SINGLE = {"supervisor.single": "on"}


def test_second_model_goes_and_the_one_used_last_stays(bench):
    models = "first=200M,second=200M"
    c = {n: bench.ollama(n, models=models, labels=SINGLE if n != "free" else {}) for n in ("newer", "older", "free")}
    watched = bench.ollama("watched", mode="observe", models=models, labels=SINGLE)
    before = {name: one.started_at() for name, one in c.items()}
    daemon = bench.daemon(*c.values(), watched)
    for one in (*c.values(), watched):
        one.load("first")
    for one in (c["newer"], c["free"], watched, c["older"]):
        one.load("second")
    c["older"].generate("first", tokens=50)  # for a second: the newer model is the older one's use
    daemon.wait("verdict raised", 10, container="newer", verdict="too-many-models")
    wait.until(lambda: c["newer"].loaded() == ["second"], 15, lambda: f"newer keeps second: {c['newer'].loaded()}")
    wait.until(lambda: c["older"].loaded() == ["first"], 15, lambda: f"older keeps first: {c['older'].loaded()}")
    for name in ("newer", "older"):
        healed = daemon.wait("healed", 15, container=name, step="unload")
        assert int(healed["before"]) - int(healed["after"]) >= 100 * MIB
        assert len(c[name].runners()) == 1
        assert c[name].started_at() == before[name]
    daemon.wait("would act", 5, container="watched", step="unload")
    assert sorted(watched.loaded()) == sorted(c["free"].loaded()) == ["first", "second"]


def test_quick_use_counts_whatever_it_loads(bench):
    """Loads and answers take less than a look: what shows of them is a runner's start, or a new expires_at."""
    one = bench.ollama("quick", models="first=100M,second=100M,third=100M", labels=SINGLE)
    daemon = bench.daemon(one)
    for last in ("first", "second", "third", "first", "third", "second"):
        for name in {"first", "second"} - {last}:
            one.generate(name)
        one.generate(last)
        wait.until(lambda: len(one.loaded()) == 1, 15, lambda: f"one stays: {one.loaded()}\n{daemon.text()}")
        assert one.loaded() == [last], daemon.text()
    assert "(its expires_at)" in " ".join(r["why"] for r in daemon.find("verdict raised", verdict="too-many-models"))


def test_none_goes_of_which_nobody_knows_when_they_were_used(bench):
    """They were there before the daemon, each with a keep_alive of its own."""
    one = bench.ollama("unknown", models="first=100M,second=100M", labels=SINGLE)
    for name in ("first", "second"):
        one.post("/api/generate", {"model": name, "keep_alive": "2h"})
    daemon = bench.daemon(one)
    time.sleep(BUSY + HOLD)
    assert "which of 2 was used last cannot be told" in " ".join(bench.supervisor("status").out.split())
    assert sorted(one.loaded()) == ["first", "second"] and not daemon.find("acting")
    one.generate("first")
    wait.until(lambda: one.loaded() == ["first"], 15, lambda: f"first stays: {one.loaded()}\n{daemon.text()}")


def test_busy_model_is_never_unloaded(bench):
    one = bench.ollama("busy", models="first=100M,second=100M", labels=SINGLE)
    one.set(tokens_per_s=20)
    one.load("first")
    one.load("second")
    with one.streaming("first") as first, one.streaming("second") as second:
        wait.until(lambda: first and second, 10, "both stream")
        daemon = bench.daemon(one)
        time.sleep(BUSY + HOLD)
        status = bench.supervisor("status")
        assert "busy" in status.out and "one is wanted" in status.out, status
        assert sorted(one.loaded()) == ["first", "second"] and not daemon.find("acting")
        told = len(first), len(second)
        time.sleep(1)
        assert len(first) > told[0] and len(second) > told[1]
    one.generate("first")  # both were used until the same moment, when their clients left
    wait.until(lambda: one.loaded() == ["first"], 30, lambda: f"first stays: {one.loaded()}\n{daemon.text()}")


def test_models_of_before_are_unloaded_at_the_start_if_wished(bench):
    wished = bench.ollama("wished", models="first=100M", labels={"supervisor.startup_unload": "on"})
    kept = bench.ollama("kept", models="first=100M")
    wished.load("first")
    kept.load("first")
    daemon = bench.daemon(wished, kept)
    wait.until(lambda: wished.loaded() == [], 10, lambda: f"first is unloaded\n{daemon.text()}")
    assert kept.loaded() == ["first"]
    wished.load("first")  # one that comes later is welcome
    time.sleep(2 * HOLD)
    assert wished.loaded() == ["first"] and wished.stop_signals() == 0


def test_enforce_applies_it_once(bench):
    one = bench.ollama("one", models="first=100M,second=100M", labels=SINGLE)
    one.load("first")
    one.load("second")
    done = bench.supervisor("enforce", "one")
    assert done.code == 0, done
    assert one.loaded() == ["second"], done


def test_unload_that_does_not_happen_is_told_and_not_escalated(bench):
    one = bench.ollama("deaf", models="first=100M,second=100M", labels=SINGLE)
    one.load("first")
    one.load("second")
    one.set(keep_answering=True)
    daemon = bench.daemon(one)
    record = daemon.wait("not healed", 30, container="deaf", step="unload")
    assert record["level"] in ("warning", "error")
    assert one.stop_signals() == 0 and len(one.runners()) == 2
    assert {r["step"] for r in daemon.find("acting", container="deaf")} == {"unload"}
