"""The daemon dies, is told to end, or cannot write: never two restarts for one leak, never none."""

import os
import random
import signal
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor

import pytest

import intents
import wait
from bench import QUICK, Bench, outlive_grace
from faults import fill, tiny_disk
from sizes import MIB

TRIALS, AT_ONCE = 20, 5
STOPPING_MS = 1000  # the stand-in takes so long to stop: the answer of the restart comes after that
SETTINGS = QUICK | {"leak.hold": "2s", "leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M",
                    "remedy.stop_grace": "3s"}
LEAK = 160 * MIB
SUCCESSOR = 30  # hold, stop grace + 10 s of looking for what became of the lost answer, and a margin


def leaking(bench, name):
    """A container that stops slowly, with a leak, and its StartedAt."""
    one = bench.ollama(name, env={"SIMOLLAMA_STOP_DELAY_MS": STOPPING_MS})
    outlive_grace()
    one.leak(LEAK)
    return one, one.started_at()


def healed_once(bench, one, started, daemon):
    wait.until(lambda: one.started_at() != started, SUCCESSOR, lambda: f"{one.name} restarted\n{daemon.text()}", every=0.2)
    one.wait_until_it_answers()
    wait.until(lambda: all(r["state"] != intents.OPEN for r in intents.rows(bench.state)), SUCCESSOR,
               lambda: f"no intent is left open: {intents.rows(bench.state)}\n{daemon.text()}", every=0.2)
    time.sleep(3)  # a second restart would come now
    assert one.starts() == 2, f"{one.name}: {[e['Action'] for e in one.engine.events.of(one.id)]}\n{daemon.text()}"
    assert one.stop_signals() == 1, f"{one.logs()}\n{daemon.text()}"
    assert one.held() < 100 * MIB


def crash(engine, number, moment):
    """One leak, one kill -9 `moment` seconds after the decision, one successor."""
    bench = Bench(engine, SETTINGS, label=f"trial{number}.enable")
    try:
        one, started = leaking(bench, f"trial-{number}")
        first = bench.daemon(one)
        first.wait("verdict raised", 15, container=one.name, verdict="idle-leak")
        time.sleep(moment)
        first.end(signal.SIGKILL)
        healed_once(bench, one, started, bench.daemon(one))
    finally:
        bench.close()


@pytest.mark.slow
def test_kill_between_decision_and_answer(engine, built):
    seed = int(os.environ.get("SUPERVISOR_SEED", time.time()))
    print(f"SUPERVISOR_SEED={seed}")
    source = random.Random(seed)
    moments = [source.uniform(0, STOPPING_MS / 1000 + 0.6) for _ in range(TRIALS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            trials = [pool.submit(crash, engine, n, moment) for n, moment in enumerate(moments)]
            futures.wait(trials)
        except BaseException:
            wait.given_up.set()
            pool.shutdown(cancel_futures=True)
            raise
    failed = {f"{moments[n]:.3f} s": trial.exception() for n, trial in enumerate(trials) if trial.exception()}
    assert not failed, "\n".join(f"killed {m} after the decision: {e}" for m, e in failed.items())


def test_told_to_end_in_the_middle_of_a_restart(engine, built):
    bench = Bench(engine, SETTINGS, label="term.enable")
    try:
        one, started = leaking(bench, "term")
        first = bench.daemon(one)
        first.wait("acting", 15, container="term")
        time.sleep(0.3)
        code, took = first.end(signal.SIGTERM)
        assert code == 0 and took < 1.0, f"exit {code} after {took:.2f} s\n{first.text()}"
        assert first.find("stopped")
        healed_once(bench, one, started, bench.daemon(one))
    finally:
        bench.close()


def test_ends_within_a_second(bench):
    one = bench.ollama("calm")
    for number in (signal.SIGTERM, signal.SIGINT):
        daemon = bench.daemon(one)
        code, took = daemon.end(number)
        assert code == 0 and took < 1.0, f"exit {code} after {took:.2f} s"
        assert daemon.find("stopped")
    one.set(hang=True)
    daemon = bench.daemon(one)
    time.sleep(2)  # a poll is under way and gets no answer
    code, took = daemon.end()
    assert code == 0 and took < 1.0, f"exit {code} after {took:.2f} s with a hung Ollama"


def test_second_daemon_is_refused(bench):
    first = bench.daemon()
    second = bench.supervisor("run", timeout=10)
    assert second.code == 1, second
    assert str(first.process.pid) in second.err and str(bench.state) in second.err, second
    assert len(second.err.splitlines()) == 1, second
    assert first.alive()
    first.end(signal.SIGKILL)
    bench.daemon()  # the lock went with its holder


def test_disk_full_at_the_decision(engine, built):
    bench = Bench(engine, SETTINGS, label="full.enable")
    try:
        with tiny_disk(bench.directory / "tiny") as disk:
            bench.state = disk / "state"
            one = bench.ollama("full")
            daemon = bench.daemon(one)
            outlive_grace()
            fill(disk)
            started = one.started_at()
            one.leak(LEAK)
            daemon.wait("verdict raised", 15, container="full", verdict="idle-leak")
            daemon.wait("healed", 15, container="full")  # the row had room set aside
            assert one.started_at() != started and one.starts() == 2
            assert len(intents.rows(bench.state, "restart")) == 1, "a restart without its record"
            daemon.end()
    finally:
        bench.close()


def test_what_cannot_be_written_down_is_not_done(engine, built):
    bench = Bench(engine, SETTINGS, label="busy.enable")
    try:
        one = bench.ollama("unwritten")
        daemon = bench.daemon(one)
        outlive_grace()
        started = one.started_at()
        with intents.database_busy(bench.state):
            one.leak(LEAK)
            daemon.wait("verdict raised", 15, container="unwritten", verdict="idle-leak")
            wait.until(lambda: [r for r in daemon.records if r["level"] == "critical"], 10,
                       lambda: f"a critical line\n{daemon.text()}")
            time.sleep(3)
            assert one.started_at() == started and one.stop_signals() == 0, "acted without a record"
            assert daemon.alive()
            criticals = [r for r in daemon.records if r["level"] == "critical"]
            assert len(criticals) == 1, "said more than once"
        daemon.wait("healed", 20, container="unwritten")
        assert one.started_at() != started and len(intents.rows(bench.state, "restart")) == 1
    finally:
        bench.close()
