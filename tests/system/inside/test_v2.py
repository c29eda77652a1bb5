"""What differs under cgroup v2 with swap. Runs in the emulated machine (tests/system/guest.py), where all is slow."""

import contextlib
import os
import time
import types

import pytest

import memory
import wait
from bench import QUICK, Bench, outlive_grace
from sizes import GIB, MIB

HOLD = 5.0
RAISED = HOLD + 12  # seconds, emulated
HEALED = 60


@pytest.fixture(scope="module")
def world(engine, built):
    """A leak in memory, a leak in swap, page cache that is no leak: all under one daemon."""
    bench = Bench(engine, QUICK | {"leak.hold": f"{HOLD:g}s", "leak.orphan_hold": f"{HOLD:g}s",
                                   "remedy.stop_grace": "20s"})
    files = "/data/files"
    os.makedirs(files, exist_ok=True)
    stays = contextlib.ExitStack()
    try:
        c = {
            "cached": bench.ollama("cached", binds=[f"{files}:/files"], labels={"supervisor.leak.threshold": "256M"}),
            "swapped": bench.ollama("swapped"),
            # Told only when nearly all of it is there: this machine may take longer to leak it than the hold.
            "leaked": bench.ollama("leaked", labels={"supervisor.leak.threshold": "1200M"}),
            "tight": bench.ollama("tight", labels={"supervisor.memory": "256m", "supervisor.leak.threshold": "8G"}),
            "wanted": bench.ollama("wanted", labels={"supervisor.memory": "1g"}),
        }
        c["cached"].fill("/files/weights", 400 * MIB)
        stays.enter_context(memory.pinned(f"{files}/weights"))
        c["tight"].leak(300 * MIB)
        c["swapped"].leak(2 * GIB)
        reclaim(c["swapped"], 2 * GIB)
        started = {name: one.started_at() for name, one in c.items()}
        daemon = bench.daemon(*c.values())
        outlive_grace()
        moment = c["leaked"].leak(1408 * MIB)
        yield types.SimpleNamespace(bench=bench, containers=c, daemon=daemon, started=started, leaked=moment)
    finally:
        stays.close()
        bench.close()


def reclaim(one, size):
    """Has the kernel swap out most of what it holds, and waits until it is there: not only on its way."""
    path = memory.directory(one.id)

    def swapped():
        return int((path / "memory.swap.current").read_text()) - memory.stat(path).get("swapcached", 0)
    end = time.monotonic() + 60
    while swapped() < 0.7 * size and time.monotonic() < end:
        try:
            (path / "memory.reclaim").write_text(f"{64 * MIB}")
        except OSError:
            time.sleep(0.1)
    assert swapped() >= 0.7 * size, "the kernel did not swap it out"


def healed(world, name):
    one = world.containers[name]
    record = world.daemon.wait("healed", HEALED, container=name)
    assert int(record["before"]) >= GIB and int(record["after"]) < 100 * MIB
    assert one.held() < 100 * MIB and one.started_at() != world.started[name] and one.stop_signals() == 1
    return record


def test_machine_is_what_it_should_be():
    assert memory.V2 and os.path.exists("/proc/pressure/memory")
    assert len(open("/proc/swaps").readlines()) == 2


def test_leak_is_raised_and_healed(world):
    raised = world.daemon.wait("verdict raised", RAISED, container="leaked", verdict="idle-leak")
    assert raised.at - world.leaked <= RAISED
    healed(world, "leaked")


def test_leak_that_was_swapped_out_is_raised_and_healed(world):
    raised = world.daemon.wait("verdict raised", RAISED, container="swapped", verdict="idle-leak")
    assert int(raised["serve"]) >= 2 * GIB - 64 * MIB and int(raised["swap"]) >= GIB
    healed(world, "swapped")


def test_page_cache_is_no_leak(world):
    world.daemon.wait("healed", HEALED, container="leaked")
    one = world.containers["cached"]
    assert one.page_cache() >= 390 * MIB, "the page cache was not there to be mistaken"
    time.sleep(5 * HOLD)
    assert {r["verdict"] for r in world.daemon.find("verdict raised", container="cached")} <= {"no-limit"}
    assert one.started_at() == world.started["cached"] and one.stop_signals() == 0


def test_limit_below_what_is_held_is_refused(world):
    """Under version 2 the kernel would kill for it."""
    world.daemon.wait("limit refused", RAISED, container="tight")
    one = world.containers["tight"]
    assert memory.limit(one.id) is None and one.occupied() >= 300 * MIB
    assert "oom_kill 0" in (memory.directory(one.id) / "memory.events").read_text()


def test_wanted_limit_is_written(world):
    world.daemon.wait("limit applied", RAISED, container="wanted")
    one = world.containers["wanted"]
    wait.until(lambda: memory.limit(one.id) == GIB, 20, "memory.max is 1 GiB")
