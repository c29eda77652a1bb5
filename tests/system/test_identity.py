"""The engine is the authority: a hold belongs to (id, StartedAt), never to a name."""

import time

from bench import HOLD, in_time, outlive_grace
from sizes import MIB

LOW = {"supervisor.leak.threshold": "128M", "supervisor.leak.threshold_percent": "0", "supervisor.leak.baseline": "64M"}


def test_hold_starts_again_when_the_container_is_recreated(bench):
    hold = 8.0
    labels = LOW | {"supervisor.leak.hold": f"{hold:g}s"}
    first = bench.ollama("same-name", labels=labels)
    daemon = bench.daemon(first)
    outlive_grace()
    leaked = first.leak(300 * MIB)
    time.sleep(max(0.0, leaked + hold * 0.7 - time.monotonic()))  # in the middle of the hold
    first.remove()
    second = bench.ollama("same-name", labels=labels)
    begun = second.started_at()
    leaked = second.leak(300 * MIB)
    record = daemon.wait("verdict raised", in_time(hold) + 5, container="same-name", verdict="idle-leak")
    assert record.at - leaked <= in_time(hold) and record.at - second.leaking_since >= hold, daemon.text()
    daemon.wait("healed", 15, container="same-name")
    assert second.started_at() != begun and second.stop_signals() == 1


def test_hold_starts_again_when_the_container_is_restarted(bench):
    hold = 8.0
    one = bench.ollama("restarted", labels=LOW | {"supervisor.leak.hold": f"{hold:g}s"})
    daemon = bench.daemon(one)
    outlive_grace()
    leaked = one.leak(300 * MIB)
    time.sleep(max(0.0, leaked + hold * 0.7 - time.monotonic()))
    one.engine.api.raw("POST", f"/containers/{one.id}/restart", query={"t": 5})
    one.wait_until_it_answers()
    leaked = one.leak(300 * MIB)
    record = daemon.wait("verdict raised", in_time(hold) + 5, container="restarted", verdict="idle-leak")
    assert record.at - leaked <= in_time(hold) and record.at - one.leaking_since >= hold, daemon.text()
    assert [r for r in daemon.records if r.msg == "acting" and r.at < leaked + hold] == []


def test_containers_that_come_and_go_are_followed(bench):
    daemon = bench.daemon()
    one = bench.ollama("comer", labels=LOW)
    came = time.monotonic()
    daemon.wait("supervising", 2, container="comer")
    outlive_grace()
    leaked = one.leak(300 * MIB)
    record = daemon.wait("verdict raised", in_time() + 5, container="comer", verdict="idle-leak")
    assert record.at - leaked <= in_time() and came < record.at
    daemon.wait("healed", 15, container="comer")
    one.remove()
    assert daemon.alive()
    stopped = bench.ollama("stopped", labels=LOW)
    daemon.wait("supervising", 2, container="stopped")
    stopped.engine.api.raw("POST", f"/containers/{stopped.id}/stop", query={"t": 5})
    time.sleep(HOLD + 2)
    assert not stopped.running(), "a container that a person stopped was started"
    assert not daemon.find("acting", container="stopped")
