"""memory.high and cpu.max of who gives way, as cgroup v2 has them. Runs in the emulated machine (tests/system/guest.py)."""

import contextlib
import signal
import sqlite3

import cpu
import memory
from bench import QUICK, Bench
from sizes import MIB

SOON = 25  # seconds, emulated
SCARCE = {"pressure__level_medium": "1", "pressure__level_high": "1.2", "pressure__level_critical": "1.4"}


def bounds(one):
    return (memory.directory(one.id) / "memory.high").read_text().strip(), cpu.quota(one.id)


def rows(bench):
    with contextlib.closing(sqlite3.connect(f"file:{bench.state}/supervisor.db?mode=ro", uri=True, timeout=5)) as db:
        return db.execute("SELECT container FROM throttles").fetchall()


def throttled(one, high=300 * MIB):
    """Above what it holds, by little."""
    is_high, quota = bounds(one)
    return quota == "50000 100000" and is_high != "max" and high < int(is_high) < high + 160 * MIB


def test_memory_high_and_quota_are_set_and_given_back(engine, built):
    """By a daemon that ends, and after one that is killed; a wanted memory.high does not come between."""
    bench = Bench(engine, QUICK | {"supervisor.interval": "1s", "supervisor.poll": "2s", "leak.threshold": "8G"})
    try:
        low = bench.ollama("low", labels={"supervisor.priority": "low"})
        wanted = bench.ollama("wanted", labels={"supervisor.priority": "low", "supervisor.memory.high": "900m"})
        low.leak(300 * MIB)
        (memory.directory(wanted.id) / "memory.high").write_text(str(900 * MIB))
        engine.api.call("POST", f"/containers/{low.id}/update", {"CpuQuota": 150000, "CpuPeriod": 100000})
        before = {one: bounds(one) for one in (low, wanted)}
        assert before == {low: ("max", "150000 100000"), wanted: (str(900 * MIB), "max 100000")}

        first = bench.daemon(low, wanted, **SCARCE)
        record = first.wait("throttled", SOON, container="low")
        assert record["why"].startswith("50 % of a core, memory.high "), record
        first.wait("throttled", SOON, container="wanted")
        assert throttled(low) and throttled(wanted, 5 * MIB), (bounds(low), bounds(wanted))
        first.end(signal.SIGKILL)
        assert throttled(low) and throttled(wanted, 5 * MIB) and len(rows(bench)) == 2

        second = bench.daemon(low, wanted, **SCARCE)
        second.wait("verdict raised", SOON, container="low", verdict="low-priority")
        code, took = second.end(signal.SIGTERM)
        assert code == 0, f"exit {code} after {took:.2f} s\n{second.text()}"
        assert {one: bounds(one) for one in (low, wanted)} == before, second.text()
        assert rows(bench) == [] and not second.find("acting"), second.text()
        assert not first.find("verdict raised", verdict="high-drift") and not second.find("verdict raised", verdict="high-drift")
    finally:
        bench.close()
