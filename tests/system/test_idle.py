"""models.idle_unload: what nobody uses goes, and nothing else."""

import contextlib
import json
import signal
import socket
import time

import pytest

import wait
from bench import HOLD, INTERVAL, POLL, QUICK, Bench, Bystander
from ollama import PORT
from sizes import MIB

IDLE = 6.0
IN_TIME = IDLE + 2 * INTERVAL + POLL + 1  # and a look for the connections
READ_AGAIN = 10.0  # the connections, where one was there
LABELS = {"supervisor.idle_unload": f"{IDLE:g}s"}


@pytest.fixture
def idle_bench(engine, built):
    bench = Bench(engine, QUICK | {'tier "fast".models': "quick"})
    try:
        bystander = Bystander(bench)
        yield bench
        bystander.is_untouched()
    finally:
        bench.close()


def uses(one, model, seconds, every=2.0):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        one.generate(model)
        time.sleep(every)


def test_what_nobody_uses_goes_and_the_rest_stays(idle_bench):
    bench = idle_bench
    one = bench.ollama("one", models="used=100M,unused=100M,quick=40M,kept=40M",
                       env={"OLLAMA_MAX_LOADED_MODELS": "4"}, labels=LABELS | {"supervisor.pin": "kept"})
    free = bench.ollama("free", models="first=40M")
    watched = bench.ollama("watched", mode="observe", models="first=40M", labels=LABELS)
    before = [c.started_at() for c in (one, free, watched)]
    for c in (free, watched):
        c.load("first")
    for model in ("used", "quick", "kept"):
        one.load(model)
    daemon = bench.daemon(one, free, watched)
    one.load("unused")
    loaded_at = time.monotonic()
    uses(one, "used", 3 * IDLE + READ_AGAIN)
    healed = daemon.find("healed", container="one", step="unload", verdict="idle-model")
    assert [h["model"] for h in healed] == ["unused:latest"], daemon.text("one")
    assert IDLE - 1 <= healed[0].at - loaded_at <= IN_TIME + READ_AGAIN + 2, daemon.text("one")  # 2: the unload itself
    assert int(healed[0]["before"]) - int(healed[0]["after"]) >= 50 * MIB
    assert sorted(one.loaded()) == ["kept", "quick", "used"]
    used_at = time.monotonic()
    gone = daemon.wait("healed", IN_TIME + 5, container="one", model="used:latest")
    assert gone.at - used_at >= IDLE - 2 - POLL
    assert sorted(one.loaded()) == ["kept", "quick"] and free.loaded() == watched.loaded() == ["first"]
    daemon.wait("would act", 1, container="watched", step="unload", verdict="idle-model")
    assert before == [c.started_at() for c in (one, free, watched)]
    assert not daemon.find("acting", container="free") and not daemon.find("verdict raised", container="free", verdict="idle-model")
    events = [json.loads(line) for line in bench.supervisor("events", "one", "--json").out.splitlines()]
    raised = [e for e in events if e.get("verdict") == "idle-model" and e["event"] == "raised"]
    assert len(raised) == 2, events


def test_used_again_right_before_its_time(idle_bench):
    """A model that is used shortly before each deadline stays, however short the requests are."""
    one = idle_bench.ollama("again", models="short=40M", labels=LABELS)
    one.set(cpu_percent=0)  # a request that takes no CPU time that can be seen: Ollama's expires_at shows it
    one.load("short")
    daemon = idle_bench.daemon(one)
    uses(one, "short", 5 * IDLE, every=IDLE - 2 * POLL - INTERVAL)
    assert one.loaded() == ["short"] and not daemon.find("acting"), daemon.text()


def test_request_under_way_at_the_deadline_is_not_disturbed(idle_bench):
    """Requests that take no CPU time: nothing but their connection tells that they are there."""
    labels = LABELS | {"supervisor.leak.connected_hold": "10s"}
    patient, short = (idle_bench.ollama(name, models="long=40M", labels=extra)
                      for name, extra in (("patient", LABELS), ("short", labels)))
    for one in (patient, short):
        one.set(cpu_percent=0, tokens_per_s=10)
        one.load("long")
    daemon = idle_bench.daemon(patient, short)
    with patient.streaming("long", tokens=180) as calm, short.streaming("long", tokens=180) as asked:
        wait.until(lambda: json.loads(calm[-1])["done"] if calm else False, 40, "the first answer is whole")
        wait.until(lambda: json.loads(asked[-1])["done"] if asked else False, 40, "the other answer is whole")
        assert len(calm) == len(asked) == 181, (len(calm), len(asked))
    assert not daemon.find("acting", container="patient"), daemon.text("patient")
    assert daemon.find("acting", container="short", verdict="idle-model"), daemon.text("short")
    for one in (patient, short):
        assert one.stop_signals() == 0
        wait.until(lambda one=one: one.loaded() == [], 2 * IN_TIME, lambda: f"idle at last\n{daemon.text()}")


def test_open_connection_protects_for_its_time_only(idle_bench):
    one = idle_bench.ollama("pool", models="first=40M", labels=LABELS | {"supervisor.leak.connected_hold": "14s"})
    one.load("first")
    daemon = idle_bench.daemon(one)
    since = time.monotonic()
    with contextlib.closing(socket.create_connection((one.address, PORT), 5)):
        acting = daemon.wait("acting", 30, container="pool", verdict="idle-model")
        daemon.wait("healed", 10, container="pool", step="unload")
    assert 13 <= acting.at - since <= 14 + IN_TIME - IDLE, daemon.text()


def test_second_supervisor_does_not_unload_twice(idle_bench, tmp_path):
    one = idle_bench.ollama("shared", models="first=40M", labels=LABELS)
    one.load("first")
    first = idle_bench.daemon(one)
    time.sleep(2)
    second = idle_bench.daemon(one, state=tmp_path / "other")  # it has not seen it idle for so long
    # The other's question of Ollama is a client, too: where it is met, connections are read again 10 s later.
    first.wait("healed", IN_TIME + 3 + 10, container="shared", step="unload")
    one.load("first")
    time.sleep(IDLE - 2)
    assert one.loaded() == ["first"]
    assert len(first.find("acting")) == 1 and not second.find("acting"), second.text()


def test_successor_of_a_killed_one_begins_to_count_anew(idle_bench):
    one = idle_bench.ollama("left", models="first=40M", labels=LABELS)
    one.load("first")
    one.set(keep_answering=True)  # an unload that is answered and does not happen
    daemon = idle_bench.daemon(one)
    daemon.wait("acting", IN_TIME + 3, container="left", verdict="idle-model")
    daemon.send(signal.SIGKILL)
    daemon.process.wait(10)
    one.set(keep_answering=False)
    successor = idle_bench.daemon(one)
    came = time.monotonic()
    successor.wait("remedy taken up", 5, container="left", step="unload")
    acting = successor.wait("acting", IN_TIME + 5, container="left", verdict="idle-model")
    assert acting.at - came >= IDLE - 1, successor.text()
    successor.wait("healed", 10, container="left", step="unload")
    assert one.loaded() == [] and one.stop_signals() == 0


def test_unload_that_does_not_happen_is_told_and_not_escalated(idle_bench):
    one = idle_bench.ollama("deaf", models="first=40M", labels=LABELS)
    one.load("first")
    one.set(keep_answering=True)
    daemon = idle_bench.daemon(one)
    daemon.wait("not healed", IN_TIME + 20, container="deaf", step="unload")
    time.sleep(2 * HOLD)
    assert one.stop_signals() == 0 and len(one.runners()) == 1
    assert {r["step"] for r in daemon.find("acting", container="deaf")} == {"unload"}
