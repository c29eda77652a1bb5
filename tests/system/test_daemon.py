"""The daemon's manners: reloading its configuration, counting its restarts, holding and letting go."""

import signal
import time

import pytest

import faults
from bench import QUICK, Bench, in_time, outlive_grace
from sizes import MIB

LEAK = 160 * MIB
SMALL = {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M", "leak.hold": "1s"}


def test_configuration_is_reloaded_and_a_bad_one_refused(bench):
    one = bench.ollama("reloaded")
    bench.settings |= {"leak.threshold": "8G", "leak.threshold_percent": "0", "leak.baseline": "64M"}
    daemon = bench.daemon(one)
    outlive_grace()
    one.leak(300 * MIB)
    time.sleep(in_time())
    assert not daemon.find("verdict raised", verdict="idle-leak")
    bench.configure({"leak.threshold": "28x"})
    daemon.send(signal.SIGHUP)
    refused = daemon.wait("configuration refused", 2)
    assert "28x" in refused["why"] and refused["level"] == "error"
    assert daemon.alive() and not daemon.find("configuration reloaded")
    bench.configure({"leak.threshold": "128M"})
    daemon.send(signal.SIGHUP)
    daemon.wait("configuration reloaded", 2)
    daemon.wait("verdict raised", in_time(), container="reloaded", verdict="idle-leak")
    daemon.wait("healed", 15, container="reloaded")
    bench.configure({"supervisor.log_level": "critical"})
    daemon.send(signal.SIGHUP)
    assert daemon.end()[0] == 0 and not daemon.find("stopping"), daemon.text()


def test_no_deed_where_the_mode_became_observe_meanwhile(bench):
    """The verdict stands as it stood; who may act does not."""
    one = bench.ollama("let-be")
    bench.settings |= SMALL
    daemon = bench.daemon(one)
    outlive_grace()
    stopper = faults.stop_at(daemon, "fresh", one.name, "restart", bench.directory)
    try:
        one.leak(LEAK)
        stopper.wait(30, daemon.text)
        bench.configure({"supervisor.mode": "observe"})
        daemon.send(signal.SIGHUP)
        stopper.go()
    finally:
        stopper.close()
    daemon.wait("configuration reloaded", 10)
    daemon.wait("remedy dropped", 30, container=one.name)
    assert one.stop_signals() == 0 and one.starts() == 1 and not daemon.find("healed"), daemon.text()


def leak_and_heal(daemon, one):
    """One round; gives the line of its action."""
    one.wait_until_it_answers()
    leaked = one.leak(LEAK)
    acting = daemon.wait("acting", 60, after=leaked, container=one.name)
    daemon.wait("healed", 15, after=leaked, container=one.name)
    return acting


@pytest.mark.slow
def test_restart_budget_hold_and_release(engine, built):
    bench = Bench(engine, QUICK | SMALL | {"remedy.backoff_cap": "1s"})
    try:
        one = bench.ollama("worn-out")
        daemon = bench.daemon(one)
        attempts = [leak_and_heal(daemon, one) for _ in range(3)]
        assert [int(a["attempt"]) for a in attempts] == [1, 2, 3]

        one.wait_until_it_answers()
        started = one.started_at()
        leaked = one.leak(LEAK)
        alert = daemon.wait("CRITICAL ALERT", 20, after=leaked, container="worn-out")
        assert alert["level"] == "critical"
        stays(daemon, one, started, leaked)
        status = bench.supervisor("status")
        assert status.code == 0 and "HOLD" in status.out, status

        daemon.end(signal.SIGKILL)  # a new daemon knows
        daemon = bench.daemon(one)
        daemon.wait("verdict raised", 20, container="worn-out", verdict="idle-leak")
        stays(daemon, one, started, 0)

        one.remove()  # and so it does of a container recreated under its name
        one = bench.ollama("worn-out")
        outlive_grace()
        started, leaked = one.started_at(), one.leak(LEAK)
        daemon.wait("verdict raised", 20, after=leaked, container="worn-out", verdict="idle-leak")
        stays(daemon, one, started, leaked)

        released = bench.supervisor("release", "worn-out")
        assert released.code == 0, released
        daemon.wait("healed", 20, after=leaked, container="worn-out")
        assert one.started_at() != started
    finally:
        bench.close()


def stays(daemon, one, started, after):
    """Held: nothing is done to it."""
    time.sleep(3)
    assert not daemon.find("acting", after=after, container=one.name), daemon.text()
    assert one.started_at() == started and one.running()


@pytest.mark.slow
def test_back_off_doubles(engine, built):
    first = 6.0
    bench = Bench(engine, QUICK | SMALL | {"remedy.backoff": f"{first:g}s"})
    try:
        one = bench.ollama("patient")
        daemon = bench.daemon(one)
        moments = [leak_and_heal(daemon, one).at for _ in range(3)]
        gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
        assert gaps[0] >= 0.85 * first, gaps
        assert gaps[1] >= 0.85 * 2 * first, gaps
        assert gaps[1] <= 1.15 * 2 * first + in_time(1) + 3, gaps
    finally:
        bench.close()


def test_remedy_is_dropped_when_the_reason_is_gone(bench):
    """In the pause of the back-off the leak ends by another's hand: no restart any more."""
    bench.settings |= SMALL | {"remedy.backoff": "8s"}
    one = bench.ollama("relieved")
    daemon = bench.daemon(one)
    leak_and_heal(daemon, one)
    one.wait_until_it_answers()
    leaked = one.leak(LEAK)
    daemon.wait("verdict raised", 15, after=leaked, container="relieved", verdict="idle-leak")
    one.engine.api.raw("POST", f"/containers/{one.id}/restart", query={"t": 5})  # a person is faster
    one.wait_until_it_answers()
    started = one.started_at()
    daemon.wait("verdict cleared", 5, after=leaked, container="relieved", verdict="idle-leak")
    time.sleep(9)
    assert one.started_at() == started, daemon.text()
    assert one.stop_signals() == 2  # the remedy's and the person's
