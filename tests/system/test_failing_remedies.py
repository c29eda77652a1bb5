"""Remedies that go wrong half-way: what is left is a state that is told and ends, never silence, never for ever; and a
person's word is the last."""

import contextlib
import os
import signal
import sqlite3
import threading
import time

import pytest

import faults
import intents
import wait
from bench import QUICK, in_time, outlive_grace
from sizes import MIB

LEAK = 120 * MIB
SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M"}


def settled(bench, daemon, timeout=40):
    """No intent is left open."""
    wait.until(lambda: intents.rows(bench.state) and all(r["state"] != intents.OPEN for r in intents.rows(bench.state)),
               timeout, lambda: f"{intents.rows(bench.state)}\n{daemon.text()}")


def leaks_without_source(bench, tmp_path, name, **options):
    """It will not start again: its bind source goes once it leaks. The container, its daemon, the source."""
    source = tmp_path / "models"
    source.mkdir()
    one = bench.ollama(name, binds=[f"{source}:/models"], **options)
    daemon = bench.daemon(one)
    outlive_grace()
    one.leak(LEAK)
    faults.take_source(source)
    return one, daemon, source


def test_container_that_does_not_start_again(bench, tmp_path):
    """Its bind source is gone: three tries, each written down and counted, then a verdict that stands until it runs."""
    one, daemon, source = leaks_without_source(bench, tmp_path, "bound")
    ended = daemon.wait("not healed", in_time() + 45, container="bound", step="restart")
    assert "does not start it again" in ended["why"] and "docker start bound" in ended["why"], daemon.text("bound")
    assert str(source) in ended["why"], "the engine's own words"
    raised = daemon.wait("verdict raised", 5, container="bound", verdict="stopped-by-us")
    assert raised["severity"] == "critical" and raised["tries"] == "3" and str(source) in raised["why"], raised
    assert len(daemon.find("not started", container="bound")) == 2, daemon.text("bound")
    rows = intents.rows(bench.state, "restart")
    assert [r["verdict"] for r in rows] == ["idle-leak", "start", "start", "start"], rows
    assert all(r["state"] == intents.FAILED for r in rows), rows
    assert one.stop_signals() == 1
    asked = len(daemon.find("not started")) + len(daemon.find("acting"))
    status = bench.supervisor("status").out
    assert "stopped-by-us" in status and str(source)[:20] in status, status
    time.sleep(12)  # a fourth try, of whatever back-off, would come now
    assert len(daemon.find("not started")) + len(daemon.find("acting")) == asked and not one.running(), daemon.text()
    assert len(intents.rows(bench.state)) == 4

    daemon.end(signal.SIGKILL)
    successor = bench.daemon(one)
    raised = successor.wait("verdict raised", 5, container="bound", verdict="stopped-by-us")
    assert str(source) in raised["why"], raised
    os.unlink(source)
    source.mkdir()
    one.start()
    successor.wait("verdict cleared", 5, container="bound", verdict="stopped-by-us")
    assert not successor.find("acting"), successor.text()


def test_start_that_comes_late(bench, tmp_path):
    """What kept it from starting is mended meanwhile: the next try takes it."""
    one, daemon, source = leaks_without_source(bench, tmp_path, "late")
    daemon.wait("not started", in_time() + 30, container="late")
    faults.give_source(source)
    daemon.wait("healed", 30, container="late", step="restart")
    assert one.running() and one.stop_signals() == 1 and one.held() < 100 * MIB
    settled(bench, daemon)
    assert not daemon.find("verdict raised", verdict="stopped-by-us")


def test_successor_counts_the_tries_of_the_one_before(bench, tmp_path):
    source = tmp_path / "models"
    source.mkdir()
    one = bench.ollama("handed", binds=[f"{source}:/models"])
    daemon = bench.daemon(one, remedy__backoff="3s")
    outlive_grace()
    one.leak(LEAK)
    faults.take_source(source)
    daemon.wait("not started", in_time() + 30, container="handed")
    daemon.end(signal.SIGKILL)
    successor = bench.daemon(one)
    successor.wait("verdict raised", 45, container="handed", verdict="stopped-by-us")
    settled(bench, successor)
    starts = [r for r in intents.rows(bench.state, "restart") if r["verdict"] == "start"]
    assert len(starts) == 3 and all(r["state"] == intents.FAILED for r in starts), starts
    assert one.stop_signals() == 1
    # kept by `create`, which made another one in its place: it is meant to stand still
    one.engine.api.call("POST", f"/containers/{one.id}/rename", query={"name": "handed-kept-by-supervisor"})
    successor.wait("verdict cleared", 10, verdict="stopped-by-us")


def test_person_stops_it_after_the_restart_that_nobody_saw_end(bench):
    """kill -9 in the middle of a restart, which the engine carries out; then a person stops the new life."""
    one = bench.ollama("stopped-since", env={"SIMOLLAMA_STOP_DELAY_MS": 1500})
    daemon = bench.daemon(one)
    outlive_grace()
    started = one.started_at()
    one.leak(LEAK)
    daemon.wait("acting", in_time() + 5, container="stopped-since")
    time.sleep(0.3)
    daemon.end(signal.SIGKILL)
    wait.until(lambda: one.started_at() != started, 20, "the engine restarts it")
    one.engine.api.raw("POST", f"/containers/{one.id}/stop", query={"t": 5})
    again = one.started_at()
    successor = bench.daemon(one)
    settled(bench, successor)
    time.sleep(3)
    assert not one.running() and one.started_at() == again, successor.text()
    assert not successor.find("verdict raised", verdict="stopped-by-us"), "a person's stop is no fault"


def test_person_stops_it_while_it_is_restarted(bench):
    """The engine's restart would run over that stop: it is the last word all the same."""
    one = bench.ollama("unwanted", env={"SIMOLLAMA_STOP_DELAY_MS": 2500})
    other = bench.ollama("wanted", env={"SIMOLLAMA_STOP_DELAY_MS": 2500})
    daemon = bench.daemon(one, other)
    outlive_grace()
    for each in (one, other):
        each.leak(LEAK)
    people = []
    for each, path in ((one, "stop"), (other, "restart")):
        daemon.wait("acting", in_time() + 10, container=each.name)
        time.sleep(0.5)
        people.append(threading.Thread(target=each.engine.api.raw, args=("POST", f"/containers/{each.id}/{path}"),
                                       kwargs={"query": {"t": 10}}))
        people[-1].start()
    for person in people:
        person.join(30)
    settled(bench, daemon)
    wait.until(lambda: not one.running(), 20, lambda: f"the person's stop\n{daemon.text('unwanted')}")
    time.sleep(3)
    assert not one.running(), daemon.text("unwanted")
    assert other.running(), f"a person's restart is no stop\n{daemon.text('wanted')}"


def test_restart_recorded_in_the_future(bench):
    """Two hours ahead, of another boot: it counts as just now, not as a wait of two hours."""
    one = bench.ollama("ahead")
    daemon = bench.daemon(one)
    outlive_grace()
    one.leak(LEAK)
    daemon.wait("healed", in_time() + 20, container="ahead")
    daemon.end()
    with sqlite3.connect(f"{bench.state}/supervisor.db") as db:
        db.execute("UPDATE intents SET begun_wall_ms = begun_wall_ms + 7200000, boot_id = 'of another boot'")
    daemon = bench.daemon(one)
    outlive_grace()
    one.leak(LEAK)
    daemon.wait("healed", in_time() + 25, container="ahead")


# ---- an intent that nobody has followed for long, and a container that is only observed

def left_open(bench, name):
    """A container whose restart was committed and not sent: the daemon has died in between."""
    one = bench.ollama(name)
    daemon = bench.daemon(one)
    outlive_grace()
    stopper = faults.stop_at(daemon, "deed", name, "restart", bench.directory)
    try:
        one.leak(LEAK)
        stopper.wait(40, daemon.text)
        stopper.kill()
    finally:
        stopper.close()
    assert [r["state"] for r in intents.rows(bench.state)] == [intents.OPEN]
    return one


def overrun_ring(bench):
    """So many events that the engine has forgotten what was before them."""
    noise = bench.ollama("noise")
    for number in range(140):
        noise.engine.api.raw("POST", f"/containers/{noise.id}/rename", query={"name": f"noise{number}"})
        noise.engine.api.raw("POST", f"/containers/{noise.id}/kill", query={"signal": "WINCH"})


@pytest.mark.parametrize("mode", ["auto", "observe"])
def test_person_has_stopped_it_long_after_an_intent_that_was_left_open(bench, mode):
    one = left_open(bench, "stale")
    one.engine.api.raw("POST", f"/containers/{one.id}/stop", query={"t": 5})
    overrun_ring(bench)
    with contextlib.closing(sqlite3.connect(f"{bench.state}/supervisor.db")) as db, db:
        db.execute("UPDATE intents SET begun_wall_ms = begun_wall_ms - 36000000, begun_boottime_s = begun_boottime_s - 36000")
    successor = bench.daemon(supervisor__mode=mode)
    settled(bench, successor)
    time.sleep(2)
    assert not one.running(), successor.text()
    told = successor.find("remedy taken up", container="stale") + successor.find("remedy dropped", container="stale")
    assert any("docker start stale" in r["why"] for r in told), successor.text()
    assert "stopped-by-us" not in bench.supervisor("status").out


def half_way(bench, tmp_path, name):
    """We have stopped it, the engine could not start it again, and the daemon died meanwhile. It can be started now."""
    one, daemon, source = leaks_without_source(bench, tmp_path, name, env={"SIMOLLAMA_STOP_DELAY_MS": 1500})
    daemon.wait("acting", in_time() + 15, container=name)
    time.sleep(0.5)
    daemon.end(signal.SIGKILL)
    wait.until(lambda: one.inspect()["State"]["Status"] == "exited" and one.inspect()["State"]["Error"], 20, "it is left stopped")
    faults.give_source(source)
    return one


def test_successor_starts_what_the_engine_could_not(bench, tmp_path):
    one = half_way(bench, tmp_path, "lost")
    successor = bench.daemon()
    wait.until(one.running, 40, successor.text)
    settled(bench, successor)
    assert one.stop_signals() == 1


def test_successor_that_only_observes_starts_nothing(bench, tmp_path):
    one = half_way(bench, tmp_path, "observed")
    for _ in range(2):  # the second one knows it from the database
        successor = bench.daemon(supervisor__mode="observe")
        raised = successor.wait("verdict raised", 40, container="observed", verdict="stopped-by-us")
        assert "docker start observed" in raised["why"], raised
        settled(bench, successor)
        time.sleep(2)
        assert not one.running() and one.stop_signals() == 1, successor.text()
        successor.end(signal.SIGKILL)
    assert "docker start observed" in bench.daemons[-2].find("not healed", container="observed")[0]["why"]


def test_left_stopped_is_known_under_another_name(bench, tmp_path):
    one, daemon, _ = leaks_without_source(bench, tmp_path, "bound")
    daemon.wait("verdict raised", in_time() + 50, container="bound", verdict="stopped-by-us")
    one.engine.api.call("POST", f"/containers/{one.id}/rename", query={"name": "unbound"})
    daemon.end()
    successor = bench.daemon()
    successor.wait("verdict raised", 10, container="unbound", verdict="stopped-by-us")
