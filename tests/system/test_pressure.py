"""The host's pressure: idle models go, then busy ones, then a container is stopped; what it asks for is done, and only that.

The machine under the tests is never filled: the thresholds are moved below what it uses anyway."""

import json
import signal
import sqlite3
import time

import pytest

import faults
import intents
import proxy
import wait
from bench import BUSY, QUICK, Bench
from matrix import FaultyBench
from memory import hundredth_of_host
from sizes import MIB

# Any machine uses more than 1.5 % of its memory.
PASS = {"pressure.action_warn": "1%", "pressure.action_optimize": "1.1%"}
UNLOAD = PASS | {"pressure.action_unload": "1.2%"}
STOP = PASS | {"pressure.action_kill_switch": "1.3%"}
KILL_HOLD = 3.0


@pytest.fixture
def pressed(engine, built):
    """A bench with these settings; its containers and daemons go with the test."""
    benches = []

    def make(settings):
        benches.append(Bench(engine, QUICK | settings, label=f"pressed{len(benches)}.enable"))
        return benches[-1]
    try:
        yield make
    finally:
        for one in benches:
            one.close()


def asked(daemon, step="unload"):
    """(container, model) of what was done, in order."""
    return [(r["container"], r.get("model", "").removesuffix(":latest")) for r in daemon.find("acting", step=step)]


def untouched(containers, before):
    return all(one.started_at() == before[one.name][0] and one.pid() == before[one.name][1] and one.stop_signals() == 0
               for one in containers)


def lives(containers):
    return {one.name: (one.started_at(), one.pid()) for one in containers}


def exited(one):
    return one.inspect()["State"]["Status"] == "exited"


def test_pass_over_idle_models_goes_in_order(pressed):
    bench = pressed(PASS | {"supervisor.preset": "runbook"})
    one = bench.ollama("one", models="large=150M,busy=100M,qwen3:8b=100M", labels={"supervisor.small_model": "100m"})
    low = bench.ollama("low", models="first=100M", labels={"supervisor.priority": "low"})
    other = bench.ollama("other", models="small=60M,kept=60M", labels={"supervisor.pin": "kept"})
    watched = bench.ollama("watched", mode="observe", models="big=100M")
    c = [one, low, other, watched]
    one.set(tokens_per_s=20)
    for model in ("large", "busy", "qwen3:8b"):
        one.load(model)
    low.load("first")
    for model in ("small", "kept"):
        other.load(model)
    watched.load("big")
    before = lives(c)
    with one.streaming("busy") as lines:
        wait.until(lambda: lines, 10, "busy streams")
        daemon = bench.daemon(*c)
        told = daemon.wait("verdict raised", 10, verdict="host-pressure")
        assert "container" not in told and float(told["in_use"]) >= 1 and int(told["available"]) > 0
        wait.until(lambda: len(asked(daemon)) == 3, BUSY + 20, lambda: f"three models go\n{daemon.text()}")
        daemon.wait("healed", 10, container="other", step="unload")
        time.sleep(3)
        assert asked(daemon) == [("low", "first"), ("one", "large"), ("other", "small")], daemon.text()
        ends = [r.at for r in daemon.find("verdict cleared", verdict="host-pressure") if r.get("container") in ("low", "one", "other")]
        begins = [r.at for r in daemon.find("acting", step="unload")]
        assert all(end <= begin for end, begin in zip(ends, begins[1:])), "two went at once"
        assert sorted(one.loaded()) == ["busy", "qwen3:8b"] and other.loaded() == ["kept"] and low.loaded() == []
        count = len(lines)
        wait.until(lambda: len(lines) > count, 5, "busy still streams")
    assert daemon.wait("would act", 5, container="watched", step="unload")["model"].startswith("big")
    assert watched.loaded() == ["big"]
    assert untouched(c, before)
    status = bench.supervisor("status")
    assert "host-pressure" in status.out and "short of memory" in " ".join(status.out.split()), status
    time.sleep(2 * BUSY)  # busy is idle now, and large at that: the next pass is a minute after the first
    assert len(asked(daemon)) == 3, daemon.text()


def test_busy_model_goes_last_and_its_request_ends_well(pressed):
    bench = pressed(UNLOAD | {"pressure.optimize_every": "1s"})
    one = bench.ollama("one", models="busy=100M,idle=100M")
    two = bench.ollama("two", models="kept=100M", labels={"supervisor.pin": "kept"})
    one.set(tokens_per_s=20)
    one.load("busy")
    one.load("idle")
    two.load("kept")
    before = lives([one, two])
    with one.streaming("busy", tokens=500) as lines:
        wait.until(lambda: lines, 10, "busy streams")
        daemon = bench.daemon(one, two)
        wait.until(lambda: ("one", "busy") in asked(daemon), BUSY + 15, lambda: f"busy is told to go\n{daemon.text()}")
        assert not json.loads(lines[-1])["done"], "it was not busy any more"
        assert asked(daemon) == [("one", "idle"), ("two", "kept"), ("one", "busy")], daemon.text()
        daemon.wait("remedy pending", 15, container="one", step="unload")
        wait.until(lambda: json.loads(lines[-1])["done"], 40, "the request ends")
        assert len(lines) == 501 and json.loads(lines[-1])["done_reason"] == "length", lines[-1]
        assert asked(daemon).count(("one", "busy")) == 1, "asked again and again"
    wait.until(lambda: one.loaded() == [] and not one.runners(), 10, lambda: f"busy goes: {one.loaded()}\n{daemon.text()}")
    assert untouched([one, two], before)


def test_model_that_does_not_go_gives_its_turn_to_the_next(pressed):
    bench = pressed(UNLOAD)
    one = bench.ollama("one", models="first=60M,second=60M")
    one.load("first")
    one.load("second")
    one.set(keep_answering=True)
    daemon = bench.daemon(one)
    wait.until(lambda: len(asked(daemon)) == 2, 45, lambda: f"two models are asked\n{daemon.text()}")
    assert sorted(asked(daemon)) == [("one", "first"), ("one", "second")]
    assert {r["step"] for r in daemon.find("acting")} == {"unload"} and one.stop_signals() == 0


@pytest.fixture
def crowd(pressed):
    """Who is large, who must not be stopped, who is too small; the kill switch's threshold is passed anyway."""
    bench = pressed(STOP)
    size = hundredth_of_host() + 100 * MIB
    c = {"large": bench.ollama("large", restart="always"),
         "small": bench.ollama("small"),
         "removed": bench.ollama("removed", auto_remove=True),
         "task": bench.ollama("task", labels={"com.docker.swarm.task.id": "x1"}),
         "watched": bench.ollama("watched", mode="observe")}
    for name, bytes_ in (("large", size), ("small", 60 * MIB), ("removed", size + 60 * MIB), ("task", size + 40 * MIB),
                         ("watched", size + 60 * MIB)):
        c[name].leak(bytes_)
    return bench, c


def test_kill_switch_stops_the_right_one_for_good(crowd):
    bench, c = crowd
    others = [one for name, one in c.items() if name != "large"]
    before = lives(others)
    daemon = bench.daemon(*c.values())
    moment = daemon.find("supervising")[0].at
    raised = daemon.wait("verdict raised", 15, container="large", remedy="stop")
    assert raised.at - moment >= KILL_HOLD - 0.6 and int(raised["relief"]) > hundredth_of_host()
    stopped = daemon.wait("CRITICAL ALERT", 15, container="large", step="stop")
    assert stopped["level"] == "critical" and "docker start large" in stopped["why"]
    assert exited(c["large"]) and c["large"].stop_signals() == 1
    for name, why in (("removed", "--rm"), ("task", "Swarm")):
        told = daemon.wait("verdict raised", 5, container=name, verdict="host-pressure")
        assert told["remedy"] == "none" and why in told["why"]
    daemon.wait("would act", 5, container="watched", step="stop")
    time.sleep(2 * KILL_HOLD)  # nobody starts it again, and nobody else is large enough
    assert exited(c["large"]) and c["large"].starts() == 1
    assert untouched(others, before)
    assert [row["step"] for row in intents.rows(bench.state)] == ["stop"]
    status = bench.supervisor("status")
    assert "`docker start large`" in " ".join(status.out.split()), status
    events = bench.supervisor("events")
    assert "stopped by the kill switch" in " ".join(events.out.split()), events
    daemon.end()
    successor = bench.daemon()
    successor.wait("verdict raised", 10, container="large", severity="critical")
    assert "`docker start large`" in " ".join(bench.supervisor("status").out.split())
    time.sleep(2)
    assert exited(c["large"]) and not successor.find("acting", container="large")
    c["large"].start()  # a person's deed
    successor.wait("verdict cleared", 10, container="large", verdict="host-pressure")
    assert "docker start large" not in bench.supervisor("status").out
    time.sleep(2 * KILL_HOLD)
    assert c["large"].running() and not successor.find("acting", container="large"), "it holds nothing now"


def test_kill_switch_waits_for_no_unload(pressed):
    bench = pressed(UNLOAD | STOP)
    one = bench.ollama("one", models=f"big={hundredth_of_host() // MIB + 100}M")
    one.load("big")
    one.set(keep_answering=True)  # each unload is watched in vain, for ten seconds
    daemon = bench.daemon(one)
    wanted = daemon.wait("verdict raised", 15, container="one", remedy="stop")
    begun = daemon.wait("acting", 5, container="one", step="stop")
    assert begun.at - wanted.at < 2.5, daemon.text()
    wait.until(lambda: exited(one), 10, "it stops")


def test_kill_switch_waits_for_no_answer_of_ollama(pressed):
    bench = pressed(STOP)
    one = bench.ollama("one")
    one.leak(hundredth_of_host() + 60 * MIB)
    daemon = bench.daemon(one)
    one.set(hang=True)
    daemon.wait("acting", KILL_HOLD + 4, container="one", step="stop")
    wait.until(lambda: exited(one), 10, "it stops")


def test_kill_switch_waits_for_a_persons_stop(pressed):
    bench = pressed(STOP)
    large = bench.ollama("large")
    leaving = bench.ollama("leaving", env={"SIMOLLAMA_STOP_DELAY_MS": 5000})
    large.leak(hundredth_of_host() + 60 * MIB)
    daemon = bench.daemon(large, leaving)
    with leaving.stopped_meanwhile():
        wait.until(lambda: leaving.stop_signals() == 1, 5, "it is told to stop")
        assert not daemon.find("acting"), "the stop came too late for this test"
        wait.until(lambda: exited(leaving), 15, "it is gone")
        gone = time.time()
    assert not daemon.find("acting"), daemon.text()
    daemon.wait("acting", KILL_HOLD + 6, container="large", step="stop")
    assert time.time() - gone >= KILL_HOLD - 1.2, "the hold began anew"
    wait.until(lambda: exited(large), 10, "it is too much still")


def test_kill_switch_waits_for_a_stop_from_before_the_daemon(pressed):
    """A person's, or an earlier daemon's: the engine's ring has it."""
    bench = pressed(STOP)
    large = bench.ollama("large")
    leaving = bench.ollama("leaving", env={"SIMOLLAMA_STOP_DELAY_MS": 8500})
    large.leak(hundredth_of_host() + 60 * MIB)
    with leaving.stopped_meanwhile():
        wait.until(lambda: leaving.stop_signals() == 1, 5, "it is told to stop")
        daemon = bench.daemon(large, leaving)
        wait.until(lambda: exited(leaving), 15, "it is gone")
    assert not daemon.find("acting"), daemon.text()
    daemon.wait("acting", KILL_HOLD + 6, container="large", step="stop")
    wait.until(lambda: exited(large), 10, "it is too much still")


def stopping(pressed, name):
    """A container that stops slowly, under a daemon that has begun to stop it."""
    bench = pressed(STOP)
    one = bench.ollama(name, env={"SIMOLLAMA_STOP_DELAY_MS": 3000})
    one.leak(hundredth_of_host() + 60 * MIB)
    daemon = bench.daemon(one)
    daemon.wait("acting", 15, container=name, step="stop")
    return bench, one, daemon


def test_daemon_killed_while_it_stops_one(pressed):
    bench, one, first = stopping(pressed, "slow")
    wait.until(lambda: one.stop_signals() == 1, 5, "it was told to stop")
    first.end(signal.SIGKILL)
    assert one.running(), "it was stopped before the daemon died"
    successor = bench.daemon(one)
    record = successor.wait("remedy taken up", 20, container="slow", step="stop")
    assert "docker start slow" in record["why"]
    assert exited(one)
    successor.wait("verdict raised", 10, container="slow", severity="critical")
    time.sleep(3)
    assert one.stop_signals() == 1 and one.starts() == 1 and exited(one), one.logs()
    assert [(row["step"], row["state"]) for row in intents.rows(bench.state)] == [("stop", intents.DONE)]


def test_restart_of_before_does_not_start_what_was_stopped(pressed):
    """An intent whose end could not be written stays open: its recovery finds a container that was stopped since."""
    bench, one, first = stopping(pressed, "stopped")
    first.wait("CRITICAL ALERT", 15, container="stopped", step="stop")
    first.end()
    with sqlite3.connect(f"{bench.state}/supervisor.db", timeout=5) as db:
        row = list(db.execute("SELECT * FROM intents").fetchone())
        names = [d[1] for d in db.execute("PRAGMA table_info(intents)")]
        db.execute("UPDATE intents SET id = id + 1")
        row[names.index("step")], row[names.index("verdict")], row[names.index("state")] = "restart", "idle-leak", intents.OPEN
        db.execute(f"INSERT INTO intents VALUES ({','.join('?' * len(row))})", row)
    db.close()
    successor = bench.daemon()
    record = successor.wait("remedy taken up", 30, container="stopped", step="restart")
    assert "kill switch" in record["why"]
    time.sleep(2)
    assert exited(one) and one.starts() == 1


def test_observed_containers_are_left_alone(pressed):
    bench = pressed(UNLOAD | STOP | {"pressure.action_flush": "1.4%"})
    one = bench.ollama("one", mode="observe", models="big=60M")
    two = bench.ollama("two", mode="observe")
    one.load("big")
    two.leak(hundredth_of_host() + 60 * MIB)
    before = lives([one, two])
    daemon = bench.daemon(one, two)
    for name, step in (("one", "flush"), ("two", "stop"), ("one", "unload")):
        daemon.wait("would act", 15, container=name, step=step)
    time.sleep(KILL_HOLD)
    assert one.loaded() == ["big"] and untouched([one, two], before) and not daemon.find("acting")
    assert intents.rows(bench.state) == []


def test_router_is_flushed_at_once(pressed):
    # Its own 99 % is for a machine that is really full; by itself it keeps one model and unloads at the start.
    bench = pressed(PASS | {"supervisor.preset": "router", "models.single": "off", "models.startup_unload": "off"})
    shown = bench.supervisor("config", "show")
    assert "action_flush = 99%  ; preset" in shown.out, shown
    c = [bench.ollama("one", models="first=60M,second=60M"), bench.ollama("two", models="third=60M")]
    for one, models in zip(c, (("first", "second"), ("third",))):
        for model in models:
            one.load(model)
    before = lives(c)
    daemon = bench.daemon(*c, pressure__action_flush="1.4%", pressure__action_optimize="99.9%")
    for one in c:
        assert "told to go" in daemon.wait("acting", 5, container=one.name, step="flush")["why"]
        wait.until(lambda one=one: one.loaded() == [], 3, lambda one=one: f"all go: {one.loaded()}\n{daemon.text()}")
    assert {r["step"] for r in daemon.find("acting")} == {"flush"} and untouched(c, before)


def test_thresholds_out_of_order_are_refused(pressed):
    bench = pressed({})
    for settings in ({"pressure__action_unload": "99.9%"}, {"pressure__action_kill_switch": "99.9%"}):
        done = bench.supervisor("config", "check", **settings)
        assert done.code == 2 and "must be below it" in done.err and len(done.err.splitlines()) == 1, done


# ---- between the commit and the request

def renewed(one):
    """A person restarts it: the new life holds next to nothing."""
    one.engine.api.raw("POST", f"/containers/{one.id}/restart", query={"t": 5})
    one.wait_until_it_answers()
    return one.started_at(), one.stop_signals()


def test_restarted_while_the_stop_is_written_down(pressed):
    """The verdict was about another life."""
    bench = pressed(STOP)
    one = bench.ollama("renewed")
    daemon = bench.daemon(one)
    stopper = faults.stop_at(daemon, "commit", "renewed", "stop", bench.directory)
    try:
        one.leak(hundredth_of_host() + 60 * MIB)
        stopper.wait(40, daemon.text)
        life = renewed(one)
        stopper.go()
    finally:
        stopper.close()
    dropped = daemon.wait("remedy dropped", 15, container="renewed")
    assert "somebody else restarted or stopped it meanwhile" in dropped["why"], daemon.text()
    assert one.running() and (one.started_at(), one.stop_signals()) == life, daemon.text()


def test_pressure_ends_before_the_last_look(engine, built):
    """Each inspect takes its time: that of the fresh look, after which the stop is written down, and the last one before the deed."""
    bench = FaultyBench(engine, QUICK | STOP, "relieved.enable")
    try:
        one = bench.ollama("relieved")
        daemon = bench.daemon(one)
        bench.proxy.rule("GET", f"{one.id}/json", proxy.PASS, delay=3.0)
        one.leak(hundredth_of_host() + 60 * MIB)
        daemon.wait("acting", 30, container="relieved", step="stop")
        bench.configure({"pressure.action_kill_switch": "99.9%"})
        daemon.send(signal.SIGHUP)
        daemon.wait("verdict cleared", 10, container="relieved", verdict="host-pressure")
        dropped = daemon.wait("remedy dropped", 10, container="relieved", step="stop")
        assert dropped["why"] == "the verdict has ended while the intent was written down", dropped
        time.sleep(3)
        assert one.running() and one.stop_signals() == 0, daemon.text()
    finally:
        bench.close()


def test_restarted_while_the_stop_is_on_its_way(engine, built):
    """After the last look nobody can tell: the new life is stopped. Then it is ours, and is told, by the successor too."""
    bench = FaultyBench(engine, QUICK | STOP, "underway.enable")
    try:
        one = bench.ollama("underway")
        daemon = bench.daemon(one)
        bench.proxy.rule("POST", f"{one.id}/stop", proxy.PASS, delay=4.0)
        one.leak(hundredth_of_host() + 60 * MIB)
        daemon.wait("acting", 20, container="underway", step="stop")
        time.sleep(0.5)
        life = renewed(one)[0]
        wait.until(lambda: exited(one), 20, daemon.text)
        assert one.started_at() == life
        daemon.wait("CRITICAL ALERT", 15, container="underway")
        assert "docker start underway" in " ".join(bench.supervisor("status").out.split())
        daemon.end(signal.SIGKILL)
        successor = bench.daemon(one)
        raised = successor.wait("verdict raised", 15, container="underway", verdict="host-pressure")
        assert "the kill switch stopped it" in raised["why"], raised
        assert exited(one) and one.stop_signals() == 2
    finally:
        bench.close()
