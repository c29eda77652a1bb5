"""Triage under cgroup v2 with swap: the ward of test_triage.py, and the illnesses that other modules have outside.

Runs in the emulated machine (tests/system/guest.py). What is in other modules here: idle-leak (test_v2.py), high-drift and
page-cache (test_controls.py)."""

import contextlib
import time

import pytest

import memory
import triage
import wait
from bench import BUSY, HOLD, PACE
from sizes import MIB
from test_triage import (  # noqa: F401 the same tests, on this ward
    test_budget_and_health_check_are_told,
    test_filling_prompt_cache_is_told_with_the_bound_that_fits,
    test_growth_of_a_version_without_that_cache_is_a_leak,
    test_hung_server_is_told_then_restarted,
    test_kill_by_the_kernel_names_the_runner_and_the_limit,
    test_others_were_left_alone,
    test_oversize_model_is_unloaded_when_it_is_idle,
    test_status_names_them,
    test_stuck_model_loses_its_runner_and_no_other_does,
)
from triage import SOON, alive, raised, untouched

LOW = {"supervisor.leak.threshold": "64m", "supervisor.leak.threshold_percent": "0"}
SWAP_HOLD, IDLE = 60, 20
LIMIT, NEAR = 160 * MIB, 64 * MIB  # the latter is critical by these settings
SETTINGS = {"pressure.level_medium": "20", "pressure.level_high": "30", "pressure.level_critical": "36"}  # as in test_ladder.py


def orphan(ward, one):
    kept = one.runners()
    one.orphan(100 * MIB)
    return kept, [pid for pid in one.runners() if pid not in kept]


def lose_its_runner(ward, one):
    one.ghost("big")


def stall(ward, one):
    """A load that stops half-way; its client waits as long as the ward lasts."""
    one.set(stall_load=1)
    ward.ends.enter_context(one.streaming("big"))


def fill_a_tmpfs(ward, one):
    one.fill("/ram/file", 100 * MIB)


def load_another(ward, one):
    """Gives the runner of the one that is used last."""
    before = one.runners()
    one.load("other")
    one.generate("other", tokens=20)
    return [pid for pid in one.runners() if pid not in before]


def grow_near_its_limit(ward, one):
    """Until it is unloaded, between two prompts; later where a look comes too late and the hold begins anew. Gives its runner."""
    runners, ends = one.runners(), time.monotonic() + 150
    while not ward.daemon.find("acting", container=one.name):
        assert time.monotonic() < ends, ward.daemon.text(one.name)
        triage.distinct_prompts(ward, one, seconds=1, leaves="512k")
    return runners


def take_its_limit_away(ward, one):
    one.engine.api.call("POST", f"/containers/{one.id}/update", {"Memory": 512 * MIB, "MemorySwap": 1024 * MIB})
    return time.monotonic()


ILLNESSES = triage.ILLNESSES | {
    "orphaned": ({"models": "big=50M:8M"}, triage.load, orphan),
    "ghost": ({"models": "big=50M:8M"}, triage.load, lose_its_runner),
    "stalled": ({"models": "big=100M:8M"}, None, stall),
    "tmpfs": ({"tmpfs": {"/ram": "size=150m"}, "labels": LOW}, None, fill_a_tmpfs),
    "single": ({"models": "big=50M:8M,other=50M:8M", "labels": {"supervisor.single": "on"}}, triage.load, load_another),
    "idle": ({"models": "big=50M:8M", "labels": {"supervisor.idle_unload": f"{IDLE}s"}}, None, lambda ward, one: one.load("big")),
    "near": ({"version": "0.24", "models": "big=40M:8M", "memory_limit": LIMIT,
              "labels": {"supervisor.leak.growth_hold": "20s", "supervisor.leak.growth": "4m"}}, triage.load, grow_near_its_limit),
    "drifted": ({"memory_limit": 256 * MIB, "labels": {"supervisor.memory": "256m", "supervisor.memory.swap": "0"}}, None, take_its_limit_away),
    # The model is larger than the limit; the kernel swaps out what does not fit.
    "swapped": ({"models": "big=180M:8M", "memory_limit": 120 * MIB, "swap": 240 * MIB}, triage.load, None),
}


@pytest.fixture(scope="module")
def ward(engine, built):
    with triage.ward(engine, ILLNESSES, SETTINGS) as one:
        yield one


def killed_by_the_kernel(one):
    events = (memory.directory(one.id) / "memory.events").read_text()
    return int(dict(line.split() for line in events.splitlines())["oom_kill"])


def test_orphan_alone_is_killed(ward):
    kept, orphans = ward.ill["orphaned"].result()
    record = raised(ward, "orphaned", "orphan-runner", HOLD + BUSY + SOON)
    assert record["remedy"] == "kill-runner" and [int(record["pid"])] == orphans
    healed = ward.daemon.wait("healed", 15 * PACE, container="orphaned", step="kill")
    assert int(healed["before"]) - int(healed["after"]) >= 90 * MIB
    one = alive(ward, "orphaned")
    assert one.runners() == kept and one.loaded() == ["big"]


def test_ghost_is_told_only(ward):
    ward.ill["ghost"].result()
    record = raised(ward, "ghost", "ghost-model", 10 + SOON)
    assert record["remedy"] == "none"
    one = untouched(ward, "ghost")
    assert one.runners() == [] and one.loaded() == ["big"] and killed_by_the_kernel(one) == 0


def test_stalled_load_is_told_only(ward):
    ward.ill["stalled"].result()
    record = raised(ward, "stalled", "stalled-load", HOLD + BUSY + SOON)
    assert record["remedy"] == "none" and int(record["connections"]) >= 1
    assert len(untouched(ward, "stalled").runners()) == 1


def test_what_a_tmpfs_holds_is_told_only(ward):
    ward.ill["tmpfs"].result()
    record = raised(ward, "tmpfs", "held-elsewhere", HOLD + SOON)
    assert int(record["shmem"]) >= 64 * MIB and int(record["foreign"]) < 32 * MIB
    assert not ward.daemon.find("verdict raised", container="tmpfs", verdict="idle-leak")
    assert memory.stat(memory.directory(untouched(ward, "tmpfs").id))["shmem"] >= 100 * MIB


def test_model_that_was_used_last_stays_alone(ward):
    kept = ward.ill["single"].result()
    raised(ward, "single", "too-many-models", BUSY + SOON)
    ward.daemon.wait("healed", 25 * PACE, container="single", step="unload")
    one = alive(ward, "single")
    assert one.loaded() == ["other"] and one.runners() == kept


def test_growth_near_the_limit_is_unloaded(ward):
    runners = ward.ill["near"].result()
    healed = ward.daemon.wait("healed", BUSY + 30 * PACE, container="near")
    assert healed["verdict"] == "growth-leak" and healed["step"] == "unload"
    assert int(healed["before"]) - int(healed["after"]) >= 50 * MIB
    one = alive(ward, "near")
    assert not set(runners) & set(one.runners()) and len(ward.daemon.find("acting", container="near")) == 1


def test_model_that_nobody_uses_is_unloaded(ward):
    ward.ill["idle"].result()
    healed = ward.daemon.wait("healed", IDLE + SOON, container="idle", step="unload")
    assert healed["verdict"] == "idle-model"
    one = alive(ward, "idle")
    assert one.loaded() == [] and one.runners() == []


def test_limit_of_memory_and_swap_comes_back(ward):
    moment = ward.ill["drifted"].result()
    record = raised(ward, "drifted", "limit-drift", SOON)
    assert record["remedy"] == "limit" and int(record["wanted"]) == 256 * MIB
    ward.daemon.wait("limit applied", SOON, after=moment, container="drifted")
    one = alive(ward, "drifted")
    wait.until(lambda: memory.limit(one.id) == 256 * MIB, 10, "memory.max is 256 MiB again")
    assert (memory.directory(one.id) / "memory.swap.max").read_text().strip() == "0"


def test_no_limit_is_told_only(ward):
    assert raised(ward, "healthy", "no-limit", SOON)["remedy"] == "none"
    assert memory.limit(untouched(ward, "healthy").id) is None


def test_kill_is_the_own_limits_by_memory_events(ward):
    ward.ill["killed"].result()
    one = ward.containers["killed"]
    assert int(raised(ward, "killed", "oom-kill", SOON)["oom_kills"]) == killed_by_the_kernel(one) >= 1
    assert one.inspect()["State"]["OOMKilled"] is False and one.loaded() == []


def test_model_that_was_swapped_out_is_told_until_it_goes(ward):
    one = ward.containers["swapped"]
    swapped = int((memory.directory(one.id) / "memory.swap.current").read_text())
    assert swapped >= 48 * MIB and killed_by_the_kernel(one) == 0, "it was not swapped out"
    record = raised(ward, "swapped", "swap-in-use", SWAP_HOLD + SOON)
    assert record["severity"] == "warning" and record["remedy"] == "none" and int(record["swap"]) >= 16 * MIB
    assert one.occupied() >= 180 * MIB
    untouched(ward, "swapped").unload("big")
    ward.daemon.wait("verdict cleared", SOON, container="swapped", verdict="swap-in-use")
    untouched(ward, "swapped")


def test_nobody_else_was_touched(ward):
    """Of all that was done here nothing reached the others."""
    for name, future in ward.ill.items():
        with contextlib.suppress(Exception):  # its own test says so
            future.result()
    treated = {record["container"] for record in ward.daemon.find("acting")}
    assert treated <= {"stuck", "hung", "oversize", "orphaned", "single", "near", "idle", "drifted"}, ward.daemon.text()
    for name in ward.containers.keys() - {"hung"}:
        alive(ward, name)
