"""What the daemon stands on goes and comes back: it says so once, keeps running, takes up again in 2 s."""

import os
import pathlib
import time

import pytest

import intents
import wait
from bench import HOLD, Bench, in_time, outlive_grace
from engine import Engine, wait_for_ping
from sizes import MIB

LOW = {"supervisor.leak.threshold": "128M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "64M"}
BACK = 2.0


@pytest.fixture(scope="module")
def own_engine(built):
    """One that may be stopped without harm to other tests."""
    one = Engine()
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def own_bench(own_engine):
    one = Bench(own_engine)
    try:
        yield one
    finally:
        one.close()


def heals(daemon, one):
    """Supervision works, proved by a leak."""
    one.wait_until_it_answers()
    outlive_grace()
    leaked = one.leak(300 * MIB)
    record = daemon.wait("verdict raised", in_time() + 5, after=leaked, container=one.name, verdict="idle-leak")
    assert record.at - leaked <= in_time()
    daemon.wait("healed", 15, after=leaked, container=one.name)


def test_engine_stops_and_starts(own_bench):
    engine, one = own_bench.engine, own_bench.ollama("survivor", labels=LOW, restart="always")
    daemon = own_bench.daemon(one)
    engine.stop()
    daemon.wait("engine lost", BACK)
    time.sleep(3)
    assert daemon.alive() and len(daemon.find("engine lost")) == 1, "said more than once"
    assert not daemon.find("engine back")
    engine.start()
    up = time.monotonic()
    daemon.wait("engine back", BACK + 1)
    assert daemon.find("engine back")[0].at - up <= BACK
    heals(daemon, one)
    assert len(daemon.find("engine back")) == 1


def test_a_stop_before_the_engine_went_is_of_the_earlier_life(own_bench):
    """Its next start was not seen, and a signal counts for the stop grace and 10 s: it was no signal to this life."""
    engine, one = own_bench.engine, own_bench.ollama("risen", labels=LOW, restart="always")
    daemon = own_bench.daemon(one, remedy__stop_grace="60s")
    before = one.stop_signals()
    engine.api.call("POST", f"/containers/{one.id}/stop")
    assert one.stop_signals() == before + 1
    engine.kill()
    engine.start()
    daemon.wait("engine back", 10)
    daemon.wait("container started", 5, container="risen")
    heals(daemon, one)
    assert not daemon.find("remedy dropped", container="risen")


def test_socket_vanishes(own_bench):
    one = own_bench.ollama("cut-off", labels=LOW)
    daemon = own_bench.daemon(one)
    outlive_grace()
    path = pathlib.Path(own_bench.engine.socket)
    hidden = path.with_suffix(".hidden")
    one.leak(300 * MIB)
    started = one.started_at()
    path.rename(hidden)
    try:
        daemon.wait("engine lost", in_time() + 3)
        wait.never(lambda: not daemon.alive(), 3, "the daemon ended")
        assert len(daemon.find("engine lost")) == 1, daemon.text()
    finally:
        hidden.rename(path)
    back = time.monotonic()
    daemon.wait("engine back", BACK + 1)
    assert daemon.find("engine back")[0].at - back <= BACK
    daemon.wait("healed", 15 + in_time(), after=back, container="cut-off")
    assert one.started_at() != started and one.stop_signals() == 1


def test_ollama_hangs(own_bench):
    one = own_bench.ollama("hanging", labels=LOW)
    daemon = own_bench.daemon(one)
    outlive_grace()
    one.leak(300 * MIB)
    one.set(hang=True)
    started = one.started_at()
    daemon.wait("ollama unreachable", 20, container="hanging")
    time.sleep(HOLD + 4)
    assert len(daemon.find("ollama unreachable", container="hanging")) == 1
    assert not daemon.find("acting"), "acted although Ollama's answer is unknown"
    one.set(hang=False)
    back = time.monotonic()
    daemon.wait("ollama answers again", BACK + 1, container="hanging")
    assert daemon.find("ollama answers again")[0].at - back <= BACK
    daemon.wait("healed", in_time() + 10, container="hanging")
    assert one.started_at() != started and one.stop_signals() == 1


def test_ollama_refuses_and_is_slow(own_bench):
    refusing, slow = own_bench.ollama("refusing", labels=LOW), own_bench.ollama("slow", labels=LOW)
    daemon = own_bench.daemon(refusing, slow)
    refusing.set(refuse=True)
    slow.set(slow_ms=3000)
    daemon.wait("ollama unreachable", 10, container="refusing")
    time.sleep(4)
    assert len(daemon.find("ollama unreachable", container="refusing")) == 1
    assert not daemon.find("ollama unreachable", container="slow"), "slow is not unreachable"
    refusing.set(refuse=False)
    back = time.monotonic()
    daemon.wait("ollama answers again", BACK + 1, container="refusing")
    assert daemon.find("ollama answers again")[0].at - back <= BACK
    slow.set(slow_ms=0)
    heals(daemon, slow)


def test_engine_comes_later_than_the_daemon(own_bench):
    """The daemon starts before its engine (a machine that boots) and waits for it."""
    engine, one = own_bench.engine, own_bench.ollama("early", labels=LOW, restart="always")
    engine.stop()
    daemon = own_bench.daemon()
    daemon.wait("engine lost", 3)
    engine.start()
    wait_for_ping(engine)
    daemon.wait("supervising", BACK + 1, container="early")
    heals(daemon, one)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--live-restore"], []], ids=["live-restore", "all-end"])
def test_engine_ends_in_the_middle_of_a_restart(built, options):
    """Its answer is lost, and half of the work is done. What is left is followed to its end, and nothing is done twice."""
    engine = Engine(options=options)
    bench = None
    try:
        bench = Bench(engine.start())
        one = bench.ollama("half-way", labels=LOW, restart="always", env={"SIMOLLAMA_STOP_DELAY_MS": 2000})
        daemon = bench.daemon(one)
        outlive_grace()
        started = one.started_at()
        one.leak(300 * MIB)
        daemon.wait("acting", in_time() + 5, container="half-way", step="restart")
        time.sleep(0.5)
        engine.leave()
        daemon.wait("engine lost", BACK)
        time.sleep(4)
        engine.start()
        daemon.wait("engine back", BACK + 1)
        wait.until(lambda: one.started_at() != started and one.running(), 40, lambda: f"it runs again\n{daemon.text()}")
        wait.until(lambda: [r["state"] for r in intents.rows(bench.state)] == [intents.DONE], 30,
                   lambda: f"{intents.rows(bench.state)}\n{daemon.text()}")
        one.wait_until_it_answers()
        again = one.started_at()
        time.sleep(in_time() + 3)
        assert one.started_at() == again and len(daemon.find("acting")) == 1, daemon.text()
        if options:  # else the engine tells it to stop too, when it ends and, if it runs by then, when it begins
            assert one.stop_signals() == 1, f"{one.logs()}\n{daemon.text()}"
        assert one.held() < 100 * MIB
    finally:
        if bench:
            bench.close()
        engine.close()


def test_process_files_stay_few(own_bench):
    """Open files do not grow while things come, go and break."""
    one = own_bench.ollama("steady", labels=LOW)
    daemon = own_bench.daemon(one)
    time.sleep(3)
    count = lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    before = count()
    for _ in range(3):
        one.set(hang=True)
        time.sleep(1.5)
        one.set(hang=False)
        brief = own_bench.ollama("brief")
        brief.remove()
    time.sleep(12)
    assert count() <= before + 2
