"""What is ill is seen in time, named, healed by the smallest remedy, and verified by bytes.

All containers of this module fall ill at the same time under one daemon; each test looks at one.
"""

import types
from concurrent.futures import ThreadPoolExecutor

import pytest

import wait
from bench import HOLD, Bystander, in_time, outlive_grace
from sizes import GIB, MIB

LEAK, SMALL = 2 * GIB, 300 * MIB
LATE_HOLD = 12.0


@pytest.fixture(scope="module")
def ward(shared_bench):
    """Every container with its moment of falling ill, its StartedAt before, and the daemon that saw it."""
    bench = shared_bench
    bench.settings |= {"leak.threshold": "128M", "leak.threshold_percent": "0", "leak.baseline": "64M"}
    make = {
        "leaked": lambda n: bench.ollama(n),
        "leaked24": lambda n: bench.ollama(n, version="0.24"),
        "before": lambda n: bench.ollama(n),
        "found": lambda n: bench.ollama(n, mode=None),
        "watched": lambda n: bench.ollama(n, mode="observe"),
        "late": lambda n: bench.ollama(n, labels={"supervisor.leak.hold": f"{LATE_HOLD:g}s"}),
        "high": lambda n: bench.ollama(n, labels={"supervisor.leak.threshold": "1G"}),
        "broken-label": lambda n: bench.ollama(n, labels={"supervisor.leak.hold": "soon", "supervisor.memroy": "1g"}),
        "swarm": lambda n: bench.ollama(n, labels={"com.docker.swarm.task.id": "x1"}),
        "orphaned": lambda n: bench.ollama(n),
        "orphaned24": lambda n: bench.ollama(n, version="0.24"),
    }
    bystander = Bystander(bench)
    ward = types.SimpleNamespace(bench=bench, bystander=bystander, containers={name: one(name) for name, one in make.items()}, ill={})
    c = ward.containers
    c["before"].leak(SMALL)
    ward.started = {name: one.started_at() for name, one in c.items()}
    ward.daemon = bench.daemon(*c.values())
    outlive_grace()
    sizes = {"leaked": LEAK, "leaked24": SMALL, "found": SMALL, "watched": SMALL, "late": SMALL, "high": SMALL,
             "broken-label": SMALL, "swarm": SMALL}
    with ThreadPoolExecutor(3) as pool:
        for name, moment in zip(sizes, pool.map(lambda n: c[n].leak(sizes[n]), sizes)):
            ward.ill[name] = moment
    for name in ("orphaned", "orphaned24"):
        ward.ill[name] = c[name].orphan(SMALL)
    ward.leave = lambda name: ward.daemon.wait("healed", in_time(LATE_HOLD) + 15, container=name)
    return ward


def raised(ward, name, verdict, hold=HOLD):
    record = ward.daemon.wait("verdict raised", in_time(LATE_HOLD) + 10, container=name, verdict=verdict)
    took = record.at - ward.ill[name]
    assert took <= in_time(hold), f"raised {took:.1f} s after the last byte, allowed {in_time(hold):g}"
    took = record.at - ward.containers[name].leaking_since
    assert took >= hold, f"raised {took:.1f} s after the first byte, before the hold of {hold:g} s"
    return record


def restarted_once(ward, name):
    one = ward.containers[name]
    assert one.started_at() != ward.started[name]
    assert one.starts() == 2  # its first, and the remedy's
    assert one.stop_signals() == 1


def untouched(ward, name):
    one = ward.containers[name]
    assert one.started_at() == ward.started[name]
    assert one.stop_signals() == 0
    assert not ward.daemon.find("acting", container=name)


def test_two_gib_leak_is_raised_in_time(ward):
    record = raised(ward, "leaked", "idle-leak")
    assert int(record["held"]) >= LEAK
    assert float(record["hold_s"]) == HOLD
    assert record["remedy"] == "restart"
    assert record["level"] == "warning"


def test_two_gib_leak_is_healed(ward):
    healed = ward.leave("leaked")
    assert healed["verdict"] == "idle-leak" and healed["step"] == "restart"
    assert int(healed["before"]) >= LEAK
    assert int(healed["after"]) < 100 * MIB
    assert float(healed["took_s"]) < 15
    assert ward.containers["leaked"].held() < 100 * MIB
    restarted_once(ward, "leaked")
    ward.containers["leaked"].wait_until_it_answers()
    ward.daemon.wait("verdict cleared", 10, container="leaked", verdict="idle-leak")


def test_leak_of_an_older_ollama_is_healed(ward):
    raised(ward, "leaked24", "idle-leak")
    ward.leave("leaked24")
    assert ward.containers["leaked24"].held() < 100 * MIB
    restarted_once(ward, "leaked24")


def test_server_that_had_leaked_before_is_found(ward):
    record = ward.daemon.wait("verdict raised", in_time(), container="before", verdict="idle-leak")
    assert int(record["held"]) >= SMALL
    ward.leave("before")
    restarted_once(ward, "before")


@pytest.mark.parametrize("name", ["found", "watched"])
def test_observed_container_is_told_only(ward, name):
    supervising = ward.daemon.find("supervising", container=name)[0]
    assert supervising["mode"] == "observe"
    assert supervising["why"]
    raised(ward, name, "idle-leak")
    told = ward.daemon.wait("would act", 5, container=name, verdict="idle-leak")
    assert told["step"] == "restart"
    ward.leave("late")
    untouched(ward, name)
    assert ward.containers[name].held() >= SMALL


def test_label_sets_the_hold(ward):
    assert float(raised(ward, "late", "idle-leak", LATE_HOLD)["hold_s"]) == LATE_HOLD
    ward.leave("late")
    restarted_once(ward, "late")


def test_leak_below_the_threshold_is_left_alone(ward):
    ward.leave("late")
    assert not ward.daemon.find("verdict raised", container="high", verdict="idle-leak")
    untouched(ward, "high")


def test_malformed_label_is_told_and_does_not_stop_the_supervision(ward):
    complaints = [r for r in ward.daemon.find(container="broken-label") if r["level"] in ("warning", "error")]
    told = " ".join(" ".join(r.values()) for r in complaints)
    assert "supervisor.leak.hold" in told and "soon" in told
    assert "supervisor.memroy" in told and "supervisor.memory" in told
    raised(ward, "broken-label", "idle-leak")
    ward.leave("broken-label")
    restarted_once(ward, "broken-label")


def test_task_of_a_swarm_is_told_and_left_to_its_manager(ward):
    raised(ward, "swarm", "idle-leak")
    ward.leave("late")
    untouched(ward, "swarm")


@pytest.mark.parametrize("name", ["orphaned", "orphaned24"])
def test_orphan_runner_dies_alone(ward, name):
    record = raised(ward, name, "orphan-runner")
    assert record["remedy"].startswith("kill")
    healed = ward.leave(name)
    assert healed["step"] == "kill"
    one = ward.containers[name]
    wait.until(lambda: not one.runners(), 2, f"the orphan is gone: {one.processes()}")
    assert one.held() < 100 * MIB
    assert one.started_at() == ward.started[name]
    assert one.stop_signals() == 0
    assert one.loaded() == []  # Ollama itself still answers


def test_bystander_is_untouched(ward):
    for name in ("leaked", "orphaned"):
        ward.daemon.wait("healed", in_time(LATE_HOLD) + 15, container=name)
    ward.leave("late")
    ward.bystander.is_untouched()


def test_every_line_of_the_log_is_logfmt(ward):
    ward.leave("late")
    assert ward.daemon.foreign == []
    assert all({"time", "level", "msg"} <= set(r) for r in ward.daemon.records)
    assert {r["level"] for r in ward.daemon.records} <= {"debug", "info", "warning", "error", "critical"}
