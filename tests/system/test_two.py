"""Two who would heal the same container: supervisors that know nothing of each other (each with a state directory, and so
with locks, of its own), or a supervisor and a person. One cause, one restart, one signal."""

import os
import pathlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import faults
import intents
import wait
from bench import QUICK, in_time, outlive_grace
from sizes import MIB

LEAK, STOPPING_MS = 120 * MIB, 1500  # so long inspect shows the old life, and a second request would send a second signal
SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M"}
AT_ONCE = 0.3  # between our last look and our request lie some milliseconds, more on a machine that is busy
SLOWLY = {"SIMOLLAMA_STOP_DELAY_MS": STOPPING_MS}


def once(one, started, *daemons):
    """One restart by one signal, and the leak gone."""
    said = "\n".join(d.text(one.name) for d in daemons)
    assert one.started_at() != started, said
    assert one.stop_signals() == 1 and one.starts() == 2, f"{one.name}: {one.stop_signals()} signals, {one.starts()} starts\n{said}"
    assert one.held() < 64 * MIB


def test_daemons_with_states_of_their_own(bench):
    ones = [bench.ollama(f"shared-{i}", env=SLOWLY) for i in range(6)]
    first = bench.daemon(*ones)
    second = bench.daemon(*ones, state=bench.directory / "another")
    outlive_grace()
    started = {one.name: one.started_at() for one in ones}
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: one.leak(LEAK), ones))
    for one in ones:
        wait.until(lambda: one.started_at() != started[one.name], in_time() + 15, lambda: first.text() + second.text())
    time.sleep(in_time() + 2)  # a second restart would come now
    for one in ones:
        once(one, started[one.name], first, second)
    done = [r for state in (bench.state, bench.directory / "another") for r in intents.rows(state, "restart")
            if r["state"] == intents.DONE]
    assert sorted(r["container"] for r in done) == sorted(one.id for one in ones), "one of the two did it, and knows it"


def test_other_one_is_faster_while_the_intent_is_written_down(bench):
    """The fresh look was good; then it took its time, and somebody restarted it meanwhile."""
    one = bench.ollama("overtaken")
    daemon = bench.daemon(one)
    outlive_grace()
    started = one.started_at()
    stopper = faults.stop_at(daemon, "commit", one.name, "restart", bench.directory)
    try:
        one.leak(LEAK)
        stopper.wait(30, daemon.text)
        one.engine.api.raw("POST", f"/containers/{one.id}/restart", query={"t": 5})
        by_hand = one.started_at()
        stopper.go()
    finally:
        stopper.close()
    assert by_hand != started
    time.sleep(in_time() + 4)
    assert one.started_at() == by_hand, daemon.text()
    once(one, started, daemon)
    assert [row["state"] for row in intents.rows(bench.state)] == [intents.DROPPED], intents.rows(bench.state)


def test_other_one_has_begun_while_the_intent_is_written_down(bench):
    """The same, while it still stops: inspect shows the old life."""
    one = bench.ollama("stopping", env={"SIMOLLAMA_STOP_DELAY_MS": 4000})
    daemon = bench.daemon(one)
    outlive_grace()
    started = one.started_at()
    with intents.database_busy(bench.state):
        one.leak(LEAK)
        daemon.wait("verdict raised", in_time() + 5, container="stopping", verdict="idle-leak")
        time.sleep(0.3)
        person = threading.Thread(target=one.engine.api.raw, args=("POST", f"/containers/{one.id}/restart"),
                                  kwargs={"query": {"t": 10}})
        person.start()
        time.sleep(0.5)
    assert one.started_at() == started, "it stops no longer"
    person.join(30)
    one.wait_until_it_answers()
    time.sleep(in_time() + 4)
    once(one, started, daemon)


def test_person_is_a_moment_faster(bench):
    ones = [bench.ollama(f"mine-{i}", env=SLOWLY) for i in range(8)]
    daemon = bench.daemon(*ones)
    outlive_grace()
    started = {one.name: one.started_at() for one in ones}
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: one.leak(LEAK), ones))
    since, told = time.monotonic(), {}

    def by_hand(number):
        one = ones[number]
        time.sleep(max(0.0, since + 2.0 + 0.25 * number - time.monotonic()))  # before, at and after the end of the hold
        told[one.name] = time.monotonic()
        one.engine.api.raw("POST", f"/containers/{one.id}/restart", query={"t": 10})
    with ThreadPoolExecutor(len(ones)) as pool:
        list(pool.map(by_hand, range(len(ones))))
    time.sleep(in_time() + 2)
    for one in ones:
        acting = daemon.find("acting", container=one.name)
        if acting and acting[0].at < told[one.name] + AT_ONCE:
            continue  # the person was the second one, or neither: the engine knows no "restart it if nobody has"
        once(one, started[one.name], daemon)


def test_state_directory_is_moved_and_another_daemon_takes_its_place(bench):
    """They would have one database: the first one has no lock on it, says so and does nothing; it goes on when that has ended."""
    one = bench.ollama("both")
    first = bench.daemon(one)
    bench.state.rename(bench.directory / "away")
    second = bench.daemon(one)
    said = first.wait("nothing can be remembered", 20)
    wait.until(lambda: any("in use by another supervisor" in r.get("why", "") for r in first.records), 20, first.text)
    assert said and first.alive()
    opened = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{first.process.pid}/fd").iterdir()]
    assert not [name for name in opened if name.startswith(f"{bench.state}/") and ".db" in name], opened
    outlive_grace()
    started = one.started_at()
    one.leak(LEAK)
    second.wait("healed", in_time() + 15, container="both")
    once(one, started, second)
    assert not first.find("acting"), first.text()
    second.end()
    started = one.started_at()
    outlive_grace()
    one.leak(LEAK)
    first.wait("healed", in_time() + 30, container="both")
    assert one.started_at() != started
