"""memory.high and memory.reclaim, which only cgroup v2 has. Runs in the emulated machine (tests/system/guest.py)."""

import os
import subprocess
import time
import types

import pytest

import intents
import memory
import wait
from bench import QUICK, Bench
from sizes import GIB, MIB

SOON = 25  # seconds, emulated
FILES, ELSEWHERE, READ_ONLY = "/data/control-files", "/data/cgroup", "/data/cgroup-ro"


def high(one):
    return (memory.directory(one.id) / "memory.high").read_text().strip()


def swapped(one):
    return int((memory.directory(one.id) / "memory.swap.current").read_text())


@pytest.fixture(scope="module")
def world(engine, built):
    bench = Bench(engine, QUICK | {"leak.threshold": "8G", "pressure.action_warn": "80", "pressure.action_optimize": "90"})
    os.makedirs(FILES, exist_ok=True)
    for place in (ELSEWHERE, READ_ONLY):
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "--bind", "/sys/fs/cgroup", place], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", READ_ONLY], check=True)
    try:
        c = {
            "high": bench.ollama("high", labels={"supervisor.memory.high": "900m"}),
            "low": bench.ollama("low", labels={"supervisor.memory.high": "100m"}),
            "watched": bench.ollama("watched", mode="observe", labels={"supervisor.memory.high": "900m"}),
            "cached": bench.ollama("cached", binds=[f"{FILES}:/files"]),
        }
        c["low"].leak(200 * MIB)
        c["cached"].leak(300 * MIB)
        c["cached"].fill("/files/weights", GIB)
        started = {name: one.started_at() for name, one in c.items()}
        daemon = bench.daemon(*c.values())
        yield types.SimpleNamespace(bench=bench, containers=c, daemon=daemon, started=started)
    finally:
        bench.close()
        for place in (READ_ONLY, ELSEWHERE):
            subprocess.run(["umount", place], check=False)


@pytest.fixture(autouse=True)
def only_its_own_daemons(world):
    """A test that fails leaves no daemon to the next one."""
    before = len(world.bench.daemons)
    yield
    for daemon in world.bench.daemons[before:]:
        if daemon.alive():
            daemon.end(9)


def warm(one):
    """A GiB of page cache, written anew where the machine's kernel has taken some of it back."""
    if one.page_cache() < GIB - 64 * MIB:
        one.fill("/files/weights", GIB)
    assert one.page_cache() >= GIB - 64 * MIB, "the page cache was not there to be mistaken"


def test_wanted_high_is_written(world):
    one = world.containers["high"]
    record = world.daemon.wait("memory.high applied", SOON, container="high")
    assert int(record["high"]) == 900 * MIB and high(one) == str(900 * MIB)
    assert one.started_at() == world.started["high"]
    assert [row["step"] for row in intents.rows(world.bench.state, "high")] == ["high"], "no intent was committed before it"


def test_high_below_the_floor_is_told_only(world):
    record = world.daemon.wait("verdict raised", SOON, container="low", verdict="high-drift")
    assert record["remedy"] == "none" and int(record["floor"]) >= 200 * MIB and "floor" in record["why"]
    assert high(world.containers["low"]) == "max" and not world.daemon.find("acting", container="low")


def test_observed_container_is_told_only(world):
    world.daemon.wait("would act", SOON, container="watched", step="high")
    assert high(world.containers["watched"]) == "max"


def test_page_cache_is_left_alone_without_pressure(world):
    one = world.containers["cached"]
    warm(one)
    time.sleep(8)
    assert not world.daemon.find("verdict raised", container="cached", verdict="page-cache")
    assert not world.daemon.find("acting", container="cached")


def test_high_that_went_with_the_cgroup_comes_back(world):
    one, moment = world.containers["high"], time.monotonic()
    world.bench.engine.api.call("POST", f"/containers/{one.id}/restart", query={"t": 2})
    world.daemon.wait("memory.high applied", 2 * SOON, after=moment, container="high")
    assert high(one) == str(900 * MIB)


def test_page_cache_is_reclaimed_under_pressure_once(world):
    """Pressure is made by moving the threshold: nearly any machine uses 5 % of its memory."""
    world.daemon.end()
    one = world.containers["cached"]
    warm(one)
    before, held, swap = one.page_cache(), one.held(), swapped(one)
    daemon = world.bench.daemon(one, pressure__action_warn="4", pressure__action_optimize="5")
    raised = daemon.wait("verdict raised", SOON, container="cached", verdict="page-cache")
    assert int(raised["inactive_file"]) >= 256 * MIB and float(raised["in_use"]) >= 5
    record = daemon.wait("page cache reclaimed", 2 * SOON, container="cached")
    assert int(record["page_cache_before"]) >= before - 64 * MIB
    assert int(record["page_cache_after"]) <= before - 256 * MIB
    assert abs(int(record["before"]) - int(record["after"])) < 32 * MIB, "before and after are what is held"
    assert one.page_cache() <= before - 256 * MIB
    assert abs(one.held() - held) < 32 * MIB and swapped(one) - swap < 40 * MIB, "its memory was swapped out"
    one.fill("/files/again", GIB)
    time.sleep(10)
    assert len(daemon.find("acting", container="cached", step="reclaim")) == 1, "again within five minutes"
    daemon.end()
    successor = world.bench.daemon(one, pressure__action_warn="4", pressure__action_optimize="5")
    if memory.stat(memory.directory(one.id))["inactive_file"] >= 256 * MIB:  # newer kernels call new pages active
        successor.wait("verdict raised", SOON, container="cached", verdict="page-cache")
    time.sleep(6)
    assert not successor.find("acting", container="cached"), "the rest was forgotten with the daemon"
    assert one.started_at() == world.started["cached"]
    successor.end()


def test_read_only_cgroup_is_told_once(world):
    one = world.containers["high"]
    (memory.directory(one.id) / "memory.high").write_text("max")
    daemon = world.bench.daemon(one, paths__cgroupfs=READ_ONLY)
    record = daemon.wait("remedy dropped", SOON, container="high", step="high")
    assert "writable" in record["why"]
    time.sleep(6)
    assert len(daemon.find("remedy dropped", container="high")) == 1, "told more than once"
    assert high(one) == "max"
    status = world.bench.supervisor("status", paths__cgroupfs=READ_ONLY, timeout=120)
    assert "writable" in " ".join(status.out.split()), status
    daemon.end()


def test_cgroups_mounted_elsewhere_are_written(world):
    """As in the supervisor's own container, where they are below /host."""
    one = world.containers["high"]
    daemon = world.bench.daemon(one, paths__cgroupfs=ELSEWHERE)
    daemon.wait("memory.high applied", SOON, container="high")
    assert high(one) == str(900 * MIB)
    daemon.end()


def test_enforce_writes_high(world):
    one = world.containers["high"]
    (memory.directory(one.id) / "memory.high").write_text("max")
    done = world.bench.supervisor("enforce", "high", timeout=120)
    assert done.code == 0 and "900.0 MiB" in done.out and high(one) == str(900 * MIB), done
